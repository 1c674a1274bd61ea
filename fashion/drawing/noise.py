"""Seeded noise fields, made once per size and kept: paper, granulation, bleeding edges."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image


@lru_cache(maxsize=128)
def noise(size: int, cells: int, seed: int) -> np.ndarray:
    """Smooth noise, (size, size) float32 of about unit spread: `cells` random cells a side, bicubically enlarged."""
    field = np.random.default_rng((seed, cells)).standard_normal((cells + 2, cells + 2)).astype(np.float32)
    picture = Image.fromarray(field)  # mode F
    inner = (1.0, 1.0, cells + 1.0, cells + 1.0)
    result = np.asarray(picture.resize((size, size), Image.Resampling.BICUBIC, box=inner), np.float32)
    result = result / max(float(result.std()), 1e-6)
    result.setflags(write=False)
    return result


@lru_cache(maxsize=64)
def fractal(size: int, cells: int, seed: int) -> np.ndarray:
    """Three octaves of `noise`, (size, size) float32 of unit spread."""
    result = sum(noise(size, cells * 2**k, seed + k) / 2**k for k in range(3))
    result = (result / float(np.std(result))).astype(np.float32)
    result.setflags(write=False)
    return result
