"""The lines of a garment: its outline and what its print shows, as 0..1 (size, size)."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def outline(mask: np.ndarray, size: int, thick: float) -> np.ndarray:
    """The rim of a mask, `thick` in sides of the picture."""
    reach = max(0.7, thick * size)
    inside = ndimage.distance_transform_edt(mask)
    outside = ndimage.distance_transform_edt(~mask)
    return np.clip(reach - np.abs(inside - outside), 0, 1).astype(np.float32)


def inner_lines(picture: np.ndarray, mask: np.ndarray, size: int) -> np.ndarray:
    """Where a garment's print or folds change quickly, within its mask."""
    grey = ndimage.gaussian_filter(picture.mean(axis=2), max(0.6, 0.006 * size))
    steep = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1))
    inner = ndimage.binary_erosion(mask, iterations=max(1, round(0.015 * size)))
    return (np.clip(steep / 160 - 0.25, 0, 1) * inner).astype(np.float32)
