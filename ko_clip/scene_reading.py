"""Teach the English text tower what a caption says of every garment, before pictures are looked at.

In: drawn captions with the truth about what they name; no pictures, so thousands of steps take minutes. Out: the text
tower of `checkpoints/clip`. A reader with one query per kind of garment attends to the hidden states (batch, 77, d) as
a U-Net will, and says colour, pattern, material, sleeve, hem and neckline of each: so the states bind attributes to
garments, which contrast alone teaches slowly (Yuksekgonul et al. 2023, arXiv:2210.01936). The projection is fitted
anew, so that the image tower still finds the sentences where it learnt them. The reader stays beside the tower: a
student of it learns to be heard the same by the same reader (`agreement_loss`).
"""

from __future__ import annotations

import argparse
import copy
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import CLIPModel

from fashion.captions import Caption, caption
from fashion.lexicon import BACKGROUNDS, COLORS, GARMENTS, HEMS, MATERIALS, NECKLINES, PATTERNS, SLEEVES, STYLES
from fashion.scene import sample_scene
from ko_clip.contrastive import english_tokenizer, text_vectors, tokenize
from ko_clip.english import MAX_TOKENS, EnglishClipShape
from training.command import run_command
from training.parts import FACTS_FILE, save_part, trained_part
from training.run import add_training_options, open_run, trainer_settings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
FIELDS = {
    "color": COLORS, "pattern": PATTERNS, "material": MATERIALS, "sleeve": SLEEVES, "hem": HEMS, "neckline": NECKLINES,
}  # fmt: skip
PLACES = {"background": BACKGROUNDS, "style": STYLES}
PROJECTION_CAPTIONS = 6144
READER_FILE = "reading/reader.safetensors"
UNSAID = -100  # what cross-entropy leaves out
_KIND: dict[str | tuple[str, ...], int] = {kind.id: i for i, kind in enumerate(GARMENTS)}
_WORD: dict[str, dict[str | tuple[str, ...], int]] = {
    field: {word.id: i for i, word in enumerate(words)} for field, words in (FIELDS | PLACES).items()
}


class SceneReader(nn.Module):
    """Reads hidden states (batch, slots, width) with one query per garment kind and one for place and style."""

    def __init__(self, width: int, heads: int = 6) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(len(GARMENTS) + 1, width) * 0.5)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), nn.GELU())
        self.there = nn.Linear(width, 1)
        self.words = nn.ModuleDict({field: nn.Linear(width, len(words)) for field, words in (FIELDS | PLACES).items()})

    def forward(self, hidden: torch.Tensor) -> dict[str, torch.Tensor]:
        """Logits: "there" (batch, kinds), a field (batch, kinds, words), background and style (batch, words)."""
        queries = self.queries.expand(len(hidden), -1, -1)
        read = self.inner(self.attention(queries, hidden, hidden, need_weights=False)[0])  # (batch, kinds + 1, width)
        garments, place = read[:, :-1], read[:, -1]
        logits = {field: self.words[field](garments) for field in FIELDS}
        return logits | {field: self.words[field](place) for field in PLACES} | {"there": self.there(garments)[..., 0]}


def reading_targets(captions: Sequence[Caption]) -> dict[str, torch.Tensor]:
    """What `SceneReader` should say of captions; `UNSAID` where they name nothing."""
    count = len(captions)
    targets = {field: torch.full((count, len(GARMENTS)), UNSAID) for field in FIELDS}
    targets |= {field: torch.full((count,), UNSAID) for field in PLACES}
    targets["there"] = torch.zeros(count, len(GARMENTS))
    for row, spoken in enumerate(captions):
        for field in PLACES:
            if (value := getattr(spoken, field)) is not None:
                targets[field][row] = _WORD[field][value]
        for mention in spoken.mentions:
            kind = _KIND[mention["kind"]]
            targets["there"][row, kind] = 1
            for field in FIELDS:
                if field in mention:
                    targets[field][row, kind] = _WORD[field][mention[field]]
    return targets


def reading_losses(logits: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """ "loss", and "wrong": the share of named attributes that are read wrongly."""
    there = F.binary_cross_entropy_with_logits(logits["there"].float(), targets["there"], reduction="sum")
    total = there / len(targets["there"])
    wrong: list[torch.Tensor] = []
    named: list[torch.Tensor] = []
    for field in FIELDS | PLACES:
        answer = logits[field].flatten(0, -2).float()
        goal = targets[field].flatten()
        total = total + F.cross_entropy(answer, goal, ignore_index=UNSAID, reduction="sum") / len(targets["there"])
        named_here = goal != UNSAID
        wrong.append((answer.argmax(-1) != goal)[named_here].sum())
        named.append(named_here.sum())
    return {"loss": total / 10, "wrong": torch.stack(wrong).sum() / torch.stack(named).sum()}


def saved_reader(path: Path | str) -> SceneReader:
    """A reader as `main` saved it. Raises FileNotFoundError that says how to make it."""
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} is not there: python -m ko_clip.scene_reading writes it beside the text tower")
    with safe_open(path, framework="pt") as file:
        weights = {name: file.get_tensor(name).float() for name in file.keys()}  # noqa: SIM118 - not a dictionary
        heads = int(file.metadata()["heads"])
    reader = SceneReader(weights["queries"].shape[1], heads)
    reader.load_state_dict(weights)
    return reader.eval().requires_grad_(False)


def save_reader(reader: SceneReader, path: Path) -> None:
    """Write the weights as float16."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.half().contiguous() for name, value in reader.state_dict().items()}
    save_file(weights, path, metadata={"heads": str(reader.attention.num_heads)})


def agreement_loss(student_output: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> torch.Tensor:
    """How far what a reader says of a student's states is from what it says of the teacher's, where that names a word.

    Mean cross-entropy a text, less what is left when both say the same.
    """
    there = wanted["there"].float().sigmoid()
    total = _binary_excess(student_output["there"].float(), there).sum() / len(there)
    for field in FIELDS | PLACES:
        goal, answer = wanted[field].float().softmax(-1), student_output[field].float().log_softmax(-1)
        excess = F.kl_div(answer, goal, reduction="none").sum(-1)  # (texts, kinds) or (texts,)
        total = total + ((excess * there if excess.ndim == 2 else excess).sum()) / len(there)
    return total / 10


def _binary_excess(logits: torch.Tensor, goal: torch.Tensor) -> torch.Tensor:
    least = F.binary_cross_entropy(goal, goal, reduction="none")
    return F.binary_cross_entropy_with_logits(logits, goal, reduction="none") - least


@torch.no_grad()
def refit_projection(clip: CLIPModel, former: CLIPModel, ids: Sequence[torch.Tensor]) -> float:
    """Fit the text projection by least squares, so that sentences keep the vectors that the image tower knows.

    `ids` are batches (n, length). Returns the mean cosine of the new vectors with the former ones.
    """
    states = torch.cat([clip.text_model(batch).pooler_output for batch in ids])  # (captions, width)
    goals = torch.cat([text_vectors(former, batch) for batch in ids])  # (captions, projection)
    narrow = states.T @ states + 1e-3 * states.square().mean() * len(states) * torch.eye(states.shape[1])
    clip.text_projection.weight.copy_(torch.linalg.solve(narrow, states.T @ goals).T)
    return F.cosine_similarity(clip.text_projection(states), goals).mean().item()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m ko_clip.scene_reading", description=__doc__)
    add_training_options(parser, steps=2500, batch=96, learning_rate=1e-3)
    options = parser.parse_args(argv)
    run = open_run(options, "clip-reading", part="clip")
    tokenizer = english_tokenizer(trained_part(run.part, "python -m ko_clip.contrastive"))
    clip = CLIPModel.from_pretrained(run.part, dtype=torch.float32)  # whole: a resumed state holds the text tower alone
    shipped = json.loads((run.part / FACTS_FILE).read_text(encoding="utf-8"))
    former = copy.deepcopy(clip)
    text = clip.text_model
    reader = SceneReader(EnglishClipShape.text_width)
    both = nn.ModuleDict({"text": text, "reader": reader}).to(run.device)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        first = (41 * 10**6 + step * options.batch) % 10**9 + 10**10
        captions = [
            caption(sample_scene(first + i, "train"), "en", seed=i, short=i % 8 == 0) for i in range(options.batch)
        ]
        pad_to = MAX_TOKENS if step % 4 == 0 else None
        ids = tokenize(tokenizer, [c.text for c in captions], pad_to=pad_to).to(run.device)
        with run.autocast():
            logits = reader(text(ids).last_hidden_state)
        return reading_losses(logits, {name: goal.to(run.device) for name, goal in reading_targets(captions).items()})

    result = Trainer(both, step_losses, trainer_settings(options), run.folder).run()
    both.load_state_dict(result.average)
    both.cpu()
    save_reader(reader, run.part / READER_FILE)
    texts = [caption(sample_scene(10**9 + i, "train"), "en", seed=i).text for i in range(PROJECTION_CAPTIONS)]
    ids = [tokenize(tokenizer, texts[i : i + 256]) for i in range(0, len(texts), 256)]
    kept = refit_projection(clip, former, ids)
    logger.info("sentences keep %.3f of their direction", kept)
    misread = round(100 * result.losses["wrong"], 2)
    logger.info("%.2f %% of the attributes misread at step %d", misread, result.step)
    facts = {"reading_steps": result.step, "attributes_misread_percent": misread}
    save_part(clip, run.part, step=shipped["step"], facts=facts)


if __name__ == "__main__":
    sys.exit(run_command(main))
