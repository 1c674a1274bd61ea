"""Vest and cardigan. Worn over something an outer garment hangs open, else it is closed."""

from __future__ import annotations

from fashion.drawing.body import NECK_Y, Cut, add_cuff, add_sleeves
from fashion.drawing.paths import Point, both, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import button, flap_pocket, patch_pocket
from fashion.scene import Garment

OPEN_GAP = 11.0  # half the width that an open front shows, of a torso about 27 wide


def vest(garment: Garment, wear: Wear) -> Sketch:
    """Sleeveless, deep V, two points at the hem."""
    sketch = Sketch(layer=40)
    cut = Cut((26, 63), (28, 91), 24, 27.5, 132, 13)
    back_lining(sketch, cut, 132)
    g = OPEN_GAP if wear.open else 0.0
    edge: list[list[Point]] = [[(g * 0.9 + 1, 92), (9.5 + g * 0.2, 74), (13, NECK_Y)]]
    sketch.pair(
        shape(
            *edge,
            cut.shoulder_chain(),
            cut.armhole(),
            cut.side(),
            [(27.5, 132), (18, 136.5), (g + 9, 145)],
            [(g + 9, 145), (g, 133)],
            [(g, 133), (g * 0.95 + 0.5, 112), (g * 0.9 + 1, 92)],
        )
    )
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
            flap_pocket(sketch, side * (18.5 + g * 0.15), 113, 11.5, 6)
    sketch.strokes_pair(line([(26, 94), (22, 100), (17, 102)]), "fold", 1.4)
    return sketch


def cardigan(garment: Garment, wear: Wear) -> Sketch:
    """Knitted, a ribbed band down both edges of a deep V, buttons, ribbed cuffs and hem."""
    sketch = Sketch(layer=40)
    cut = Cut((33, 67), (29, 92), 28.5, 29.5, 136, 13)
    back_lining(sketch, cut, 136)
    g = OPEN_GAP if wear.open else 0.0
    arm = wear.arm + 1
    length = 60 if garment.sleeve == "long" else 27
    ends = add_sleeves(sketch, cut, arm, length, 8.8 if length > 40 else 11.2, bulge=1.6)
    add_cuff(sketch, arm, *ends, 8 if length > 40 else 4.5, 0.76 if length > 40 else 0.9)
    inner = [(g, 136), (g * 0.95, 116), (g * 0.9, 97)]
    neck = [(g * 0.9, 97), (8.5 + g * 0.2, 78), (13, NECK_Y)]
    sketch.pair(
        shape(
            inner,
            neck,
            cut.shoulder_chain(),
            cut.armhole(),
            cut.side(),
            [(29.5, 136), (18, 138), (g, 138.6)],
            [(g, 138.6), (g, 136)],
        )
    )
    sketch.pair(
        shape(
            [(g + 2, 137), (28.6, 135.6)],
            [(28.6, 135.6), (28, 145)],
            [(28, 145), (17, 147), (g, 147.6)],
            [(g, 147.6), (g, 137)],
        ),
        "cuff",
    )
    for i in range(6):
        x = g + 5 + (23.0 - g) * i / 6
        sketch.strokes_pair(line([(x, 138.4), (x, 145.8)]), "rib", 0.7)
    _button_band(sketch, g)
    if "pockets" in garment.details:
        for side in (-1, 1):
            patch_pocket(sketch, side * (20.5 + g * 0.1), 116, 13 - g * 0.2, 16)
    sketch.strokes_pair(line([(27, 97), (22, 103), (17.5, 105)]), "fold", 1.5)
    sketch.strokes_pair(line([(26, 133), (25, 124), (25.6, 116)]), "fold", 1.5)
    return sketch


def _button_band(sketch: Sketch, g: float) -> None:
    """The band down both edges of a cardigan and its buttons; `g` is half the width that the front stands open."""
    w = 5.4
    band = shape(
        [(g - 0.2, 147.6), (g * 0.95, 120), (g * 0.9 - 0.2, 97)],
        [(g * 0.9 - 0.2, 97), (8.3 + g * 0.2, 78), (12.6, NECK_Y - 1)],
        [(12.6, NECK_Y - 1), (17.6, NECK_Y + 1)],
        [(17.6, NECK_Y + 1), (13.6 + g * 0.2, 80), (g * 0.9 + w, 98.5)],
        [(g * 0.9 + w, 98.5), (g + w, 120), (g + w, 147.4)],
        [(g + w, 147.4), (g - 0.2, 147.6)],
    )
    sketch.pair(band, "collar", shade=0.1)
    if g:
        for y in (102, 113, 124, 135):
            button(sketch, g + w / 2, y, 1.8)
    else:
        for down in (102, 112.5, 123, 133.5, 143):
            button(sketch, 2.4, down, 1.9)


def back_lining(sketch: Sketch, cut: Cut, hem: float) -> None:
    """The inside of the back, from the neck to just above the hem."""
    w = cut.neck_x
    side = [(cut.armpit[0] - 3, cut.armpit[1]), (cut.waist - 3, 107), (cut.hem - 3, hem - 2)]
    sketch.back(
        both(
            [(0, 59.5), (w * 0.55, 59), (w, NECK_Y)],
            [(w, NECK_Y), (w + 9, NECK_Y + 6)],
            [(w + 9, NECK_Y + 6), side[0]],
            side,
            [(cut.hem - 3, hem - 2), (cut.hem * 0.5, hem), (0, hem)],
        ),
        -0.45,
    )
