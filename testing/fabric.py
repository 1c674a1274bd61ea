"""Stand-ins for the networks of `textile`: patterns of bands, and garments wherever a picture is not white."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from textile.categories import CATEGORY_IDS, RGB, category

TILE = 128
GROUND = 235  # levels: what is brighter in every channel is no garment


class BandGenerator:
    """Bands, as many as the category's place in the list, in the palette or in colours of the seed; edges meet."""

    def sample(
        self, category_id: str, palette: Sequence[RGB] | None, seeds: Sequence[int], size: int = TILE
    ) -> np.ndarray:
        bands = CATEGORY_IDS.index(category(category_id).id)
        return np.stack([self._tile(bands, palette or _colors(seed), seed, size) for seed in seeds])

    @staticmethod
    def _tile(bands: int, palette: Sequence[RGB], seed: int, size: int) -> np.ndarray:
        place = (np.arange(size) % TILE + seed % TILE) * max(bands, 1) * len(palette) // TILE % len(palette)
        row = np.asarray(palette, np.uint8)[place if bands else np.zeros(size, int)]
        tile = np.broadcast_to(row, (size, size, 3))
        return np.ascontiguousarray(tile if seed % 2 else tile.transpose(1, 0, 2))


@dataclass(frozen=True)
class PaintedMask:
    """What `textile.segmentation.GarmentMask` has."""

    mask: np.ndarray
    kind: str
    confidence: float
    share: float


class PaintSegmenter:
    """Finds what is not nearly white."""

    def mask(self, image: Image.Image | np.ndarray) -> PaintedMask:
        levels = np.asarray(image if isinstance(image, np.ndarray) else image.convert("RGB"))
        mask = (levels.min(axis=-1) < GROUND).astype(np.float32)
        return PaintedMask(mask, "shirt", 1.0, float(mask.mean()))


def _colors(seed: int) -> list[RGB]:
    first = seed * 0.381966 % 1
    both = (colorsys.hsv_to_rgb(first, 0.7, 0.8), colorsys.hsv_to_rgb((first + 0.4) % 1, 0.2, 1.0))
    return [(round(255 * r), round(255 * g), round(255 * b)) for r, g, b in both]
