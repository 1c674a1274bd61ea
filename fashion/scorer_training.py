"""Train a scorer on drawn pictures with their label maps.

In: a picture pool. Out: `checkpoints/scorers/<architecture>.safetensors`. The kinds are learnt cell by cell, the
attributes under the true regions. Pictures are moved, mirrored, blurred, saved as JPEG and made noisy, and one in
twelve shows nothing (plain colour or noise), so that nothing is what the scorer then sees.
"""

from __future__ import annotations

import argparse
import io
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

from fashion.lexicon import GARMENTS
from fashion.pool import PicturePool, halved
from fashion.scorer import ARCHITECTURES, FIELDS, INPUT, Scorer, ScorerNetwork
from fashion.scoring import Accuracy, score
from fitting.loop import STATE_FILE, fit
from fitting.parts import add_fit_options, fit_config, open_run

logger = logging.getLogger(__name__)
_KIND = {kind.id: i for i, kind in enumerate(GARMENTS)}
_WORD = {field: {word.id: i for i, word in enumerate(words)} for field, words in FIELDS.items()}
_LARGEST_MOVE = 8  # pixels of 128
_NOTHING = 12  # one picture in so many shows nothing
_IGNORED = -100


def scorer_batch(
    pool: PicturePool, step: int, batch: int, pictures: int, seed: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, dict[str, torch.Tensor]]:
    """Pictures (n, 3, 128, 128), kinds (n, 32, 32), garments (g, 2) as (row, label), words per field (g,).

    Decided by seed and step. A label is garment + 1 in its picture's label map.
    """
    rng = np.random.default_rng((37, seed, step))
    indexes = rng.integers(0, pictures, batch)
    shown = halved(pool.pictures(indexes))
    labels = pool.labels(indexes).copy()
    for row in range(batch):
        shown[row], labels[row] = _disturbed(shown[row], labels[row], rng)
    cells = torch.from_numpy(labels[:, 2::4, 2::4].astype(np.int64))
    kinds, garments = torch.zeros_like(cells), []
    words: dict[str, list[int]] = {field: [] for field in FIELDS}
    for row, index in enumerate(indexes):
        for number, garment in enumerate(pool.scene(int(index)).garments):
            here = cells[row] == number + 1
            kinds[row][here] = _KIND[garment.kind] + 1
            if here.sum() < 4:
                continue
            garments.append((row, number + 1, _KIND[garment.kind]))
            for field in FIELDS:
                words[field].append(_WORD[field].get(getattr(garment, field), _IGNORED))
    tensor = torch.from_numpy(shown).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    masks = torch.stack([cells[row] == label for row, label, _ in garments])
    rows = torch.tensor([(row, kind) for row, _, kind in garments])
    return tensor, kinds, torch.cat([rows, torch.zeros(0, 2, dtype=torch.long)]), {
        "mask": masks, **{field: torch.tensor(values) for field, values in words.items()}
    }  # fmt: skip


def _disturbed(picture: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    if rng.integers(_NOTHING) == 0:
        return _nothing(rng), np.zeros_like(labels)
    if rng.random() < 0.5:
        picture, labels = picture[:, ::-1], labels[:, ::-1]
    down, right = rng.integers(-_LARGEST_MOVE, _LARGEST_MOVE + 1, 2)
    picture, labels = _moved(picture, down, right, edge=True), _moved(labels, down, right, edge=False)
    kind = rng.random()
    if kind < 0.15:
        file = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(picture)).save(file, "JPEG", quality=int(rng.integers(55, 92)))
        picture = np.asarray(Image.open(file))
    elif kind < 0.3:
        small = Image.fromarray(np.ascontiguousarray(picture)).resize((80, 80), Image.Resampling.BOX)
        picture = np.asarray(small.resize((INPUT, INPUT), Image.Resampling.BICUBIC))
    elif kind < 0.45:
        noise = rng.normal(0, rng.uniform(2, 14), picture.shape)
        picture = np.clip(picture + noise, 0, 255).astype(np.uint8)
    return picture, labels


def _moved(array: np.ndarray, down: int, right: int, *, edge: bool) -> np.ndarray:
    """Shift by whole pixels; the rim repeats the edge, or is empty."""
    pad = [(_LARGEST_MOVE, _LARGEST_MOVE)] * 2 + [(0, 0)] * (array.ndim - 2)
    large = np.pad(array, pad, mode="edge") if edge else np.pad(array, pad)
    top, left = _LARGEST_MOVE - down, _LARGEST_MOVE - right
    return large[top : top + INPUT, left : left + INPUT]


def _nothing(rng: np.random.Generator) -> np.ndarray:
    color = rng.integers(120, 256, 3)
    noise = rng.normal(0, rng.choice((0.0, 4.0, 40.0, 90.0)), (INPUT, INPUT, 3))
    slope = np.linspace(-20, 20, INPUT)[:, None, None] * rng.random()
    return np.clip(color + noise + slope, 0, 255).astype(np.uint8)


def scorer_losses(
    network: ScorerNetwork,
    pictures: torch.Tensor,
    kinds: torch.Tensor,
    rows: torch.Tensor,
    words: dict[str, torch.Tensor],
) -> dict[str, torch.Tensor]:
    fine, coarse = network.features(pictures)
    logits = network.kinds(fine).float()
    where = F.cross_entropy(logits, kinds)
    told = network.attributes(fine[rows[:, 0]], coarse[rows[:, 0]], words["mask"], rows[:, 1])
    parts = {field: _mean_error(told[field].float(), words[field]) for field in FIELDS}
    return {"loss": 2 * where + sum(parts.values()), "where": where, **parts}


def _mean_error(logits: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy over the garments that have the attribute; 0 where none of the batch has."""
    total = F.cross_entropy(logits, wanted, ignore_index=_IGNORED, reduction="sum")
    return total / (wanted != _IGNORED).sum().clamp(min=1)


def latest_scorer(architecture: str, shipped: Path, resumes: bool) -> tuple[ScorerNetwork, int]:
    """A network to train and the step it stands at: the one that ships, or a fresh one where none does.

    Where a resumable state exists (`resumes`) it is fresh, since the state brings its own weights.
    """
    facts = shipped / f"{architecture}.json"
    if resumes or not facts.exists():
        return ScorerNetwork(architecture), 0
    step = int(json.loads(facts.read_text(encoding="utf-8"))["step"])
    logger.info("warm start of the %s scorer from %s, step %d", architecture, shipped, step)
    return Scorer.load(shipped, architecture).network.requires_grad_(True).train(), step


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m fashion.scorer_training", description=__doc__)
    parser.add_argument("architecture", choices=ARCHITECTURES)
    add_fit_options(parser, steps=8000, batch=48, learning_rate=5e-3)
    options = parser.parse_args(argv)
    run = open_run(options, f"scorer-{options.architecture}")
    seed = ARCHITECTURES.index(options.architecture) + 1
    torch.manual_seed(seed)
    shipped = options.checkpoints / "scorers"
    network, first_step = latest_scorer(options.architecture, shipped, resumes=(run.folder / STATE_FILE).exists())
    network.to(run.device)
    pool = PicturePool(options.pool, options.pictures)
    held_out = PicturePool(options.pool, options.held_out, seed=9, split="held_out")

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        pictures, kinds, rows, words = scorer_batch(pool, step, options.batch, options.pictures, seed)
        with run.autocast():
            return scorer_losses(network, pictures, kinds, rows, words)

    def measured(count: int) -> dict[str, float]:
        accuracy = Accuracy()
        scorer = Scorer(network)
        for start in range(0, count, 64):
            indexes = np.arange(start, min(start + 64, count))
            for index, found in zip(indexes, scorer.detect(held_out.pictures(indexes)), strict=True):
                accuracy.add(score(held_out.scene(int(index)), found))
        network.train().requires_grad_(True)
        return accuracy.percent()

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        logger.info("held-out, this step's weights: %s", json.dumps(measured(min(256, options.held_out))))

    result = fit(network, step_losses, fit_config(options), run.folder, first_step=first_step, on_sample=on_sample)
    network.load_state_dict(result.average)
    facts = measured(options.held_out)
    logger.info("held-out %s at step %d", json.dumps(facts), result.step)
    Scorer(network).save(shipped, {"step": result.step, "held_out_pictures": options.held_out, **facts})


if __name__ == "__main__":
    main()
