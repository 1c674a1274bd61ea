"""A picture of any shape as a square, and a square back in that shape: models read and draw squares.

The longer side fills the square; beside the picture its edge is repeated, so nothing of it is cut away.
"""

from __future__ import annotations

from PIL import Image


def squared(picture: Image.Image) -> Image.Image:
    """The picture in the middle of a square of its longer side; itself where it is square."""
    width, height = picture.size
    if width == height:
        return picture
    import numpy as np

    pads = [((side - length) // 2, -((length - side) // 2)) for length, side in _sides(width, height)]
    levels = np.asarray(picture)
    return Image.fromarray(np.pad(levels, [pads[1], pads[0], *[(0, 0)] * (levels.ndim - 2)], mode="edge"))


def unsquared(square: Image.Image, width: int, height: int) -> Image.Image:
    """The part of a square that shows what `squared` was given: of the shape width × height, its longer side whole."""
    side, longer = square.width, max(width, height)
    shape = [max(1, round(side * length / longer)) for length in (width, height)]
    left, top = ((side - length) // 2 for length in shape)
    return square.crop((left, top, left + shape[0], top + shape[1]))


def _sides(width: int, height: int) -> tuple[tuple[int, int], tuple[int, int]]:
    longer = max(width, height)
    return (width, longer), (height, longer)
