"""The puffer: swollen quilted channels, a high collar, a zip."""

from __future__ import annotations

from math import cos, radians, sin

from fashion.drawing.body import NECK_Y, Cut
from fashion.drawing.outerwear import OPEN_GAP, back_lining
from fashion.drawing.paths import Path, Point, both, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment


def padding(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=40)
    mini = garment.hem == "mini"
    hem, half, rows = (138.0, 33.0, 4) if mini else (184.0, 37.0, 7)
    gap = OPEN_GAP if wear.open else 0.0
    cut = Cut((36.5, 68), (32.5, 93), 33, half, hem, 13)
    back_lining(sketch, cut, hem)
    _puffed_sleeves(sketch, cut, wear.arm + 2, 1.12 if wear.alone else 1.0)
    _quilted_body(sketch, cut, gap, rows)
    _collar(sketch, gap)
    for side in (-1, 1) if wear.open else (1,):
        sketch.trim(_strip(side * gap, 48.0, hem + 2, 1.1, 1.1), "metal")
    sketch.trim(_strip(gap, 68.0, 76.0, 1.7, 2.2), "metal")
    if "pockets" in garment.details:
        _pockets(sketch, gap, 116.0 if mini else 132.0)
    return sketch


def _quilted_body(sketch: Sketch, cut: Cut, gap: float, rows: int) -> None:
    """Both fronts: every quilted row swells at the side."""
    hem, half = cut.hem_y, cut.hem
    side: list[Point] = [(32.5, 93)]
    swells = []
    for i in range(rows):
        x0, y0 = side[-1]
        x, y = 32.5 + (half - 32.5) * (i + 1) / rows - (3.0 if i == rows - 1 else 0), 93 + (hem - 93) * (i + 1) / rows
        swells.append([(x0, y0), (max(x, x0) + 3.4, (y0 + y) / 2), (x, y)])
        side.append((x, y))
    sketch.pair(
        shape(
            [(gap, hem + 2.5), (gap * 0.95, 105), (gap * 0.8, 62)],
            [(gap * 0.8, 62), (13, NECK_Y)],
            cut.shoulder_chain(),
            cut.armhole(),
            *swells,
            [side[-1], (side[-1][0] * 0.6, hem + 2.4), (gap, hem + 2.5)],
        )
    )
    for x, y in [(31.5, 78.5), *side[:-1]]:
        sketch.strokes_pair(line([(x, y), (x * 0.6, y + 2.6), (gap, y + 2.4)]), "seam", 1.1)
        sketch.strokes_pair(line([(x - 2, y + 2.4), (x * 0.6, y + 5), (gap + 2, y + 4.8)]), "fold", 1.6)
        sketch.strokes_pair(line([(x - 4, y - 7.5), (x * 0.66, y - 5.4), (x * 0.5, y - 5.4)]), "light", 2.0)


def _collar(sketch: Sketch, gap: float) -> None:
    """Two stuffed rolls that stand round the neck."""
    collar = shape(
        [(gap * 0.8, 67), (gap * 0.7 + 0.2, 47)],
        [(gap * 0.7 + 0.2, 47), (8, 45.5), (14.8, 42.5)],
        [(14.8, 42.5), (18.6, 48), (15.6, 53.5)],
        [(15.6, 53.5), (20.6, 58.5), (16.4, 63.5)],
        [(16.4, 63.5), (9, 67), (gap * 0.8, 67)],
    )
    sketch.back(both([(0, 43), (8, 42.4), (14.8, 42.5)], [(14.8, 42.5), (15, 56)], [(15, 56), (8, 66), (0, 68)]), -0.5)
    sketch.pair(collar, "collar", shade=0.08)
    sketch.strokes_pair(line([(15.6, 53.5), (8, 56.4), (gap * 0.75, 56.6)]), "seam", 1.0)


def _strip(x: float, top: float, bottom: float, above: float, below: float) -> Path:
    """An upright strip, half as wide as told at its two ends."""
    a, b, c, d = (x - above, top), (x + above, top), (x + below, bottom), (x - below, bottom)
    return shape([a, b], [b, c], [c, d], [d, a])


def _pockets(sketch: Sketch, gap: float, y: float) -> None:
    """Slanting slits with a deep lip."""
    for s in (-1, 1):
        x = s * (21.5 + gap * 0.2)
        a, b = (x - s * 5, y - 7), (x + s * 4.5, y + 11)
        c, d = (x + s * 8.8, y + 8.8), (x - s * 0.6, y - 9)
        sketch.panel(shape([a, b], [b, c], [c, d], [d, a]), "trim", shade=-0.35)
        sketch.stroke(line([(x - s * 2.2, y - 5.5), (x + s * 5, y + 7.6)]), "stitch", 0.9)


def _puffed_sleeves(sketch: Sketch, cut: Cut, arm: float, stretch: float) -> None:
    """Sleeves as a row of swollen rings, one piece with scalloped edges."""
    s, c = sin(radians(arm)), cos(radians(arm))
    (sx, sy), (ax, ay) = cut.shoulder, cut.armpit
    outer: list[Point] = [(sx, sy)]
    inner: list[Point] = [(ax, ay)]
    for length, wide in ((24.0, 12.6), (38.0, 11.6), (52.0, 10.6), (65.0, 8.2)):
        x, y = sx - 6 + s * length * stretch, sy + 7 + c * length * stretch
        outer.append((x + c * wide, y - s * wide))
        inner.append((x - c * wide, y + s * wide))
    out, back = [], []
    for a, b in zip(outer, outer[1:], strict=False):
        out.append([a, ((a[0] + b[0]) / 2 + c * 4.0, (a[1] + b[1]) / 2 - s * 4.0), b])
    for a, b in zip(inner[::-1], inner[::-1][1:], strict=False):
        back.append([a, ((a[0] + b[0]) / 2 - c * 2.4, (a[1] + b[1]) / 2 + s * 2.4), b])
    sketch.pair(shape(*out, [outer[-1], inner[-1]], *back, list(reversed(cut.armhole()))), "sleeve", -arm, 0.95)
    sketch.strokes_pair(line(cut.armhole()), "seam", 1.0)
    for a, b in zip(outer[1:-1], inner[1:-1], strict=True):
        mid = ((a[0] + b[0]) / 2 + s * 2, (a[1] + b[1]) / 2 + c * 2)
        sketch.strokes_pair(line([a, mid, b]), "seam", 1.1)
        sketch.strokes_pair(line([(a[0], a[1] + 2), (mid[0], mid[1] + 2.4), (b[0], b[1] + 2)]), "fold", 1.6)
