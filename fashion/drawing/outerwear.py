"""Outer garments: vest, cardigan, jacket, coat, padding. Worn over something they hang open, else they are closed."""

from __future__ import annotations

from fashion.drawing.body import (
    NECK_Y,
    Cut,
    add_cuff,
    add_sleeves,
    button,
    patch_pocket,
)
from fashion.drawing.dresses import belt
from fashion.drawing.paths import Path, Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment

OPEN_GAP = 11.0  # half the width that an open front shows, of a torso about 27 wide


def vest(garment: Garment, wear: Wear) -> Sketch:
    """Sleeveless, deep V, two points at the hem."""
    sketch = Sketch(layer=40)
    cut = Cut((26, 63), (28, 91), 24, 27.5, 132, 13)
    _back(sketch, cut, 132)
    g = OPEN_GAP if wear.open else 0.0
    edge: list[list[Point]] = [[(g * 0.9 + 1, 92), (9.5 + g * 0.2, 74), (13, NECK_Y)]]
    sketch.pair(shape(*edge, cut.shoulder_chain(), cut.armhole(), cut.side(),
                      [(27.5, 132), (18, 136.5), (g + 9, 145)], [(g + 9, 145), (g, 133)],
                      [(g, 133), (g * 0.95 + 0.5, 112), (g * 0.9 + 1, 92)]))  # fmt: skip
    rim = [(x - 2.2, y + 0.6) for x, y in cut.armhole()]
    sketch.strokes_pair(line(rim), "stitch", 0.7)
    sketch.strokes_pair(line([(g * 0.9 + 3.6, 92), (12.2 + g * 0.2, 74), (15.6, 58.6)]), "stitch", 0.7)
    sketch.strokes_pair(line([(16 + g * 0.2, 130), (15 + g * 0.2, 112), (18.5, 96)]), "seam", 0.8)
    if garment.material == "knit":
        for x in (14.5, 18.0, 21.5, 25.0):
            if x > g + 2:
                sketch.strokes_pair(line([(x, 128.6), (x, 133.6)]), "rib", 0.7)
    if "buttons" in garment.details:
        for y in (96, 106, 116, 126):
            button(sketch, (g + 2.8) if wear.open else 0, y, 2.1)
    if "pockets" in garment.details:
        for side in (-1, 1):
            _flap_pocket(sketch, side * (18.5 + g * 0.15), 113, 11.5, 6)
    sketch.strokes_pair(line([(26, 94), (22, 100), (17, 102)]), "fold", 1.4)
    return sketch


def cardigan(garment: Garment, wear: Wear) -> Sketch:
    """Knitted, a ribbed band down both edges of a deep V, buttons, ribbed cuffs and hem."""
    sketch = Sketch(layer=40)
    cut = Cut((33, 67), (29, 92), 28.5, 29.5, 136, 13)
    _back(sketch, cut, 136)
    g = OPEN_GAP if wear.open else 0.0
    arm = wear.arm + 1
    length = 60 if garment.sleeve == "long" else 27
    ends = add_sleeves(sketch, cut, arm, length, 8.8 if length > 40 else 11.2, bulge=1.6)
    add_cuff(sketch, arm, *ends, 8 if length > 40 else 4.5, 0.76 if length > 40 else 0.9)
    inner = [(g, 136), (g * 0.95, 116), (g * 0.9, 97)]
    neck = [(g * 0.9, 97), (8.5 + g * 0.2, 78), (13, NECK_Y)]
    sketch.pair(shape(inner, neck, cut.shoulder_chain(), cut.armhole(), cut.side(), [(29.5, 136), (18, 138), (g, 138.6)],
                      [(g, 138.6), (g, 136)]))  # fmt: skip
    sketch.pair(shape([(g + 2, 137), (28.6, 135.6)], [(28.6, 135.6), (28, 145)], [(28, 145), (17, 147), (g, 147.6)],
                      [(g, 147.6), (g, 137)]), "cuff")  # fmt: skip
    for i in range(6):
        x = g + 5 + (23.0 - g) * i / 6
        sketch.strokes_pair(line([(x, 138.4), (x, 145.8)]), "rib", 0.7)
    w = 5.4
    band = shape([(g - 0.2, 147.6), (g * 0.95, 120), (g * 0.9 - 0.2, 97)], [(g * 0.9 - 0.2, 97), (8.3 + g * 0.2, 78), (12.6, NECK_Y - 1)],
                 [(12.6, NECK_Y - 1), (17.6, NECK_Y + 1)], [(17.6, NECK_Y + 1), (13.6 + g * 0.2, 80), (g * 0.9 + w, 98.5)],
                 [(g * 0.9 + w, 98.5), (g + w, 120), (g + w, 147.4)], [(g + w, 147.4), (g - 0.2, 147.6)])  # fmt: skip
    sketch.pair(band, "collar", 0, 1, 0.1)
    x = g + w / 2 if wear.open else 0.0
    if wear.open:
        for y in (102, 113, 124, 135):
            button(sketch, x, y, 1.8)
    else:
        for y in (102, 112.5, 123, 133.5, 143):
            button(sketch, 2.4, y, 1.9)
    if "pockets" in garment.details:
        for side in (-1, 1):
            patch_pocket(sketch, side * (20.5 + g * 0.1), 116, 13 - g * 0.2, 16)
    sketch.strokes_pair(line([(27, 97), (22, 103), (17.5, 105)]), "fold", 1.5)
    sketch.strokes_pair(line([(26, 133), (25, 124), (25.6, 116)]), "fold", 1.5)
    return sketch


def jacket(garment: Garment, wear: Wear) -> Sketch:
    """Tailored: notched lapels, set-in sleeves, a nipped waist, hem over the hip."""
    sketch = Sketch(layer=40)
    cut = Cut((33.5, 65), (28.5, 90), 24.5, 30, 141, 12)
    _back(sketch, cut, 141)
    g = OPEN_GAP if wear.open else 0.0
    ends = add_sleeves(sketch, cut, wear.arm, 68, 8.2)
    _sleeve_buttons(sketch, ends)
    y = 103.0
    sketch.pair(_front(cut, g, y, round_hem=True))
    _lapels(sketch, g, y, 21.5)
    for x0 in (15 + g * 0.25,):
        sketch.strokes_pair(line([(x0 + 1, 139), (x0 - 1, 116), (x0 + 3.5, 99)]), "seam", 0.8)
    if not wear.open:
        sketch.stroke(line([(0.8, y), (1.4, 122), (0.4, 136)]), "seam", 1.0)
    if "buttons" in garment.details:
        for k in (y + 4, y + 17):
            button(sketch, g + 3.4 if wear.open else 3.0, k, 2.5)
            if not wear.open:
                button(sketch, -7.5, k, 2.5)
    if "pockets" in garment.details:
        for side in (-1, 1):
            _flap_pocket(sketch, side * (20 + g * 0.15), 119, 14 - g * 0.15, 7)
        _welt(sketch, 19.5, 87, 9.5)
    sketch.strokes_pair(line([(27, 95), (23, 101), (19, 103.5)]), "fold", 1.5)
    sketch.strokes_pair(line([(26, 137), (25, 127), (23, 117)]), "fold", 1.5)
    return sketch


def coat(garment: Garment, wear: Wear) -> Sketch:
    """Long and heavy, broad peaked collar, to the knee or the ankle."""
    sketch = Sketch(layer=40)
    hem = 176.0 if garment.hem == "knee" else 228.0
    half = 36.0 if garment.hem == "knee" else 42.0
    cut = Cut((34.5, 65), (30, 91), 26.5, half, hem, 12)
    _back(sketch, cut, hem)
    g = OPEN_GAP + 1 if wear.open else 0.0
    arm = wear.arm
    ends = add_sleeves(sketch, cut, arm, 70 if wear.alone else 62, 9.4)
    add_cuff(sketch, arm, *ends, 8.5, 1.08, ribs=False)
    y = 104.0
    sketch.pair(_front(cut, g, y))
    _lapels(sketch, g, y, 26.0, peak=True)
    if not wear.open:
        sketch.stroke(line([(5, y + 1), (5.4, hem - 30), (5.2, hem + 2)]), "seam", 1.0)
    x0 = 19 + g * 0.2
    sketch.strokes_pair(line([(x0 + 9, hem - 3), (x0 + 4, 150), (x0 + 1, 116)]), "fold", 1.9)
    sketch.strokes_pair(line([(g + 8, hem - 2), (g + 7, hem - 24), (g + 6, 142)]), "fold", 1.6)
    sketch.strokes_pair(line([(x0 + 4, hem - 12), (x0 + 1, 158), (x0 - 1, 138)]), "light", 2.0)
    if "buttons" in garment.details:
        for k in (y + 5, y + 23, y + 41):
            if wear.open:
                button(sketch, g + 4, k, 2.9)
                button(sketch, -g - 4, k, 2.9)
            else:
                button(sketch, 10.5, k, 2.9)
                button(sketch, -10.5, k, 2.9)
    if "pockets" in garment.details:
        for side in (-1, 1):
            _flap_pocket(sketch, side * (23 + g * 0.15), 133, 16 - g * 0.15, 8)
    if "sash" in garment.details:
        if wear.open:
            _open_belt(sketch, g)
        else:
            belt(sketch, 110, 26.8, 8.5)
    return sketch


def padding(garment: Garment, wear: Wear) -> Sketch:
    """A puffer: swollen quilted channels, a high collar, a zip."""
    sketch = Sketch(layer=40)
    hem = 138.0 if garment.hem == "mini" else 184.0
    half = 33.0 if garment.hem == "mini" else 37.0
    rows = 4 if garment.hem == "mini" else 7
    g = OPEN_GAP if wear.open else 0.0
    cut = Cut((36.5, 68), (32.5, 93), 33, half, hem, 13)
    _back(sketch, cut, hem)
    _puffed_sleeves(sketch, cut, wear.arm + 2, 1.12 if wear.alone else 1.0)
    side: list[Point] = [(32.5, 93)]
    ys = [93 + (hem - 93) * (i + 1) / rows for i in range(rows)]
    chains = []
    x_at = 32.5
    for i, y in enumerate(ys):
        x = 32.5 + (half - 32.5) * (i + 1) / rows - (3.0 if i == rows - 1 else 0)
        chains.append([(x_at, side[-1][1]), (max(x, x_at) + 3.4, (side[-1][1] + y) / 2), (x, y)])
        side.append((x, y))
        x_at = x
    sketch.pair(shape([(g, hem + 2.5), (g * 0.95, 105), (g * 0.8, 62)], [(g * 0.8, 62), (13, NECK_Y)],
                      cut.shoulder_chain(), cut.armhole(), *chains, [side[-1], (side[-1][0] * 0.6, hem + 2.4), (g, hem + 2.5)]))  # fmt: skip
    for (x, y) in [(31.5, 78.5), *side[:-1]]:
        sketch.strokes_pair(line([(x, y), (x * 0.6, y + 2.6), (g, y + 2.4)]), "seam", 1.1)
        sketch.strokes_pair(line([(x - 2, y + 2.4), (x * 0.6, y + 5), (g + 2, y + 4.8)]), "fold", 1.6)
        sketch.strokes_pair(line([(x - 4, y - 7.5), (x * 0.66, y - 5.4), (x * 0.5, y - 5.4)]), "light", 2.0)
    collar = shape([(g * 0.8, 67), (g * 0.7 + 0.2, 47)], [(g * 0.7 + 0.2, 47), (8, 45.5), (14.8, 42.5)], [(14.8, 42.5), (18.6, 48), (15.6, 53.5)],
                   [(15.6, 53.5), (20.6, 58.5), (16.4, 63.5)], [(16.4, 63.5), (9, 67), (g * 0.8, 67)])  # fmt: skip
    sketch.back(both([(0, 43), (8, 42.4), (14.8, 42.5)], [(14.8, 42.5), (15, 56)], [(15, 56), (8, 66), (0, 68)]), -0.5)
    sketch.pair(collar, "collar", 0, 1, 0.08)
    sketch.strokes_pair(line([(15.6, 53.5), (8, 56.4), (g * 0.75, 56.6)]), "seam", 1.0)
    for s in (-1, 1) if wear.open else (1,):
        x = s * g
        sketch.trim(shape([(x - 1.1, 48), (x + 1.1, 48)], [(x + 1.1, 48), (x + 1.1, hem + 2)], [(x + 1.1, hem + 2), (x - 1.1, hem + 2)],
                          [(x - 1.1, hem + 2), (x - 1.1, 48)]), "metal")  # fmt: skip
    sketch.trim(shape([(g - 1.7, 68), (g + 1.7, 68)], [(g + 1.7, 68), (g + 2.2, 76)], [(g + 2.2, 76), (g - 2.2, 76)],
                      [(g - 2.2, 76), (g - 1.7, 68)]), "metal")  # fmt: skip
    if "pockets" in garment.details:
        y = 116 if garment.hem == "mini" else 132
        for s in (-1, 1):
            x = s * (21.5 + g * 0.2)
            sketch.panel(shape([(x - s * 5, y - 7), (x + s * 4.5, y + 11)], [(x + s * 4.5, y + 11), (x + s * 8.8, y + 8.8)],
                               [(x + s * 8.8, y + 8.8), (x - s * 0.6, y - 9)], [(x - s * 0.6, y - 9), (x - s * 5, y - 7)]), "trim", 0, 1, -0.35)  # fmt: skip
            sketch.stroke(line([(x - s * 2.2, y - 5.5), (x + s * 5, y + 7.6)]), "stitch", 0.9)
    return sketch


def _puffed_sleeves(sketch: Sketch, cut: Cut, arm: float, stretch: float) -> None:
    """Sleeves as a row of swollen rings, one piece with scalloped edges."""
    from math import cos, radians, sin

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


def _back(sketch: Sketch, cut: Cut, hem: float) -> None:
    """The inside of the back, from the neck to just above the hem."""
    w = cut.neck_x
    side = [(cut.armpit[0] - 3, cut.armpit[1]), (cut.waist - 3, 107), (cut.hem - 3, hem - 2)]
    sketch.back(both([(0, 59.5), (w * 0.55, 59), (w, NECK_Y)], [(w, NECK_Y), (w + 9, NECK_Y + 6)], [(w + 9, NECK_Y + 6), side[0]],
                     side, [(cut.hem - 3, hem - 2), (cut.hem * 0.5, hem), (0, hem)]), -0.45)  # fmt: skip


def _front(cut: Cut, gap: float, break_y: float, round_hem: bool = False) -> Path:
    """The right front: V to the break of the lapel, then the edge down to the hem."""
    hem, half = cut.hem_y, cut.hem
    low = hem + 2.6
    bottom = [(half, hem), (half * 0.6, hem + 2.4), (gap + (6 if round_hem else 0), low)]
    corner = [(gap + 6, low), (gap + 1.6, low - 2.4), (gap, low - 9)] if round_hem else [(gap, low), (gap, low - 9)]
    edge = [(gap, low - 9), (gap, (break_y + hem) / 2), (gap, break_y)]
    neck = [(gap, break_y), (6.6 + gap * 0.5, 82), (cut.neck_x, NECK_Y)]
    return shape(edge, neck, cut.shoulder_chain(), cut.armhole(), cut.side(), bottom, corner)


def _lapels(sketch: Sketch, gap: float, break_y: float, reach: float, peak: bool = False) -> None:
    """A turned collar and its lapels, with the notch between."""
    g, k = gap, reach
    tip_y = 73.0 if peak else 76.0
    lapel = [(g, break_y), (g * 0.5 + 6.6, 82), (11, 62)]
    sketch.pair(shape(lapel, [(11, 62), (k - 5.0, 70.5)], [(k - 5.0, 70.5), (k - 4.4, tip_y)] if not peak else [(k - 5.0, 70.5), (k + 0.6, tip_y - 5)],
                      [(k - 4.4, tip_y), (k * 0.72, 89), (g, break_y)] if not peak else [(k + 0.6, tip_y - 5), (k * 0.74, 88), (g, break_y)]), "collar", 10, 1, 0.14)  # fmt: skip
    sketch.pair(shape([(7.6, 49.5), (10.6, 57), (10.6, 63)], [(10.6, 63), (k - 5.6, 70.5)], [(k - 5.6, 70.5), (k - 1.6, 64.5)],
                      [(k - 1.6, 64.5), (17, 54.5), (11.6, 48.6)], [(11.6, 48.6), (7.6, 49.5)]), "collar", 14, 1, 0.02)  # fmt: skip
    sketch.back(both([(0, 49), (6, 48.6), (10.8, 48.2)], [(10.8, 48.2), (12, 60)], [(12, 60), (6, 66), (0, 67)]), -0.3, "collar")
    sketch.strokes_pair(line([(g + 2, break_y + 1), (k * 0.66, 92), (k - 3.4, 78)]), "fold", 1.6)


def _flap_pocket(sketch: Sketch, x: float, y: float, w: float, h: float) -> None:
    a = w / 2
    sketch.panel(shape([(x - a, y), (x + a, y)], [(x + a, y), (x + a - 0.4, y + h)], [(x + a - 0.4, y + h), (x, y + h + 0.8), (x - a + 0.4, y + h)],
                       [(x - a + 0.4, y + h), (x - a, y)]), "trim", 0, 1, 0.16)  # fmt: skip
    sketch.stroke(line([(x - a, y - 0.2), (x + a, y - 0.2)]), "seam", 1.5)


def _welt(sketch: Sketch, x: float, y: float, w: float) -> None:
    a = w / 2
    sketch.panel(shape([(x - a, y + 1), (x + a, y - 1)], [(x + a, y - 1), (x + a, y + 2.4)], [(x + a, y + 2.4), (x - a, y + 4.2)],
                       [(x - a, y + 4.2), (x - a, y + 1)]), "trim", 0, 1, 0.16)  # fmt: skip


def _sleeve_buttons(sketch: Sketch, ends: tuple[Point, Point]) -> None:
    (ox, oy), (ix, iy) = ends
    for k in (4.0, 8.5):
        x, y = ox + (ix - ox) * 0.2 - k * 0.42, oy + (iy - oy) * 0.2 - k
        sketch.trims_pair(ellipse(x, y, 1.2, 1.2), "self_dark")


def _open_belt(sketch: Sketch, g: float) -> None:
    """An untied belt on an open coat: a band on both halves, its ends hanging."""
    sketch.trims_pair(shape([(g, 106.5), (27, 105)], [(27, 105), (27.6, 113)], [(27.6, 113), (g, 115)], [(g, 115), (g, 106.5)]), "contrast")
    sketch.trims_pair(shape([(g + 1, 111), (g + 2.4, 135), (g + 1.4, 158)], [(g + 1.4, 158), (g + 9, 156)],
                            [(g + 9, 156), (g + 9, 135), (g + 7.5, 111)], [(g + 7.5, 111), (g + 1, 111)]), "contrast")  # fmt: skip


