"""A composition in the domain's flat manner, over nothing: what a look sets before a ground of its own.

In: a scene, its composition, SVG elements in scene units that lie over the garments. Out: uint8 (size, size, 4).
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from fashion.drawing.cloth import dress
from fashion.drawing.layers import color_layer, cut, light_layer
from fashion.drawing.raster import rasterise
from fashion.drawing.silhouettes import Composition
from fashion.drawing.styles import LOOKS
from fashion.scene import Scene

SHADOW = (38, 32, 48)


def painted(scene: Scene, composition: Composition, size: int, over: str = "") -> np.ndarray:
    """Garments with cloth and light, the figure, and `over` above all."""
    taken = cut(scene, composition, LOOKS["flat"])
    colors = rasterise(color_layer(taken).removesuffix("</svg>") + over + "</svg>", size)
    soft = rasterise(light_layer(taken), max(size // 2, 64))[..., 0]
    light = np.asarray(Image.fromarray(soft).resize((size, size), Image.Resampling.BILINEAR))
    return dress(colors, light, taken)


def stood_before(ground: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """A layer (n, n, 4), with a soft shadow, on a ground (size, size, 3): in the middle of its lower edge."""
    size, side = ground.shape[0], layer.shape[0]
    picture, front = Image.fromarray(ground), Image.fromarray(layer)
    corner = ((size - side) // 2, size - side)
    reach = max(1, round(0.014 * size))
    shade = front.getchannel("A").filter(ImageFilter.GaussianBlur(0.016 * size)).point([v * 0.42 for v in range(256)])
    picture.paste(SHADOW, (corner[0] + reach, corner[1] + reach // 2), mask=shade)
    picture.paste(front, corner, mask=front)
    return np.asarray(picture)
