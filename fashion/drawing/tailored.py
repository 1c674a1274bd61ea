"""Jacket and coat: lapels, set-in sleeves, fronts that close or hang open."""

from __future__ import annotations

from fashion.drawing.body import NECK_Y, Cut, add_cuff, add_sleeves
from fashion.drawing.outerwear import OPEN_GAP, back_lining
from fashion.drawing.paths import Path, Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import belt, breast_pocket, button, flap_pocket, open_belt
from fashion.scene import Garment


def jacket(garment: Garment, wear: Wear) -> Sketch:
    """Tailored: notched lapels, set-in sleeves, a nipped waist, hem over the hip."""
    sketch = Sketch(layer=40)
    cut = Cut((33.5, 65), (28.5, 90), 24.5, 30, 141, 12)
    back_lining(sketch, cut, 141)
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
            flap_pocket(sketch, side * (20 + g * 0.15), 119, 14 - g * 0.15, 7)
        breast_pocket(sketch, 19.5, 87, 9.5)
    sketch.strokes_pair(line([(27, 95), (23, 101), (19, 103.5)]), "fold", 1.5)
    sketch.strokes_pair(line([(26, 137), (25, 127), (23, 117)]), "fold", 1.5)
    return sketch


def coat(garment: Garment, wear: Wear) -> Sketch:
    """Long and heavy, broad peaked collar, to the knee or the ankle."""
    sketch = Sketch(layer=40)
    hem = 176.0 if garment.hem == "knee" else 228.0
    half = 36.0 if garment.hem == "knee" else 42.0
    cut = Cut((34.5, 65), (30, 91), 26.5, half, hem, 12)
    back_lining(sketch, cut, hem)
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
            flap_pocket(sketch, side * (23 + g * 0.15), 133, 16 - g * 0.15, 8)
    if "sash" in garment.details:
        if wear.open:
            open_belt(sketch, g)
        else:
            belt(sketch, 110, 26.8, 8.5)
    return sketch


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
    sketch.pair(
        shape(
            lapel,
            [(11, 62), (k - 5.0, 70.5)],
            [(k - 5.0, 70.5), (k - 4.4, tip_y)] if not peak else [(k - 5.0, 70.5), (k + 0.6, tip_y - 5)],
            [(k - 4.4, tip_y), (k * 0.72, 89), (g, break_y)]
            if not peak
            else [(k + 0.6, tip_y - 5), (k * 0.74, 88), (g, break_y)],
        ),
        "collar",
        10,
        1,
        0.14,
    )
    sketch.pair(
        shape(
            [(7.6, 49.5), (10.6, 57), (10.6, 63)],
            [(10.6, 63), (k - 5.6, 70.5)],
            [(k - 5.6, 70.5), (k - 1.6, 64.5)],
            [(k - 1.6, 64.5), (17, 54.5), (11.6, 48.6)],
            [(11.6, 48.6), (7.6, 49.5)],
        ),
        "collar",
        14,
        1,
        0.02,
    )
    sketch.back(
        both([(0, 49), (6, 48.6), (10.8, 48.2)], [(10.8, 48.2), (12, 60)], [(12, 60), (6, 66), (0, 67)]), -0.3, "collar"
    )
    sketch.strokes_pair(line([(g + 2, break_y + 1), (k * 0.66, 92), (k - 3.4, 78)]), "fold", 1.6)


def _sleeve_buttons(sketch: Sketch, ends: tuple[Point, Point]) -> None:
    (ox, oy), (ix, iy) = ends
    for k in (4.0, 8.5):
        x, y = ox + (ix - ox) * 0.2 - k * 0.42, oy + (iy - oy) * 0.2 - k
        sketch.trims_pair(ellipse(x, y, 1.2, 1.2), "self_dark")
