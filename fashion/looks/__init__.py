"""Looks that the base never trains on: a style that brings one proves that it brings it. Each draws a scene anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fashion.looks.ink_brush import draw_ink_brush
from fashion.looks.men_hanbok import draw_men_hanbok, dressed_men
from fashion.looks.neon import draw_neon
from fashion.looks.palace import draw_palace
from fashion.looks.women_hanbok import draw_women_hanbok, dressed_women
from fashion.looks.woodblock import draw_woodblock
from fashion.scene import Scene


@dataclass(frozen=True)
class SceneLook:
    """`draw`: a scene and a side in pixels to uint8 (size, size, 3); `ko`, `en`: what the look is called.

    `dressed`: the scene that a picture of it shows, where the look brings its own garments; captions tell that one.
    """

    ko: str
    en: str
    draw: Callable[[Scene, int], np.ndarray]
    dressed: Callable[[Scene], Scene] = lambda scene: scene


LOOKS: Mapping[str, SceneLook] = {
    "neon": SceneLook("네온", "neon", draw_neon),
    "woodblock": SceneLook("목판화", "woodblock print", draw_woodblock),
    "ink_brush": SceneLook("수묵화", "ink brush painting", draw_ink_brush),
    "palace": SceneLook("궁궐", "palace", draw_palace),
    "women_hanbok": SceneLook("여성 한복", "women's court hanbok", draw_women_hanbok, dressed_women),
    "men_hanbok": SceneLook("남성 한복", "men's court hanbok", draw_men_hanbok, dressed_men),
}
