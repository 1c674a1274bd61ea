"""The dress: a fitted bodice over a flared skirt of three lengths."""

from __future__ import annotations

from fashion.drawing.body import HEM_Y, SLEEVE_LENGTH, Cut, add_sleeves
from fashion.drawing.necklines import neck_band, neck_hole, neck_width, neckline, one_shoulder
from fashion.drawing.paths import Point, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.drawing.trimmings import belt, bow, button
from fashion.scene import Garment

WAIST = 105.0


def dress(garment: Garment, wear: Wear) -> Sketch:
    sketch = Sketch(layer=30, armless=wear.covered)
    cut = Cut((29.5, 64.5), (25, 86), 19, 19, WAIST, neck_width(garment.neckline))
    if garment.sleeve == "sleeveless":
        cut = Cut((21.5, 62), (24.2, 86), 19, 19, WAIST, neck_width(garment.neckline))
    chains = neckline(garment.neckline, cut.neck_x)
    one = "one_shoulder" in garment.details
    if not one:
        neck_hole(sketch, chains, cut.neck_x)
    if garment.sleeve in SLEEVE_LENGTH:
        short = garment.sleeve == "short"
        arm = wear.arm + (8 if short else 0)
        add_sleeves(sketch, cut, arm, SLEEVE_LENGTH[garment.sleeve], 8.6 if short else 6.2, bulge=2.0 if short else 0.6)
    skirt_part(sketch, HEM_Y[garment.hem or "knee"], "asymmetric_hem" in garment.details, wear)
    sketch.panel(cut.body(chains))
    sketch.stroke(
        line([(-19, WAIST), (-10, WAIST + 2.4), (0, WAIST + 2.8), (10, WAIST + 2.4), (19, WAIST)]), "seam", 1.1
    )
    sketch.strokes_pair(line([(12.5, WAIST), (12, 96), (14.5, 88)]), "seam", 0.7)
    sketch.strokes_pair(line([(23.6, 88), (18, 91.5), (13, 92)]), "fold", 1.3)
    sketch.strokes_pair(line([(16, 74), (16, 82), (12, 88)]), "light", 1.5)
    neck_band(sketch, garment.neckline, cut.neck_x, 2.0)
    if one:
        one_shoulder(sketch, garment, cut)
    _details(sketch, garment)
    return sketch


def skirt_part(sketch: Sketch, hem: float, slanted: bool, wear: Wear, top: float = WAIST, half: float = 19.0) -> None:
    """A flared skirt that falls from the waist in folds, its inside seen under the hem."""
    length = hem - top
    flare = half + 12 + length * 0.21
    tilt = length * 0.26 if slanted else 0.0
    left, right = hem - (tilt * 1.5 if slanted else 0), hem + (0 if slanted else 0)
    n = 6
    wave: list[Point] = []
    for i in range(n * 2 + 1):
        t = i / (n * 2)
        x = flare - 2 * flare * t
        y = right + (left - right) * t + 6.0 * (1 - (2 * t - 1) ** 2) + (2.2 if i % 2 else -1.4) * (0 < i < n * 2)
        wave.append((x, y))
    inside = [(x * 0.985, y - 5 + (1.5 if i % 2 else 3.0)) for i, (x, y) in enumerate(wave)]
    sketch.back(shape(wave, [wave[-1], inside[-1]], list(reversed(inside)), [inside[0], wave[0]]), -0.45)
    side = [(half, top), (half + 7.5, top + length * 0.3), (flare, right)]
    other = [(-flare, left), (-half - 7.5, top + (left - top) * 0.3), (-half, top)]
    sketch.panel(shape(side, wave, other, [(-half, top), (0, top + 3), (half, top)]))
    for i in range(1, n * 2, 2):
        x, y = wave[i]
        start = (x / flare * half * 0.86, top + 5 + (abs(x) / flare) * 3)
        bend = (start[0] + (x - start[0]) * 0.42, start[1] + (y - start[1]) * 0.5)
        sketch.stroke(line([start, bend, (x, y - 2)]), "fold", 1.7 if length > 60 else 1.5)
    for i in (2, 4, 8, 10):
        x, y = wave[i]
        sketch.stroke(
            line([(x * 0.52, top + length * 0.38), (x * 0.76, top + length * 0.64), (x * 0.93, y - 5)]), "light", 1.6
        )
    if slanted:
        edge = [(x * 0.99, y - 3.2) for x, y in wave]
        sketch.stroke(line(edge), "stitch", 0.8)


def _details(sketch: Sketch, garment: Garment) -> None:
    if "buttons" in garment.details:
        top = {"v": 91.0, "square": 82.5}.get(garment.neckline or "", 76.0)
        bottom = HEM_Y[garment.hem or "knee"] - 6
        count = 6 if garment.hem == "mini" else 8
        sketch.stroke(line([(3.6, top - 3), (3.6, bottom + 8)]), "seam", 0.8)
        for i in range(count):
            button(sketch, 0, top + (bottom - top) * i / (count - 1), 2.3)
    if "sash" in garment.details:
        belt(sketch, WAIST + 1.2, 19.6, 7.0)
    if "ribbon" in garment.details:
        y = {"v": 90.0, "square": 84.0}.get(garment.neckline or "", 78.0)
        bow(sketch, 0, y, 13, "contrast", 1.5)
