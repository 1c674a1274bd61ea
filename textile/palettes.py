"""Which colours, how many layers and which weave a pattern gets, and painting a tile's layers with them.

A palette that a person gives is kept as it is; one colour alone gets a companion, light on dark or dark on light. No
palette means one of those that suit the category, chosen by the seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np

from textile.categories import RGB, category

_LIGHT_ON_COLOR = 2.3  # levels of 255 for one unit of L*
_CREAM, _WHITE, _INK = (246, 240, 226), (250, 249, 246), (38, 36, 44)


@dataclass(frozen=True)
class Choice:
    """What one pattern is made with: its colours, ground first; how many layers they fill; the number of its weave;
    how strong it is, in units of L*; how repeats are laid on a tile (`textile.patterns.laid_out`)."""

    palette: tuple[RGB, ...]
    layers: int
    weave: int
    strength: float
    layout: str
    flip: str  # "x", "y", "t" for transposed, any of them in turn


def choose(id: str, asked: tuple[RGB, ...] | None, seed: int) -> Choice:
    """The choice for a category, a checked palette or None, and a seed. Raises ValueError for an unknown category."""
    most = category(id).colors
    rng = Random(f"palette/{id}/{seed}")
    weave = rng.choice(_USUAL_WEAVES.get(id, (0, 1, 1, 2, 5, 6, 6)))
    if asked is None:
        palette = rng.choice(_PALETTES.get(id, _COMMON))
        kept = rng.choice((2, 3, 3, 4)) if id not in _WHOLE else 4
        palette = palette[: min(kept, len(palette))]
    elif len(asked) == 1 and most > 1:
        other = companion(asked[0], rng)
        palette = (other, asked[0]) if id in _ON_LIGHT and rng.random() < 0.4 else (asked[0], other)
    else:
        palette = asked
    palette = palette[:most]
    strength = rng.uniform(2.5, 5.5) if id == "solid" else rng.uniform(0.8, 2.6)
    return Choice(palette, len(palette), weave, strength, rng.choice(_LAYOUTS.get(id, _USUAL_LAYOUTS)), _flip(id, rng))


def _flip(id: str, rng: Random) -> str:
    """How the network's repeat is turned over: what stands upright stays so."""
    flips = "x" if id in ("cartoon", "cloud", "dancheong") else "xyt"
    return "".join(flip for flip in flips if rng.random() < 0.5)


def companion(color: RGB, rng: Random) -> RGB:
    """A colour that shows on another one: a pale tint of it, cream, or a deep shade."""
    light = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2]
    if light > 165:
        return rng.choice((_mixed(color, _INK, 0.62), _mixed(color, _INK, 0.8), _mixed(color, (30, 40, 90), 0.7)))
    return rng.choice((_mixed(color, _WHITE, 0.86), _CREAM, _WHITE, _mixed(color, _WHITE, 0.7)))


def painted(shown: np.ndarray, light: np.ndarray, palette: Sequence[RGB]) -> np.ndarray:
    """Memberships (h, w, 4) in the palette's colours under the light (h, w) of a weave, in units of L*: uint8 RGB."""
    colors = np.zeros((4, 3), np.float32)
    colors[: len(palette)] = palette
    rgb = shown @ colors + _LIGHT_ON_COLOR * light[..., None]
    return np.rint(rgb).clip(0, 255).astype(np.uint8)


def _mixed(color: RGB, other: RGB, share: float) -> RGB:
    r, g, b = (round(x + (y - x) * share) for x, y in zip(color, other, strict=True))
    return r, g, b


_USUAL_LAYOUTS = ("straight", "straight", "straight", "large")
_TOSSED = ("drop", "drop", "drop", "mirrored", "turned", "straight", "large")
_LAYOUTS = {
    "floral": _TOSSED, "leaves": _TOSSED, "paisley": _TOSSED, "cartoon": ("drop", "drop", "mirrored", "straight", "large"),
    "cloud": ("drop", "drop", "mirrored", "straight", "large"), "camouflage": ("large",), "cheetah": ("straight", "large"),
}
_ON_LIGHT = {"floral", "leaves", "cartoon", "cloud", "paisley", "dots", "stripes"}
_WHOLE = {"dancheong", "camouflage"}  # whose colours belong together
_USUAL_WEAVES: dict[str, tuple[int, ...]] = {
    "solid": (1, 2, 3, 4, 5, 6, 6, 6), "checkered": (1, 2, 2, 5, 6), "camouflage": (0, 2, 1), "zigzag": (0, 1, 3, 3),
    "dancheong": (0, 0, 5), "cheetah": (0, 0, 1),
}  # fmt: skip
# fmt: off
_COMMON: tuple[tuple[RGB, ...], ...] = (
    ((246, 240, 226), (32, 58, 112), (208, 68, 56), (226, 168, 66)),
    ((28, 38, 78), (244, 236, 220), (214, 92, 70), (126, 168, 190)),
    ((236, 222, 208), (168, 72, 60), (66, 92, 84), (218, 164, 96)),
    ((38, 72, 66), (238, 226, 200), (208, 138, 64), (160, 190, 160)),
    ((250, 246, 240), (40, 44, 52), (196, 60, 68), (150, 156, 164)),
    ((122, 30, 52), (246, 226, 210), (214, 152, 84), (64, 16, 34)),
    ((206, 222, 232), (40, 80, 130), (250, 250, 246), (240, 160, 130)),
    ((244, 212, 214), (178, 58, 92), (252, 246, 240), (108, 140, 108)),
    ((62, 66, 74), (232, 228, 220), (226, 178, 74), (140, 148, 156)),
    ((218, 226, 204), (66, 104, 74), (248, 244, 230), (222, 142, 96)),
    ((250, 236, 196), (216, 108, 52), (70, 118, 126), (150, 50, 50)),
    ((226, 214, 234), (96, 66, 136), (252, 248, 250), (234, 150, 160)),
)
_PALETTES: dict[str, tuple[tuple[RGB, ...], ...]] = {
    "camouflage": (
        ((128, 122, 84), (70, 78, 48), (44, 40, 34), (176, 164, 124)), ((196, 178, 138), (146, 118, 78), (94, 74, 52), (224, 208, 172)),
        ((108, 118, 126), (62, 70, 80), (34, 38, 46), (168, 174, 178)), ((88, 104, 70), (52, 66, 42), (122, 96, 60), (30, 34, 26)),
        ((120, 150, 170), (60, 90, 120), (32, 48, 74), (190, 205, 212)), ((214, 168, 172), (168, 104, 118), (104, 60, 78), (240, 214, 212)),
    ),
    "cheetah": (
        ((218, 178, 122), (44, 30, 22), (176, 118, 62), (90, 60, 36)), ((236, 216, 182), (58, 42, 34), (196, 150, 98), (110, 80, 58)),
        ((224, 222, 218), (40, 40, 44), (168, 166, 164), (90, 90, 94)), ((238, 196, 190), (96, 34, 52), (206, 130, 130), (130, 60, 76)),
        ((196, 132, 66), (30, 22, 18), (140, 80, 36), (60, 40, 26)),
    ),
    "dancheong": (
        ((28, 110, 92), (200, 54, 46), (240, 232, 214), (238, 186, 62)), ((244, 238, 222), (38, 128, 100), (202, 58, 50), (240, 188, 64)),
        ((34, 72, 138), (214, 66, 54), (244, 240, 226), (242, 194, 70)), ((176, 44, 42), (34, 122, 98), (244, 236, 218), (238, 184, 60)),
        ((22, 88, 84), (232, 120, 60), (246, 238, 220), (40, 84, 160)),
    ),
    "cloud": (
        ((126, 172, 206), (250, 250, 248), (86, 132, 176), (236, 206, 150)), ((38, 56, 96), (236, 232, 220), (120, 146, 186), (208, 170, 96)),
        ((236, 228, 212), (120, 152, 170), (250, 248, 242), (200, 110, 90)), ((164, 196, 190), (248, 246, 238), (96, 142, 138), (222, 158, 120)),
        ((228, 196, 204), (252, 248, 246), (182, 124, 146), (150, 170, 190)), ((122, 30, 44), (238, 214, 170), (190, 120, 90), (70, 16, 28)),
    ),
    "leaves": (
        ((242, 238, 222), (52, 102, 66), (140, 168, 112), (206, 150, 84)), ((30, 58, 48), (154, 190, 138), (232, 224, 196), (206, 140, 80)),
        ((226, 232, 214), (86, 128, 92), (248, 246, 236), (48, 76, 60)), ((244, 224, 196), (168, 92, 48), (208, 150, 76), (104, 68, 44)),
        ((216, 228, 232), (46, 92, 104), (126, 166, 160), (248, 248, 244)), ((58, 34, 44), (198, 150, 120), (140, 84, 84), (232, 208, 182)),
    ),
    "solid": tuple((color,) for color in (
        (168, 52, 54), (32, 48, 92), (62, 98, 78), (206, 160, 84), (122, 94, 74), (232, 222, 204), (58, 60, 66), (148, 170, 190),
        (206, 140, 146), (120, 84, 132), (196, 104, 60), (176, 186, 160), (40, 40, 44), (244, 242, 236),
    )),
}
# fmt: on
