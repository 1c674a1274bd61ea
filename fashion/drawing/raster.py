"""SVG text in, pixels out, through resvg: uint8 RGBA with straight alpha.

resvg hands its pixels over as a PNG, and to pack and unpack one costs as much as the drawing: nothing is asked for to
the right of what is painted or below it. (To leave out what lies left and above would move every path, and rounding
would change some pixels.)
"""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image
from resvg import render, usvg

from fashion.drawing.paths import SIDE

Extent = tuple[float, float]  # to the right and down, scene units
WHOLE: Extent = (SIDE, SIDE)
_BESIDE = 2  # pixels that an anti-aliased edge and a later enlargement look at beyond it


def document(body: str, crisp: bool = False) -> str:
    """Wrap elements in scene units (256 × 256) as an SVG document. `crisp` turns anti-aliasing off."""
    edges = ' shape-rendering="crispEdges"' if crisp else ""
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="{SIDE}" height="{SIDE}"{edges}>{body}</svg>'


def rasterise(svg: str, size: int, extent: Extent = WHOLE, outside: int = 0) -> np.ndarray:
    """A `document` as (size, size, 4) uint8; every channel is `outside` beyond the extent of what is painted."""
    scale = size / SIDE
    width, height = (min(max(math.ceil(side * scale), 0) + _BESIDE, size) for side in extent)
    inside = _decode(render(_tree(svg), (scale, 0.0, 0.0, 0.0, scale, 0.0), bg_size=(width, height)))
    if (height, width) == (size, size):
        return inside
    picture = np.full((size, size, 4), outside, np.uint8)
    picture[:height, :width] = inside
    return picture


def rasterise_as_is(svg: str) -> np.ndarray:
    """An SVG document at the width and height that it says itself: (height, width, 4) uint8."""
    return _decode(render(_tree(svg), (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)))


def _tree(svg: str) -> usvg.Tree:
    return usvg.Tree.from_str(svg, usvg.Options.default())  # options belong to one thread and cost a microsecond


def _decode(png: bytes) -> np.ndarray:
    """PNG to (height, width, 4) uint8."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as picture:
        return np.asarray(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
