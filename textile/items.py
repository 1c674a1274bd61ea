"""The things that a pattern can be tried on without a photo: nine of the ancestor's shop window, and hanbok.

Drawn by the project's renderer as plain cloth on white; sandals, which the drawn domain does not know, are a few paths
here. In: an item's id and a size. Out: a picture (size, size, 3) uint8 and its mask (size, size) float32, soft at the
edge because it is drawn at twice the size.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from fashion.drawing import draw, draw_masks
from fashion.drawing.raster import document, rasterise
from fashion.scene import Scene
from textile.item_names import ITEM_SIZE, DefaultItem, item_named

_KEPT = 24
_FINER = 2  # times as large as the picture, a mask is drawn
_MOST = 1024  # pixels that the renderer draws


@lru_cache(_KEPT)
def item_picture(id: str, size: int = ITEM_SIZE) -> tuple[np.ndarray, np.ndarray]:
    """An item's picture and mask, neither to be written into. Raises ValueError for a size outside 64..1024."""
    item = item_named(id)
    picture, mask = _sandals(size) if not item.garments else _drawn(item, size)
    picture.flags.writeable = mask.flags.writeable = False
    return picture, mask


def _drawn(item: DefaultItem, size: int) -> tuple[np.ndarray, np.ndarray]:
    scene = Scene(item.garments, item.layout, "white", "flat", seed=7)
    worn = draw_masks(scene, size * _FINER if size * _FINER <= _MOST else size).any(axis=0)
    soft = Image.fromarray(worn.astype(np.float32)).resize((size, size), Image.Resampling.BOX)
    return draw(scene, size).copy(), np.asarray(soft).copy()


_SOLE = "M{x} 196 C{a} 196 {b} 168 {b} 122 C{b} 74 {c} 40 {x} 40 C{d} 40 {e} 74 {e} 122 C{e} 168 {f} 196 {x} 196 Z"
_STRAPS = (
    "M{e} 96 C{d} 72 {c} 72 {b} 96 L{b} 116 C{c} 90 {d} 90 {e} 116 Z",
    "M{e} 148 C{d} 126 {c} 126 {b} 148 L{b} 170 C{c} 146 {d} 146 {e} 170 Z",
    "M{l} 74 C{l} 96 {m} 118 {m} 136 L{n} 136 C{n} 116 {r} 96 {r} 74 Z",
)


def _sandals(size: int) -> tuple[np.ndarray, np.ndarray]:
    """A pair from above: soles of cork, straps of cloth."""
    feet = [_foot(x) for x in (84, 172)]
    soles = "".join(f'<path d="{sole}" fill="url(#cork)" stroke="#9a7c58" stroke-width="2"/>' for sole, _ in feet)
    straps = [strap for _, found in feet for strap in found]
    cloth = "".join(f'<path d="{strap}" fill="url(#cloth)" stroke="#b9b6ae" stroke-width="1.4"/>' for strap in straps)
    shades = (
        '<linearGradient id="cork" x1="0" x2="1" y1="0" y2="0.2"><stop offset="0" stop-color="#d9bb92"/>'
        '<stop offset="1" stop-color="#c6a477"/></linearGradient><linearGradient id="cloth" '
        'x1="0" x2="0" y1="0" y2="1">'
        '<stop offset="0" stop-color="#cfcdc8"/><stop offset="0.45" stop-color="#fbfaf7"/>'
        '<stop offset="1" stop-color="#d6d4cf"/></linearGradient>'
    )
    body = f'<defs>{shades}</defs><rect width="256" height="256" fill="#fff"/>{soles}{cloth}'
    picture = rasterise(document(body), size)[..., :3].copy()
    marked = "".join(f'<path d="{strap}" fill="#fff"/>' for strap in straps)
    mask = rasterise(document(f'<rect width="256" height="256"/>{marked}'), size)[..., 0].astype(np.float32) / 255
    return picture, mask


def _foot(x: int) -> tuple[str, list[str]]:
    """The paths of the sole and of the straps of one sandal whose middle is at x."""
    at = {"x": x, "a": x + 24, "b": x + 34, "c": x + 22, "d": x - 22, "e": x - 34, "f": x - 24}
    at |= {"l": x - 10, "r": x + 10, "m": x - 5, "n": x + 5}
    return _SOLE.format_map(at), [strap.format_map(at) for strap in _STRAPS]
