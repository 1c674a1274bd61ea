"""The hoodie: its hood stands as on a hanger where it lies alone, and has fallen on the shoulders where it is worn."""

from __future__ import annotations

from fashion.drawing.body import NECK_Y, Cut, add_cuff, add_sleeves, ribbed_hem
from fashion.drawing.paths import both, both_line, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.tops import torso_folds
from fashion.scene import Garment


def hoodie(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = Cut((34.5, 67), (29, 92), 30, 30.5, 132, 12.5)
    chains = [[(0.0, 74.0), (7.4, 70.0), (12.5, NECK_Y)]]
    length = 61 if garment.sleeve == "long" else 26
    if wear.alone:
        _standing_hood(sketch)
    else:
        _lying_hood_back(sketch)
    ends = add_sleeves(sketch, cut, wear.arm, length, 9.5 if length > 40 else 12, bulge=1.6)
    add_cuff(sketch, wear.arm, *ends, 8 if length > 40 else 5, 0.72 if length > 40 else 0.88)
    sketch.panel(cut.body(chains))
    if "pockets" in garment.details:
        sketch.panel(
            both(
                [(0, 107), (12.5, 107)],
                [(12.5, 107), (21, 118), (21.5, 121)],
                [(21.5, 121), (22, 131)],
                [(22, 131), (10, 133), (0, 133.4)],
            ),
            "trim",
            shade=0.1,
        )
        sketch.strokes_pair(line([(11.6, 108), (19.5, 118.4), (20, 121.5)]), "stitch", 0.8)
    ribbed_hem(sketch, 29.5, 131.6, 141, 11)
    _hood_front(sketch, wear.alone)
    torso_folds(sketch, 130)
    return sketch


def _standing_hood(sketch: Sketch) -> None:
    """An empty hood as on a hanger: a rounded cowl with a dark inside."""
    sketch.back(both([(0, 20), (12, 23), (18.6, 36), (17.5, 50), (13, 62)], [(13, 62), (6, 71), (0, 73)]), -0.5, "hood")


def _lying_hood_back(sketch: Sketch) -> None:
    """The hood fallen on the shoulders, seen on both sides of the neck."""
    sketch.back(both([(0, 45), (11, 45.5), (22, 51), (27, 59)], [(27, 59), (15, 70), (0, 72)]), -0.35, "hood")


def _hood_front(sketch: Sketch, standing: bool) -> None:
    if standing:
        rim = [(0, 25.5), (8.6, 28.5), (12.8, 39), (11.4, 54), (6.5, 66), (0, 76)]
        outer = [(0, 79.5), (9, 73.5), (17, 65), (22.6, 52), (23.2, 35), (14.6, 19.5), (0, 14)]
        sketch.panel(both(rim, outer), "hood", shade=0.05)
        sketch.stroke(both_line([(0, 22.6), (10.6, 26), (15.4, 38.6), (14, 54), (9, 66.5)]), "stitch", 0.8)
        sketch.strokes_pair(line([(20.6, 42), (19.6, 53), (14.4, 63.5)]), "fold", 1.7)
        sketch.strokes_pair(line([(19, 31), (14, 22.6), (7, 18.6)]), "light", 1.6)
    else:
        rim = [(0, 76), (6.4, 70), (10, 62), (10.4, 54)]
        outer = [(10.4, 54), (17, 49), (25.4, 53.5), (26.6, 62), (17, 75), (0, 84)]
        sketch.pair(
            shape(rim, [(10.4, 54), (17.4, 49.6), (25, 53), (26.4, 61.5)], [*outer[3:]], [(0, 84), (0, 76)]),
            "hood",
            10,
            1,
            0.08,
        )
        sketch.strokes_pair(line([(22, 57), (15.5, 67), (5, 76.5)]), "fold", 1.8)
        sketch.strokes_pair(line([(17, 54), (12.6, 64), (6, 71.6)]), "light", 1.3)
    for side in (-1, 1):
        x = side * 5.2
        sketch.trim(
            shape(
                [(x - 1.3, 74), (x - 1.6 + side, 88), (x - 1.0 + side * 1.6, 100)],
                [(x - 1.0 + side * 1.6, 100), (x + 1.8 + side * 1.6, 100)],
                [(x + 1.8 + side * 1.6, 100), (x + 1.3 + side, 88), (x + 1.3, 74)],
                [(x + 1.3, 74), (x - 1.3, 74)],
            ),
            "contrast",
        )
        sketch.trim(ellipse(x + side * 1.6 + 0.4, 101.5, 2.0, 2.8), "metal")
