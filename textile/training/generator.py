"""Train the pattern generator: the flow of codes and their decoder together, from drawn and photographed cloth.

In: a folder of cloth (`textile.training.cloth_set`). Out: `generator.safetensors` in float16 with `generator.json`.
Every step rolls, flips and turns its tiles, lays a weave over them, and drops the category of one in ten.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from textile.categories import CATEGORY_IDS
from textile.pattern_network import PatternNetwork
from textile.patterns import LIGHT, PatternGenerator
from textile.training.cloth_set import WEAVES, ClothSet, weave_bank
from textile.training.drawn_cloth import PIXELS
from training.schedule import TrainerSettings
from training.trainer import Losses, Trainer

logger = logging.getLogger(__name__)
_SOLID = CATEGORY_IDS.index("solid")
_UPRIGHT = {CATEGORY_IDS.index(id) for id in ("cartoon", "cloud", "dancheong")}
_ANYWHERE = {"camouflage", "cheetah", "solid"}  # nothing says where these begin
_PHOTOS = 0.1  # of the tiles of a category that has any
_PHOTO_WEAVE = WEAVES.index("photo")
_DROPPED = 0.1


@dataclass(frozen=True)
class PatternTraining:
    """`batch` tiles a step for the flow, `painted` of them for the decoder. `start`: a folder with a generator to begin
    with, where `runs` has no state yet."""

    runs: Path
    out: Path
    settings: TrainerSettings
    batch: int = 40
    painted: int = 6
    start: Path | None = None


@dataclass(frozen=True)
class ClothBatch:
    """`maps` (n, 4, 64, 64): layers 1 to 3 and the light; the rest (n,) integers."""

    maps: Tensor
    category: Tensor
    colors: Tensor
    weave: Tensor


class ClothBatches:
    """Batches of cloth, decided by seed and step; every category as often as any other."""

    def __init__(self, cloth: ClothSet, seed: int = 0) -> None:
        self.cloth, self.seed = cloth, seed
        self._weaves = weave_bank()
        self._drawn = [np.flatnonzero((cloth.category == c) & (cloth.photo < 0)) for c in range(len(CATEGORY_IDS))]
        self._photos = [np.flatnonzero((cloth.category == c) & (cloth.photo >= 0)) for c in range(len(CATEGORY_IDS))]

    def at(self, step: int, batch: int) -> ClothBatch:
        rng = np.random.default_rng((41, self.seed, step))
        present = [c for c in range(len(CATEGORY_IDS)) if len(self._drawn[c]) or len(self._photos[c])]
        maps = np.empty((batch, 4, PIXELS, PIXELS), np.float32)
        asked = np.empty((3, batch), np.int64)
        for i in range(batch):
            category = present[(int(rng.integers(len(present))) + i) % len(present)]
            maps[i], asked[:, i] = self._tile(category, rng)
        category, colors, weave = torch.from_numpy(asked)
        return ClothBatch(torch.from_numpy(maps), category, colors, weave)

    def _tile(self, category: int, rng: np.random.Generator) -> tuple[np.ndarray, tuple[int, int, int]]:
        drawn, photos = self._drawn[category], self._photos[category]
        photo = len(photos) > 0 and (len(drawn) == 0 or rng.random() < _PHOTOS)
        row = int(rng.choice(photos if photo else drawn))
        tile = self.cloth.layers[row].astype(np.float32) / 255
        if photo:
            light = (self.cloth.light[self.cloth.photo[row]].astype(np.float32) - 128) / (2 * LIGHT)
            tile = np.concatenate([tile, light[..., None]], axis=2)
        if photo or CATEGORY_IDS[category] in _ANYWHERE:
            tile = np.roll(tile, tuple(rng.integers(0, PIXELS, 2)), (0, 1))
        if rng.random() < 0.5:
            tile = tile[:, ::-1]
        if category not in _UPRIGHT:
            tile = tile[::-1] if rng.random() < 0.5 else tile
            tile = tile.swapaxes(0, 1) if rng.random() < 0.5 else tile
        maps = tile.transpose(2, 0, 1)
        if photo:
            return maps, (category, int(self.cloth.colors[row]), _PHOTO_WEAVE)
        weave = int(rng.integers(len(self._weaves)))
        light = self._weaves[weave] * (rng.uniform(2.5, 6) if category == _SOLID else rng.uniform(1, 4)) / LIGHT
        light = light + self._drift(rng, weave) / LIGHT
        return np.concatenate([maps, light[None]]), (category, int(self.cloth.colors[row]), weave)

    def _drift(self, rng: np.random.Generator, weave: int) -> np.ndarray:
        """Threads of uneven thickness: stripes of light along and across, strong for slub."""
        strength = 2.2 if WEAVES[weave] == "slub" else 0.4
        along, across = rng.standard_normal((2, PIXELS // 4)).astype(np.float32)
        wide = np.repeat(along, 4)[:, None] * np.float32(strength) + np.repeat(across, 4)[None] * np.float32(strength * 0.6)
        return wide


def pattern_losses(network: PatternNetwork, batch: ClothBatch, step: int, painted: int) -> Losses:
    """The flow's error of the velocity, and the decoder's of layers and light, from codes that noise has touched."""
    rng = torch.Generator().manual_seed(step)
    codes = network.code.encode(batch.maps)
    noise = torch.randn(codes.shape, generator=rng)
    time = torch.sigmoid(torch.randn(len(codes), generator=rng))
    t = time[:, None, None, None]
    dropped = torch.rand(len(codes), generator=rng) < _DROPPED
    category = torch.where(dropped, torch.tensor(network.shape.categories), batch.category)
    mixed = ((1 - t) * codes + t * noise).contiguous(memory_format=torch.channels_last)
    velocity = network.flow(mixed, time, category, batch.colors, batch.weave)
    flow = F.mse_loss(velocity, noise - codes)
    some = slice(0, painted)
    blur = 0.2 * torch.rand(painted, 1, 1, 1, generator=rng)
    seen = codes[some] + blur * torch.randn(codes[some].shape, generator=rng)
    layers, light = painting_losses(network.decoder(seen), batch.maps[some])
    return {"loss": flow + layers + 2 * light, "flow": flow, "layers": layers, "light": light}


def painting_losses(painted: Tensor, maps: Tensor) -> tuple[Tensor, Tensor]:
    """Cross-entropy of the layers and mean distance of the light."""
    ground = (1 - maps[:, :3].sum(dim=1, keepdim=True)).clamp(min=0)
    shown = torch.cat([ground, maps[:, :3]], dim=1)
    layers = -(shown * painted[:, :4].log_softmax(dim=1)).sum(dim=1).mean()
    return layers, (painted[:, 4] - maps[:, 3]).abs().mean()


def train_generator(training: PatternTraining, cloth: ClothSet) -> PatternGenerator:
    """Train or go on; returns the generator with averaged weights, which it has written."""
    torch.manual_seed(0)
    batches = ClothBatches(cloth)
    if training.start:
        network = PatternGenerator.load(training.start).network.requires_grad_(True).train()
    else:
        network = PatternNetwork()
        held = network.code.fit(batches.at(10**6, 520).maps)
        logger.info("%d components hold %.1f %% of the variance of cloth", network.shape.code, 100 * held)
    network.flow.to(memory_format=torch.channels_last)
    network.decoder.to(memory_format=torch.channels_last)

    def losses(step: int) -> Losses:
        return pattern_losses(network, batches.at(step, training.batch), step, training.painted)

    def on_sample(step: int, average: Mapping[str, Tensor]) -> None:
        PatternGenerator(network).save(training.out, {"step": step})

    result = Trainer(network, losses, training.settings, training.runs, on_sample=on_sample).run()
    network.load_state_dict(result.average)
    generator = PatternGenerator(network)
    generator.save(training.out, {"step": result.step, "losses": result.losses})
    logger.info("wrote %s at step %d: %s", training.out, result.step, json.dumps(result.losses))
    return generator
