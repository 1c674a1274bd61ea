# ruff: noqa: E501 (rows of points)
"""Women's court dress (여성 한복): 당의 or 원삼 in the first colour, a bell of a skirt in the second, gold and gems."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from fashion.drawing.hanbok_parts import git, goreum
from fashion.drawing.paths import Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch
from fashion.lexicon import COLORS, GARMENT_BY_ID
from fashion.looks.court import (
    DEEP_GOLD,
    GOLD,
    JADE,
    RED,
    WHITE,
    Court,
    Over,
    cuff,
    frame_of,
    print_of,
    satin_or_cotton,
    screen,
    wide_sleeves,
)  # fmt: skip
from fashion.looks.court_heads import eoyeo, hwagwan, jokduri
from fashion.scene import Garment, Scene

STRIPES = ("#d8343a", "#f2c53d", "#2f6fc0", "#f08fb0")  # 색동
SILKS = ("#f6e3dc", "#f3ead2", "#e3ecdf", "#e6e4f1")


def dressed_women(scene: Scene) -> Scene:
    """The scene as 저고리 and 한복 치마 in its colours: what the caption of a drawing says."""
    first, *others = scene.garments
    lower = others[0] if others else first if GARMENT_BY_ID[first.kind].slot == "whole" else None
    rest = [color.id for color in COLORS if color.id != first.color]
    color = lower.color if lower else Random(f"court/{scene.seed}").choice(rest)
    cloth = print_of(lower) if lower else "solid"
    top = Garment("jeogori", first.color, print_of(first), satin_or_cotton(first))
    skirt = Garment("hanbok_skirt", color, cloth, satin_or_cotton(lower or first), hem="maxi")
    return replace(scene, garments=(top, skirt), layout="figure", style="flat")


def draw_women_hanbok(scene: Scene, size: int) -> np.ndarray:
    """Court dress in a scene's colours, uint8 (size, size, 3)."""
    return women_court(scene).picture(size)


def women_court(scene: Scene) -> Court:
    """Court dress in a scene's colours."""
    scene = dressed_women(scene)
    rng = Random(f"women/{scene.seed}")
    over, arm = Over(frame=frame_of(rng)), rng.uniform(50, 57)
    long, wide = rng.random() < 0.45, rng.uniform(42, 50)
    sketches = _robe(arm, wide, long), _skirt(over, rng, long)
    _gold(over, long)
    for k, color in enumerate(STRIPES):
        cuff(over, arm, 40 + 5.6 * k, 5.6, wide, color)
    cuff(over, arm, 62.4, 17, wide + 1, WHITE)
    _norigae(over, rng)
    rng.choice((jokduri, hwagwan, eoyeo))(over, rng)
    ground = screen(rng, SILKS, "#8c3b3a", rng.choice(("#e08a9b", "#d96f6a", "#c98fc0")))
    return Court(scene, sketches, over, arm, ground)


def _robe(arm: float, wide: float, long: bool) -> Sketch:
    """원삼, long with a slit front, or 당의, whose hem is a bow."""
    sketch = Sketch(layer=30)
    wide_sleeves(sketch, arm, 64, wide)
    top: list[list[Point]] = [[(12.5, 56), (23, 60), (33, 65)], [(33, 65), (31, 80), (29.5, 95)]]
    if long:
        sketch.pair(shape([(0, 80), (7, 66), (12.5, 56)], *top, [(29.5, 95), (40, 140), (50, 188)],
                          [(50, 188), (30, 193), (9, 194)], [(9, 194), (2, 130), (0, 112)], [(0, 112), (0, 80)]))  # fmt: skip
    else:
        sketch.panel(both([(0, 80), (7, 66), (12.5, 56)], *top, [(29.5, 95), (36, 124), (47, 146)],
                          [(47, 146), (34, 158), (16, 165), (0, 167)]))  # fmt: skip
    sketch.strokes_pair(line([(27, 100), (31, 124), (37, 148)]), "fold", 2.0)
    sketch.strokes_pair(line([(22, 70), (22, 84), (21, 96)]), "light", 2.0)
    git(sketch, (9.5, 96.0), 6.6)
    goreum(sketch, (8.5, 94.0), (54.0, 44.0))
    return sketch


def _skirt(over: Over, rng: Random, long: bool) -> Sketch:
    """A bell down to the floor, its pleats, and one or two gold bands (스란단)."""
    half = rng.uniform(62, 74)
    sketch = Sketch(layer=20)
    sketch.panel(both([(0, 88), (24, 88)], [(24, 88), (0.7 * half, 132), (0.94 * half, 190), (half, 233)],
                      [(half, 233), (0.6 * half, 241), (0, 244)]))  # fmt: skip
    for k in range(-6, 7):
        x = k / 6.4
        sketch.stroke(line([(23 * x, 96), (0.66 * half * x, 150), (0.98 * half * x, 238 - 7 * x * x)]), "fold", 1.6)
        sketch.stroke(line([(25 * x + 2, 110), (0.7 * half * x + 3, 160), (0.96 * half * x + 4, 228)]), "light", 1.5)
    for y, tall in ((212.0, 15.0),) if long else ((216.0, 13.0), (184.0, 9.0)):
        side = half * (0.93 + 0.07 * (y - 186) / 46)
        upper = [(side * x, y + 10 - 10 * x * x) for x in (-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75, 1)]
        over.band(upper, [(x * 1.02, z + tall) for x, z in upper], motif=RED)
    return sketch


def _gold(over: Over, long: bool) -> None:
    """금박 at the hem and on the shoulders, and round badges (보)."""
    xs = (-1, -0.66, -0.33, 0, 0.33, 0.66, 1)
    if long:
        for sign in (-1, 1):
            upper: list[Point] = [(sign * 9, 181), (sign * 28, 180.4), (sign * 48, 176)]
            over.band(upper, [(sign * 9.4, 190.5), (sign * 29, 190), (sign * 49.2, 185.6)])
    else:
        upper = [(42.5 * x, 158 - 19 * x * x) for x in xs]
        over.band(upper, [(45 * x, 165 - 18.5 * x * x) for x in xs])
    for sign in (-1, 1):
        over.band([(sign * 17.5, 61), (sign * 27, 65)], [(sign * 14.5, 71), (sign * 26, 76)])
    over.add(ellipse(-15, 108, 8.6, 8.6), GOLD, DEEP_GOLD, 1.2)
    over.add(ellipse(-15, 108, 5.4, 5.4), RED)
    over.add(ellipse(-15, 108, 2.6, 2.6), GOLD)


def _norigae(over: Over, rng: Random) -> None:
    """노리개: a gem on a cord, a knot, a long tassel."""
    gem, silk = rng.choice((JADE, "#e77f5c", "#f3ead0")), rng.choice(("#c92f35", "#2f5fb0", "#e7a92e", "#8a3f98"))
    x, y = 14.0, 104.0
    over.stroke(line([(9, 94), (12, 98), (x, y)]), silk, 1.8)
    over.add(ellipse(x, y + 5, 5.2, 5.2), gem, DEEP_GOLD, 1.1)
    over.add(ellipse(x, y + 13, 3.0, 3.2), silk, "#4c2226", 0.6)
    over.add(shape([(x - 2, y + 15), (x - 4.6, y + 44)], [(x - 4.6, y + 44), (x + 4.6, y + 44)], [(x + 4.6, y + 44), (x + 2, y + 15)],
                   [(x + 2, y + 15), (x - 2, y + 15)]), silk, "#4c2226", 0.7)  # fmt: skip
    over.stroke(line([(x - 2.4, y + 19), (x + 2.4, y + 19)]), GOLD, 2.0)
