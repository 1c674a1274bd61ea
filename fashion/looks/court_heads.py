# ruff: noqa: E501 (rows of points)
"""What women wear on their heads at court: 족두리, 화관 or 어여머리 over parted hair with a 비녀, all with gems."""

from __future__ import annotations

from random import Random

from fashion.drawing.paths import both, ellipse, line, shape
from fashion.looks.court import DEEP_GOLD, GOLD, JADE, RED, Over

HAIR = "#26222a"


def jokduri(over: Over, rng: Random) -> None:
    """족두리: a black cap of six sides with a coral on it."""
    _parted(over)
    over.add(
        both([(0, -17), (11, -15)], [(11, -15), (16, -7), (13, 4)], [(13, 4), (6, 6), (0, 6.4)]),
        "#2a2733",
        DEEP_GOLD,
        1.2,
    )
    over.pair(line([(4, -16), (6, -5), (5, 6)]), "none", "#5b566a", 0.8)
    _gems(over, rng, [(0, -3, 3.4), (-9, -4, 2.6), (9, -4, 2.6)])
    over.add(ellipse(0, -18, 4.0, 3.6), RED, DEEP_GOLD, 1.0)


def hwagwan(over: Over, rng: Random) -> None:
    """화관: a stepped black coronet with gold tracery and beads."""
    _parted(over)
    over.add(both([(0, -25), (8, -24), (12, -20)], [(12, -20), (13, -11)], [(13, -11), (18, -9)], [(18, -9), (17, 4)],
                  [(17, 4), (8, 7), (0, 7.6)]), "#2a2733", DEEP_GOLD, 1.3)  # fmt: skip
    over.band([(-17.6, -4), (0, -1.4), (17.6, -4)], [(-17, 4), (0, 7.6), (17, 4)])
    over.pair(line([(2, -21), (7, -16), (11, -19)]), "none", GOLD, 1.6)
    over.pair(line([(0, -10), (6, -7), (13, -10)]), "none", GOLD, 1.4)
    _gems(over, rng, [(0, -14, 4.0), (-8, -10, 2.4), (8, -10, 2.4), (0, -26, 2.6), (-19, -8, 2.4), (19, -8, 2.4)])


def eoyeo(over: Over, rng: Random) -> None:
    """어여머리: a thick braid around the head with trembling pins (떨잠)."""
    _parted(over)
    over.add(
        both([(0, -21), (20, -20), (33, -6), (30, 14)], [(30, 14), (24, 20), (20, 12)], [(20, 12), (16, 2), (0, -1)]),
        HAIR,
        "#4b4450",
        1.0,
    )
    for x, y in ((12, -19), (23, -12), (29, 0)):
        over.pair(line([(x, y), (0.8 * x, y + 8), (0.7 * x, y + 15)]), "none", "#5d5462", 1.0)
    _gems(over, rng, [(0, -12, 4.8), (-22, -4, 4.0), (22, -4, 4.0)])


def _parted(over: Over) -> None:
    """Hair parted in the middle and bound at the neck, held by a 비녀."""
    over.pair(
        shape([(0, 9), (9, 12), (17, 21), (20.4, 34)], [(20.4, 34), (23, 20), (17, 3), (0, -3.6)], [(0, -3.6), (0, 9)]),
        HAIR,
    )
    over.stroke(line([(0, -3), (0, 8)]), "#6b5c5a", 1.0)
    over.pair(ellipse(20, 43, 6.2, 7.0), HAIR)
    over.pair(
        shape([(22, 41.4), (37, 40)], [(37, 40), (37, 45), (22, 45)], [(22, 45), (22, 41.4)]), GOLD, DEEP_GOLD, 0.8
    )
    over.pair(ellipse(38, 42.5, 4.4, 4.4), JADE, DEEP_GOLD, 1.0)


def _gems(over: Over, rng: Random, places: list[tuple[float, float, float]]) -> None:
    for x, y, r in places:
        over.add(ellipse(x, y, r, r), GOLD, DEEP_GOLD, 0.8)
        over.add(ellipse(x, y, 0.6 * r, 0.6 * r), rng.choice((RED, JADE, "#f6f3ea", "#3f78c8")))
