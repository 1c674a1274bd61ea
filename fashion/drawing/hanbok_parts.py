"""Parts that garments of Korean dress share: sleeves, collar, ribbons, an edge of fur.

깃 is the band of the collar that crosses over the chest, 동정 its white paper edge, 고름 the two long ribbons that tie
the front, 배래 the curved underside of the sleeve.
"""

from __future__ import annotations

from math import cos, radians, sin

from fashion.drawing.paths import Path, Point, line, shape
from fashion.drawing.sketch import Sketch


def baerae(sketch: Sketch, arm: float, length: float, deep: float, opening: float) -> None:
    """Wide sleeves: a straight upper edge, a full curve below that narrows to the wrist, a pale cuff."""
    if sketch.armless:
        return
    s, c = sin(radians(arm)), cos(radians(arm))

    def at(along: float, across: float) -> Point:
        """A point by its way along the arm and its distance towards the body."""
        return 30 + s * along - c * across, 64.6 + c * along + s * across

    under = [
        at(length, 2 * opening),
        at(length * 0.74, 2 * opening + deep * 0.52),
        at(length * 0.42, deep + 10),
        (28.4, 92),
    ]
    sleeve = shape(
        [(31, 64), at(14, -3.4), at(length * 0.55, -3.0), at(length, 0)],
        [at(length, 0), at(length + 1.2, opening), at(length, 2 * opening)],
        under,
        [(28.4, 92), (29.5, 78), (31, 64)],
    )
    sketch.pair(sleeve, "sleeve", -arm, 0.95)
    sketch.pair(
        shape(
            [at(length - 5.5, -0.5), at(length, 0)],
            [at(length, 0), at(length + 1.2, opening), at(length, 2 * opening)],
            [at(length, 2 * opening), at(length - 5.5, 2 * opening + 2.8)],
            [at(length - 5.5, 2 * opening + 2.8), at(length - 4.6, opening), at(length - 5.5, -0.5)],
        ),
        "cuff",
        -arm,
        1,
        0.55,
    )
    sketch.strokes_pair(line([(31, 64), (29.5, 78), (28.4, 92)]), "seam", 0.9)
    sketch.strokes_pair(line([at(length * 0.2, 21), at(length * 0.42, 15), at(length * 0.62, 7)]), "fold", 1.7)
    sketch.strokes_pair(line([at(length * 0.42, 23.5), at(length * 0.58, 19), at(length * 0.72, 12)]), "fold", 1.4)
    sketch.strokes_pair(line([at(10, 3), at(length * 0.5, 2.6), at(length * 0.82, 3.4)]), "light", 1.8)


def git(sketch: Sketch, end: Point, width: float) -> None:
    """The collar band from both sides of the neck, the left over the right, and its white edge."""
    ex, ey = end
    w = width
    under = shape(
        [(12.4, 54.6), (8.5, 66), (1.5, 78)],
        [(1.5, 78), (0.6, 88)],
        [(0.6, 88), (12, 74), (12.4 + w, 57.6)],
        [(12.4 + w, 57.6), (12.4, 54.6)],
    )
    over = shape(
        [(-12.4, 54.6), (-8, 67), (ex - 3.5, ey - w - 2)],
        [(ex - 3.5, ey - w - 2), (ex + 2.4, ey - 3)],
        [(ex + 2.4, ey - 3), (ex - 1.4, ey + w * 0.7)],
        [(ex - 1.4, ey + w * 0.7), (-13.5, 74), (-12.4 - w, 57.6)],
        [(-12.4 - w, 57.6), (-12.4, 54.6)],
    )
    sketch.panel(under, "collar", shade=0.2)
    sketch.panel(over, "collar", shade=0.2)
    d = 3.6
    sketch.trim(
        shape(
            [(10.8, 53), (7, 65), (0.4, 76)],
            [(0.4, 76), (1.6, 80.6)],
            [(1.6, 80.6), (10.6, 67), (10.8 + d, 54.4)],
            [(10.8 + d, 54.4), (10.8, 53)],
        ),
        "white",
    )
    sketch.trim(
        shape(
            [(-10.8, 53), (-6.6, 65), (ex - 6.5, ey - w - 6.5)],
            [(ex - 6.5, ey - w - 6.5), (ex - 7.2, ey - w - 1.2)],
            [(ex - 7.2, ey - w - 1.2), (-10.6, 67.5), (-10.8 - d, 54.4)],
            [(-10.8 - d, 54.4), (-10.8, 53)],
        ),
        "white",
    )


def goreum(sketch: Sketch, at: Point, lengths: tuple[float, float], size: float = 1.0) -> None:
    """The two ribbons: one loop to the side, two long ends."""
    x, y = at
    ribbon(sketch, (x - 0.5, y), (x + 5.5, y + lengths[0]), 7.0 * size)
    ribbon(sketch, (x - 1, y), (x - 8, y + lengths[1]), 7.0 * size)
    k = size
    sketch.trim(
        shape(
            [(x, y), (x - 9 * k, y - 7 * k), (x - 21 * k, y - 5 * k)],
            [(x - 21 * k, y - 5 * k), (x - 23.5 * k, y - 0.5 * k), (x - 21 * k, y + 3.5 * k)],
            [(x - 21 * k, y + 3.5 * k), (x - 9 * k, y + 4.4 * k), (x, y + 2 * k)],
            [(x, y + 2 * k), (x, y)],
        ),
        "contrast",
    )
    sketch.trim(
        shape(
            [(x - 3.4 * k, y - 4 * k), (x + 3 * k, y - 4.4 * k)],
            [(x + 3 * k, y - 4.4 * k), (x + 4.4 * k, y + 0.6), (x + 3.4 * k, y + 5 * k)],
            [(x + 3.4 * k, y + 5 * k), (x - 3.4 * k, y + 4.4 * k)],
            [(x - 3.4 * k, y + 4.4 * k), (x - 4.4 * k, y), (x - 3.4 * k, y - 4 * k)],
        ),
        "contrast",
    )


def ribbon(sketch: Sketch, top: Point, end: Point, width: float, tone: str = "contrast") -> None:
    """A hanging ribbon that widens to a slanted end."""
    (x, y), (ex, ey), a = top, end, width / 2
    mid = ((x + ex) / 2 + (ex - x) * 0.18, (y + ey) / 2)
    sketch.trim(
        shape(
            [(x - a * 0.7, y), (mid[0] - a, mid[1]), (ex - a, ey)],
            [(ex - a, ey), (ex + a, ey - a * 0.9)],
            [(ex + a, ey - a * 0.9), (mid[0] + a, mid[1]), (x + a * 0.7, y)],
            [(x + a * 0.7, y), (x - a * 0.7, y)],
        ),
        tone,
    )


def fur_band(edge: list[Point], half: float) -> Path:
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
