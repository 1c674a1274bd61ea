"""Train a whole CLIP further on pairs, and follow the best state by pairs that are not trained on.

In: pairs of pictures and texts, split. Out: the averaged weights that found best among the watched pairs, with their
step. Texts that are the same share credit, in the loss and in what is measured.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from safetensors import safe_open
from tqdm import tqdm
from transformers import CLIPModel, PreTrainedTokenizerBase

from ko_clip.clip_folder import text_settings
from ko_clip.contrastive import caption_groups, contrastive_loss, image_vectors, retrieval, text_vectors, tokenize
from ko_clip.imagefolder import PairStore, Split
from training.run import Run
from training.schedule import TrainerSettings
from training.state import save_whole
from training.trainer import Trainer

logger = logging.getLogger(__name__)

TRAINED = {  # what --train leaves to learn; the scale and both projections always do
    "projections": (),
    "text": ("text_model",),
    "image": ("vision_model",),
    "all": ("text_model", "vision_model"),
}
LOSS_BLOCK = 256  # held-out pairs that are rivals in the loss: n² of all would not fit
ENCODED = 64
RANK_BLOCK = 1024


@dataclass(frozen=True)
class PairReader:
    """Pairs as a CLIP reads them."""

    store: PairStore
    tokenizer: PreTrainedTokenizerBase
    clip: CLIPModel

    def pixels(self, rows: np.ndarray) -> torch.Tensor:
        return self.store.pixels(rows).to(self.clip.device)  # (n, 3, size, size)

    def ids(self, texts: Sequence[str]) -> torch.Tensor:
        most = text_settings(self.clip).max_position_embeddings
        return tokenize(self.tokenizer, texts, most=most).to(self.clip.device)  # (n, longest)


def train_further(
    clip: CLIPModel, pairs: PairReader, split: Split, run: Run, settings: TrainerSettings, *, train: str, batch: int,
    seed: int,
) -> Best:  # fmt: skip
    """Train what `train` names in place for one leg; the best averaged state that was met."""
    _freeze(clip, train)
    best = Best(run.folder / "best.safetensors", clip)
    batches = Batches(split.trained, batch, seed)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        rows, rng = batches.rows(step), np.random.default_rng((seed, 7, step))
        choices = [pairs.store.pairs[row].texts for row in rows]
        texts = [some[int(rng.integers(len(some)))] for some in choices]
        with run.autocast():
            image, text = image_vectors(clip, pairs.pixels(rows)), text_vectors(clip, pairs.ids(texts))
        return {"loss": _contrast(clip, image, text, caption_groups(texts).to(image.device))}

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> dict[str, float]:
        watched = measure(clip, pairs, split.watched, None).figures
        best.offer(clip, step, watched)
        return watched

    Trainer(clip, step_losses, replace(settings, sample_at_end=True), run.folder, on_sample=on_sample).run()
    return best


class Batches:
    """Places of the pairs of each step: every epoch shuffled by seed, what fills no batch left to the next epochs."""

    def __init__(self, places: np.ndarray, batch: int, seed: int) -> None:
        self.places, self.batch, self.seed = places, min(batch, len(places)), seed

    def rows(self, step: int) -> np.ndarray:
        epoch, place = divmod(step, len(self.places) // self.batch)
        order = np.random.default_rng((self.seed, 6, epoch)).permutation(self.places)
        return order[place * self.batch : (place + 1) * self.batch]


class Best:
    """The best state met so far, in a file that outlives a kill; only what is trained is written."""

    def __init__(self, path: Path, clip: CLIPModel) -> None:
        self.path = path
        self.names = [name for name, value in clip.named_parameters() if value.requires_grad]
        self.step, self.figures = 0, {"r1": -1.0, "loss": 0.0}
        if path.exists():
            with safe_open(path, framework="pt") as file:
                facts = json.loads(file.metadata().get("facts") or file.metadata()["told"])  # the former name
            self.step, self.figures = facts["step"], facts["figures"]

    def offer(self, clip: CLIPModel, step: int, figures: Mapping[str, float]) -> None:
        if not better(figures, self.figures):
            return
        self.step, self.figures = step, dict(figures)
        values = clip.state_dict()
        tensors = {name: values[name].cpu().contiguous() for name in self.names}
        save_whole(self.path, tensors, {"facts": json.dumps({"step": step, "figures": figures})})

    def load_into(self, clip: CLIPModel) -> None:
        with safe_open(self.path, framework="pt") as file:
            clip.load_state_dict({name: file.get_tensor(name) for name in self.names}, strict=False)


def _freeze(clip: CLIPModel, train: str) -> None:
    clip.requires_grad_(False)
    for part in (*TRAINED[train], "visual_projection", "text_projection"):
        clip.get_submodule(part).requires_grad_(True)
    clip.logit_scale.requires_grad_(True)


# --- measuring ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Measurement:
    """Figures of n pairs, and the rank of the right partner for each text and each picture (2n,); 1 is found first."""

    figures: dict[str, float]
    ranks: np.ndarray

    @property
    def pairs(self) -> int:
        return len(self.ranks) // 2


@torch.no_grad()
def measure(clip: CLIPModel, pairs: PairReader, rows: np.ndarray, label: str | None) -> Measurement:
    """R@1 and R@5 both ways, "r1" their mean, "loss" among `LOSS_BLOCK` rivals, and ranks, of each pair's first text.

    In float32. `label` names the progress bar; None shows none.
    """
    training, image, text = clip.training, [], []
    clip.eval()
    texts = [pairs.store.pairs[row].texts[0] for row in rows]
    starts = range(0, len(rows), ENCODED)
    for start in starts if label is None else tqdm(starts, desc=label, unit="batch", disable=None):
        here = slice(start, start + ENCODED)
        image.append(image_vectors(clip, pairs.pixels(rows[here])).cpu())
        text.append(text_vectors(clip, pairs.ids(texts[here])).cpu())
    clip.train(training)
    images, captions, group = torch.cat(image), torch.cat(text), caption_groups(texts)  # (n, d), (n, d), (n,)
    loss = 0.0
    for start in range(0, len(rows), LOSS_BLOCK):
        here = slice(start, start + LOSS_BLOCK)
        loss += len(group[here]) * _contrast(clip, images[here], captions[here], group[here]).item()
    facts = retrieval(images, captions, texts)
    mean = (facts["text_to_image_r1"] + facts["image_to_text_r1"]) / 2
    ranks = torch.cat([ranks_of(captions, images, group), ranks_of(images, captions, group)])
    return Measurement({"r1": round(mean, 3), "loss": round(loss / len(rows), 5), **facts}, ranks.numpy())


def ranks_of(queries: torch.Tensor, answers: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    """For each query the rank (n,) of the best answer of its own group, among unit rows (n, d)."""
    found = []
    for some, own in zip(queries.split(RANK_BLOCK), group.split(RANK_BLOCK), strict=True):
        likeness = some @ answers.T  # (block, n)
        right = likeness.masked_fill(own[:, None] != group, float("-inf")).max(dim=1, keepdim=True).values
        found.append(1 + (likeness > right).sum(dim=1))
    return torch.cat(found)


def _contrast(clip: CLIPModel, image: torch.Tensor, text: torch.Tensor, group: torch.Tensor) -> torch.Tensor:
    scale = clip.logit_scale.exp().clamp(max=100).to(image.device)
    return contrastive_loss(image, text, scale, group[:, None] == group)


def better(one: Mapping[str, float], other: Mapping[str, float]) -> bool:
    """Whether `one` finds better: R@1 of both ways, and the loss where that is equal."""
    return (one["r1"], -one["loss"]) > (other["r1"], -other["loss"])
