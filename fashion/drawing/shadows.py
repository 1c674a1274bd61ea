"""Grounds with the shadow of what is on them: a pool under a figure's feet, an edge beside a garment laid out.

In: a background's id, a size, a seed. Out: a picture of size × size pixels, not to be changed.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from fashion.drawing.backgrounds import background, variant_of

_COLOR = (38, 32, 48)


def stood_on(id: str, size: int, seed: int) -> Image.Image:
    """The ground under a figure, made once and kept."""
    return _stood_on(id, size, variant_of(id, seed))


def lain_on(id: str, alpha: np.ndarray, seed: int) -> Image.Image:
    """The ground under a garment whose shape is `alpha` (n, n) uint8."""
    size = alpha.shape[0]
    small = Image.fromarray(alpha).resize((64, 64), Image.Resampling.BOX).filter(ImageFilter.GaussianBlur(1.1))
    away = ImageChops.offset(small, 1, 1).point([round(value * 0.28) for value in range(256)])
    ground = Image.fromarray(background(id, size, variant_of(id, seed)))  # a copy
    ground.paste(_COLOR, mask=away.resize((size, size), Image.Resampling.BILINEAR))
    return ground


@lru_cache(maxsize=48)
def _stood_on(id: str, size: int, variant: int) -> Image.Image:
    ground = Image.fromarray(background(id, size, variant))  # a copy
    ground.paste(_COLOR, mask=_pool(size))
    return ground


def _pool(size: int) -> Image.Image:
    """How much a figure darkens the ground, as a mask."""
    y, x = (np.mgrid[0:size, 0:size].astype(np.float32) + 0.5) * (256 / size)
    far = ((x - 130) / 52) ** 2 + ((y - 245) / 8) ** 2
    return Image.fromarray((60 * np.clip(1 - far, 0, 1) ** 0.8).astype(np.uint8))
