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
class ClothChoice:
    """What one pattern is made with: its colours, ground first; how many layers they fill; the number of its weave;
    how strong it is, in units of L*; how repeats are laid on a tile (`textile.patterns.laid_out`)."""

    palette: tuple[RGB, ...]
    layers: int
    weave: int
    strength: float
    layout: str
    flip: str  # "x", "y", "t" for transposed, any of them in turn


def choose(id: str, asked: tuple[RGB, ...] | None, seed: int) -> ClothChoice:
    """The choice for a category, a checked palette or None, and a seed. Raises ValueError for an unknown category."""
    most = category(id).colors
    rng = Random(f"palette/{id}/{seed}")
    weave = rng.choice(_USUAL_WEAVES.get(id, (0, 1, 1, 2, 5, 6, 6)))
    if asked is None:
        palette = _near(rng.choice(_PALETTES.get(id, _COMMON)), rng)
        kept = rng.choice(_COLORS.get(id, (2, 3, 3, 4)))
        palette = palette[: min(kept, len(palette))]
    elif len(asked) == 1 and most > 1:
        other = companion(asked[0], rng)
        palette = (other, asked[0]) if id in _ON_LIGHT and rng.random() < 0.4 else (asked[0], other)
    else:
        palette = asked
    palette = palette[:most]
    strength = rng.uniform(2.5, 5.5) if id == "solid" else rng.uniform(0.8, 2.6)
    return ClothChoice(
        palette, len(palette), weave, strength, rng.choice(_LAYOUTS.get(id, _USUAL_LAYOUTS)), _flip(id, rng)
    )


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


def _near(written: str, rng: Random) -> tuple[RGB, ...]:
    """The colours of a palette, each a little lighter, darker or warmer."""
    colors = []
    for text in written.split():
        light, warm = rng.uniform(-9, 9), rng.uniform(-5, 5)
        red, green, blue = (
            level + light + way * warm for level, way in zip(bytes.fromhex(text), (1, 0, -1), strict=True)
        )
        colors.append(tuple(min(max(round(level), 0), 255) for level in (red, green, blue)))
    return tuple((color[0], color[1], color[2]) for color in colors)


def _mixed(color: RGB, other: RGB, share: float) -> RGB:
    r, g, b = (round(x + (y - x) * share) for x, y in zip(color, other, strict=True))
    return r, g, b


_USUAL_LAYOUTS = ("straight", "straight", "straight", "large")
_TOSSED = (*("drop", "drop", "drop", "mirrored", "turned", "straight") * 2, "drop", "one")
_LAYOUTS = {
    "floral": _TOSSED,
    "leaves": _TOSSED,
    "paisley": _TOSSED,
    "cartoon": ("drop", "drop", "mirrored", "straight", "one"),
    "cloud": ("drop", "drop", "mirrored", "straight", "one"),
    "camouflage": ("large",),
    "cheetah": ("straight", "large"),
    "dots": ("straight",),
}
_ON_LIGHT = {"floral", "leaves", "cartoon", "cloud", "paisley", "dots", "stripes"}
_COLORS = {"dancheong": (4,), "camouflage": (4,), "cheetah": (3, 3, 4), "dots": (2, 2, 2, 3)}  # that belong together
_USUAL_WEAVES: dict[str, tuple[int, ...]] = {
    "solid": (1, 2, 3, 4, 5, 6, 6, 6), "checkered": (1, 2, 2, 5, 6), "camouflage": (0, 2, 1), "zigzag": (0, 1, 3, 3),
    "dancheong": (0, 0, 5), "cheetah": (0, 0, 1),
}  # fmt: skip
# colours that suit a category, ground first
_COMMON = (
    "f6f0e2 203a70 d04438 e2a842",
    "1c264e f4ecdc d65c46 7ea8be",
    "ecded0 a8483c 425c54 daa460",
    "264842 eee2c8 d08a40 a0bea0",
    "faf6f0 282c34 c43c44 969ca4",
    "7a1e34 f6e2d2 d69854 401022",
    "cedee8 285082 fafaf6 f0a082",
    "f4d4d6 b23a5c fcf6f0 6c8c6c",
    "3e424a e8e4dc e2b24a 8c949c",
    "dae2cc 42684a f8f4e6 de8e60",
    "faecc4 d86c34 46767e 963232",
    "e2d6ea 604288 fcf8fa ea96a0",
)
_PALETTES: dict[str, tuple[str, ...]] = {
    "camouflage": (
        "807a54 464e30 2c2822 b0a47c",
        "c4b28a 92764e 5e4a34 e0d0ac",
        "6c767e 3e4650 22262e a8aeb2",
        "586846 34422a 7a603c 1e221a",
        "7896aa 3c5a78 20304a becdd4",
        "d6a8ac a86876 683c4e f0d6d4",
    ),
    "cheetah": (
        "dab27a 2c1e16 b0763e 5a3c24",
        "ecd8b6 3a2a22 c49662 6e503a",
        "e0deda 28282c a8a6a4 5a5a5e",
        "eec4be 602234 ce8282 823c4c",
        "c48442 1e1612 8c5024 3c281a",
    ),
    "dancheong": (
        "1c6e5c c8362e f0e8d6 eeba3e",
        "f4eede 268064 ca3a32 f0bc40",
        "22488a d64236 f4f0e2 f2c246",
        "b02c2a 227a62 f4ecda eeb83c",
        "165854 e8783c f6eedc 2854a0",
    ),
    "cloud": (
        "7eacce fafaf8 5684b0 ecce96",
        "263860 ece8dc 7892ba d0aa60",
        "ece4d4 7898aa faf8f2 c86e5a",
        "a4c4be f8f6ee 608e8a de9e78",
        "e4c4cc fcf8f6 b67c92 96aabe",
        "7a1e2c eed6aa be785a 46101c",
    ),
    "leaves": (
        "f2eede 346642 8ca870 ce9654",
        "1e3a30 9abe8a e8e0c4 ce8c50",
        "e2e8d6 56805c f8f6ec 304c3c",
        "f4e0c4 a85c30 d0964c 68442c",
        "d8e4e8 2e5c68 7ea6a0 f8f8f4",
        "3a222c c69678 8c5454 e8d0b6",
    ),
    "solid": (
        "a83436",
        "20305c",
        "3e624e",
        "cea054",
        "7a5e4a",
        "e8decc",
        "3a3c42",
        "94aabe",
        "ce8c92",
        "785484",
        "c4683c",
        "b0baa0",
        "28282c",
        "f4f2ec",
    ),
}
