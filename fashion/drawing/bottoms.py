"""Bottoms: skirt, trousers, jeans, shorts."""

from __future__ import annotations

from fashion.drawing.body import CROTCH_Y, HEM_Y
from fashion.drawing.dresses import skirt_part
from fashion.drawing.paths import Point, both, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import button, patch_pocket
from fashion.scene import Garment

TOP = 103.0


def skirt(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=20)
    hem = HEM_Y[garment.hem or "knee"]
    skirt_part(sketch, hem, "asymmetric_hem" in garment.details, wear, TOP + 6, 20.5)
    _waistband(sketch, 20.0, 20.8, TOP, 7.0)
    if "buttons" in garment.details:
        sketch.stroke(line([(4.4, TOP + 8), (4.8, hem)]), "seam", 0.8)
        count = {"mini": 4, "knee": 6, "maxi": 8}[garment.hem or "knee"]
        for i in range(count):
            button(sketch, 0, TOP + 15 + (hem - TOP - 22) * i / (count - 1), 2.5)
    if "pockets" in garment.details:
        for side in (-1, 1):
            patch_pocket(sketch, side * 15.5, TOP + 15, 15, 17)
    return sketch


def trousers(garment: Garment, wear: Wear) -> Sketch:
    """Wide straight legs with a pressed crease and pleats."""
    sketch = Sketch(layer=20)
    _legs(sketch, 224.0, 30.5, 9.0, 29.0)
    _waistband(sketch, 20.0, 21.2, TOP, 6.5)
    sketch.strokes_pair(line([(12, TOP + 7), (15, 140), (18.6, 180), (20, 222)]), "seam", 0.8)
    sketch.strokes_pair(line([(8.5, TOP + 7), (9.6, 116), (9.8, 122)]), "fold", 1.4)
    sketch.strokes_pair(line([(27, 150), (28, 180), (28.6, 214)]), "fold", 1.8)
    sketch.strokes_pair(line([(15.2, 150), (18, 180), (19, 212)]), "light", 1.8)
    _fly(sketch)
    if "pockets" in garment.details:
        _slant_pockets(sketch)
    return sketch


def jeans(garment: Garment, wear: Wear) -> Sketch:
    """Slim legs with turned-up cuffs, yoke, curved pockets and top-stitching."""
    sketch = Sketch(layer=20)
    _legs(sketch, 212.0, 22.6, 6.6, 27.4)
    _waistband(sketch, 20.0, 21.2, TOP, 7.0)
    for x in (-14, 14):
        sketch.panel(
            shape(
                [(x - 1.4, TOP - 0.6), (x + 1.4, TOP - 0.6)],
                [(x + 1.4, TOP - 0.6), (x + 1.4, TOP + 9)],
                [(x + 1.4, TOP + 9), (x - 1.4, TOP + 9)],
                [(x - 1.4, TOP + 9), (x - 1.4, TOP - 0.6)],
            ),
            "trim",
            shade=0.1,
        )
    sketch.pair(
        shape(
            [(5.4, 211), (23.4, 211)],
            [(23.4, 211), (23, 221)],
            [(23, 221), (14.5, 222.4), (6, 221)],
            [(6, 221), (5.4, 211)],
        ),
        "cuff",
        shade=0.5,
    )
    sketch.strokes_pair(line([(9.5, TOP + 8), (12, TOP + 14.5), (22.6, TOP + 17)]), "seam", 0.9)
    sketch.strokes_pair(line([(8, TOP + 8), (11, TOP + 16.5), (22.8, TOP + 19.2)]), "stitch", 0.9)
    sketch.strokes_pair(line([(25.4, 130), (23.6, 160), (21.4, 209)]), "stitch", 0.9)
    sketch.strokes_pair(line([(12, 152), (14, 172), (14.2, 188)]), "light", 3.2)
    sketch.strokes_pair(line([(8, 176), (14, 179.5), (19, 178)]), "fold", 1.5)
    sketch.strokes_pair(line([(9, 184), (14, 186.5), (18, 185.6)]), "fold", 1.3)
    _fly(sketch, True)
    button(sketch, 0, TOP + 3.6, 2.3, "metal")
    return sketch


def shorts(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=20)
    hem = 160.0
    right: list[Point] = [(32.5, hem), (18, hem + 3.4), (4.0, hem + 1.0)]
    sketch.panel(
        both(
            [(0, TOP + 6), (20.8, TOP + 5)],
            [(20.8, TOP + 5), (27.5, 128), (32.5, hem)],
            right,
            [(4.0, hem + 1.0), (2.2, 146), (0, CROTCH_Y + 2)],
        )
    )
    sketch.back(
        both(
            [(0, 138), (4, hem - 4)],
            [(4, hem - 4), (18, hem - 1), (31.5, hem - 3)],
            [(31.5, hem - 3), (31.8, hem)],
            [(31.8, hem), (16, hem + 1), (0, hem - 8)],
        ),
        -0.45,
    )
    sketch.pair(
        shape(
            [(3.4, hem - 5.4), (18, hem - 3.4), (31.8, hem - 6.4)],
            [(31.8, hem - 6.4), (33, hem + 0.4)],
            [(33, hem + 0.4), (18, hem + 4), (4, hem + 1.4)],
            [(4, hem + 1.4), (3.4, hem - 5.4)],
        ),
        "cuff",
        shade=0.14,
    )
    _waistband(sketch, 20.0, 21.2, TOP, 7.0)
    for x in (-12, -8, 8, 12):
        sketch.stroke(line([(x, TOP + 8), (x * 1.15, TOP + 18)]), "fold", 1.3)
    sketch.strokes_pair(line([(26, 138), (22, 146), (20, 152)]), "fold", 1.6)
    sketch.strokes_pair(line([(3, 139), (9, 144), (13, 145)]), "fold", 1.4)
    _fly(sketch)
    if "pockets" in garment.details:
        _slant_pockets(sketch)
    return sketch


def _legs(sketch: Sketch, hem: float, outer: float, inner: float, hip: float) -> None:
    """Both legs in one piece: hip, outer seam, opening, inner seam up to the crotch."""
    crotch = CROTCH_Y + 1
    knee = (hip * 0.35 + outer * 0.65, 184.0)
    sketch.panel(
        both(
            [(0, TOP + 6), (20.8, TOP + 5)],
            [(20.8, TOP + 5), (hip, 130), knee, (outer, hem)],
            [(outer, hem), ((outer + inner) / 2, hem + 2), (inner, hem)],
            [(inner, hem), (inner * 0.72, 180), (0, crotch)],
        )
    )
    sketch.strokes_pair(line([(1.5, crotch), (7, crotch + 5), (12, crotch + 6)]), "fold", 1.5)
    sketch.strokes_pair(line([(1, crotch - 3), (7, crotch - 3.5), (12, crotch - 6)]), "fold", 1.3)


def _waistband(sketch: Sketch, top_half: float, low_half: float, y: float, depth: float) -> None:
    sketch.back(
        both(
            [(0, y - 1.6), (top_half * 0.6, y - 1.2), (top_half, y)],
            [(top_half, y), (top_half * 0.6, y + 2.6), (0, y + 3.4)],
        ),
        -0.45,
    )
    sketch.panel(
        both(
            [(0, y + 2.4), (top_half * 0.6, y + 1.8), (top_half, y)],
            [(top_half, y), (low_half, y + depth)],
            [(low_half, y + depth), (low_half * 0.6, y + depth + 1.8), (0, y + depth + 2.4)],
        ),
        "cuff",
        shade=0.1,
    )
    sketch.stroke(line([(-low_half, y + depth - 1), (0, y + depth + 1.2), (low_half, y + depth - 1)]), "stitch", 0.7)


def _fly(sketch: Sketch, stitched: bool = False) -> None:
    sketch.stroke(line([(0, TOP + 8), (0, CROTCH_Y)]), "seam", 0.9)
    sketch.stroke(line([(5.4, TOP + 9), (5.4, TOP + 21), (0.6, TOP + 29)]), "stitch" if stitched else "seam", 0.8)


def _slant_pockets(sketch: Sketch) -> None:
    """Slit pockets with a visible lip at both hips."""
    sketch.pair(
        shape(
            [(13.2, TOP + 9.4), (17.4, TOP + 9.0)],
            [(17.4, TOP + 9.0), (25.6, TOP + 28)],
            [(25.6, TOP + 28), (22.4, TOP + 31)],
            [(22.4, TOP + 31), (13.2, TOP + 9.4)],
        ),
        "trim",
        shade=-0.4,
    )
    sketch.strokes_pair(line([(11.6, TOP + 10.4), (20.6, TOP + 31.6)]), "stitch", 0.9)
