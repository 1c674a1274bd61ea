"""Woodblock print: a few flat inks beside the lines they belong to, cut lines, the grain of the block on paper."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fashion.drawing import draw, draw_masks
from fashion.looks.lines import inner_lines, outline
from fashion.scene import Scene

PAPER = np.array((238, 226, 198), np.float32)
INK = np.array((38, 32, 40), np.float32)
TONES = 3
SLIP = 0.012  # of the side: how far a colour block is printed from its lines
GRAIN = (0.35, 14.0)  # deviations across and along the grain, in pixels at 128


def draw_woodblock(scene: Scene, size: int) -> np.ndarray:
    """A scene as a print, uint8 (size, size, 3)."""
    picture, masks = draw(scene, size).astype(np.float32), draw_masks(scene, size)
    rng = np.random.default_rng(scene.seed)
    grain = _grain(rng, size)
    printed = np.broadcast_to(PAPER * (1 + 0.04 * grain[..., None]), (size, size, 3)).copy()
    lines = np.zeros((size, size), np.float32)
    shift = rng.uniform(-SLIP, SLIP, 2) * size
    for mask in masks:
        if not mask.any():
            continue
        color = _ink(np.median(picture[mask], axis=0))
        tones = np.round(ndimage.gaussian_filter(picture.mean(axis=2), 0.01 * size) / 255 * TONES) / TONES
        block = ndimage.shift(mask.astype(np.float32), shift, order=1) * np.clip(0.82 + 0.3 * grain, 0, 1)
        printed += block[..., None] * (color * (0.72 + 0.28 * tones[..., None]) - printed)
        lines = np.maximum(lines, np.maximum(outline(mask, size, thick=0.018), inner_lines(picture, mask, size)))
    lines *= np.clip(0.9 + 0.5 * grain, 0, 1)
    return np.clip(printed + lines[..., None] * (INK - printed), 0, 255).astype(np.uint8)


def _ink(color: np.ndarray) -> np.ndarray:
    """A colour as a pigment on this paper: dulled towards it."""
    return 0.72 * color + 0.28 * PAPER * color.mean() / 255


def _grain(rng: np.random.Generator, size: int) -> np.ndarray:
    """Fibres along the block, about -1..1 (size, size)."""
    across, along = (each * size / 128 for each in GRAIN)
    noise = ndimage.gaussian_filter(rng.standard_normal((size, size)), (across, along), mode="wrap")
    return (noise / noise.std()).clip(-2, 2).astype(np.float32) / 2
