"""Train a scorer on drawn pictures with their label maps.

In: a picture pool. Out: `checkpoints/scorers/<architecture>.safetensors`. For every place of the body the
network learns whether a garment is there, where it shows, and what it is. Pictures are moved, mirrored, blurred, saved
as JPEG and made noisy, and one in twelve shows nothing (plain colour or noise), so that nothing is what the scorer then
sees.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from fashion.lexicon import GARMENTS
from fashion.pool import open_pool
from fashion.scene import Scene
from fashion.scorer import ARCHITECTURES, FIELDS, GRID, INPUT, SLOT_OF_KIND, SLOTS, Scorer, ScorerNetwork, Seen
from fashion.scoring import Accuracy, score
from fashion.visibility import hidden
from training.command import run_command
from training.run import add_training_options, open_run, trainer_settings
from training.state import STATE_FILE
from training.trainer import Trainer

logger = logging.getLogger(__name__)
_KIND = {kind.id: i for i, kind in enumerate(GARMENTS)}
_WORD = {field: {word.id: i for i, word in enumerate(words)} for field, words in FIELDS.items()}
_LARGEST_MOVE = 8  # pixels of the label map, 128 px
_NOTHING = 12  # one picture in so many shows nothing
IGNORED = -100


@dataclass(frozen=True)
class ScorerBatch:
    """Pictures (n, 3, 256, 256) in -1..1 and the truth about each place of the body (s places)."""

    pictures: torch.Tensor
    masks: torch.Tensor  # (n, s, 32, 32) bool
    kinds: torch.Tensor  # (n, s), IGNORED where nothing is
    fields: dict[str, torch.Tensor]  # (n, s) each, IGNORED where the garment has no such attribute

    def to(self, device: torch.device) -> ScorerBatch:
        fields = {field: wanted.to(device) for field, wanted in self.fields.items()}
        return ScorerBatch(self.pictures.to(device), self.masks.to(device), self.kinds.to(device), fields)

    @property
    def present(self) -> torch.Tensor:
        """(n, s) bool: there is such a garment, and at least one cell shows it."""
        return self.kinds != IGNORED


class LabelledPictures(Protocol):
    """Scenes, their pictures (n, 256, 256, 3) and label maps (n, 128, 128), uint8; 0 is background, g + 1 garment g."""

    def scene(self, index: int) -> Scene: ...

    def pictures(self, indexes: np.ndarray) -> np.ndarray: ...

    def labels(self, indexes: np.ndarray) -> np.ndarray: ...


def scorer_batch(pool: LabelledPictures, step: int, batch: int, pictures: int, seed: int) -> ScorerBatch:
    """What one step learns from, decided by seed and step."""
    rng = np.random.default_rng((37, seed, step))
    indexes = rng.integers(0, pictures, batch)
    scenes = [pool.scene(int(index)) for index in indexes]
    shown, labels = pool.pictures(indexes), pool.labels(indexes).copy()
    cells = np.zeros((batch, len(SLOTS), GRID, GRID), bool)
    for row, scene in enumerate(scenes):
        shown[row], labels[row] = _disturbed(shown[row], labels[row], rng)
        small = labels[row, 2::4, 2::4]
        for number, garment in enumerate(scene.garments, 1):
            cells[row, SLOT_OF_KIND[_KIND[garment.kind]]] = small == number
    masks = torch.from_numpy(cells)
    kinds, fields = place_targets(scenes)
    unseen = ~masks.flatten(2).any(dim=2)
    for wanted in (kinds, *fields.values()):
        wanted[unseen] = IGNORED
    return ScorerBatch(torch.from_numpy(shown).permute(0, 3, 1, 2).float().div_(127.5).sub_(1), masks, kinds, fields)


def place_targets(scenes: Sequence[Scene]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Numbers of the kinds (n, s) and of each attribute's words (n, s), place by place of the body; -100 where nothing
    is worn there, or the garment has no such attribute."""
    kinds = torch.full((len(scenes), len(SLOTS)), IGNORED)
    fields = {field: kinds.clone() for field in FIELDS}
    for row, scene in enumerate(scenes):
        for garment, unseen in zip(scene.garments, hidden(scene), strict=True):
            slot = SLOT_OF_KIND[_KIND[garment.kind]]
            kinds[row, slot] = _KIND[garment.kind]
            for field in FIELDS.keys() - unseen:
                fields[field][row, slot] = _WORD[field].get(getattr(garment, field), IGNORED)
    return kinds, fields


def _disturbed(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if rng.integers(_NOTHING) == 0:
        return _nothing(rng), np.zeros_like(labels)
    if rng.random() < 0.5:
        picture, labels = picture[:, ::-1], labels[:, ::-1]
    down, right = rng.integers(-_LARGEST_MOVE, _LARGEST_MOVE + 1, 2)
    picture, labels = _moved(picture, 2 * down, 2 * right, edge=True), _moved(labels, down, right, edge=False)
    kind = rng.random()
    if kind < 0.15:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=int(rng.integers(55, 92)))
        picture = np.asarray(Image.open(file))
    elif kind < 0.35:
        side = int(rng.integers(112, 224))
        small = Image.fromarray(np.ascontiguousarray(picture)).resize((side, side), Image.Resampling.BOX)
        picture = np.asarray(small.resize((INPUT, INPUT), Image.Resampling.BICUBIC))
    elif kind < 0.5:
        noise = rng.standard_normal(picture.shape, np.float32) * rng.uniform(2, 14)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture, labels


def _moved(array: np.ndarray, down: int, right: int, *, edge: bool) -> np.ndarray:
    """Shift by whole pixels; the rim repeats the edge, or is empty."""
    side = len(array)
    rows, columns = np.arange(side) - down, np.arange(side) - right
    moved = array[rows.clip(0, side - 1)[:, None], columns.clip(0, side - 1)[None]]
    if not edge:
        moved[(rows < 0) | (rows >= side)] = 0
        moved[:, (columns < 0) | (columns >= side)] = 0
    return moved


def _nothing(rng: np.random.Generator) -> np.ndarray:
    color = rng.integers(120, 256, 3)
    noise = rng.normal(0, rng.choice((0.0, 4.0, 40.0, 90.0)), (INPUT, INPUT, 3))
    slope = np.linspace(-20, 20, INPUT)[:, None, None] * rng.random()
    return np.clip(color + noise + slope, 0, 255).astype(np.uint8)


def scorer_losses(network: ScorerNetwork, batch: ScorerBatch, step: int) -> dict[str, torch.Tensor]:
    """What a network gets wrong. Half of the garments are read under their true masks, so that reading can begin before
    finding has; the other half under what was found, as when the scorer is used."""
    rng = torch.Generator().manual_seed(step)
    given = batch.masks & (torch.rand(batch.kinds.shape, generator=rng) < 0.5)[:, :, None, None].to(batch.masks.device)
    seen = network(batch.pictures, given)
    present = batch.present
    where = F.binary_cross_entropy_with_logits(seen.masks, batch.masks.float())
    where = where + _overlap_error(seen.masks[present], batch.masks[present])
    reading = reading_losses(seen, batch.kinds, batch.fields)
    return {**reading, "loss": reading["loss"] + 2 * where, "where": where}


def reading_losses(seen: Seen, kinds: torch.Tensor, fields: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What is read wrong, as cross-entropies, beside the numbers of `place_targets`; "loss" is their weighted sum."""
    present = kinds != IGNORED
    there = F.binary_cross_entropy_with_logits(seen.present, present.float())
    kind = _mean_error(seen.kinds[present], kinds[present])
    parts = {field: _mean_error(seen.fields[field][present], wanted[present]) for field, wanted in fields.items()}
    return {"loss": 8 * there + 1.5 * kind + sum(parts.values()), "there": there, "kind": kind, **parts}


def _overlap_error(masks: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """1 - the Dice overlap of mask logits and truth (g, 32, 32), so that small garments count as much as large ones."""
    found, true = masks.sigmoid().flatten(1), wanted.float().flatten(1)
    overlap = (2 * (found * true).sum(dim=1) + 1) / (found.sum(dim=1) + true.sum(dim=1) + 1)
    return (1 - overlap).sum() / max(len(overlap), 1)


def _mean_error(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the garments that have the attribute; 0 where none of the batch has."""
    total = F.cross_entropy(logits, wanted, ignore_index=IGNORED, reduction="sum")
    return total / (wanted != IGNORED).sum().clamp(min=1)


def latest_scorer(architecture: str, shipped: Path, resumes: bool) -> tuple[ScorerNetwork, int]:
    """A network to train and the step it stands at: the one that ships, or a fresh one where none of its shape does.

    Where a resumable state exists (`resumes`) it is fresh, since the state brings its own weights.
    """
    facts = shipped / f"{architecture}.json"
    if resumes or not facts.exists():
        return ScorerNetwork(architecture), 0
    try:
        network = Scorer.load(shipped, architecture).network
    except ValueError as error:
        logger.info("%s; starting from nothing", error)
        return ScorerNetwork(architecture), 0
    step = int(json.loads(facts.read_text(encoding="utf-8"))["step"])
    logger.info("warm start of the %s scorer from %s, step %d", architecture, shipped, step)
    return network.requires_grad_(True).train(), step


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fashion.scorer_training", description=__doc__)
    parser.add_argument("architecture", choices=ARCHITECTURES)
    add_training_options(parser, steps=8000, batch=48, learning_rate=5e-3)
    parser.add_argument("--pool-seed", type=int, default=1, help="of the pictures: another seed, pictures not yet met")
    options = parser.parse_args(argv)
    run = open_run(options, f"scorer-{options.architecture}")
    seed = ARCHITECTURES.index(options.architecture) + 1
    torch.manual_seed(seed)
    shipped = options.checkpoints / "scorers"
    network, first_step = latest_scorer(options.architecture, shipped, resumes=(run.folder / STATE_FILE).exists())
    network.to(run.device)
    pool = open_pool(options.pool, options.pictures, options.pool_seed)
    held_out = open_pool(options.pool, options.held_out, seed=9, split="held_out")

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        batch = scorer_batch(pool, step, options.batch, options.pictures, seed).to(run.device)
        with run.autocast():
            return scorer_losses(network, batch, step)

    def measured(count: int) -> dict[str, float]:
        accuracy = Accuracy()
        scorer = Scorer(network)
        for start in range(0, count, 64):
            indexes = np.arange(start, min(start + 64, count))
            for index, found in zip(indexes, scorer.detect(held_out.pictures(indexes)), strict=True):
                accuracy.add(score(held_out.scene(int(index)), found))
        network.train().requires_grad_(True)
        return accuracy.percent()

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> dict[str, float]:
        return measured(min(256, options.held_out))

    trainer = Trainer(
        network, step_losses, trainer_settings(options), run.folder, first_step=first_step, on_sample=on_sample
    )
    result = trainer.run()
    network.load_state_dict(result.average)
    facts = measured(options.held_out)
    logger.info("held-out %s at step %d", json.dumps(facts), result.step)
    Scorer(network).save(shipped, {"step": result.step, "held_out_pictures": options.held_out, **facts})


if __name__ == "__main__":
    sys.exit(run_command(main))
