"""Train the English CLIP that ships, by contrast, from nothing on drawn pictures.

In: a picture pool; captions are made anew at every step. Out: `checkpoints/clip`, a `CLIPModel` folder in the Hugging
Face layout, measured on held-out pictures. Captions that are the same text share credit. Scenes of several garments
bring their own hard negatives: the same scene described with colours swapped between the garments (Yuksekgonul et al.
2023, arXiv:2210.01936). Two probes that read every garment's attributes off the pooled vectors speed the start up and
are thrown away. With `--lock-text` the text tower stays as it ships (Zhai et al. 2022, arXiv:2111.07991), so that what
other parts learnt from it holds, and only the image tower, both projections and the scale train; a text tower that
`ko_clip.scene_reading` has taught is always locked. To train any other CLIP further: `ko_clip.finetune`.
Ref: Radford et al. 2021, arXiv:2103.00020.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import nn
from transformers import CLIPModel, CLIPTokenizer, PreTrainedTokenizerBase

from fashion.captions import caption
from fashion.lexicon import COLORS, GARMENTS, HEMS, PATTERNS, SLEEVES
from fashion.pool import PicturePool, halved, open_pool
from fashion.scene import Scene, scenes
from ko_clip.clip_folder import image_side
from ko_clip.english import MAX_TOKENS, EnglishClipShape, train_tokenizer
from training.command import run_command
from training.parts import FACTS_FILE, save_part, warm_start
from training.run import Run, add_training_options, open_run, trainer_settings
from training.state import STATE_FILE
from training.trainer import Trainer

logger = logging.getLogger(__name__)
TOKENIZER_CAPTIONS = 60_000
WEIGHTS_FILE = "model.safetensors"


# --- the loss -----------------------------------------------------------------------------------------------------


def contrastive_loss(
    image: torch.Tensor,
    text: torch.Tensor,
    scale: torch.Tensor,
    same: torch.Tensor,
    wrong_text: torch.Tensor | None = None,
) -> torch.Tensor:
    """Symmetric cross-entropy of unit vectors image (n, d) and text (n, d).

    `same` (n, n) is true where two captions are the same text: they share the credit. `wrong_text` (m, d) are further
    captions that fit no picture of the batch.
    """
    credit = same.float() / same.float().sum(dim=1, keepdim=True)
    candidates = text if wrong_text is None else torch.cat([text, wrong_text])  # (n + m, d)
    by_image = scale * image @ candidates.T  # (n, n + m)
    by_text = scale * text @ image.T  # (n, n)
    image_loss = -(credit * by_image.log_softmax(dim=1)[:, : len(text)]).sum(dim=1).mean()
    text_loss = -(credit * by_text.log_softmax(dim=1)).sum(dim=1).mean()
    return (image_loss + text_loss) / 2


class AttributeProbe(nn.Module):
    """Reads, for every kind of garment, whether it is there and its colour, pattern, sleeve and hem off one vector."""

    FIELDS = (("color", COLORS), ("pattern", PATTERNS), ("sleeve", SLEEVES), ("hem", HEMS))

    def __init__(self, width: int) -> None:
        super().__init__()
        self.heads = nn.ModuleDict(
            {field: nn.Linear(width, len(GARMENTS) * (len(words) + 1)) for field, words in self.FIELDS}
        )

    def loss(self, vectors: torch.Tensor, targets: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """Cross-entropy of vectors (n, d); targets[field] (n, garments) holds 0 where there is none, else 1 + word."""
        total = vectors.new_zeros(())
        for field, words in self.FIELDS:
            logits = self.heads[field](vectors).view(len(vectors), len(GARMENTS), len(words) + 1)
            total = total + F.cross_entropy(logits.flatten(0, 1).float(), targets[field].flatten())
        return total


_KIND_INDEX = {kind.id: i for i, kind in enumerate(GARMENTS)}


def attribute_targets(batch: Sequence[Scene]) -> dict[str, torch.Tensor]:
    """Per field a tensor (n, garments): 0 where garment or attribute is absent, else 1 + the word's place."""
    targets = {field: torch.zeros(len(batch), len(GARMENTS), dtype=torch.long) for field, _ in AttributeProbe.FIELDS}
    for row, scene in enumerate(batch):
        for garment in scene.garments:
            for field, words in AttributeProbe.FIELDS:
                value = getattr(garment, field)
                if value is not None:
                    targets[field][row, _KIND_INDEX[garment.kind]] = 1 + [w.id for w in words].index(value)
    return targets


def swap_colors(scene: Scene) -> Scene | None:
    """The same outfit with its colours moved on by one garment; None where that changes nothing."""
    colors = [garment.color for garment in scene.garments]
    if len(set(colors)) < 2:
        return None
    moved = colors[1:] + colors[:1]
    return replace(scene, garments=tuple(replace(g, color=c) for g, c in zip(scene.garments, moved, strict=True)))


# --- encoding -----------------------------------------------------------------------------------------------------


def tokenize(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], pad_to: int | None = None, most: int = MAX_TOKENS
) -> torch.Tensor:
    """Ids (n, longest) of at most `most`, or (n, pad_to). The tower is causal, so a shorter row changes no vector."""
    padding = "max_length" if pad_to else "longest"
    length = pad_to or most
    return tokenizer(list(texts), padding=padding, truncation=True, max_length=length, return_tensors="pt").input_ids


def text_vectors(clip: CLIPModel, ids: torch.Tensor) -> torch.Tensor:
    """Unit vectors (n, projection) of ids (n, length)."""
    pooled = clip.text_model(ids).pooler_output
    return F.normalize(clip.text_projection(pooled).float(), dim=-1)


def image_vectors(clip: CLIPModel, pictures: torch.Tensor) -> torch.Tensor:
    """Unit vectors (n, projection) of pictures (n, 3, size, size), resized to what the tower reads.

    Their levels are scaled as the tower expects: -1..1 for the one that ships.
    """
    size = image_side(clip)
    if pictures.shape[-1] != size:
        pictures = F.interpolate(pictures, size=(size, size), mode="area")
    pooled = clip.vision_model(pictures).pooler_output
    return F.normalize(clip.visual_projection(pooled).float(), dim=-1)


def to_tensor(pictures: np.ndarray) -> torch.Tensor:
    """Pictures (n, h, w, 3) uint8 as (n, 3, h, w) in -1..1."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)


def caption_groups(captions: Sequence[str]) -> torch.Tensor:
    """(n,) int: the same number where the caption is the same text."""
    numbers = {caption: i for i, caption in enumerate(dict.fromkeys(captions))}
    return torch.tensor([numbers[caption] for caption in captions])


@torch.no_grad()
def retrieval(image: torch.Tensor, text: torch.Tensor, captions: Sequence[str]) -> dict[str, float]:
    """R@1 and R@5 in percent, both ways, of unit vectors (n, d); the same caption twice may find either picture."""
    group = caption_groups(captions)
    facts: dict[str, float] = {}
    for name, queries, answers in (("text_to_image", text, image), ("image_to_text", image, text)):
        most = min(5, len(answers))
        best = torch.cat([(some @ answers.T).topk(most, dim=1).indices for some in queries.split(1024)])  # (n, 5)
        hits = group[best] == group[:, None]
        facts[f"{name}_r1"] = round(100 * hits[:, 0].float().mean().item(), 2)
        facts[f"{name}_r5"] = round(100 * hits.any(dim=1).float().mean().item(), 2)
    return facts


# --- the English CLIP that ships ------------------------------------------------------------------------------------


def english_tokenizer(folder: Path) -> CLIPTokenizer:
    """The tokenizer in `folder`, learnt there once from drawn captions."""
    if (folder / "tokenizer.json").exists():
        return CLIPTokenizer.from_pretrained(folder)
    texts = (caption(scene, "en", seed=i).text for i, scene in enumerate(scenes(5, TOKENIZER_CAPTIONS, "any")))
    tokenizer = train_tokenizer(texts)
    tokenizer.save_pretrained(folder)
    return tokenizer


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.contrastive", description=__doc__)
    add_training_options(parser, steps=2400, batch=128, learning_rate=1e-3)
    parser.add_argument(
        "--lock-text", action="store_true", help="keep the text tower that ships; train image tower and projections"
    )
    options = parser.parse_args(argv)
    if not options.lock_text and "reading_steps" in _training_facts(options.checkpoints / "clip"):
        logger.warning("%s was taught by ko_clip.scene_reading: its text tower is locked", options.checkpoints / "clip")
        options.lock_text = True
    run = open_run(options, "clip-locked" if options.lock_text else "clip", part="clip")
    if options.lock_text and not (run.part / WEIGHTS_FILE).exists():
        parser.error(f"--lock-text keeps a text tower and {run.part} has none: train without it first")
    pool = open_pool(options.pool, options.pictures)
    held_out = open_pool(options.pool, options.held_out, seed=9, split="held_out")
    tokenizer = english_tokenizer(run.part)
    clip = EnglishClipShape().build(tokenizer)
    clip.to(run.device)  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
    first_step = warm_start(clip, run)
    shipped: dict[str, float] = {}
    if options.lock_text:
        lock_text(clip, run)
        shipped = _training_facts(run.part)
        first_step = int(shipped.get("locked_steps", 0))
    image_probe, text_probe = (AttributeProbe(EnglishClipShape.projection) for _ in range(2))
    probes = nn.ModuleDict({"image": image_probe, "text": text_probe})
    both = nn.ModuleDict({"clip": clip, "probes": probes}).to(run.device)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        rng = np.random.default_rng((23, step))
        indexes = rng.integers(0, options.pictures, options.batch)
        batch = [pool.scene(int(i)) for i in indexes]
        texts = [caption(scene, "en", seed=step * 100_003 + i).text for i, scene in enumerate(batch)]
        swapped = [caption(wrong, "en", seed=i).text for i, s in enumerate(batch) if (wrong := swap_colors(s))]
        ids = tokenize(tokenizer, texts + swapped).to(run.device)
        pictures = to_tensor(halved(pool.pictures(indexes))).to(run.device)
        with run.autocast():
            image = image_vectors(clip, pictures)
            text = text_vectors(clip, ids)
        same = torch.tensor([[a == b for b in texts] for a in texts], device=run.device)
        contrast = contrastive_loss(
            image, text[: len(batch)], clip.logit_scale.exp().clamp(max=100), same, text[len(batch) :]
        )
        targets = {field: rows.to(run.device) for field, rows in attribute_targets(batch).items()}
        root = image.shape[1] ** 0.5  # unit vectors made as long as a layer expects
        read = image_probe.loss(root * image, targets) + text_probe.loss(root * text[: len(batch)], targets)
        return {"loss": contrast + 0.5 * read, "contrast": contrast, "read": read}

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> dict[str, float]:
        return _measure(clip, tokenizer, held_out)

    trainer = Trainer(
        both, step_losses, trainer_settings(options), run.folder, first_step=first_step, on_sample=on_sample
    )
    result = trainer.run()
    both.load_state_dict(result.average)
    facts = _measure(clip, tokenizer, held_out)
    logger.info("held-out %s at step %d", json.dumps(facts), result.step)
    facts = {"held_out_pictures": options.held_out, **facts}
    if options.lock_text:  # `step` stays the step of the text tower, which the other parts learnt from
        facts = {**shipped, **facts, "locked_steps": result.step}
    save_part(clip, run.part, step=int(facts.pop("step", result.step)), facts=facts)


def _training_facts(part: Path) -> dict[str, float]:
    """The facts of a part's training; {} where there is none."""
    path = part / FACTS_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def lock_text(clip: CLIPModel, run: Run) -> None:
    """Put the text tower of the part that ships into `clip`, with its projection, and freeze both: a refiner is
    conditioned on the projected embedding.

    Raises ValueError where the part's tower has another shape, or where the run's state learnt beside another tower.
    """
    with safe_open(run.part / WEIGHTS_FILE, framework="pt") as file:
        names = [name for name in file.keys() if name.startswith("text_model.")]  # noqa: SIM118 - not a dictionary
        tower = {name.removeprefix("text_model."): file.get_tensor(name).float() for name in names}
        projection = file.get_tensor("text_projection.weight").float()
    shapes = {name: value.shape for name, value in clip.text_model.state_dict().items()}
    if {name: value.shape for name, value in tower.items()} != shapes:
        raise ValueError(f"{run.part} holds a text tower of another shape: train it anew without --lock-text")
    state = run.folder / STATE_FILE
    if state.exists():
        with safe_open(state, framework="pt") as file:
            if not all(torch.equal(file.get_tensor(f"model.clip.text_model.{n}"), v) for n, v in tower.items()):
                raise ValueError(f"{state} learnt beside another text tower than {run.part} has: remove {run.folder}")
    clip.text_model.load_state_dict(tower)
    clip.text_projection.load_state_dict({"weight": projection})
    clip.text_model.requires_grad_(False)
    clip.text_projection.requires_grad_(False)


@torch.no_grad()
def _measure(clip: CLIPModel, tokenizer: CLIPTokenizer, pool: PicturePool) -> dict[str, float]:
    clip.eval()
    captions = [caption(pool.scene(i), "en", seed=i).text for i in range(len(pool))]
    device = clip.logit_scale.device
    image, text = [], []
    for start in range(0, len(pool), 128):
        indexes = np.arange(start, min(start + 128, len(pool)))
        image.append(image_vectors(clip, to_tensor(halved(pool.pictures(indexes))).to(device)).cpu())
        text.append(text_vectors(clip, tokenize(tokenizer, [captions[i] for i in indexes]).to(device)).cpu())
    clip.train()
    return retrieval(torch.cat(image), torch.cat(text), captions)


if __name__ == "__main__":
    sys.exit(run_command(main))
