"""Tops: t-shirt, shirt, blouse, knit, crop top. Each takes a garment and how it is worn, and gives a sketch."""

from __future__ import annotations

from fashion.drawing.body import ARMPIT, NECK_X, NECK_Y, SLEEVE_LENGTH, Cut, add_cuff, add_sleeves, ribbed_hem
from fashion.drawing.necklines import frill, jabot, neck_band, neck_hole, neck_width, neckline, one_shoulder
from fashion.drawing.paths import Point, both, both_line, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import bow, button, patch_pocket
from fashion.scene import Garment

CROP_Y = 97.0  # where a crop top ends; the waist is near 107


def t_shirt(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = _cut(garment, Cut((32, 65.5), (27.5, 88), 26.5, 28, 133))
    chains = neckline(garment.neckline, cut.neck_x)
    arm = max(wear.arm, 18) + (6 if garment.sleeve == "short" else 0)
    add_cloth(sketch, garment, cut, chains, arm, 10.5 if garment.sleeve == "short" else 7.0)
    neck_band(sketch, garment.neckline, cut.neck_x, 3.2)
    sketch.stroke(both_line([(0, 132.6), (16, 132), (27.6, 129.6)]), "stitch", 0.8)
    if "pockets" in garment.details:
        patch_pocket(sketch, 13.5, 87, 14.5, 16)
    torso_folds(sketch, 133)
    return sketch


def knit(garment: Garment, wear: Wear) -> Sketch:
    """A sweater: dropped shoulders, full sleeves gathered into ribs, a ribbed hem."""
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = Cut((35.5, 68.5), (30, 93), 30.5, 30.5, 129, neck_width(garment.neckline) + 0.5)
    chains = neckline(garment.neckline, cut.neck_x)
    neck_hole(sketch, chains, cut.neck_x)
    length = 60 if garment.sleeve == "long" else 25
    ends = add_sleeves(sketch, cut, wear.arm, length, 9.5 if length > 40 else 11.5, bulge=2.2)
    add_cuff(sketch, wear.arm, *ends, 8 if length > 40 else 5, 0.66 if length > 40 else 0.86)
    sketch.panel(cut.body(chains))
    ribbed_hem(sketch, 29, 128.6, 140, 11)
    neck_band(sketch, garment.neckline, cut.neck_x, 4.6, ribs=True)
    torso_folds(sketch, 128)
    return sketch


def shirt(garment: Garment, wear: Wear) -> Sketch:
    """Collar with points, placket with buttons, cuffs, curved tails."""
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = Cut((31.5, 65.5), (27, 88), 25, 26.5, 134, 10.5)
    chains: list[list[Point]] = [[(0.0, 68.0), (6.0, 63.5), (10.5, NECK_Y)]]
    sketch.back(both([(0, 50.5), (7, 51.5), (10.5, 57)], [(10.5, 57), (6, 66), (0, 69)]), -0.4)
    if garment.sleeve == "long":
        ends = add_sleeves(sketch, cut, wear.arm, 59, 7.2, bulge=0.8)
        add_cuff(sketch, wear.arm, *ends, 8.5, 0.88, ribs=False)
    else:
        ends = add_sleeves(sketch, cut, max(wear.arm, 20) + 3, 26, 11)
        add_cuff(sketch, max(wear.arm, 20) + 3, *ends, 4.5, 1.0, ribs=False)
    sketch.panel(
        both(
            *chains,
            cut.shoulder_chain(),
            cut.armhole(),
            [(27, 88), (25, 107), (26.5, 131)],
            [(26.5, 131), (23.5, 139), (14, 143.5), (0, 144)],
        )
    )
    sketch.panel(
        shape(
            [(-3.4, 67.5), (3.4, 67.5)],
            [(3.4, 67.5), (3.4, 143.8)],
            [(3.4, 143.8), (-3.4, 143.8)],
            [(-3.4, 143.8), (-3.4, 67.5)],
        ),
        "trim",
        shade=0.1,
    )
    _shirt_collar(sketch)
    for y in (75, 88, 101, 114, 127):
        button(sketch, 0, y, 1.7)
    sketch.strokes_pair(line([(12.5, 60.5), (22, 66.8), (29.6, 69.6)]), "seam", 0.8)
    sketch.stroke(both_line([(0, 141.8), (13, 141.4), (22, 137.4), (25, 131)]), "stitch", 0.7)
    if "pockets" in garment.details:
        patch_pocket(sketch, 15.2, 84, 14, 16)
        patch_pocket(sketch, -15.2, 84, 14, 16)
    torso_folds(sketch, 134)
    return sketch


def blouse(garment: Garment, wear: Wear) -> Sketch:
    """Gathered shoulders and puffed sleeves, ruffles down the front, a nipped waist over a flared peplum."""
    sketch = Sketch(layer=30, armless=wear.covered)
    one = "one_shoulder" in garment.details
    cut = Cut((29, 64.5), (25.5, 87), 19.5, 30, 134, neck_width(garment.neckline))
    if garment.sleeve == "sleeveless":
        cut = Cut((24, 63), (25, 86), 19.5, 30, 134, neck_width(garment.neckline))
    chains = neckline(garment.neckline, cut.neck_x)
    if not one:
        neck_hole(sketch, chains, cut.neck_x)
    if garment.sleeve == "long":
        ends = add_sleeves(sketch, cut, wear.arm + 2, 60, 7.4, bulge=6.2)
        add_cuff(sketch, wear.arm + 2, *ends, 6.5, 0.66, ribs=False)
    elif garment.sleeve == "short":
        ends = add_sleeves(sketch, cut, wear.arm + 10, 23, 9.6, bulge=6.4, folds=False)
        add_cuff(sketch, wear.arm + 10, *ends, 3.4, 0.8, ribs=False)
    if garment.sleeve != "sleeveless" and not wear.covered:
        for x, y in ((30.5, 67), (32.5, 68.5), (34, 70.5)):
            sketch.strokes_pair(line([(x - 1.5, y - 1), (x + 2.4, y + 2.2), (x + 4.2, y + 6.5)]), "fold", 1.1)
    hem = [(30, 133), (26, 137.5), (20, 134.8), (13, 138.8), (6.5, 135.6), (0, 138.6)]
    sketch.panel(
        both(
            *chains,
            cut.shoulder_chain(),
            cut.armhole(),
            [(cut.armpit[0], cut.armpit[1]), (19.5, 107)],
            [(19.5, 107), (24, 120), (30, 133)],
            hem,
        )
    )
    sketch.stroke(both_line([(0, 108.8), (10, 108.4), (19.6, 107)]), "seam", 1.0)
    for x in (4.5, 10.5, 16.5):
        sketch.strokes_pair(line([(x, 110), (x * 1.25, 120), (x * 1.5, 132)]), "fold", 1.4)
    for x in (3.5, 8.0, 12.0):
        sketch.strokes_pair(line([(x, 107.4), (x * 1.08, 102), (x * 1.3, 96)]), "fold", 1.1)
    sketch.strokes_pair(line([(21.5, 112), (24.5, 121), (27.8, 131)]), "light", 1.5)
    frill(sketch, garment.neckline, cut.neck_x)
    if one:
        one_shoulder(sketch, garment, cut)
    else:
        jabot(sketch, chains[0][0][1])
    if "ribbon" in garment.details:
        y = {"v": 87, "square": 78}.get(garment.neckline or "", 70)
        bow(sketch, 0, y + 3, 13, "contrast", 2.3)
    return sketch


def crop_top(garment: Garment, wear: Wear) -> Sketch:
    """Close-fitting, ends above the waist: skin shows between it and what is worn below."""
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = Cut((29.5, 64.5), (25, 86), 22.4, 22.4, CROP_Y, neck_width(garment.neckline) + 1)
    if garment.sleeve == "sleeveless":
        cut = Cut((20.5, 61.5), (24.2, 86), 22.4, 22.4, CROP_Y, neck_width(garment.neckline) + 1)
    chains = neckline(garment.neckline, cut.neck_x)
    arm = wear.arm + (5 if garment.sleeve == "short" else 0)
    add_cloth(sketch, garment, cut, chains, arm, 7.6 if garment.sleeve == "short" else 5.8)
    sketch.panel(
        both(
            [(0, CROP_Y - 2.4), (13, CROP_Y - 3), (22.8, CROP_Y - 5.4)],
            [(22.8, CROP_Y - 5.4), (22.2, CROP_Y + 0.6)],
            [(22.2, CROP_Y + 0.6), (13, CROP_Y + 3), (0, CROP_Y + 3.6)],
        ),
        "cuff",
    )
    for x in range(-20, 21, 4):
        sag = 2.8 * (1 - (x / 22) ** 2)
        sketch.stroke(line([(x, CROP_Y - 4.4 + sag), (x, CROP_Y + 0.2 + sag)]), "rib", 0.6)
    neck_band(sketch, garment.neckline, cut.neck_x, 2.4)
    sketch.strokes_pair(line([(23, 87), (17, 90), (10, 90.5)]), "fold", 1.4)
    sketch.strokes_pair(line([(15, 76), (14, 84), (9, 89)]), "light", 1.5)
    if "one_shoulder" in garment.details:
        one_shoulder(sketch, garment, cut)
    if "ribbon" in garment.details:
        bow(sketch, 0, CROP_Y - 10, 10.5, "contrast", 1.5)
    return sketch


def _cut(garment: Garment, cut: Cut) -> Cut:
    """The cut with the garment's neckline, narrowed to straps where it has no sleeves."""
    x, y = cut.shoulder
    if garment.sleeve == "sleeveless":
        x, y = 23.5, 62.6
    return Cut((x, y), cut.armpit, cut.waist, cut.hem, cut.hem_y, neck_width(garment.neckline))


def add_cloth(
    sketch: Sketch, garment: Garment, cut: Cut, chains: list[list[Point]], arm: float, opening: float
) -> None:
    """Neck hole, sleeves with stitched ends, and the body of a simple top."""
    if "one_shoulder" not in garment.details:
        neck_hole(sketch, chains, cut.neck_x)
    if garment.sleeve in SLEEVE_LENGTH:
        outer, inner = add_sleeves(sketch, cut, arm, SLEEVE_LENGTH[garment.sleeve], opening)
        up = 2.6
        if not sketch.armless:
            sketch.strokes_pair(
                line([(outer[0] - up * 0.5, outer[1] - up), (inner[0] - up * 0.5, inner[1] - up)]), "stitch", 0.8
            )
    sketch.panel(cut.body(chains))
    if garment.sleeve == "sleeveless":
        inset = [(x - 2.0, y + 0.6) for x, y in cut.armhole()]
        sketch.strokes_pair(line(inset), "stitch", 0.7)


def torso_folds(sketch: Sketch, hem: float) -> None:
    """Soft folds of a loose top: from the armpits inward, and up from the hem."""
    ax, ay = ARMPIT
    sketch.strokes_pair(line([(ax - 1, ay + 4), (ax - 6, ay + 9), (ax - 12, ay + 11)]), "fold", 1.5)
    sketch.strokes_pair(line([(ax - 3, hem - 4), (ax - 4.6, hem - 13), (ax - 4, hem - 22)]), "fold", 1.6)
    sketch.stroke(line([(-9, hem - 2), (-10.6, hem - 10), (-8.6, hem - 17)]), "fold", 1.3)
    sketch.strokes_pair(line([(NECK_X + 8, 70), (NECK_X + 7, 82), (NECK_X + 5.5, 93)]), "light", 1.7)


def _shirt_collar(sketch: Sketch) -> None:
    sketch.panel(
        both([(0, 57.5), (6, 54.5), (10.5, 51)], [(10.5, 51), (12, 57)], [(12, 57), (6, 64), (0, 68)]),
        "lining",
        shade=-0.3,
    )
    sketch.pair(
        shape(
            [(0.3, 67.8), (5, 61), (9.6, 51.2)],
            [(9.6, 51.2), (12.4, 54), (14, 59)],
            [(14, 59), (13, 66), (10.8, 73.5)],
            [(10.8, 73.5), (5.2, 71.4), (0.3, 67.8)],
        ),
        "collar",
        12,
        1,
        0.12,
    )
    sketch.strokes_pair(line([(12.4, 60), (11.6, 66), (9.9, 71.6)], [(9.9, 71.6), (5, 69.8), (2.4, 68)]), "stitch", 0.6)
