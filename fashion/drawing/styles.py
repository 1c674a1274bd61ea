"""Five ways to draw: flat, ink wash (수묵화), watercolour, coloured pencil, pixel art.

In: the garments as RGBA over nothing, and the ground, both (n, n) pixels. Out: the finished picture. A `Look` says how
the vector layer is drawn for a style; `finish` does what paper, water and grain do, with seeded noise made once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from fashion.drawing.noise import fractal, noise
from fashion.drawing.tones import Tones

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
        return self.cells or size

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
    "ink_wash": Look(outline_width=1.5, shade=0.8, line="#2b2830", brush=1.1),
    "watercolor": Look(outline_width=0.9, shade=0.7),
    "pencil": Look(outline_width=1.2, shade=0.8, sketch=True),
    "pixel": Look(outline_width=3.4, shade=1.2, pattern_zoom=1.4, cells=CELLS),
}


def finish(style: str, layer: np.ndarray, ground: np.ndarray, size: int, seed: int, standing: bool) -> np.ndarray:
    """Turn a layer (n, n, 4) uint8 and a ground (n, n, 3) uint8 into a picture (size, size, 3) uint8.

    `standing`: a figure throws its shadow under its feet, a garment laid out just beside itself.
    """
    shaded = ground - ground * _shadow(layer[..., 3], standing)[..., None]
    return _FINISHERS[style](layer, shaded, size, seed % VARIANTS)


def _shadow(alpha: np.ndarray, standing: bool) -> np.ndarray:
    """How much the ground is darkened, (n, n) float32 in 0..1."""
    size = alpha.shape[0]
    if standing:
        return _pool(size)
    small = Image.fromarray(alpha).resize((64, 64), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.1))
    away = ImageChops.offset(small, 1, 1)
    return np.asarray(away.resize((size, size), Image.Resampling.BILINEAR), np.float32) * np.float32(0.24 / 255)


@lru_cache(maxsize=16)
def _pool(size: int) -> np.ndarray:
    """The soft shadow under a figure's feet."""
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) * (256 / size)
    far = ((x - 130) / 52) ** 2 + ((y - 245) / 8) ** 2
    return 0.2 * np.clip(1 - far, 0, 1) ** 0.8


def finish_mask(style: str, ids: np.ndarray, size: int, seed: int) -> np.ndarray:
    """Move a map of ids as `finish` moves pixels: (size, size)."""
    variant = seed % VARIANTS
    if style == "pixel":
        cells = np.arange(size) * CELLS // size
        return ids[cells[:, None], cells]
    if style in _WOBBLES:
        rows, columns = _wander(size, _WOBBLES[style], variant)
        rows, columns = np.rint(rows).astype(np.intp), np.rint(columns).astype(np.intp)
        return ids[rows, columns]
    return ids


def _flat(layer: np.ndarray, ground: np.ndarray, size: int, variant: int) -> np.ndarray:
    return _over(layer, ground)


def _over(layer: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """Straight alpha over an opaque ground."""
    alpha = layer[..., 3:].astype(np.float32) * np.float32(1 / 255)
    return _bytes(ground + (layer[..., :3] - ground) * alpha)


# --- wandering edges ----------------------------------------------------------------------------------------------

_WOBBLES = {"ink_wash": 1.5, "watercolor": 1.5, "pencil": 0.8}  # scene units


def _wander(size: int, reach: float, variant: int) -> tuple[np.ndarray, np.ndarray]:
    """Where each pixel is taken from: two (size, size) float32 fields of rows and columns, inside the picture."""
    step = reach * size / 256 * 0.6
    grid = np.arange(size, dtype=np.float32)
    rows = grid[:, None] + step * fractal(size, 16, 10 + variant)
    columns = grid[None, :] + step * fractal(size, 16, 20 + variant)
    return np.clip(rows, 0, size - 1), np.clip(columns, 0, size - 1)


def _moved(layer: np.ndarray, style: str, variant: int) -> np.ndarray:
    """The layer with hand-drawn edges, bilinear, as premultiplied float32 (n, n, 4) in 0..255."""
    size = layer.shape[0]
    rows, columns = _wander(size, _WOBBLES[style], variant)
    top, left = rows.astype(np.intp), columns.astype(np.intp)
    bottom, right = np.minimum(top + 1, size - 1), np.minimum(left + 1, size - 1)
    y, x = (rows - top)[..., None], (columns - left)[..., None]
    flat = layer.astype(np.float32)
    flat[..., :3] *= flat[..., 3:] / 255
    upper = flat[top, left] * (1 - x) + flat[top, right] * x
    lower = flat[bottom, left] * (1 - x) + flat[bottom, right] * x
    return upper * (1 - y) + lower * y


def _blurred(plane: np.ndarray, radius: float) -> np.ndarray:
    """A plane (n, n) of 0..255 blurred by `radius` pixels: float32."""
    picture = Image.fromarray(np.clip(plane, 0, 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(radius))
    return np.asarray(picture, np.float32)


# --- paper and paint ----------------------------------------------------------------------------------------------


def _ink_wash(layer: np.ndarray, ground: np.ndarray, size: int, variant: int) -> np.ndarray:
    """Tinted washes on hanji: the colour pools and thins, its edge bleeds into the paper."""
    moved = _moved(layer, "ink_wash", variant)
    paper = _paper(ground, size, variant, (243, 232, 208), 0.42, 5.0)
    alpha = moved[..., 3:] / 255
    pool = fractal(size, 5, 30 + variant)[..., None]
    thin = np.clip(0.14 + 0.085 * pool, 0.0, 0.36)
    halo = _blurred(moved[..., 3], size / 256 * 5)[..., None] / 255 * (1 - alpha) * (0.30 + 0.12 * pool)
    color = moved[..., :3] + (paper * alpha - moved[..., :3]) * thin
    tint = _halo_color(moved)
    picture = color + paper * (1 - alpha)
    picture += (tint - paper) * np.clip(halo, 0, 0.5)
    picture += (noise(size, max(size // 2, 32), 40 + variant) * 3.0)[..., None]
    return _bytes(picture)


def _halo_color(moved: np.ndarray) -> np.ndarray:
    """The mean colour of what is painted, (3,): what bleeds out."""
    weight = moved[..., 3].sum() / 255 + 1e-6
    return moved[..., :3].sum(axis=(0, 1)) / weight


def _watercolor(layer: np.ndarray, ground: np.ndarray, size: int, variant: int) -> np.ndarray:
    """Transparent colour: pale pools, granulation, and pigment that gathers at the wet edge."""
    moved = _moved(layer, "watercolor", variant)
    paper = _paper(ground, size, variant, (252, 250, 245), 0.5, 3.0)
    alpha = moved[..., 3:] / 255
    inside = _blurred(moved[..., 3], size / 256 * 4)[..., None] / 255
    wet = np.clip(1.25 - inside, 0.0, 0.6) * alpha
    pool = fractal(size, 6, 50 + variant)[..., None]
    grain = noise(size, max(min(size, 256) // 2, 32), 60 + variant)[..., None]
    thin = np.clip(0.20 + 0.11 * pool + 0.04 * grain - 0.35 * wet, 0.0, 0.5)
    color = moved[..., :3] + (paper * alpha - moved[..., :3]) * thin
    color *= 1 - 0.16 * wet
    return _bytes(color + paper * (1 - alpha))


def _pencil(layer: np.ndarray, ground: np.ndarray, size: int, variant: int) -> np.ndarray:
    """Hatching: slanted strokes that let the paper's grain through."""
    moved = _moved(layer, "pencil", variant)
    paper = _paper(ground, size, variant, (250, 247, 240), 0.5, 3.0)
    alpha = moved[..., 3:] / 255
    bare = np.clip(0.20 + 0.15 * _hatching(size, variant) + 0.06 * noise(size, max(min(size, 320) // 2, 32), 70 + variant), 0.0, 0.62)
    color = moved[..., :3] + (paper * alpha - moved[..., :3]) * bare[..., None]
    return _bytes(color + paper * (1 - alpha))


def _hatching(size: int, variant: int) -> np.ndarray:
    """Slanted strokes of a pencil, (size, size) float32 of about unit spread."""
    y, x = np.mgrid[0:size, 0:size].astype(np.float32) * (256 / size)
    lean = 0.72 + 0.1 * variant
    wobble = noise(size, 12, 80 + variant) * 0.9
    lines = np.sin((x * lean + y + wobble) * 1.75) + 0.6 * np.sin((x * lean + y * 1.06) * 0.61 + wobble)
    return (lines / 0.8 * (0.75 + 0.25 * noise(size, 24, 90 + variant))).astype(np.float32)


def _paper(ground: np.ndarray, size: int, variant: int, tint: tuple[int, int, int], share: float, grain: float) -> np.ndarray:
    """The ground as painted on paper: pulled towards the paper's tint, with its grain. (n, n, 3) float32."""
    paper = ground + (np.array(tint, np.float32) - ground) * share
    return paper + (grain * 0.6 * noise(size, max(min(size, 256) // 2, 32), 100 + variant) + grain * 0.5 * noise(size, 24, 110 + variant))[..., None]


# --- pixel art ----------------------------------------------------------------------------------------------------


def _pixel(layer: np.ndarray, ground: np.ndarray, size: int, variant: int) -> np.ndarray:
    """64 × 64 cells of a limited palette, enlarged without smoothing."""
    cover = layer.astype(np.float32)
    cover[..., :3] *= cover[..., 3:] / 255
    cells = cover.reshape(CELLS, 2, CELLS, 2, 4).mean(axis=(1, 3))
    solid = cells[..., 3:] > 127
    color = np.where(solid, cells[..., :3] / np.maximum(cells[..., 3:], 1) * 255, 0)
    behind = ground.reshape(CELLS, 2, CELLS, 2, 3).mean(axis=(1, 3))
    color = np.where(solid, np.rint(color / 17) * 17, np.rint(behind / 12) * 12)
    index = np.arange(size) * CELLS // size
    return _bytes(color)[index[:, None], index]


def _bytes(picture: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


_FINISHERS: dict[str, Callable[[np.ndarray, np.ndarray, int, int], np.ndarray]] = {
    "flat": _flat, "ink_wash": _ink_wash, "watercolor": _watercolor, "pencil": _pencil, "pixel": _pixel,
}  # fmt: skip
