"""Cloth at each pixel: pattern, weave, gloss and soft shade over the flat colours of a picture.

In: the colour layer (n, n, 4), the light layer, and the pieces that were cut. Out: RGBA (n, n, 4) uint8.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from fashion.drawing.layers import MAX_PANELS, Cut, Piece, mark_of, weave_grain
from fashion.drawing.materials import GLOSSY, sheen
from fashion.drawing.noise import noise
from fashion.drawing.textures import Grain, lay, pattern_tile, weave_tile
from fashion.drawing.tones import luminance, tones_of

_COARSE = 64  # soft shade is computed on a grid of this many cells a side


def dress(colors: np.ndarray, light: np.ndarray, taken: Cut) -> np.ndarray:
    """Lay cloth on the panels of `colors` (n, n, 4) and light the whole by `light` (n, n) uint8 (128 is neutral)."""
    size = colors.shape[0]
    pieces = taken.pieces
    where, numbers = _find(colors, pieces)
    result = colors.copy()
    flat = result.view(np.uint32).reshape(-1)
    owner = np.array([piece.garment for piece in pieces], np.intp)[numbers]
    for i in range(len(taken.scene.garments)):
        mine = np.flatnonzero(owner == i)
        if mine.size:
            rgba = np.full((mine.size, 4), 255, np.uint8)
            rgba[:, :3] = _cloth(taken, i, pieces, where[mine], numbers[mine], size)
            flat[where[mine]] = rgba.view(np.uint32)[:, 0]
    light = light.reshape(-1)
    lit = np.flatnonzero((light != 128) & (result[..., 3].reshape(-1) > 0))
    rgba = flat[lit].view(np.uint8).reshape(-1, 4)
    rgba[:, :3] = _lit(rgba[:, :3].astype(np.float32), light[lit])
    flat[lit] = rgba.view(np.uint32)[:, 0]
    return result


def _lit(rgb: np.ndarray, light: np.ndarray) -> np.ndarray:
    """Colours (k, 3) under a light (k,) uint8, 128 neutral."""
    factor, gain = _factors(light)
    return rgb * factor[:, None] * (1 - gain[:, None]) + 255 * gain[:, None]


def _factors(light: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    lift = light.astype(np.float32) - 128
    return 1 + np.minimum(lift, 0) * np.float32(1 / 128), np.maximum(lift, 0) * np.float32(1 / 127)


def _find(colors: np.ndarray, pieces: list[Piece]) -> tuple[np.ndarray, np.ndarray]:
    """Flat indices of the pixels that show nothing but cloth, and the number of the piece at each."""
    packed = colors.reshape(-1, 4).view(np.dtype("<u4"))[:, 0]
    opaque = np.flatnonzero(packed >= 0xFF000000)
    packed = packed[opaque]
    marks = mark_of(packed, packed >> 8, packed >> 16)
    fills = np.zeros(MAX_PANELS, np.uint32)
    number = np.zeros(MAX_PANELS, np.intp)
    for piece in pieces:
        r, g, b = piece.fill
        mark = mark_of(r, g, b)
        fills[mark], number[mark] = 0xFF << 24 | b << 16 | g << 8 | r, piece.number
    found = np.flatnonzero(fills[marks] == packed)
    return opaque[found], number[marks[found]]


def _cloth(taken: Cut, i: int, pieces: list[Piece], pixels: np.ndarray, own: np.ndarray, size: int) -> np.ndarray:
    """The colours of one garment at its pixels: (k, 3) float32."""
    garment, look, t = taken.scene.garments[i], taken.look, tones_of(taken.scene.garments[i].color)
    places = _places(size)
    x, y = places[0][pixels], places[1][pixels]
    scale = pieces[int(own[len(own) // 2])].grain.scale
    glossy = garment.material in GLOSSY
    rgb: np.ndarray = np.array([t.rgb], np.float32)
    tile = pattern_tile(garment.pattern, garment.color, taken.scene.seed >> i & 1, size / 256 * scale)
    if tile or glossy:
        u, v = _along([piece.grain for piece in pieces], own, x, y)
    if tile:
        rgb = lay(tile, u, v).astype(np.float32)
    bevel = _bevel(pixels, size)
    relief = look.shade * bevel
    dark = 1 - (0.2 if luminance(t.rgb) > 130 else 0.3) * np.maximum(-relief, 0)
    bright = 0.17 * np.maximum(relief, 0)
    if threads := weave_tile(garment.material, garment.color, size / 256 * 0.9):
        grains = [weave_grain(piece, garment.material, look) for piece in pieces]
        shade, light = _factors(lay(threads, *_along(grains, own, x, y))[:, 0])
        dark, bright = dark * shade, bright + light
    if glossy:
        assert garment.material is not None
        drift = noise(size, 4, 200 + taken.scene.seed % 4).reshape(-1)[pixels]
        shade, light = sheen(garment.material, t, u * scale, v * scale, drift, bevel)
        dark, bright = dark * shade, bright + np.maximum(light, 0)
    bright = np.minimum(bright, 1)
    return rgb * (dark * (1 - bright))[:, None] + (255 * bright)[:, None]


@lru_cache(maxsize=8)
def _places(size: int) -> tuple[np.ndarray, np.ndarray]:
    """Scene x and y of every pixel's middle, (size · size,) float32 each."""
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) * np.float32(256 / size)
    return x.reshape(-1), y.reshape(-1)


def _along(grains: list[Grain], own: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cloth coordinates u, v (k,) float32 of pixels at scene (x, y) on the pieces `own`."""
    if len({grains[number] for number in np.flatnonzero(np.bincount(own))}) == 1:
        a, b, c, d, e, f = (np.float32(number) for number in grains[own[0]].affine())
        return a * x + b * y + c, d * x + e * y + f
    a, b, c, d, e, f = np.array([grain.affine() for grain in grains], np.float32).T
    return a[own] * x + b[own] * y + c[own], d[own] * x + e[own] * y + f[own]


def _bevel(pixels: np.ndarray, size: int) -> np.ndarray:
    """How each pixel of one garment turns to the light at the upper left: -1..1, from the blurred shape itself."""
    cell, rest = divmod(size, _COARSE)
    top, bottom = (0, _COARSE) if rest else (int(pixels[0]) // size // cell, int(pixels[-1]) // size // cell + 1)
    slope, above = _slope(pixels, size, top, bottom), min(top, 1)
    rows = size if rest else slope.shape[0] * cell
    fine = np.asarray(Image.fromarray(slope).resize((size, rows), Image.Resampling.BILINEAR))
    start = 0 if rest else (top - above) * cell * size
    return (fine.reshape(-1)[pixels - start].astype(np.float32) - 127) * np.float32(1 / 127.5)


def _slope(pixels: np.ndarray, size: int, top: int, bottom: int) -> np.ndarray:
    """The fall of the blurred shape to the lower right, (rows, 64) uint8, level at 127.

    For the rows of cells from `top` to `bottom` that the shape lies in, and where there is one, one more on each side.
    """
    cell = size / _COARSE
    start, height = round(top * cell), round((bottom - top) * cell)
    shape = np.zeros((height, size), np.uint8)
    shape.reshape(-1)[pixels - start * size] = 255
    coarse = np.zeros((_COARSE, _COARSE), np.uint8)
    coarse[top:bottom] = np.asarray(Image.fromarray(shape).resize((_COARSE, bottom - top), Image.Resampling.BOX))
    padded = np.zeros((_COARSE + 4, _COARSE + 4), np.float32)
    padded[2:-2, 2:-2] = np.asarray(Image.fromarray(coarse).filter(ImageFilter.GaussianBlur(1.7)))
    padded = padded[max(top - 1, 0) : bottom + 5]
    return ((255 + padded[4:, 4:] - padded[:-4, :-4]) / 2).astype(np.uint8)
