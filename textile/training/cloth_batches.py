"""Batches of cloth to learn from, decided by seed and step, every category as often as any other.

In: a `ClothSet`. Out: layer memberships of repeats with their categories and how many colours they were drawn in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from textile.categories import CATEGORY_IDS
from textile.training.cloth_set import ClothSet

_PHOTOS = 0.04  # of the tiles of a category that has any: close-ups are rough


@dataclass(frozen=True)
class ClothBatch:
    """`maps` (n, 3, 64, 64): layers 1 to 3; `category` and `colors` (n,) integers."""

    maps: Tensor
    category: Tensor
    colors: Tensor


class ClothBatches:
    """Batches of cloth, decided by seed and step; every category as often as any other."""

    def __init__(self, cloth: ClothSet, seed: int = 0) -> None:
        self.cloth, self.seed = cloth, seed
        self._drawn = [np.flatnonzero((cloth.category == c) & (cloth.photo < 0)) for c in range(len(CATEGORY_IDS))]
        self._photos = [np.flatnonzero((cloth.category == c) & (cloth.photo >= 0)) for c in range(len(CATEGORY_IDS))]
        self.present = [c for c in range(len(CATEGORY_IDS)) if len(self._drawn[c]) or len(self._photos[c])]

    def at(self, step: int, batch: int) -> ClothBatch:
        rng = np.random.default_rng((41, self.seed, step))
        first = int(rng.integers(len(self.present)))
        numbers = [self.present[(first + i) % len(self.present)] for i in range(batch)]
        tiles, colors = zip(*(self._tile(number, rng) for number in numbers), strict=True)
        maps = torch.from_numpy(np.stack(tiles)).permute(0, 3, 1, 2).float() / 255
        return ClothBatch(maps, torch.tensor(numbers), torch.tensor(colors))

    def _tile(self, category: int, rng: np.random.Generator) -> tuple[np.ndarray, int]:
        drawn, photos = self._drawn[category], self._photos[category]
        photo = len(photos) > 0 and (len(drawn) == 0 or rng.random() < _PHOTOS)
        row = int(rng.choice(photos if photo else drawn))
        tile = self.cloth.layers[row]
        return tile, int(self.cloth.colors[row])
