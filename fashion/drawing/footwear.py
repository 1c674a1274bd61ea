"""Shoes. One shoe is drawn from the side (heel at x = 0, toe to the right, ground at y = 0) and set down twice."""

from __future__ import annotations

from collections.abc import Callable

from fashion.drawing.body import FLOOR_Y
from fashion.drawing.paths import Path, ellipse, flip, line, moved, shape
from fashion.drawing.sketch import Sketch, Wear
from fashion.scene import Garment

WORN_SCALE = 1.25  # a doll has large feet, so that shoes show
HEEL_X = 4.0  # heel of a worn shoe, from the axis


def sneakers(garment: Garment, wear: Wear) -> Sketch:
    """Low shoes with a thick white sole, a toe cap and white laces."""
    shoe = Sketch(layer=10)
    shoe.back(shape([(2, -19), (9, -20.6), (15, -19)], [(15, -19), (9, -15), (2, -19)]), -0.5)
    shoe.panel(
        shape(
            [(1.2, -4), (0.4, -12), (2, -19.4)],
            [(2, -19.4), (5, -17), (9, -17.2), (14.6, -20.6)],
            [(14.6, -20.6), (20, -14), (28, -10.6)],
            [(28, -10.6), (34, -8.6), (36, -4)],
            [(36, -4), (18, -3), (1.2, -4)],
        )
    )
    shoe.panel(
        shape([(1.2, -4), (0.6, -11), (1.4, -15)], [(1.4, -15), (6, -12.6), (8.4, -4)], [(8.4, -4), (1.2, -4)]),
        "trim",
        shade=-0.25,
    )
    shoe.trim(
        shape([(25.6, -4), (25.4, -8), (28, -10.8)], [(28, -10.8), (34, -9), (36.4, -4)], [(36.4, -4), (25.6, -4)]),
        "white",
    )
    shoe.trim(
        shape(
            [(0.2, -5), (18, -4.4), (36.6, -5)],
            [(36.6, -5), (38, -2.6), (36, 0)],
            [(36, 0), (2, 0)],
            [(2, 0), (-0.6, -2), (0.2, -5)],
        ),
        "white",
    )
    shoe.stroke(line([(1, -2.2), (18, -1.8), (36.4, -2.2)]), "seam", 0.6)
    for x, y in ((15.4, -17.4), (18.2, -14.8), (21.4, -12.6)):
        shoe.stroke(line([(x - 2.6, y + 2.4), (x + 1.8, y - 1.4)]), "lace", 1.3)
    shoe.stroke(line([(10.4, -5), (14, -10), (20.6, -9.6)]), "stitch", 0.8)
    return _two(shoe, wear, 7.0, -24.5)


def boots(garment: Garment, wear: Wear) -> Sketch:
    """High shafts, a heel, a rounded toe."""
    shoe = Sketch(layer=21)
    shoe.back(shape([(-2.5, -44), (8, -46.4), (18.5, -44)], [(18.5, -44), (8, -40.6), (-2.5, -44)]), -0.5)
    shoe.panel(
        shape(
            [(1, -3.6), (1.2, -14), (-1, -28), (-2.5, -44)],
            [(-2.5, -44), (8, -41.4), (18.5, -44)],
            [(18.5, -44), (17, -28), (17.6, -17)],
            [(17.6, -17), (24, -13), (31, -10.6)],
            [(31, -10.6), (35.4, -8), (35.6, -3.6)],
            [(35.6, -3.6), (18, -3), (1, -3.6)],
        )
    )
    shoe.panel(
        shape(
            [(-2.8, -44), (8, -41.4), (18.8, -44)],
            [(18.8, -44), (18.4, -38.4)],
            [(18.4, -38.4), (8, -35.8), (-2, -38.4)],
            [(-2, -38.4), (-2.8, -44)],
        ),
        "cuff",
        shade=0.22,
    )
    shoe.trim(
        shape(
            [(0.4, -4.4), (18, -3.4), (36.2, -4)],
            [(36.2, -4), (36.8, -1.6), (35.2, 0)],
            [(35.2, 0), (15, 0)],
            [(15, 0), (12.4, -1.6), (11, 0)],
            [(11, 0), (0.6, 0)],
            [(0.6, 0), (0.4, -4.4)],
        ),
        "self_dark",
    )
    shoe.stroke(line([(16.8, -18), (11, -14.6), (8.6, -5)]), "seam", 0.9)
    shoe.stroke(line([(26.6, -11.8), (25, -8), (26, -4)]), "seam", 0.8)
    shoe.stroke(line([(1.6, -19), (6, -17), (11, -18.6)]), "fold", 1.5)
    shoe.stroke(line([(2, -15), (6, -13.4), (9.6, -14)]), "fold", 1.3)
    shoe.stroke(line([(3.4, -35), (4, -27), (5, -20)]), "light", 1.9)
    shoe.stroke(line([(14.6, -35), (13.6, -27), (13.8, -20)]), "fold", 1.6)
    return _two(shoe, wear, 39.0, -5.0)


def kkotsin(garment: Garment, wear: Wear) -> Sketch:
    """Low silk shoes, open on the instep, the toe curled up, a contrasting rim and an embroidered flower."""
    shoe = Sketch(layer=10)
    shoe.back(shape([(2, -11), (10, -12), (22, -8.4)], [(22, -8.4), (12, -6), (2, -11)]), -0.5)
    shoe.panel(
        shape(
            [(1, -1.6), (0, -7), (1.6, -12)],
            [(1.6, -12), (8, -7.8), (17, -6.8), (23, -9)],
            [(23, -9), (28, -8.6), (32.6, -10), (37.4, -16.5)],
            [(37.4, -16.5), (38, -9), (34.4, -3.6), (28, -1.4)],
            [(28, -1.4), (14, -0.6), (1, -1.6)],
        )
    )
    shoe.trim(
        shape(
            [(1.4, -12.6), (8, -8.6), (17, -7.6), (23.4, -9.8)],
            [(23.4, -9.8), (23.6, -7.6)],
            [(23.6, -7.6), (17, -5.4), (8, -6.2), (1, -9.8)],
            [(1, -9.8), (1.4, -12.6)],
        ),
        "contrast",
    )
    shoe.trim(
        shape(
            [(37.6, -17.2), (39, -13), (38, -8.6), (35.4, -5)], [(35.4, -5), (33.4, -7), (35.4, -10.4), (37.6, -17.2)]
        ),
        "contrast",
    )
    shoe.trim(
        shape(
            [(0.4, -2.4), (14, -1.6), (28.4, -2.2)],
            [(28.4, -2.2), (33, -3), (35, -5)],
            [(35, -5), (33.6, -1), (29, 0)],
            [(29, 0), (2, 0)],
            [(2, 0), (-0.2, -0.8), (0.4, -2.4)],
        ),
        "white",
    )
    for dx, dy in ((0, -1.8), (1.7, -0.5), (1.1, 1.5), (-1.1, 1.5), (-1.7, -0.5)):
        shoe.trim(ellipse(28.4 + dx, -5.4 + dy, 1.15, 1.15), "contrast")
    shoe.trim(ellipse(28.4, -5.4, 0.9, 0.9), "white")
    return _two(shoe, wear, 7.0, -22.0)


def _two(shoe: Sketch, wear: Wear, dx: float, dy: float) -> Sketch:
    """A pair: worn, both toes outward; alone, two shoes side by side or one above the other."""
    pair = Sketch(layer=shoe.layer)
    if wear.alone:
        _set_down(pair, shoe, lambda path: moved(path, dx, dy))
        _set_down(pair, shoe, lambda path: path)
        return pair
    _set_down(pair, shoe, lambda path: moved(path, HEEL_X, FLOOR_Y, WORN_SCALE))
    _set_down(pair, shoe, lambda path: flip(moved(path, HEEL_X, FLOOR_Y, WORN_SCALE)))
    return pair


def _set_down(pair: Sketch, shoe: Sketch, place: Callable[[Path], Path]) -> None:
    pair.behind += [(place(p), angle, scale, shade, role) for p, angle, scale, shade, role in shoe.behind]
    pair.panels += [(place(p), angle, scale, shade, role) for p, angle, scale, shade, role in shoe.panels]
    pair.strokes += [(place(p), width, role) for p, width, role in shoe.strokes]
    pair.trims += [(place(p), role) for p, role in shoe.trims]
