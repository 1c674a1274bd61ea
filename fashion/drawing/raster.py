"""SVG text in, pixels out, through resvg: (size, size, 4) uint8 RGBA with straight alpha."""

from __future__ import annotations

import io

import numpy as np
import resvg_py
from PIL import Image


def document(body: str) -> str:
    """Wrap elements in scene units (256 × 256) as an SVG document."""
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="256" height="256" viewBox="0 0 256 256">{body}</svg>'


def rasterise(svg: str, size: int, crisp: bool = False) -> np.ndarray:
    """(size, size, 4) uint8. `crisp` turns anti-aliasing off: every pixel has exactly one colour."""
    png = resvg_py.svg_to_bytes(
        svg_string=svg, width=size, height=size, skip_system_fonts=True,
        shape_rendering="crisp_edges" if crisp else "geometric_precision",
    )  # fmt: skip
    return decode(png)


def decode(png: bytes) -> np.ndarray:
    """PNG to (height, width, 4) uint8."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture if picture.mode == "RGBA" else picture.convert("RGBA"))
