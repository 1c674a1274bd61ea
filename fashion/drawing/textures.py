"""Seamless tiles of cloth, and laying them along the grain.

A tile is rasterised once at three times the picture's density, smoothed by one picture's pixel and kept; afterwards a
pixel of cloth is one look-up. That is as smooth as drawing every motif and many times faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from fashion.drawing.materials import weave
from fashion.drawing.patterns import VARIANTS, Motif, motifs_of, period, tile_svg
from fashion.drawing.raster import rasterise_as_is
from fashion.drawing.tones import tones_of

_OVER = 3  # texels a pixel
_MAX_TEXELS = 1400  # a side


@dataclass(frozen=True)
class Tile:
    """`texels` (rows, columns, channels) uint8 that repeat every `width` × `height` scene units."""

    texels: np.ndarray
    width: float
    height: float


@dataclass(frozen=True)
class Grain:
    """How the cloth of one panel lies: its angle in degrees, its scale, and where the lattice starts (scene units)."""

    angle: float
    scale: float
    x: float
    y: float

    def affine(self) -> tuple[float, float, float, float, float, float]:
        """Scene (x, y) to cloth (u, v): u = a·x + b·y + c, v = d·x + e·y + f."""
        cos, sin = math.cos(math.radians(self.angle)) / self.scale, math.sin(math.radians(self.angle)) / self.scale
        return cos, sin, -(cos * self.x + sin * self.y), -sin, cos, sin * self.x - cos * self.y


def lay(tile: Tile, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """The tile's colours at cloth coordinates u, v (n,): (n, channels) uint8."""
    rows, columns = tile.texels.shape[:2]
    row = (v * (rows / tile.height)).astype(np.int32) % rows
    column = (u * (columns / tile.width)).astype(np.int32) % columns
    return tile.texels.reshape(rows * columns, -1)[row * columns + column]


def pattern_tile(pattern: str, color: str, variant: int, density: float) -> Tile | None:
    """RGB tile of a pattern on its colour at `density` pixels a scene unit; None for solid."""
    if pattern == "solid":
        return None
    return _pattern_tile(pattern, color, variant % VARIANTS.get(pattern, 1), _step(density))


def weave_tile(material: str | None, color: str, density: float) -> Tile | None:
    """Grey tile of a material's stitches, threads or hair (128 leaves the colour as it is); None where it is smooth."""
    return _weave_tile(material, color, _step(density)) if material in ("knit", "denim", "fur") else None


def _step(density: float) -> int:
    """Densities in steps of a factor 2^½, so that few tiles serve all."""
    return round(2 * math.log2(max(density, 0.1)))


@lru_cache(maxsize=2048)
def _pattern_tile(pattern: str, color: str, variant: int, step: int) -> Tile:
    tones = tones_of(color)
    return _tile(motifs_of(pattern, tones, variant), tones.base, step)


@lru_cache(maxsize=256)
def _weave_tile(material: str, color: str, step: int) -> Tile:
    tile = _tile(weave(material, tones_of(color)), "#808080", step)
    return Tile(np.ascontiguousarray(tile.texels[..., :1]), tile.width, tile.height)


def _tile(motifs: tuple[Motif, ...], ground: str, step: int) -> Tile:
    width, height = period(motifs)
    density = 2 ** (step / 2) * _OVER
    columns, rows = (min(max(round(side * density), 4), _MAX_TEXELS) for side in (width, height))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{columns}" height="{rows}" viewBox="0 0 {width} {height}" '
        f'preserveAspectRatio="none"><rect width="{width}" height="{height}" fill="{ground}"/>'
        f"{tile_svg(motifs, width, height)}</svg>"
    )
    texels: np.ndarray = rasterise_as_is(svg)[..., :3].astype(np.float32)
    for axis in (0, 1):  # the mean over one pixel of the picture
        texels = (np.roll(texels, 1, axis) + texels + np.roll(texels, -1, axis)) / 3
    return Tile(np.rint(texels).astype(np.uint8), width, height)
