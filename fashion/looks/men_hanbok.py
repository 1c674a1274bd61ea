# ruff: noqa: E501 (rows of points)
"""Men's court dress (남성 한복): an official's round-collared 단령 with badge and plated belt, 사모 and black boots."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from fashion.drawing.paths import both, line, shape
from fashion.drawing.sketch import Sketch
from fashion.lexicon import COLOR_BY_ID
from fashion.looks.court import (
    BLACK,
    DEEP_GOLD,
    GOLD,
    WHITE,
    Court,
    Over,
    cuff,
    frame_of,
    print_of,
    satin_or_cotton,
    screen,
    wide_sleeves,
)
from fashion.looks.court_badge import badge, box
from fashion.scene import Garment, Scene

SILKS = ("#dfe8e6", "#ece6d6", "#dde4ee", "#e6e9da")


def dressed_men(scene: Scene) -> Scene:
    """The scene as 두루마기 in its first colour and a black 갓: what the caption of a drawing says."""
    first = scene.garments[0]
    robe = Garment("durumagi", first.color, print_of(first), satin_or_cotton(first))
    return replace(scene, garments=(robe, Garment("gat", "black")), layout="figure", style="flat")


def draw_men_hanbok(scene: Scene, size: int) -> np.ndarray:
    """An official's dress in a scene's colour, uint8 (size, size, 3)."""
    return men_court(scene).picture(size)


def men_court(scene: Scene) -> Court:
    """An official's dress in a scene's colour."""
    scene = dressed_men(scene)
    rng = Random(f"men/{scene.seed}")
    over, arm, wide = Over(frame=frame_of(rng)), rng.uniform(44, 52), rng.uniform(34, 42)
    sketches = _robe(arm, wide, rng.uniform(42, 52)), _samo(rng)
    cuff(over, arm, 62, 6, wide + 0.6, WHITE)
    _boots(over)
    _collar(over, COLOR_BY_ID[scene.garments[0].color].rgb)
    badge(over, rng, COLOR_BY_ID[scene.garments[0].color].rgb)
    _belt(over, rng)
    _face(over, rng)
    ground = screen(rng, SILKS, "#3b4a58", rng.choice(("#7fa08c", "#8fa3b8", "#b59a7a")))
    return Court(scene, sketches, over, arm, ground)


def _robe(arm: float, wide: float, half: float) -> Sketch:
    """단령: down to the boots, closed under the arm, wider from the hip where the side pleats stand out."""
    sketch = Sketch(layer=40)
    sketch.back(
        both([(0, 200), (half - 3, 200)], [(half - 3, 200), (half + 1, 222)], [(half + 1, 222), (20, 227), (0, 227)]),
        -0.3,
    )
    wide_sleeves(sketch, arm, 63, wide)
    sketch.panel(both([(0, 62), (8, 60), (12.5, 56)], [(12.5, 56), (23, 60), (33, 65)], [(33, 65), (31, 80), (30, 96)],
                      [(30, 96), (32, 120), (40, 150), (half, 216)], [(half, 216), (24, 223), (0, 224)]))  # fmt: skip
    for x, low in ((10, 219), (22, 218), (34, 215)):
        sketch.strokes_pair(line([(0.72 * x, 138), (0.9 * x, 176), (x * half / 46, low)]), "fold", 2.0)
    sketch.strokes_pair(line([(28, 100), (24, 112), (14, 118)]), "fold", 1.7)
    sketch.strokes_pair(line([(16, 140), (19, 176), (24, 212)]), "light", 2.2)
    sketch.strokes_pair(line([(24, 69), (25, 84), (24, 98)]), "light", 2.0)
    sketch.stroke(line([(18, 68), (22, 100), (23, 222)]), "seam", 1.0)
    return sketch


def _samo(rng: Random) -> Sketch:
    """사모: a black cap of two heights, its wings to both sides."""
    sketch, lean, reach = Sketch(layer=80), rng.uniform(-3, 3), rng.uniform(29, 36)
    wing = shape([(17, 3), (26, -4), (20 + reach, -6 + lean)], [(20 + reach, -6 + lean), (26 + reach, lean), (21 + reach, 7 + lean)],
                 [(21 + reach, 7 + lean), (30, 9), (17, 8)], [(17, 8), (17, 3)])  # fmt: skip
    sketch.pair(wing, "brim", shade=0.3)
    sketch.strokes_pair(line([(19, 5.5), (32, 2.4), (18 + reach, 0.6 + lean)]), "rib", 1.0)
    sketch.panel(both([(0, -27), (10, -26), (15.5, -20)], [(15.5, -20), (17, -8), (17, 4)], [(17, 4), (0, 6)]))
    sketch.panel(
        both([(0, -8), (12, -7), (19.6, 0)], [(19.6, 0), (21.4, 8), (21, 16)], [(21, 16), (10, 13.4), (0, 13)]),
        shade=0.14,
    )
    sketch.stroke(line([(-10, -22), (-11.6, -15), (-11.6, -9)]), "light", 2.2)
    sketch.stroke(line([(-15, 0), (-16.6, 6), (-17, 12)]), "light", 2.0)
    return sketch


def _collar(over: Over, rgb: tuple[int, int, int]) -> None:
    """The white of what is worn below, and the round collar over it with its tie."""
    deep = "#{:02x}{:02x}{:02x}".format(*(round(0.6 * c + 8) for c in rgb))
    over.add(both([(0, 66), (9, 62), (12, 53)], [(12, 53), (7, 50), (0, 60)]), WHITE, "#8b8079", 0.7)
    ring = line([(-14, 55), (-12, 65), (0, 70.5), (12, 65), (14, 55)])
    over.stroke(ring, "#2b2430", 6.8)
    over.stroke(ring, deep, 5.2)
    over.add(
        shape([(15, 63), (21, 80)], [(21, 80), (25, 79)], [(25, 79), (19, 62)], [(19, 62), (15, 63)]),
        deep,
        "#2b2430",
        0.8,
    )
    over.add(
        shape([(15, 63), (13, 84)], [(13, 84), (17, 84.5)], [(17, 84.5), (19, 63)], [(19, 63), (15, 63)]),
        deep,
        "#2b2430",
        0.8,
    )


def _belt(over: Over, rng: Random) -> None:
    """각대, worn low and wide, with plates of gold or jade."""
    cloth, plate = rng.choice(((BLACK, GOLD), ("#7a1f25", GOLD), (BLACK, "#e9e2c6")))
    xs = (-36, -24, -12, 0, 12, 24, 36)
    upper = [(x, 124 - 4.5 * (x / 36) ** 2) for x in xs]
    lower = [(x, y + 9.4) for x, y in upper]
    over.add(shape(upper, [upper[-1], lower[-1]], lower[::-1], [lower[0], upper[0]]), cloth, "#17141b", 1.0)
    for x in (-30, -20, -10, 0, 10, 20, 30):
        y = 128.7 - 4.5 * (x / 36) ** 2
        over.add(box(x, y, 3.9, 3.3), plate, DEEP_GOLD, 0.7)


def _boots(over: Over) -> None:
    """목화: black, with white soles, below the hem."""
    over.pair(
        shape(
            [(6, 226), (22, 226)],
            [(22, 226), (27, 232), (35, 237)],
            [(35, 237), (35, 241), (8, 241)],
            [(8, 241), (6, 226)],
        ),
        BLACK,
        "#111",
        0.8,
    )
    over.pair(
        shape([(8, 240), (35, 240)], [(35, 240), (34, 244), (9, 244)], [(9, 244), (8, 240)]), WHITE, "#6d6a70", 0.6
    )


def _face(over: Over, rng: Random) -> None:
    """Hair at the temples; two in three have a beard, black or grey."""
    tone = rng.choice((BLACK, BLACK, "#8d8b90"))
    if rng.random() < 0.67:
        over.pair(line([(1, 38.2), (5, 38), (9, 42)]), "none", tone, 1.7)
        long = rng.uniform(8, 18)
        over.add(both([(0, 43.6), (4, 44)], [(4, 44), (3.6, 47 + 0.5 * long), (0, 47 + long)]), tone)
