"""흉배, the embroidered square on an official's chest, with a crane or a tiger between clouds and waves."""

from __future__ import annotations

from random import Random

from fashion.drawing.paths import Path, ellipse, line, moved, shape
from fashion.looks.court import BLACK, DEEP_GOLD, GOLD, RED, WHITE, Over

GROUNDS = ("#1f3566", "#7c1f2b", "#1d5a4c")  # the one farthest from the robe is taken


def badge(over: Over, rng: Random, rgb: tuple[int, int, int]) -> None:
    """Lay the badge over a robe of this colour."""

    def far(color: str) -> float:
        return sum(abs(int(color[i : i + 2], 16) - c) for i, c in zip((1, 3, 5), rgb, strict=True))

    over.add(box(0, 96, 17.5, 18), GOLD, DEEP_GOLD, 1.2)
    over.add(box(0, 96, 14.4, 14.9), max(GROUNDS, key=far))
    for x in (-10, -3.4, 3.4, 10):
        over.add(ellipse(x, 110, 3.4, 2.6), "#5fb3c4", WHITE, 0.6)
    for x, y in ((-10, 85), (10, 85), (0, 83.6)):
        over.add(ellipse(x, y, 3.4, 1.8), "#f2a7a0")
    rng.choice((_crane, _tiger))(over)


def _crane(over: Over) -> None:
    over.add(
        shape([(-1, 97), (-8, 90), (-13, 91)], [(-13, 91), (-9, 98), (-2, 101)], [(-2, 101), (-1, 97)]),
        WHITE,
        BLACK,
        0.6,
    )
    over.add(shape([(1, 97), (8, 90), (13, 91)], [(13, 91), (9, 98), (2, 101)], [(2, 101), (1, 97)]), WHITE, BLACK, 0.6)
    over.add(ellipse(0, 99.5, 3.4, 5), WHITE, BLACK, 0.6)
    over.stroke(line([(0, 96), (2, 91.6), (0, 88)]), WHITE, 1.9)
    over.add(ellipse(0, 87.4, 1.7, 1.5), RED)
    over.stroke(line([(0, 104), (0, 108)]), BLACK, 1.0)


def _tiger(over: Over) -> None:
    over.add(ellipse(-1.5, 101, 9.6, 4.6), "#f0a03c", BLACK, 0.7)
    over.add(ellipse(7.4, 95, 4.8, 4.6), "#f0a03c", BLACK, 0.7)
    over.stroke(line([(-10, 100), (-13, 94), (-10, 90)]), "#f0a03c", 2.2)
    for x in (-7, -3, 1):
        over.stroke(line([(x, 97.4), (x + 0.8, 103)]), BLACK, 1.2)
    over.add(ellipse(7.6, 96.4, 2.4, 1.8), WHITE)
    for eye in (5.8, 9.0):
        over.add(ellipse(eye, 94, 0.8, 0.8), BLACK)


def box(x: float, y: float, half: float, tall: float) -> Path:
    corner = [(-half, -tall), (half, -tall), (half, tall), (-half, tall), (-half, -tall)]
    return moved(shape(*[[a, b] for a, b in zip(corner[:-1], corner[1:], strict=True)]), x, y)
