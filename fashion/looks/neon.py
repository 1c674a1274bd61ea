"""Neon: every garment a glowing tube in its colour, along its outline and its print, before a night."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from fashion.drawing import draw, draw_masks
from fashion.looks.lines import inner_lines, outline
from fashion.scene import Scene

NIGHT = np.array((14, 11, 34), np.float32)
HALOS = ((0.006, 1.0), (0.02, 0.9), (0.06, 0.6))  # deviation in sides of the picture, strength
LEAST = 70.0  # how far a colour's channels are apart at least: grey cloth glows a cold white
CORE = 0.55  # of the tube's middle, how white it is


def draw_neon(scene: Scene, size: int) -> np.ndarray:
    """A scene as neon tubes, uint8 (size, size, 3)."""
    picture, masks = draw(scene, size).astype(np.float32), draw_masks(scene, size)
    light = np.zeros((size, size, 3), np.float32)
    for mask in masks:
        if not mask.any():
            continue
        tube = np.clip(outline(mask, size, thick=0.008) + 0.5 * inner_lines(picture, mask, size), 0, 1)
        color = _glowing(np.median(picture[mask], axis=0))
        for deviation, strength in HALOS:
            blurred = ndimage.gaussian_filter(tube, deviation * size)
            light += strength * blurred[..., None] * color
        light += CORE * tube[..., None] * 255
    return np.clip(NIGHT + light, 0, 255).astype(np.uint8)


def _glowing(color: np.ndarray) -> np.ndarray:
    """A colour at its brightest; of what is nearly grey, a cold white."""
    if color.max() - color.min() < LEAST:
        return np.array((190, 215, 255), np.float32)
    lifted = color - color.min() * 0.9
    return lifted * (255 / lifted.max())
