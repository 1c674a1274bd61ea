"""Scarf and bag."""

from __future__ import annotations

from fashion.drawing.paths import Path, Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import bow
from fashion.scene import Garment


def scarf(garment: Garment, wear: Wear) -> Sketch:
    """Wound once round the neck, two fringed ends hanging."""
    sketch = Sketch(layer=60)
    sketch.back(both([(0, 47), (9, 47.6), (18, 52)], [(18, 52), (10, 62), (0, 64)]), -0.4)
    _end(sketch, (8.0, 70.0), (14.0, 128.0), 15.0, 9)
    _end(sketch, (-1.0, 72.0), (-8.5, 116.0), 15.0, -9)
    sketch.panel(
        shape(
            [(-19, 52), (-10, 60.6), (3, 63), (17, 57), (20.5, 51)],
            [(20.5, 51), (23.4, 58), (21, 66), (12, 73)],
            [(12, 73), (0, 76.5), (-14, 72), (-22.4, 62)],
            [(-22.4, 62), (-23, 56), (-19, 52)],
        ),
        "collar",
        -6,
    )
    sketch.panel(
        shape(
            [(-20.5, 50.5), (-12, 57), (0, 59.6), (12, 57), (20.5, 50)],
            [(20.5, 50), (23.6, 55), (21, 61)],
            [(21, 61), (10, 66.5), (-4, 68), (-17, 63.6), (-22.6, 58)],
            [(-22.6, 58), (-23, 53), (-20.5, 50.5)],
        ),
        "collar",
        6,
        1,
        0.1,
    )
    sketch.panel(
        shape(
            [(-4, 65), (4, 64), (10.5, 66)],
            [(10.5, 66), (13, 72), (10, 79)],
            [(10, 79), (2, 80.6), (-5, 77)],
            [(-5, 77), (-6.6, 71), (-4, 65)],
        ),
        "trim",
        20,
        1,
        0.05,
    )
    sketch.stroke(line([(-18, 57), (-6, 62.5), (8, 62), (17, 57.4)]), "fold", 1.6)
    sketch.stroke(line([(-19, 63), (-9, 70), (-5, 71)]), "fold", 1.6)
    sketch.stroke(line([(-14, 54.6), (0, 58.4), (13, 55)]), "light", 1.4)
    return sketch


def _end(sketch: Sketch, top: Point, end: Point, width: float, turn: float) -> None:
    (x, y), (ex, ey), a = top, end, width / 2
    sketch.panel(
        shape(
            [(x - a * 0.55, y), ((x + ex) / 2 - a, (y + ey) / 2), (ex - a, ey)],
            [(ex - a, ey), (ex, ey + 1.4), (ex + a, ey)],
            [(ex + a, ey), ((x + ex) / 2 + a, (y + ey) / 2), (x + a * 0.55, y)],
            [(x + a * 0.55, y), (x - a * 0.55, y)],
        ),
        "body",
        turn,
    )
    for i in range(6):
        fx = ex - a + 1.2 + (width - 2.4) * i / 5
        fy = ey + 0.6
        sketch.panel(
            shape(
                [(fx - 0.9, fy), (fx - 1.2, fy + 7.5)],
                [(fx - 1.2, fy + 7.5), (fx + 1.2, fy + 7.5)],
                [(fx + 1.2, fy + 7.5), (fx + 0.9, fy)],
                [(fx + 0.9, fy), (fx - 0.9, fy)],
            ),
            "trim",
            turn,
            0.7,
        )
    sketch.stroke(line([(x, y + 8), ((x + ex) / 2 + 1, (y + ey) / 2), (ex + 1, ey - 5)]), "fold", 1.6)
    sketch.stroke(line([(ex - a + 2.6, ey - 4), (x / 2 + ex / 2 - a + 3, (y + ey) / 2)]), "light", 1.4)
    sketch.stroke(line([(ex - a, ey - 3), (ex, ey - 1.8), (ex + a, ey - 3)]), "stitch", 0.8)


def bag(garment: Garment, wear: Wear) -> Sketch:
    """A handbag: body with rounded corners, flap with clasp, arched handle. Worn, it hangs from the hand."""
    sketch = Sketch(layer=70)
    x, y = (0.0, 0.0) if wear.alone else (-56.0, 141.0)
    outer = [(x - 13, y + 17), (x - 12, y + 5), (x, y - 1.5), (x + 12, y + 5), (x + 13, y + 17)]
    inner = [(x + 9.6, y + 17), (x + 8.8, y + 7.4), (x, y + 2.2), (x - 8.8, y + 7.4), (x - 9.6, y + 17)]
    sketch.panel(shape(outer, [outer[-1], inner[0]], inner, [inner[-1], outer[0]]), "trim", 0, 0.8, -0.2)
    sketch.panel(
        shape(
            [(x - 20, y + 15), (x, y + 14), (x + 20, y + 15)],
            [(x + 20, y + 15), (x + 23, y + 32), (x + 24, y + 43)],
            [(x + 24, y + 43), (x + 23, y + 47.5), (x + 18, y + 48)],
            [(x + 18, y + 48), (x, y + 48.8), (x - 18, y + 48)],
            [(x - 18, y + 48), (x - 23, y + 47.5), (x - 24, y + 43)],
            [(x - 24, y + 43), (x - 23, y + 32), (x - 20, y + 15)],
        )
    )
    sketch.panel(
        shape(
            [(x - 20.6, y + 14.6), (x, y + 13.2), (x + 20.6, y + 14.6)],
            [(x + 20.6, y + 14.6), (x + 21.4, y + 24), (x + 16, y + 31)],
            [(x + 16, y + 31), (x, y + 34), (x - 16, y + 31)],
            [(x - 16, y + 31), (x - 21.4, y + 24), (x - 20.6, y + 14.6)],
        ),
        "collar",
        shade=0.12,
    )
    seam = [(18.4, 17.0), (19.0, 23.6), (14.6, 28.8)]
    around = [(x - dx, y + dy) for dx, dy in seam] + [(x, y + 31.6)] + [(x + dx, y + dy) for dx, dy in reversed(seam)]
    sketch.stroke(line(around), "stitch", 0.8)
    sketch.stroke(line([(x - 21, y + 45.4), (x, y + 46.2), (x + 21, y + 45.4)]), "stitch", 0.8)
    sketch.stroke(line([(x - 19, y + 34), (x - 18, y + 39), (x - 19, y + 44)]), "fold", 1.5)
    sketch.stroke(line([(x + 19, y + 34), (x + 18, y + 39), (x + 19, y + 44)]), "fold", 1.5)
    for s in (-1, 1):
        sketch.trim(ellipse(x + s * 11.4, y + 17.4, 2.4, 2.4), "metal")
    if "ribbon" in garment.details:
        bow(sketch, x, y + 31, 13, "contrast", 1.25)
    else:
        sketch.trim(_clasp(x, y), "metal")
    return sketch


def _clasp(x: float, y: float) -> Path:
    return shape(
        [(x - 3.4, y + 29), (x + 3.4, y + 29)],
        [(x + 3.4, y + 29), (x + 3.4, y + 36)],
        [(x + 3.4, y + 36), (x, y + 37.4), (x - 3.4, y + 36)],
        [(x - 3.4, y + 36), (x - 3.4, y + 29)],
    )
