"""True drawings of two looks in one picture: court dress before a palace, court dress painted with ink.

In: a scene. Out: pictures that say what two styles together should look like; the court dresses learn them beside the
styles that give the ground (`diffusion.training.lora --beside`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from fashion.looks import LOOKS
from fashion.looks.court import Court
from fashion.looks.ink_brush import LEAST, ink_painting
from fashion.looks.men_hanbok import men_court
from fashion.looks.painted import stood_before
from fashion.looks.palace import SHARE, before_palace
from fashion.looks.women_hanbok import women_court
from fashion.scene import Scene

COURTS: Mapping[str, Callable[[Scene], Court]] = {"women_hanbok": women_court, "men_hanbok": men_court}


def _before_palace(court: Court, size: int) -> np.ndarray:
    return before_palace(court.scene, court.layer(round(SHARE * size)), size)


def _with_ink(court: Court, size: int) -> np.ndarray:
    work = max(size, LEAST)
    white = np.full((work, work, 3), 255, np.uint8)
    picture, over = stood_before(white, court.layer(work)), "".join(court.over.pieces)
    return ink_painting(court.scene, court.composition, picture, court.masks(work), size, over)


_GROUNDS: Mapping[str, Callable[[Court, int], np.ndarray]] = {"palace": _before_palace, "ink_brush": _with_ink}
PAIRS = tuple((look, court) for look in _GROUNDS for court in COURTS)


def draw_together(first: str, second: str, scene: Scene, size: int) -> np.ndarray:
    """A scene in two looks of `PAIRS`, uint8 (size, size, 3). Raises ValueError for others."""
    if (first, second) not in PAIRS:
        raise ValueError(f"{first} and {second} are not drawn together: use {', '.join(map(' and '.join, PAIRS))}")
    return _GROUNDS[first](COURTS[second](scene), size)


def draw_looks(looks: Sequence[str], scene: Scene, size: int) -> np.ndarray:
    """A scene in one look, or in the two of a pair, uint8 (size, size, 3)."""
    if len(looks) == 1:
        return LOOKS[looks[0]].draw(scene, size)
    first, second = looks
    return draw_together(first, second, scene, size)
