"""Draw a scene, and tell which pixels show which garment.

In: a Scene. Out: `draw` (size, size, 3) uint8 and `draw_masks` (garments, size, size) bool, decided by the scene alone.
Flat colours with outlines are rasterised by resvg, cloth is laid on them per pixel, and a style brings the result and
the ground together.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from fashion.drawing.cloth import dress
from fashion.drawing.layers import color_layer, cut, id_layer, id_of, light_layer, painted_extent
from fashion.drawing.raster import rasterise
from fashion.drawing.shadows import lain_on, stood_on
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
    extent = painted_extent(taken)
    colors = rasterise(color_layer(taken), pixels, extent)
    soft = rasterise(light_layer(taken), max(pixels // 2, 64), extent, outside=128)[..., 0]
    light = np.asarray(Image.fromarray(soft).resize((pixels, pixels), Image.Resampling.BILINEAR))
    layer = dress(colors, light, taken)
    if composition.figure:
        ground = stood_on(scene.background, pixels, scene.seed)
    else:
        ground = lain_on(scene.background, layer[..., 3], scene.seed)
    return finish(scene.style, layer, ground, size, scene.seed)


def draw_masks(scene: Scene, size: int = 256) -> np.ndarray:
    """The visible part of each garment: (len(scene.garments), size, size) bool, in the garments' order."""
    _check(size)
    look = LOOKS[scene.style]
    taken = cut(scene, compose(scene), look)
    ids = rasterise(id_layer(taken), look.mask_size(size), painted_extent(taken))[..., 0]
    ids = finish_mask(scene.style, ids, size, scene.seed)
    return np.stack([ids == id_of(i) for i in range(len(scene.garments))])


def _check(size: int) -> None:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"a picture of {size} px cannot be drawn: use {MIN_SIZE} to {MAX_SIZE}")
