"""The body that all garments are cut for, in body units: five heads tall, axis x = 0, y down, crown at 0, floor at 240.

Landmarks of the right half, and the two cuts that most garments share: a torso and a sleeve.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

from fashion.drawing.paths import Chain, Path, Point, both, ellipse, line, shape
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


def neckline(kind: str | None, neck_x: float = NECK_X) -> list[list[Point]]:
    """Right half of a neckline, from the axis up to the neck point."""
    top = (neck_x, NECK_Y)
    if kind == "v":
        return [[(0.0, 86.0), (neck_x * 0.56, 71.0), top]]
    if kind == "square":
        return [[(0.0, 77.0), (neck_x - 0.5, 77.0)], [(neck_x - 0.5, 77.0), top]]
    if kind == "turtleneck":
        return [[(0.0, 60.0), (neck_x * 0.6, 59.4), top]]
    return [[(0.0, 68.5), (neck_x * 0.62, 66.0), top]]


def neck_width(kind: str | None) -> float:
    return {"square": 16.5, "v": 12.5, "turtleneck": 9.5}.get(kind or "", 12.0)


def neck_hole(sketch: Sketch, chains: list[list[Point]], neck_x: float) -> None:
    """The inside of the back, seen through the neck of a garment."""
    sketch.back(both(*chains, [(neck_x, NECK_Y), (neck_x * 0.5, 60.0), (0.0, 60.6)]), -0.4)


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
        both([(0, top + 2.4), (half * 0.6, top + 1.8), (half, top)], [(half, top), (inner, bottom)],
             [(inner, bottom), (inner * 0.6, bottom + 1.8), (0, bottom + 2.4)]), "cuff",
    )  # fmt: skip
    for i in range(count):
        x = half * (2 * i + 1 - count) / count
        sag = 2.2 * (1 - (x / half) ** 2)
        sketch.stroke(line([(x, top + sag + 0.6), (x * 0.97, bottom + sag - 0.6)]), "rib", 0.7)


def button(sketch: Sketch, x: float, y: float, r: float = 1.7, tone: str = "contrast") -> None:
    sketch.trim(ellipse(x, y, r, r), tone)


def bow(sketch: Sketch, x: float, y: float, size: float, tone: str = "contrast", tails: float = 1.6) -> None:
    """A ribbon tied in a bow: two loops, a knot, two tails. `size` is the width of one loop."""
    for side in (-1, 1):
        loop = [(x, y), (x + side * size * 0.5, y - size * 0.55), (x + side * size, y - size * 0.5)]
        under = [loop[-1], (x + side * size * 1.08, y + size * 0.1), (x + side * size * 0.95, y + size * 0.5)]
        home = [under[-1], (x + side * size * 0.45, y + size * 0.3), (x, y)]
        tail_end = (x + side * size * 0.75, y + size * tails)
        notch = (x + side * size * 0.5, y + size * (tails - 0.18))
        end2 = (x + side * size * 0.3, y + size * (tails + 0.06))
        sketch.trim(shape([(x, y), (x + side * size * 0.5, y + size * tails * 0.5), tail_end], [tail_end, notch],
                          [notch, end2], [end2, (x + side * size * 0.12, y + size * tails * 0.5), (x, y)]), tone)  # fmt: skip
        sketch.trim(shape(loop, under, home), tone)
    k = size * 0.24
    sketch.trim(shape([(x - k, y - k), (x, y - k * 1.3), (x + k, y - k)], [(x + k, y - k), (x + k * 1.2, y), (x + k, y + k)],
                      [(x + k, y + k), (x, y + k * 1.3), (x - k, y + k)], [(x - k, y + k), (x - k * 1.2, y), (x - k, y - k)]), tone)  # fmt: skip


def patch_pocket(sketch: Sketch, x: float, y: float, w: float, h: float) -> None:
    """A sewn-on pocket, its opening hemmed; (x, y) is the top centre."""
    a = w / 2
    sketch.panel(shape([(x - a, y), (x + a, y)], [(x + a, y), (x + a, y + h * 0.78), (x + a * 0.6, y + h), (x, y + h)],
                       [(x, y + h), (x - a * 0.6, y + h), (x - a, y + h * 0.78), (x - a, y)]), "trim", 0, 1, 0.12)  # fmt: skip
    sketch.stroke(line([(x - a, y + 2.2), (x + a, y + 2.2)]), "stitch", 0.7)


def welt_pocket(sketch: Sketch, x: float, y: float, w: float, slant: float, tone: str = "self_dark") -> None:
    """A slit with a lip, mirrored on both sides; (x, y) is its middle."""
    a = w / 2
    path = shape([(x - a, y - slant - 1.6), (x + a, y + slant - 1.6)], [(x + a, y + slant + 1.6), (x - a, y - slant + 1.6)])
    sketch.trims_pair(path, tone)
