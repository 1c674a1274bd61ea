"""Which words of a scene its picture cannot show: the sleeves of a blouse under a coat.

In: a scene. Out: for each garment the attributes that could be drawn otherwise without changing one pixel. What nobody
can see is not scored.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from fashion.drawing import draw
from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import Garment, Scene

_SIZE = 256
_MAYBE_HIDDEN = {"sleeve": "sleeves", "hem": "hems"}  # attribute → the kinds' field with the values it can take


@lru_cache(maxsize=65536)
def hidden(scene: Scene) -> tuple[frozenset[str], ...]:
    """For each garment the attributes ("sleeve", "hem") of which some other value gives the same picture.

    Only garments worn beneath an outer one are drawn otherwise to see it; all else of a garment shows.
    """
    if not any(GARMENT_BY_ID[garment.kind].slot == "outer" for garment in scene.garments):
        return (frozenset(),) * len(scene.garments)
    picture = draw(scene, _SIZE)
    return tuple(
        frozenset(field for field in _MAYBE_HIDDEN if _changes_nothing(scene, place, garment, field, picture))
        for place, garment in enumerate(scene.garments)
    )


def _changes_nothing(scene: Scene, place: int, garment: Garment, field: str, picture: np.ndarray) -> bool:
    kind, value = GARMENT_BY_ID[garment.kind], getattr(garment, field)
    if value is None or kind.slot == "outer":
        return False
    others = (replace(garment, **{field: other}) for other in getattr(kind, _MAYBE_HIDDEN[field]) if other != value)
    return any(np.array_equal(picture, draw(_with(scene, place, other), _SIZE)) for other in others)


def _with(scene: Scene, place: int, garment: Garment) -> Scene:
    return replace(scene, garments=(*scene.garments[:place], garment, *scene.garments[place + 1 :]))
