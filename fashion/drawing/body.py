"""The body that all garments are cut for, in body units: five heads tall, axis x = 0, y down, crown at 0, floor at 240.

Landmarks of the right half, and the cuts that most garments share: a torso, a sleeve, a cuff, a ribbed hem.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

from fashion.drawing.paths import Chain, Path, Point, both, line, shape
from fashion.drawing.sketch import Sketch

NECK_X, NECK_Y = 11.0, 57.0
SHOULDER: Point = (31.0, 65.0)
ARMPIT: Point = (26.0, 87.0)
WAIST_Y, HIP_Y, CROTCH_Y, KNEE_Y, ANKLE_Y, FLOOR_Y = 107.0, 130.0, 137.0, 183.0, 226.0, 240.0
ARM_LENGTH = 66.0
SLEEVE_LENGTH = {"short": 25.0, "long": 66.0}
HEM_Y = {"mini": 153.0, "knee": 188.0, "maxi": 228.0}


@dataclass(frozen=True)
class Cut:
    """Half widths of a torso: at the shoulder, under the arm, at the waist (y 107) and at the hem."""

    shoulder: Point = SHOULDER
    armpit: Point = ARMPIT
    waist: float = 24.0
    hem: float = 27.0
    hem_y: float = 134.0
    neck_x: float = NECK_X

    def shoulder_chain(self) -> Chain:
        x, y = self.shoulder
        return [(self.neck_x, NECK_Y), ((self.neck_x + x) / 2, (NECK_Y + y) / 2 - 0.6), (x, y)]

    def armhole(self) -> Chain:
        (sx, sy), (ax, ay) = self.shoulder, self.armpit
        return [(sx, sy), (min(sx, ax) - 1.0 + (sx - ax) * 0.25, sy + (ay - sy) * 0.55), (ax, ay)]

    def side(self) -> Chain:
        chain = [self.armpit, (self.waist, WAIST_Y)]
        if self.hem_y > HIP_Y + 20:
            chain.append(((self.waist + self.hem) / 2 + 1.5, (WAIST_Y + self.hem_y) / 2 - 4))
        return [*chain, (self.hem, self.hem_y)] if self.hem_y > WAIST_Y + 3 else [self.armpit, (self.hem, self.hem_y)]

    def hem_chain(self) -> Chain:
        return [(self.hem, self.hem_y), (self.hem * 0.55, self.hem_y + 2.2), (0.0, self.hem_y + 2.8)]

    def body(self, neckline: list[list[Point]]) -> Path:
        """The whole front: neckline chains from the axis to the neck point, then round to the axis."""
        return both(*neckline, self.shoulder_chain(), self.armhole(), self.side(), self.hem_chain())


def sleeve(
    cut: Cut, arm: float, length: float, cuff: float, *, bulge: float = 0.0, drop: float = 0.0
) -> tuple[Path, Point, Point]:
    """A right sleeve: its piece, the outer and the inner end of its opening.

    `length` is measured along the arm, `cuff` is the opening's half width, `bulge` puffs its middle.
    """
    (sx, sy), (ax, ay) = cut.shoulder, cut.armpit
    s, c = sin(radians(arm)), cos(radians(arm))
    end = (sx - 6.0 + s * length, sy + 7.0 + c * length + drop)
    outer = (end[0] + c * cuff, end[1] - s * cuff)
    inner = (end[0] - c * cuff, end[1] + s * cuff)
    mid_outer = ((sx + outer[0]) / 2 + 1.6 * c + bulge * c, (sy + outer[1]) / 2 - 1.6 * s - bulge * s)
    near = (sx + 2.6 * c + 2.4 * s + bulge * 0.6, sy + 4.4)
    mid_inner = ((ax + inner[0]) / 2 - bulge * c * 0.9, (ay + inner[1]) / 2 + bulge * s * 0.9)
    sag = ((outer[0] + inner[0]) / 2 + s * 1.2, (outer[1] + inner[1]) / 2 + c * 1.2)
    under = [inner, mid_inner, (ax, ay)]
    path = shape([(sx, sy), near, mid_outer, outer], [outer, sag, inner], under, list(reversed(cut.armhole())))
    return path, outer, inner


def add_sleeves(
    sketch: Sketch, cut: Cut, arm: float, length: float, cuff: float, *, bulge: float = 0.0, folds: bool = True
) -> tuple[Point, Point]:
    """Both sleeves with armhole seams and folds; answers with the right opening's outer and inner end."""
    path, outer, inner = sleeve(cut, arm, length, cuff, bulge=bulge)
    if sketch.armless:
        return outer, inner
    sketch.pair(path, "sleeve", -arm, 0.95)
    sketch.strokes_pair(line(cut.armhole()), "seam", 0.9)
    if folds:
        add_sleeve_folds(sketch, cut, arm, length, outer, inner)
    return outer, inner


def add_sleeve_folds(sketch: Sketch, cut: Cut, arm: float, length: float, outer: Point, inner: Point) -> None:
    ax, ay = cut.armpit
    s, c = sin(radians(arm)), cos(radians(arm))
    sketch.strokes_pair(line([(ax + 0.6, ay - 2), (ax + 3.4, ay - 7), (ax + 4.0, ay - 11)]), "fold", 1.6)
    if length > 40:
        x, y = (cut.shoulder[0] + s * length * 0.5, cut.shoulder[1] + 8 + c * length * 0.5)
        sketch.strokes_pair(line([(x - 4.6 * c, y + 3.0), (x - 0.6, y + 0.6), (x + 2.4 * c, y - 2.6)]), "fold", 1.5)
        sketch.strokes_pair(line([(x - 3.8 * c, y + 7.0), (x, y + 5.2), (x + 1.6 * c, y + 3.4)]), "fold", 1.2)
        top = (cut.shoulder[0] + 1.5, cut.shoulder[1] + 9)
        sketch.strokes_pair(line([top, (x + 3.0 * c, y - 10 * c), (outer[0] - 2.6, outer[1] - 10 * c)]), "light", 1.6)


def add_cuff(
    sketch: Sketch, arm: float, outer: Point, inner: Point, depth: float, squeeze: float = 0.82, ribs: bool = True
) -> None:
    """A band at the end of both sleeves, beyond the opening, ribbed or plain."""
    if sketch.armless:
        return
    s, c = sin(radians(arm)), cos(radians(arm))
    mx, my = (outer[0] + inner[0]) / 2, (outer[1] + inner[1]) / 2
    half = squeeze * ((outer[0] - inner[0]) ** 2 + (outer[1] - inner[1]) ** 2) ** 0.5 / 2
    a, b = (mx + c * half, my - s * half), (mx - c * half, my + s * half)
    ends = [(p[0] + s * depth, p[1] + c * depth) for p in (a, b)]
    sag = (mx + s * (depth + 1.0), my + c * (depth + 1.0))
    sketch.pair(shape([a, ends[0]], [ends[0], sag, ends[1]], [ends[1], b], [b, (mx + s, my + c), a]), "cuff", -arm)
    if ribs:
        for t in (0.25, 0.5, 0.75):
            x, y = a[0] + (b[0] - a[0]) * t, a[1] + (b[1] - a[1]) * t
            sketch.strokes_pair(line([(x + s, y + c), (x + s * (depth - 0.4), y + c * (depth - 0.4))]), "rib", 0.7)


def ribbed_hem(sketch: Sketch, half: float, top: float, bottom: float, count: int = 8) -> None:
    """A ribbed band round the lower edge of a sweater."""
    inner = half - 1.4
    sketch.panel(
        both(
            [(0, top + 2.4), (half * 0.6, top + 1.8), (half, top)],
            [(half, top), (inner, bottom)],
            [(inner, bottom), (inner * 0.6, bottom + 1.8), (0, bottom + 2.4)],
        ),
        "cuff",
    )
    for i in range(count):
        x = half * (2 * i + 1 - count) / count
        sag = 2.2 * (1 - (x / half) ** 2)
        sketch.stroke(line([(x, top + sag + 0.6), (x * 0.97, bottom + sag - 0.6)]), "rib", 0.7)
