"""Hand-drawn edges: every pixel is taken from a little beside its place, by seeded noise.

A picture is looked up at twice its density, between pixels bilinearly, so that edges stay smooth; a map of ids at its
own pixels. Where to look is worked out once per size and kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from fashion.drawing.noise import fractal

WOBBLES = {"ink_wash": 1.5, "watercolor": 1.3, "pencil": 0.8}  # by style, scene units
_EVEN = np.uint32(0x00FF00FF)  # two of a pixel's four channels, with room for sums above each
_HALF = np.uint32(0x00020002)


def moved_ids(ids: np.ndarray, style: str, variant: int) -> np.ndarray:
    """A map of ids (n, n) with hand-drawn edges."""
    return ids.reshape(-1)[_ids_from(ids.shape[0], WOBBLES[style], variant)]


def moved_layer(layer: np.ndarray, style: str, variant: int) -> tuple[np.ndarray, np.ndarray]:
    """The layer (n, n, 4) with hand-drawn edges: the painted pixels' flat indices (k,), premultiplied (k, 4) uint8."""
    size = layer.shape[0]
    spots = _spots(size, WOBBLES[style], variant)
    where = np.flatnonzero(_grown(layer[..., 3]).reshape(-1)[spots.pixel])
    pixels = np.asarray(Image.fromarray(layer).convert("RGBa")).view(np.uint32).reshape(-1)
    near, across, down = (field[where] for field in (spots.pixel, spots.across, spots.down))
    corners = [pixels[index] for index in (near, near + across, near + down, near + across + down)]
    even = _between(*(corner & _EVEN for corner in corners))
    odd = _between(*(corner >> np.uint32(8) & _EVEN for corner in corners))
    paint = even | odd << np.uint32(8)
    painted = paint >= 1 << 24
    return where[painted], paint[painted].view(np.uint8).reshape(-1, 4)


def _grown(alpha: np.ndarray) -> np.ndarray:
    """Whether anything is painted in the three by three pixels around each: (n, n) bool."""
    painted = alpha > 0
    tall = painted.copy()
    tall[1:] |= painted[:-1]
    tall[:-1] |= painted[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    return grown


def _between(near: np.ndarray, across: np.ndarray, down: np.ndarray, both: np.ndarray) -> np.ndarray:
    """Three quarters of the nearer and a quarter of the farther pixel, along rows, then along columns. All (k,)."""
    upper, lower = _quartered(near, across), _quartered(down, both)
    return _quartered(upper, lower)


def _quartered(near: np.ndarray, far: np.ndarray) -> np.ndarray:
    mixed = near * np.uint32(3)
    mixed += far
    mixed += _HALF
    mixed >>= np.uint32(2)
    mixed &= _EVEN
    return mixed


@dataclass(frozen=True)
class _Spots:
    """Where each pixel is taken from, (n · n,) each: the nearest pixel, and steps to the next ones beside it."""

    pixel: np.ndarray  # flat index
    across: np.ndarray  # int8: -1, 0 or 1
    down: np.ndarray  # int16: -n, 0 or n


@lru_cache(maxsize=32)
def _spots(size: int, reach: float, variant: int) -> _Spots:
    rows, columns = (axis.reshape(-1) for axis in _wander(size, reach, variant, 2))
    across, down = (np.clip((axis >> 1) + (axis & 1) * 2 - 1, 0, size - 1) - (axis >> 1) for axis in (columns, rows))
    pixel = (rows >> 1) * size + (columns >> 1)
    return _Spots(pixel, across.astype(np.int8), (down * size).astype(np.int16))


@lru_cache(maxsize=32)
def _ids_from(size: int, reach: float, variant: int) -> np.ndarray:
    rows, columns = _wander(size, reach, variant, 1)
    return rows * size + columns


def _wander(size: int, reach: float, variant: int, over: int) -> tuple[np.ndarray, np.ndarray]:
    """Row and column of the pixel that each pixel is taken from, (size, size), in a picture `over` times as large."""
    step = reach * size / 256 * 0.6
    grid = np.arange(size, dtype=np.float32) + 0.5
    rows = grid[:, None] + step * fractal(size, 16, 10 + variant)
    columns = grid[None, :] + step * fractal(size, 16, 20 + variant)
    row, column = (np.clip(np.floor(axis * over), 0, size * over - 1).astype(np.int64) for axis in (rows, columns))
    return row, column
