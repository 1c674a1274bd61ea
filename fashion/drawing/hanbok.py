"""Korean dress: 저고리, 한복 치마, 두루마기, 배자.

깃 is the band of the collar that crosses over the chest, 동정 its white paper edge, 고름 the two long ribbons that tie
the front, 배래 the curved underside of the sleeve.
"""

from __future__ import annotations

from math import cos, radians, sin

from fashion.drawing.paths import Path, Point, both, ellipse, line, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment


def jeogori(garment: Garment, wear: Wear) -> Sketch:
    """Very short, wide curved sleeves, crossed collar, long ribbons."""
    sketch = Sketch(layer=30, armless=wear.covered)
    sketch.back(both([(0, 60), (6, 59), (12, 55)], [(12, 55), (11, 66), (0, 88)]), -0.35)
    _baerae(sketch, wear.arm + (4 if wear.alone else 2), 60.0, 15.5, 9.4)
    body = both([(0, 78), (7, 66), (12, 56)], [(12, 56), (22, 60), (32, 64.5)], [(32, 64.5), (29.5, 78), (28.5, 90)],
                [(28.5, 90), (28.5, 99)], [(28.5, 99), (14, 104), (0, 105.5)])  # fmt: skip
    sketch.panel(body)
    sketch.strokes_pair(line([(27, 93), (21, 96), (15, 96.5)]), "fold", 1.5)
    sketch.strokes_pair(line([(21, 68), (21.5, 80), (19.5, 92)]), "light", 1.8)
    sketch.stroke(line([(2.5, 87), (9, 96), (11, 104.6)]), "seam", 1.0)
    _git(sketch, (9.5, 92.0), 6.2)
    _goreum(sketch, (8.5, 89.0), (66.0, 50.0))
    return sketch


def durumagi(garment: Garment, wear: Wear) -> Sketch:
    """A long overcoat that widens to the hem, wide sleeves, crossed collar, one long tie."""
    sketch = Sketch(layer=40)
    hem = 210.0
    g = 11.0 if wear.open else 0.0
    sketch.back(both([(0, 58), (7, 57.6), (12.5, 55)], [(12.5, 55), (28, 90), (44, hem - 3)], [(44, hem - 3), (20, hem), (0, hem)]), -0.45)
    _baerae(sketch, wear.arm + 2, 72.0 if wear.alone else 64.0, 15.0, 10.2)
    if wear.open:
        sketch.pair(shape([(g + 2, hem + 2), (g + 0.5, 130), (g, 98)], [(g, 98), (g * 0.9 + 1, 76), (12.5, 56)],
                          [(12.5, 56), (23, 60), (33, 65)], [(33, 65), (30, 78), (30, 92)], [(30, 92), (37, 140), (47, hem - 2)],
                          [(47, hem - 2), (30, hem + 2), (g + 2, hem + 2)]))  # fmt: skip
        band: list[Point] = [(g, 108), (g * 0.9 + 1, 78), (12, 54)]
        sketch.pair(shape(band, [(12, 54), (18, 56.6)], [(18, 56.6), (g + 7, 82), (g + 6, 108)], [(g + 6, 108), (g, 108)]), "collar", 0, 1, 0.12)
        sketch.trims_pair(shape([(g * 0.93 + 0.6, 90), (g * 0.9 + 0.6, 76), (10.8, 53.6)], [(10.8, 53.6), (14.4, 54.8)],
                                [(14.4, 54.8), (g * 0.9 + 4.2, 78), (g * 0.93 + 3.4, 90)], [(g * 0.93 + 3.4, 90), (g * 0.93 + 0.6, 90)]), "white")  # fmt: skip
        for side in (-1, 1):
            _ribbon(sketch, (side * (g + 4), 106), (side * (g + 8), 162), 6.4)
    else:
        sketch.panel(both([(0, 80), (7, 67), (12.5, 56)], [(12.5, 56), (23, 60), (33, 65)], [(33, 65), (30, 78), (30, 92)],
                          [(30, 92), (37, 140), (47, hem - 2)], [(47, hem - 2), (25, hem + 4), (0, hem + 5)]))  # fmt: skip
        sketch.stroke(line([(9, 100), (15, 140), (19, hem + 3.6)]), "seam", 1.1)
        _git(sketch, (10.5, 99.0), 7.0)
        _goreum(sketch, (10.5, 97.0), (72.0, 58.0), 1.15)
    sketch.strokes_pair(line([(38, hem - 5), (33, 160), (28, 120)]), "fold", 2.0)
    sketch.strokes_pair(line([(26, hem - 3), (24, 168), (22, 136)]), "fold", 1.7)
    sketch.strokes_pair(line([(32, hem - 10), (28.6, 168), (26, 142)]), "light", 2.0)
    return sketch


def baeja(garment: Garment, wear: Wear) -> Sketch:
    """A short sleeveless waistcoat with straight fronts, its edges trimmed with white fur, tied with a knot."""
    sketch = Sketch(layer=40)
    g = 10.5 if wear.open else 1.0
    hem = 128.0
    sketch.back(both([(0, 59), (7, 58.6), (13, 56)], [(13, 56), (25, 64), (26, hem - 2)], [(26, hem - 2), (12, hem), (0, hem)]), -0.45)
    neck = [(g, 82), (g * 0.55 + 6.5, 68), (14, 56)]
    shoulder = [(14, 56), (22, 59), (28.5, 63)]
    hole = [(28.5, 63), (26, 77), (30, 94)]
    side = [(30, 94), (29.4, 112), (31.5, hem)]
    bottom = [(31.5, hem), (18, hem + 3), (g, hem + 3.6)]
    sketch.pair(shape(neck, shoulder, hole, side, bottom, [(g, hem + 3.6), (g, 82)]))
    edge = [(g + 0.8, hem + 3), (g + 0.8, 105), (g + 0.8, 84), (g * 0.55 + 7.5, 69.5), (14.6, 57)]
    sketch.trims_pair(_fur_band(edge, 2.7), "white")
    sketch.trims_pair(_fur_band([(28.2, 63.6), (26.4, 77), (29.8, 93)], 2.4), "white")
    sketch.trims_pair(_fur_band([(g + 2, hem + 3.2), (18, hem + 2.6), (31, hem - 0.2)], 2.9), "white")
    sketch.strokes_pair(line([(27.6, 98), (23, 103), (18, 105)]), "fold", 1.5)
    sketch.strokes_pair(line([(19, 68), (20, 82), (19, 96)]), "light", 1.8)
    if not wear.open:
        for y in (92.0, 106.0):
            for s in (-1, 1):
                sketch.trim(shape([(0, y), (s * 5, y - 4.4), (s * 9, y - 1.6)], [(s * 9, y - 1.6), (s * 9, y + 2), (s * 5, y + 3.8), (0, y)]), "contrast")
            sketch.trim(ellipse(0, y, 2.3, 2.3), "contrast")
    else:
        for s in (-1, 1):
            _ribbon(sketch, (s * (g + 2.6), 96), (s * (g + 6), 122), 4.0)
    return sketch


def hanbok_skirt(garment: Garment, wear: Wear) -> Sketch:
    """A full bell of pleats from a high waistband, with shoulder straps and two ties."""
    sketch = Sketch(layer=20)
    hem = 174.0 if garment.hem == "knee" else 231.0
    half = 52.0 if garment.hem == "knee" else 56.0
    top, low = 78.0, 90.0
    n = 14
    wave: list[Point] = []
    for i in range(n * 2 + 1):
        t = 1 - i / n
        wave.append((half * t, hem + 7.5 * (1 - t * t) + (1.6 if i % 2 else -1.0) * (0 < i < n * 2)))
    length = hem - low
    right = [(24, low), (35, low + length * 0.2), (half - 4.5, low + length * 0.55), (half, hem)]
    left = [(-x, y) for x, y in reversed(right)]
    sketch.back(shape(wave, [wave[-1], (-half * 0.97, hem - 5)], [(-half * 0.97, hem - 5), (0, hem + 3), (half * 0.97, hem - 5)],
                      [(half * 0.97, hem - 5), wave[0]]), -0.5)  # fmt: skip
    sketch.panel(shape(right, wave, left, [(-24, low), (0, low + 3), (24, low)]))
    for i in range(1, n * 2, 2):
        x, y = wave[i]
        t = x / half
        sketch.stroke(line([(t * 22.5, low + 4.6 - t * t * 2), (t * (35 + half * 0.1), low + length * 0.35), (x, y - 1.5)]), "fold", 1.5)
        sketch.stroke(line([(t * 22.5, low + 3.6 - t * t * 2), (t * 26.5, low + 12), (t * 31.5, low + 26)]), "seam", 0.8)
    for i in range(4, n * 2 - 2, 4):
        x, y = wave[i]
        t = x / half
        sketch.stroke(line([(t * 31, low + 20), (t * (37 + half * 0.1), low + length * 0.45), (x * 0.99, y - 8)]), "light", 1.8)
    band = both([(0, top + 2.6), (14, top + 2), (23.5, top)], [(23.5, top), (24.6, low + 0.5)], [(24.6, low + 0.5), (14, low + 3), (0, low + 3.6)])
    sketch.panel(band, "cuff", 0, 1, 0.3)
    if wear.alone:
        for s in (-1, 1):
            sketch.back(shape([(s * 13, top + 2), (s * 11, 68), (s * 12, 58)], [(s * 12, 58), (s * 17, 58)],
                              [(s * 17, 58), (s * 18, 68), (s * 19, top + 2)], [(s * 19, top + 2), (s * 13, top + 2)]), -0.1, "trim")  # fmt: skip
    _ribbon(sketch, (4, low - 2), (9, low + 46), 4.6, "self_light")
    _ribbon(sketch, (3, low - 2), (-1, low + 36), 4.6, "self_light")
    sketch.trim(ellipse(3.4, low - 2, 3.4, 2.8), "self_light")
    return sketch


def _baerae(sketch: Sketch, arm: float, length: float, deep: float, opening: float) -> None:
    """Wide sleeves: a straight upper edge, a full curve below that narrows to the wrist, a pale cuff."""
    if sketch.armless:
        return
    s, c = sin(radians(arm)), cos(radians(arm))

    def at(along: float, across: float) -> Point:
        """A point by its way along the arm and its distance towards the body."""
        return 30 + s * along - c * across, 64.6 + c * along + s * across

    under = [at(length, 2 * opening), at(length * 0.74, 2 * opening + deep * 0.52), at(length * 0.42, deep + 10), (28.4, 92)]
    sleeve = shape([(31, 64), at(14, -3.4), at(length * 0.55, -3.0), at(length, 0)], [at(length, 0), at(length + 1.2, opening), at(length, 2 * opening)],
                   under, [(28.4, 92), (29.5, 78), (31, 64)])  # fmt: skip
    sketch.pair(sleeve, "sleeve", -arm, 0.95)
    sketch.pair(shape([at(length - 5.5, -0.5), at(length, 0)], [at(length, 0), at(length + 1.2, opening), at(length, 2 * opening)],
                      [at(length, 2 * opening), at(length - 5.5, 2 * opening + 2.8)],
                      [at(length - 5.5, 2 * opening + 2.8), at(length - 4.6, opening), at(length - 5.5, -0.5)]), "cuff", -arm, 1, 0.55)  # fmt: skip
    sketch.strokes_pair(line([(31, 64), (29.5, 78), (28.4, 92)]), "seam", 0.9)
    sketch.strokes_pair(line([at(length * 0.2, 21), at(length * 0.42, 15), at(length * 0.62, 7)]), "fold", 1.7)
    sketch.strokes_pair(line([at(length * 0.42, 23.5), at(length * 0.58, 19), at(length * 0.72, 12)]), "fold", 1.4)
    sketch.strokes_pair(line([at(10, 3), at(length * 0.5, 2.6), at(length * 0.82, 3.4)]), "light", 1.8)


def _git(sketch: Sketch, end: Point, width: float) -> None:
    """The collar band from both sides of the neck, the left over the right, and its white edge."""
    ex, ey = end
    w = width
    under = shape([(12.4, 54.6), (8.5, 66), (1.5, 78)], [(1.5, 78), (0.6, 88)], [(0.6, 88), (12, 74), (12.4 + w, 57.6)], [(12.4 + w, 57.6), (12.4, 54.6)])
    over = shape([(-12.4, 54.6), (-8, 67), (ex - 3.5, ey - w - 2)], [(ex - 3.5, ey - w - 2), (ex + 2.4, ey - 3)], [(ex + 2.4, ey - 3), (ex - 1.4, ey + w * 0.7)],
                 [(ex - 1.4, ey + w * 0.7), (-13.5, 74), (-12.4 - w, 57.6)], [(-12.4 - w, 57.6), (-12.4, 54.6)])  # fmt: skip
    sketch.panel(under, "collar", 0, 1, 0.2)
    sketch.panel(over, "collar", 0, 1, 0.2)
    d = 3.6
    sketch.trim(shape([(10.8, 53), (7, 65), (0.4, 76)], [(0.4, 76), (1.6, 80.6)], [(1.6, 80.6), (10.6, 67), (10.8 + d, 54.4)], [(10.8 + d, 54.4), (10.8, 53)]), "white")
    sketch.trim(shape([(-10.8, 53), (-6.6, 65), (ex - 6.5, ey - w - 6.5)], [(ex - 6.5, ey - w - 6.5), (ex - 7.2, ey - w - 1.2)],
                      [(ex - 7.2, ey - w - 1.2), (-10.6, 67.5), (-10.8 - d, 54.4)], [(-10.8 - d, 54.4), (-10.8, 53)]), "white")  # fmt: skip


def _goreum(sketch: Sketch, at: Point, lengths: tuple[float, float], size: float = 1.0) -> None:
    """The two ribbons: one loop to the side, two long ends."""
    x, y = at
    _ribbon(sketch, (x - 0.5, y), (x + 5.5, y + lengths[0]), 7.0 * size)
    _ribbon(sketch, (x - 1, y), (x - 8, y + lengths[1]), 7.0 * size)
    k = size
    sketch.trim(shape([(x, y), (x - 9 * k, y - 7 * k), (x - 21 * k, y - 5 * k)], [(x - 21 * k, y - 5 * k), (x - 23.5 * k, y - 0.5 * k), (x - 21 * k, y + 3.5 * k)],
                      [(x - 21 * k, y + 3.5 * k), (x - 9 * k, y + 4.4 * k), (x, y + 2 * k)], [(x, y + 2 * k), (x, y)]), "contrast")  # fmt: skip
    sketch.trim(shape([(x - 3.4 * k, y - 4 * k), (x + 3 * k, y - 4.4 * k)], [(x + 3 * k, y - 4.4 * k), (x + 4.4 * k, y + 0.6), (x + 3.4 * k, y + 5 * k)],
                      [(x + 3.4 * k, y + 5 * k), (x - 3.4 * k, y + 4.4 * k)], [(x - 3.4 * k, y + 4.4 * k), (x - 4.4 * k, y), (x - 3.4 * k, y - 4 * k)]), "contrast")  # fmt: skip


def _ribbon(sketch: Sketch, top: Point, end: Point, width: float, tone: str = "contrast") -> None:
    """A hanging ribbon that widens to a slanted end."""
    (x, y), (ex, ey), a = top, end, width / 2
    mid = ((x + ex) / 2 + (ex - x) * 0.18, (y + ey) / 2)
    sketch.trim(shape([(x - a * 0.7, y), (mid[0] - a, mid[1]), (ex - a, ey)], [(ex - a, ey), (ex + a, ey - a * 0.9)],
                      [(ex + a, ey - a * 0.9), (mid[0] + a, mid[1]), (x + a * 0.7, y)], [(x + a * 0.7, y), (x - a * 0.7, y)]), tone)  # fmt: skip


def _fur_band(edge: list[Point], half: float) -> Path:
    """A band of fur along an edge: its outline swells and shrinks."""
    there: list[Point] = []
    back: list[Point] = []
    for i in range(len(edge) - 1):
        (x0, y0), (x1, y1) = edge[i], edge[i + 1]
        length = ((x1 - x0) ** 2 + (y1 - y0) ** 2) ** 0.5 or 1.0
        nx, ny = (y1 - y0) / length, -(x1 - x0) / length
        steps = max(2, int(length / 4))
        for k in range(steps + (i == len(edge) - 2)):
            t, w = k / steps, half * (1.22 if k % 2 else 0.86)
            x, y = x0 + (x1 - x0) * t, y0 + (y1 - y0) * t
            there.append((x + nx * w, y + ny * w))
            back.append((x - nx * w, y - ny * w))
    return shape(there, [there[-1], back[-1]], back[::-1], [back[0], there[0]])
