"""Five ways to draw: flat, ink wash (수묵화), watercolour, coloured pencil, pixel art.

In: the garments as RGBA over nothing, and the shaded ground, both (n, n) pixels. Out: the finished picture. A `Look`
says how the vector layer is drawn for a style; `finish` does what paper, water and grain do, with noise made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from fashion.drawing.noise import fractal, noise
from fashion.drawing.tones import Rgb, Tones
from fashion.drawing.wandering import WOBBLES, moved_ids, moved_layer

CELLS = 64  # pixel art has this many cells a side
VARIANTS = 4  # of every noise texture


@dataclass(frozen=True)
class Look:
    """How the vector layer of a style is drawn. Widths in scene units."""

    outline_width: float = 1.7
    shade: float = 1.0
    pattern_zoom: float = 1.0
    line: str | None = None  # outline colour; None: a deep tone of the garment's own
    brush: float = 0.0  # an outline whose width varies by this much, as a brush draws it
    sketch: bool = False  # a second, wandering outline
    cells: int | None = None

    def render_size(self, size: int) -> int:
        return self.cells * 2 if self.cells else size

    def mask_size(self, size: int) -> int:
        return self.render_size(size)

    def line_color(self, t: Tones) -> str:
        return self.line or t.line

    def stroke(self, t: Tones) -> str:
        """The outline of a panel, as attributes of its path."""
        return f' stroke="{self.line_color(t)}" stroke-width="{self.outline_width}" stroke-linejoin="round"'

    def extra_outline(self, path: str, t: Tones) -> str:
        """A second line: what a brush adds on one side, or a pencil that draws twice."""
        if self.brush:
            move, width, opacity = f"translate({self.brush:.2f} {self.brush * 0.7:.2f})", 0.8, 0.75
        elif self.sketch:
            move, width, opacity = "translate(0.9 -0.7) rotate(0.5 128 128)", 0.6, 0.5
        else:
            return ""
        return (
            f'<path d="{path}" transform="{move}" fill="none" stroke="{self.line_color(t)}" stroke-opacity="{opacity}" '
            f'stroke-width="{self.outline_width * width:.2f}" stroke-linejoin="round"/>'
        )


LOOKS: dict[str, Look] = {
    "flat": Look(),
    "ink_wash": Look(outline_width=1.6, shade=0.8, line="#2b2830", brush=1.2),
    "watercolor": Look(outline_width=0.9, shade=0.7),
    "pencil": Look(outline_width=1.2, shade=0.8, sketch=True),
    "pixel": Look(outline_width=3.4, shade=1.2, pattern_zoom=1.6, cells=CELLS),
}


def finish(style: str, layer: np.ndarray, ground: Image.Image, size: int, seed: int) -> np.ndarray:
    """Turn a layer (n, n, 4) uint8 and a ground of n × n pixels, which stays, into a picture (size, size, 3) uint8."""
    return _FINISHERS[style](layer, ground, size, seed % VARIANTS)


def finish_mask(style: str, ids: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Move a map of ids as `finish` moves pixels: (size, size)."""
    variant = seed % VARIANTS
    if style == "pixel":
        quarters = np.sort(ids.reshape(CELLS, 2, CELLS, 2).transpose(0, 2, 1, 3).reshape(CELLS, CELLS, 4), axis=2)
        cells = np.arange(size) * CELLS // size
        return quarters[..., 2][cells[:, None], cells]  # a garment has its cell when it has half of it
    return moved_ids(ids, style, variant) if style in WOBBLES else ids


def _flat(layer: np.ndarray, ground: Image.Image, size: int, variant: int) -> np.ndarray:
    painted, picture = Image.fromarray(layer), ground.copy()
    picture.paste(painted, mask=painted)
    return np.array(picture)


# --- paper and paint ----------------------------------------------------------------------------------------------


def _ink_wash(layer: np.ndarray, ground: Image.Image, size: int, variant: int) -> np.ndarray:
    """Tinted washes on hanji: the colour pools and thins, its edge bleeds into the paper."""
    where, paint = moved_layer(layer, "ink_wash", variant)
    picture = _paper(ground, variant, (243, 232, 208), 0.42, 4.0)
    cover = _cover(where, paint, size)
    around = _blurred(cover, 4.5)
    near = np.flatnonzero((around > 0.06) & (cover.reshape(-1) < 255))
    bleed = np.clip((around[near] - 0.06) * _field("bleed", size, variant)[near], 0, 0.5)
    bleed *= 1 - cover.reshape(-1)[near] * np.float32(1 / 255)
    halo = (_mean_color(where, paint) - picture[near]) * bleed[:, None]
    _apply(picture, where, paint, _field("ink", size, variant)[where], 1.0)
    picture[near] += halo
    return _bytes(picture).reshape(size, size, 3)


def _watercolor(layer: np.ndarray, ground: Image.Image, size: int, variant: int) -> np.ndarray:
    """Transparent colour: pale pools, granulation, and pigment that gathers at the wet edge."""
    where, paint = moved_layer(layer, "watercolor", variant)
    picture = _paper(ground, variant, (252, 250, 245), 0.5, 3.0)
    wet = np.clip(1.1 - 1.15 * _blurred(_cover(where, paint, size), 3.0)[where], 0.0, 0.5)
    thin = np.clip(_field("water", size, variant)[where] - 0.5 * wet, 0.0, 0.42)
    _apply(picture, where, paint, thin, 1 - 0.34 * wet)
    return _bytes(picture).reshape(size, size, 3)


def _pencil(layer: np.ndarray, ground: Image.Image, size: int, variant: int) -> np.ndarray:
    """Hatching: slanted strokes that let the paper's grain through."""
    where, paint = moved_layer(layer, "pencil", variant)
    picture = _paper(ground, variant, (250, 247, 240), 0.5, 3.0)
    _apply(picture, where, paint, _field("pencil", size, variant)[where], 1.0)
    return _bytes(picture).reshape(size, size, 3)


def _apply(
    paper: np.ndarray, where: np.ndarray, paint: np.ndarray, thin: np.ndarray, depth: np.ndarray | float
) -> None:
    """Paint (k, 4) uint8 over pixels `where` of `paper` (n · n, 3): `thin` (k,) lets it through, `depth` darkens."""
    through = 1 - thin
    cover = paint[:, 3] * through * np.float32(1 / 255)
    strength = through * depth
    left = paper.take(where, axis=0)
    left *= (1 - cover)[:, None]
    left += paint[:, :3] * strength[:, None]
    paper[where] = left


def _cover(where: np.ndarray, paint: np.ndarray, size: int) -> np.ndarray:
    """How much is painted at each pixel: (size, size) uint8."""
    cover = np.zeros(size * size, np.uint8)
    cover[where] = paint[:, 3]
    return cover.reshape(size, size)


def _blurred(cover: np.ndarray, radius: float) -> np.ndarray:
    """How much is painted around each pixel, within `radius` scene units: (n · n,) float32 in 0..1."""
    picture = Image.fromarray(cover)
    small = picture.resize((128, 128), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(radius / 2))
    soft = np.asarray(small.resize(picture.size, Image.Resampling.BILINEAR))
    return soft.reshape(-1) * np.float32(1 / 255)


def _mean_color(where: np.ndarray, paint: np.ndarray) -> np.ndarray:
    """The mean colour of what is painted, (3,): what bleeds out."""
    few = paint[where.astype(np.uint32) % np.uint32(13) == 0].astype(np.float32)
    return few[:, :3].sum(axis=0) / (few[:, 3].sum() / 255 + 1e-6)


@lru_cache(maxsize=64)
def _field(name: str, size: int, variant: int) -> np.ndarray:
    """How thin paint lies (0: covering, 1: bare paper) in a style, or how far ink bleeds: (size · size,) float32."""
    if name == "ink":
        field = np.clip(0.13 + 0.09 * fractal(size, 5, 30 + variant) + 0.02 * _grain(size, 40 + variant), 0.0, 0.38)
    elif name == "bleed":
        field = np.clip(0.5 + 0.4 * fractal(size, 9, 35 + variant), 0.1, 1.2)
    elif name == "water":
        field = 0.21 + 0.085 * fractal(size, 5, 50 + variant) + 0.045 * _grain(size, 60 + variant)
    else:
        field = np.clip(0.20 + 0.15 * _hatching(size, variant) + 0.06 * _grain(size, 70 + variant), 0.0, 0.6)
    field = field.reshape(-1).astype(np.float32)
    field.setflags(write=False)
    return field


def _grain(size: int, seed: int) -> np.ndarray:
    """Grain as fine as two scene units, whatever the size: (size, size)."""
    return noise(size, 128, seed)


def _hatching(size: int, variant: int) -> np.ndarray:
    """Slanted strokes of a pencil, (size, size) float32 of about unit spread."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (256 / size)
    lean = 0.72 + 0.1 * variant
    wobble = noise(size, 12, 80 + variant) * 0.9
    lines = np.sin((x * lean + y + wobble) * 1.75) + 0.6 * np.sin((x * lean + y * 1.06) * 0.61 + wobble)
    return (lines / 0.8 * (0.75 + 0.25 * noise(size, 24, 90 + variant))).astype(np.float32)


def _paper(ground: Image.Image, variant: int, tint: Rgb, share: float, grain: float) -> np.ndarray:
    """The ground as painted on paper: pulled towards the paper's tint, with its grain. (n · n, 3) float32."""
    picture = np.asarray(ground).reshape(-1, 3) * np.float32(1 - share)
    picture += _sheet(ground.width, variant, tint, share, grain)
    return picture


@lru_cache(maxsize=32)
def _sheet(size: int, variant: int, tint: Rgb, share: float, grain: float) -> np.ndarray:
    rough = 0.6 * _grain(size, 100 + variant) + 0.5 * noise(size, 24, 110 + variant)
    return (np.array(tint, np.float32) * share + (grain * rough).reshape(-1, 1)).astype(np.float32)


# --- pixel art ----------------------------------------------------------------------------------------------------


def _pixel(layer: np.ndarray, ground: Image.Image, size: int, variant: int) -> np.ndarray:
    """64 × 64 cells of a limited palette, enlarged without smoothing."""
    cover = layer.astype(np.float32)
    cover[..., :3] *= cover[..., 3:] / 255
    cells = cover.reshape(CELLS, 2, CELLS, 2, 4).mean(axis=(1, 3))
    solid = cells[..., 3:] > 127
    color = np.where(solid, cells[..., :3] / np.maximum(cells[..., 3:], 1) * 255, 0)
    behind = np.asarray(ground.reduce(2), np.float32)
    color = np.where(solid, np.rint(color / 17) * 17, np.rint(behind / 5) * 5)
    index = np.arange(size) * CELLS // size
    return _bytes(color)[index[:, None], index]


def _bytes(picture: np.ndarray) -> np.ndarray:
    """Rounded, (..., 3) uint8; `picture` is used up."""
    picture += 0.5
    return np.clip(picture, 0, 255, out=picture).astype(np.uint8)


_FINISHERS: dict[str, Callable[[np.ndarray, Image.Image, int, int], np.ndarray]] = {
    "flat": _flat, "ink_wash": _ink_wash, "watercolor": _watercolor, "pencil": _pencil, "pixel": _pixel,
}  # fmt: skip
