"""Looks that the base never trains on: a style that brings one proves that it brings it. Each draws a scene anew."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from fashion.drawing import draw_masks
from fashion.look_words import LOOK_WORDS, LookWords
from fashion.looks.ink_brush import draw_ink_brush
from fashion.looks.men_hanbok import draw_men_hanbok, dressed_men, men_court
from fashion.looks.neon import draw_neon
from fashion.looks.palace import draw_palace, palace_masks
from fashion.looks.women_hanbok import draw_women_hanbok, dressed_women, women_court
from fashion.looks.woodblock import draw_woodblock
from fashion.scene import Scene


@dataclass(frozen=True)
class SceneLook:
    """`draw`: a scene and a side in pixels to uint8 (size, size, 3); `words`: what the look is called.

    `dressed`: the scene that a picture of it shows, where the look brings its own garments; captions tell that one.
    `masks`: where each of that scene's garments is, (garments, size, size) of bool; about, since prints and washes are
    laid a little beside their lines.
    """

    words: LookWords
    draw: Callable[[Scene, int], np.ndarray]
    dressed: Callable[[Scene], Scene] = lambda scene: scene
    masks: Callable[[Scene, int], np.ndarray] = draw_masks


LOOKS: Mapping[str, SceneLook] = {
    "neon": SceneLook(LOOK_WORDS["neon"], draw_neon),
    "woodblock": SceneLook(LOOK_WORDS["woodblock"], draw_woodblock),
    "ink_brush": SceneLook(LOOK_WORDS["ink_brush"], draw_ink_brush),
    "palace": SceneLook(LOOK_WORDS["palace"], draw_palace, masks=palace_masks),
    "women_hanbok": SceneLook(
        LOOK_WORDS["women_hanbok"], draw_women_hanbok, dressed_women, lambda scene, size: women_court(scene).masks(size)
    ),
    "men_hanbok": SceneLook(
        LOOK_WORDS["men_hanbok"], draw_men_hanbok, dressed_men, lambda scene, size: men_court(scene).masks(size)
    ),
}
