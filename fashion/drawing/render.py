"""Draw a scene, and tell which pixels show which garment.

In: a Scene. Out: `draw` (size, size, 3) uint8 and `draw_masks` (garments, size, size) bool, decided by the scene alone.
Flat colours with outlines are rasterised by resvg, cloth is laid on them per pixel, and a style brings the result and
the ground together.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from fashion.drawing.backgrounds import background
from fashion.drawing.cloth import dress
from fashion.drawing.layers import color_layer, cut, id_layer, id_of, light_layer
from fashion.drawing.raster import rasterise
from fashion.drawing.silhouettes import compose
from fashion.drawing.styles import LOOKS, finish, finish_mask
from fashion.scene import Scene

MIN_SIZE, MAX_SIZE = 64, 1024


def draw(scene: Scene, size: int = 256) -> np.ndarray:
    """Draw the scene: (size, size, 3) uint8 RGB. Raises ValueError for a size outside 64..1024."""
    _check(size)
    look = LOOKS[scene.style]
    pixels = look.render_size(size)
    composition = compose(scene)
    taken = cut(scene, composition, look)
    colors = rasterise(color_layer(taken), pixels)
    soft = rasterise(light_layer(taken), max(pixels // 2, 64))[..., 0]
    light = np.asarray(Image.fromarray(soft).resize((pixels, pixels), Image.Resampling.BILINEAR))
    layer = dress(colors, light, taken)
    ground = background(scene.background, pixels, scene.seed)
    return finish(scene.style, layer, ground, size, scene.seed, standing=composition.figure is not None)


def draw_masks(scene: Scene, size: int = 256) -> np.ndarray:
    """The visible part of each garment: (len(scene.garments), size, size) bool, in the garments' order."""
    _check(size)
    look = LOOKS[scene.style]
    ids = rasterise(id_layer(cut(scene, compose(scene), look)), look.mask_size(size), crisp=True)[..., 0]
    ids = finish_mask(scene.style, ids, size, scene.seed)
    return np.stack([ids == id_of(i) for i in range(len(scene.garments))])


def _check(size: int) -> None:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"a picture of {size} px cannot be drawn: use {MIN_SIZE} to {MAX_SIZE}")
