"""The figure that wears clothes: a neutral fashion doll of five heads in a pale plain body suit."""

from __future__ import annotations

from functools import cache
from math import cos, radians, sin
from random import Random

from fashion.drawing.paths import Frame, Path, Point, both, ellipse, flip, line, shape, turned
from fashion.drawing.shapes import Figure, Stroke, Trim

_FOOT_TOP = 226.0  # body units
HAIR = ("bob", "long", "short", "bun", "tail")
Parts = tuple[tuple[Path, str], ...]


def make_figure(
    rng: Random, frame: Frame, arm: float, *, suit_top: bool, suit_bottom: bool, hat: bool, holds: bool, shod: bool,
    hair: str | None = None,
) -> Figure:  # fmt: skip
    """Draw the body for what is worn: `suit_*` where no garment covers it, `holds` a bag in the left hand."""
    hair = hair or rng.choice(HAIR[:3] if hat else HAIR)
    limbs = _limbs(arm, shod or frame.hides_below(_FOOT_TOP))
    body = (*_hair_behind(hair), *limbs, *_torso(suit_top, suit_bottom), *_head(), *_hair_front(hair))
    front: Parts = ()
    if holds:
        x, y = _hand(arm)
        front = ((turned(ellipse(-x, y, 5.6, 7.0), arm, -x, y), "skin"),)
    place = frame.place
    thick = frame.scale**0.5
    return Figure(
        body=tuple(Trim(place(path), tone) for path, tone in body),
        front=tuple(Trim(place(path), tone) for path, tone in front),
        strokes=tuple(Stroke(place(path), width * thick, "seam") for path, width in _features()),
    )


def reach_of(arm: float) -> tuple[float, float, float, float]:
    """The box of the body: left, top, right, bottom in body units. Nothing reaches as far to the sides as the hands."""
    side = _hand(arm)[0] + 9
    return -side, -14.0, side, 242.0


@cache
def _head() -> Parts:
    face = shape(
        [(-19, 27), (-16.5, 39), (-7, 46.5), (0, 48), (7, 46.5), (16.5, 39), (19, 27)],
        [(19, 27), (17, 9), (0, 3), (-17, 9), (-19, 27)],
    )
    body = [(face, "skin")]
    for side in (-1, 1):
        body.append((ellipse(side * 7.4, 29.5, 2.0, 2.7), "dark"))
        body.append((ellipse(side * 7.4 + 0.7, 28.5, 0.7, 0.8), "white"))
    return tuple(body)


@cache
def _features() -> tuple[tuple[Path, float], ...]:
    lines: list[tuple[Path, float]] = [
        (line([(-3.4, 39.6), (0, 41.2), (3.4, 39.6)]), 1.3),
        (line([(0.4, 31.5), (1.4, 35), (-0.6, 35.6)]), 0.8),
    ]
    for side in (-1, 1):
        lines.append((line([(side * 4.4, 24.2), (side * 7.4, 22.8), (side * 10.6, 24.2)]), 1.1))
        lines.append((line([(side * 5.2, 27.6), (side * 7.6, 26.4), (side * 10.4, 28.4)]), 1.3))
    return tuple(lines)


def _limb(points: list[tuple[float, float, float]], degrees: float) -> Path:
    """A tapering limb along points (x, y, half width), its sides square to `degrees` from straight down."""
    c, s = cos(radians(degrees)), sin(radians(degrees))
    outer = [(x + c * w, y - s * w) for x, y, w in points]
    inner = [(x - c * w, y + s * w) for x, y, w in reversed(points)]
    return shape(outer, [outer[-1], inner[0]], inner, [inner[-1], outer[0]])


def _hand(arm: float) -> Point:
    return 25 + sin(radians(arm)) * 73, 72 + cos(radians(arm)) * 73


def _limbs(arm: float, without_feet: bool) -> Parts:
    s, c = sin(radians(arm)), cos(radians(arm))

    def along(length: float, half: float) -> tuple[float, float, float]:
        return 25 + s * length, 72 + c * length, half

    x, y = _hand(arm)
    sleeve = _limb([along(-6, 7.0), along(6, 7.2), along(30, 5.6), along(62, 4.2)], arm)
    arms = ((sleeve, "skin"), (turned(ellipse(x, y, 4.8, 7.6), -arm, x, y), "skin"))
    legs = _leg()[without_feet:]
    return (*legs, *arms, *((flip(path), tone) for path, tone in (*legs, *arms)))


@cache
def _leg() -> Parts:
    """The right foot and leg."""
    leg = shape(
        [(27.5, 128), (25.5, 155), (21.4, 184), (20, 205), (16.4, 230)],
        [(16.4, 230), (8, 230)],
        [(8, 230), (8.6, 205), (7.6, 184), (3, 158), (0.4, 138)],
        [(0.4, 138), (0.4, 122), (27.5, 128)],
    )
    foot = shape(
        [(8, 227), (16, 227)],
        [(16, 227), (24, 232.5), (31, 237.4)],
        [(31, 237.4), (31, 240), (27, 240.6)],
        [(27, 240.6), (10, 240.4), (7, 236), (8, 227)],
    )
    return (foot, "skin"), (leg, "skin")


@cache
def _torso(suit_top: bool, suit_bottom: bool) -> Parts:
    body = []
    body.append(
        (
            shape(
                [(-7.5, 42), (7.5, 42)],
                [(7.5, 42), (7.6, 52), (11, 57.6)],
                [(11, 57.6), (22, 61), (30.5, 67)],
                [(30.5, 67), (27, 77), (24.5, 88), (19, 107), (24, 121), (27.5, 131)],
                [(27.5, 131), (14, 141), (0, 141), (-14, 141), (-27.5, 131)],
                [(-27.5, 131), (-24, 121), (-19, 107), (-24.5, 88), (-27, 77), (-30.5, 67)],
                [(-30.5, 67), (-22, 61), (-11, 57.6)],
                [(-11, 57.6), (-7.6, 52), (-7.5, 42)],
            ),
            "skin",
        )
    )
    if suit_top:
        low = 110 if not suit_bottom else 134
        body.append(
            (
                both(
                    [(0, 78), (12, 76), (19, 73)],
                    [(19, 73), (24, 80), (24.5, 88)],
                    [(24.5, 88), (19, 107), (24, low if low < 112 else 121)],
                    [(24, low if low < 112 else 121), (12, low), (0, low)],
                ),
                "metal",
            )
        )
    if suit_bottom:
        body.append(
            (
                both(
                    [(0, 112), (12, 111.6), (20.5, 111)],
                    [(20.5, 111), (25, 121), (28, 131), (27.4, 146)],
                    [(27.4, 146), (15, 148.4), (2.4, 147.6)],
                    [(2.4, 147.6), (0, 141)],
                ),
                "metal",
            )
        )
    return tuple(body)


@cache
def _hair_behind(hair: str) -> Parts:
    body = []
    if hair == "bob":
        body.append((both([(0, 0), (16, 5), (22.6, 22), (23, 38), (20, 48)], [(20, 48), (10, 50.5), (0, 51)]), "dark"))
    elif hair == "long":
        body.append(
            (both([(0, 0), (16, 5), (22.4, 22), (24, 44), (27, 66), (23, 86)], [(23, 86), (12, 90), (0, 90)]), "dark")
        )
    elif hair == "tail":
        body.append(
            (
                shape([(14, 12), (31, 18), (34, 38), (27, 62)], [(27, 62), (22, 40), (14, 26)], [(14, 26), (14, 12)]),
                "dark",
            )
        )
    elif hair == "bun":
        body.append((ellipse(0, -4.5, 10, 9), "dark"))
    if hair in ("short", "bun", "tail"):
        body.append((both([(0, 0), (16, 5), (21, 22), (19, 33)], [(19, 33), (9, 36), (0, 36)]), "dark"))
    return tuple(body)


@cache
def _hair_front(hair: str) -> Parts:
    """The crown and the fringe over the forehead."""
    if hair in ("bob",):
        fringe: list[Point] = [(19.6, 27), (16.8, 19.6), (6, 20.6), (-6, 20.6), (-16.8, 19.6), (-19.6, 27)]
    elif hair == "short":
        fringe = [(19.8, 30), (17.4, 21), (9, 17), (2, 19.5), (-9, 14), (-16.6, 20), (-19.8, 30)]
    else:
        fringe = [(19.8, 30), (16.4, 17.5), (7, 11.5), (-6, 15.5), (-14.6, 21), (-19.8, 31)]
    crown: list[Point] = [
        (-19.8, fringe[-1][1]),
        (-21.6, 13),
        (-13, 0),
        (0, -3.4),
        (13, 0),
        (21.6, 13),
        (19.8, fringe[0][1]),
    ]
    return ((shape(fringe, [fringe[-1], crown[0]], crown, [crown[-1], fringe[0]]), "dark"),)
