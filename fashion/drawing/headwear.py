"""Hats, drawn on the head of the body (crown at 0, eyes at 26): bucket hat, cap, beanie, gat."""

from __future__ import annotations

from math import cos, pi, sin

from fashion.drawing.paths import Point, both, both_line, ellipse, line, loop, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment


def bucket_hat(garment: Garment, wear: Wear) -> Sketch:
    """A flat-topped crown and a sloping stitched brim."""
    sketch = Sketch(layer=80)
    sketch.back(both([(0, 13), (18, 12), (30, 17)], [(30, 17), (18, 23), (0, 25)]), -0.5)
    sketch.panel(
        both([(0, -12), (13, -11.4), (18, -7.5)], [(18, -7.5), (20.6, 2), (22, 11)], [(22, 11), (11, 14.6), (0, 15.4)])
    )
    sketch.panel(
        both([(0, 11.4), (12, 10.6), (22, 7.4)], [(22, 7.4), (28, 13), (34, 21.5)], [(34, 21.5), (18, 27.4), (0, 29)]),
        "brim",
        shade=0.06,
    )
    sketch.stroke(both_line([(0, -7), (12, -7.2), (18, -7.4)]), "seam", 0.9)
    for d in (4.0, 8.0, 12.0):
        k = d / 17.5
        sketch.stroke(
            both_line([(0, 11.8 + d), (13 + 5 * k, 11 + d * 0.94), (22 + 11.4 * k, 7.8 + d * 0.8)]), "stitch", 0.8
        )
    sketch.strokes_pair(line([(14, -5), (16, 3), (16.8, 9)]), "fold", 1.6)
    sketch.strokes_pair(line([(7, -4.6), (7.6, 3), (7.6, 10)]), "light", 1.6)
    sketch.trims_pair(ellipse(15.6, 1.4, 1.1, 1.1), "metal")
    return sketch


def cap(garment: Garment, wear: Wear) -> Sketch:
    """A baseball cap seen half from the side: panelled dome, button, curved visor to the right."""
    sketch = Sketch(layer=80)
    dome = shape(
        [(-21, 15), (-21.6, 2), (-14, -9.4), (0, -13), (13, -9), (20.4, 2), (21.5, 12)],
        [(21.5, 12), (6, 14.4), (-8, 17), (-21, 15)],
    )
    sketch.back(shape([(-20, 14), (0, 10), (20, 12)], [(20, 12), (6, 20), (-20, 16)], [(-20, 16), (-20, 14)]), -0.5)
    sketch.panel(dome)
    visor = shape(
        [(-5, 13.8), (9, 10), (21.6, 8.6)],
        [(21.6, 8.6), (34, 11), (43, 20)],
        [(43, 20), (40, 23.4), (34, 22.8)],
        [(34, 22.8), (16, 16.8), (-4, 18.6)],
        [(-4, 18.6), (-6.6, 16.4), (-5, 13.8)],
    )
    sketch.panel(visor, "brim", 8, 1, -0.08)
    sketch.stroke(line([(5, 12.6), (20, 11.4), (32, 14.4), (40, 20.4)]), "stitch", 0.8)
    sketch.stroke(line([(1, 15), (18, 13.8), (29, 16.6), (36, 21.2)]), "stitch", 0.8)
    for chain in (
        [(1.5, -13), (9, -4), (11.6, 11.6)],
        [(1.5, -13), (-6, -3), (-8.4, 16)],
        [(1.5, -13), (-15, -5), (-19.4, 8)],
    ):
        sketch.stroke(line(chain), "seam", 0.9)
    sketch.stroke(line([(-20, 11.8), (-8, 13.8), (8, 11)]), "stitch", 0.7)
    sketch.trim(ellipse(1.2, -13.2, 3.0, 1.8), "contrast")
    sketch.trim(ellipse(-1.6, -3.4, 0.9, 0.9), "metal")
    sketch.stroke(line([(-16.5, 9), (-16, 0), (-11, -5.5)]), "light", 1.8)
    sketch.stroke(line([(16.6, 9), (15, 0), (10, -6)]), "fold", 1.8)
    return sketch


def beanie(garment: Garment, wear: Wear) -> Sketch:
    """A ribbed dome, a turned-up cuff and a pompom."""
    sketch = Sketch(layer=80)
    sketch.back(both([(0, 14), (20, 13)], [(20, 13), (12, 18), (0, 20)]), -0.5)
    bobble: list[Point] = []
    for i in range(30):
        r = 10.2 if i % 2 else 9.0
        bobble.append((r * sin(2 * pi * i / 30), -21.5 - r * cos(2 * pi * i / 30)))
    sketch.panel(loop(bobble), "trim", 0, 0.7, 0.3)
    sketch.panel(both([(0, -16.5), (12, -13.4), (19.6, -4), (21.4, 8)], [(21.4, 8), (10, 10.5), (0, 11)]))
    for x in (-15, -10, -5, 0, 5, 10, 15):
        sketch.stroke(line([(x * 0.32, -14.6), (x * 0.95, -6), (x * 1.14, 6)]), "rib", 0.9)
    sketch.panel(
        both([(0, 5.4), (11, 4.8), (22.4, 2.4)], [(22.4, 2.4), (24, 9), (22.8, 16)], [(22.8, 16), (11, 19), (0, 19.8)]),
        "cuff",
        shade=0.1,
    )
    for x in range(-20, 21, 4):
        y = 4.6 - (x / 22) ** 2 * 3
        sketch.stroke(line([(x, y + 1.8), (x * 1.02, y + 13)]), "rib", 1.0)
    sketch.stroke(both_line([(0, 5.4), (11, 4.8), (22, 2.6)]), "seam", 1.0)
    sketch.strokes_pair(line([(17, 0), (14.4, -7), (9.6, -12)]), "fold", 1.6)
    return sketch


def gat(garment: Garment, wear: Wear) -> Sketch:
    """A tall, slightly tapering crown on a very wide brim, a band, and strings of beads under the chin."""
    sketch = Sketch(layer=80)
    sketch.panel(ellipse(0, 11.5, 47, 9.6), "brim", shade=-0.06)
    sketch.panel(
        both(
            [(0, -31), (10, -30.6), (15.6, -28.4)],
            [(15.6, -28.4), (17.6, -8), (20.4, 10)],
            [(20.4, 10), (11, 13.6), (0, 14.4)],
        )
    )
    sketch.panel(
        both([(0, 7.6), (10, 7), (19.4, 4)], [(19.4, 4), (20.6, 10.4)], [(20.6, 10.4), (11, 13.8), (0, 14.6)]),
        "trim",
        shade=-0.4,
    )
    sketch.stroke(both_line([(0, -26.6), (9, -26.8), (15.4, -28.2)]), "seam", 1.0)
    sketch.stroke(
        loop([(43, 11.5), (30, 17.4), (0, 19.2), (-30, 17.4), (-43, 11.5), (-30, 5.8), (0, 4), (30, 5.8)]), "seam", 0.6
    )
    for x in (-36, -28, 28, 36):
        sketch.stroke(line([(x * 0.72, 11.5 + abs(x) * 0.03), (x * 1.14, 13)]), "rib", 0.6)
    sketch.strokes_pair(line([(13.6, -24), (15.2, -8), (17, 3)]), "fold", 1.8)
    sketch.stroke(line([(-8, -25), (-9, -10), (-10, 2)]), "light", 2.4)
    strings: list[Point] = [(19.5, 16), (20.6, 32), (13, 47), (2.2, 56.5)]
    for side in (-1, 1):
        chain = [(side * x, y) for x, y in strings]
        thin = [(side * (x - 1.3), y + 0.2) for x, y in strings]
        sketch.trim(shape(chain, [chain[-1], thin[-1]], thin[::-1], [thin[0], chain[0]]), "dark")
        for out, down in ((20.4, 24), (20.2, 34), (16.4, 42.5), (9, 51)):
            sketch.trim(ellipse(side * out, down, 1.9, 1.9), "contrast")
    for dx, end in ((-3.4, 84.0), (3.8, 90.0)):
        sketch.trim(
            shape(
                [(-1, 56), (dx * 0.6 - 1, 70), (dx - 1.1, end)],
                [(dx - 1.1, end), (dx + 1.1, end)],
                [(dx + 1.1, end), (dx * 0.6 + 1, 70), (1, 56)],
                [(1, 56), (-1, 56)],
            ),
            "dark",
        )
        sketch.trim(ellipse(dx, end + 1.6, 1.8, 2.6), "contrast")
    sketch.trim(ellipse(0, 57, 2.6, 2.6), "contrast")
    return sketch
