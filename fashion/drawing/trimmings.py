"""Small parts sewn on: buttons, bows, belts, pockets."""

from __future__ import annotations

from fashion.drawing.paths import ellipse, line, shape
from fashion.drawing.sketch import Sketch


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
        sketch.trim(
            shape(
                [(x, y), (x + side * size * 0.5, y + size * tails * 0.5), tail_end],
                [tail_end, notch],
                [notch, end2],
                [end2, (x + side * size * 0.12, y + size * tails * 0.5), (x, y)],
            ),
            tone,
        )
        sketch.trim(shape(loop, under, home), tone)
    k = size * 0.24
    sketch.trim(
        shape(
            [(x - k, y - k), (x, y - k * 1.3), (x + k, y - k)],
            [(x + k, y - k), (x + k * 1.2, y), (x + k, y + k)],
            [(x + k, y + k), (x, y + k * 1.3), (x - k, y + k)],
            [(x - k, y + k), (x - k * 1.2, y), (x - k, y - k)],
        ),
        tone,
    )


def patch_pocket(sketch: Sketch, x: float, y: float, w: float, h: float) -> None:
    """A sewn-on pocket, its opening hemmed; (x, y) is the top centre."""
    a = w / 2
    sketch.panel(
        shape(
            [(x - a, y), (x + a, y)],
            [(x + a, y), (x + a, y + h * 0.78), (x + a * 0.6, y + h), (x, y + h)],
            [(x, y + h), (x - a * 0.6, y + h), (x - a, y + h * 0.78), (x - a, y)],
        ),
        "trim",
        shade=0.12,
    )
    sketch.stroke(line([(x - a, y + 2.2), (x + a, y + 2.2)]), "stitch", 0.7)


def flap_pocket(sketch: Sketch, x: float, y: float, w: float, h: float) -> None:
    a = w / 2
    sketch.panel(
        shape(
            [(x - a, y), (x + a, y)],
            [(x + a, y), (x + a - 0.4, y + h)],
            [(x + a - 0.4, y + h), (x, y + h + 0.8), (x - a + 0.4, y + h)],
            [(x - a + 0.4, y + h), (x - a, y)],
        ),
        "trim",
        shade=0.16,
    )
    sketch.stroke(line([(x - a, y - 0.2), (x + a, y - 0.2)]), "seam", 1.5)


def breast_pocket(sketch: Sketch, x: float, y: float, w: float) -> None:
    a = w / 2
    sketch.panel(
        shape(
            [(x - a, y + 1), (x + a, y - 1)],
            [(x + a, y - 1), (x + a, y + 2.4)],
            [(x + a, y + 2.4), (x - a, y + 4.2)],
            [(x - a, y + 4.2), (x - a, y + 1)],
        ),
        "trim",
        shade=0.16,
    )


def belt(sketch: Sketch, y: float, half: float, depth: float) -> None:
    """A wide sash tied at the side, its two ends hanging."""
    a = depth / 2
    sketch.trim(
        shape(
            [(-half, y - a), (0, y - a + 2.4), (half, y - a)],
            [(half, y - a), (half + 0.6, y + a)],
            [(half + 0.6, y + a), (0, y + a + 2.6), (-half - 0.6, y + a)],
            [(-half - 0.6, y + a), (-half, y - a)],
        ),
        "contrast",
    )
    x, k = half * 0.45, y + 2.4
    for dx, length in ((4.5, 36.0), (-5.5, 29.0)):
        sketch.trim(
            shape(
                [(x - 1.5, k), (x + dx * 0.5 - 2.5, k + length * 0.5), (x + dx - 3.2, k + length)],
                [(x + dx - 3.2, k + length), (x + dx + 3.2, k + length - 2.5)],
                [(x + dx + 3.2, k + length - 2.5), (x + dx * 0.5 + 2.8, k + length * 0.5), (x + 2, k)],
                [(x + 2, k), (x - 1.5, k)],
            ),
            "contrast",
        )
    for side in (-1, 1):
        sketch.trim(
            shape(
                [(x, k), (x + side * 6, k - 5), (x + side * 11.5, k - 3.5)],
                [(x + side * 11.5, k - 3.5), (x + side * 11, k + 4)],
                [(x + side * 11, k + 4), (x + side * 5, k + 3.5), (x, k)],
            ),
            "contrast",
        )
    sketch.trim(
        shape(
            [(x - 3.2, k - 4), (x + 3.2, k - 4)],
            [(x + 3.2, k - 4), (x + 3.6, k + 4)],
            [(x + 3.6, k + 4), (x - 3.4, k + 4)],
            [(x - 3.4, k + 4), (x - 3.2, k - 4)],
        ),
        "contrast",
    )


def open_belt(sketch: Sketch, g: float) -> None:
    """An untied belt on an open coat: a band on both halves, its ends hanging."""
    sketch.trims_pair(
        shape([(g, 106.5), (27, 105)], [(27, 105), (27.6, 113)], [(27.6, 113), (g, 115)], [(g, 115), (g, 106.5)]),
        "contrast",
    )
    sketch.trims_pair(
        shape(
            [(g + 1, 111), (g + 2.4, 135), (g + 1.4, 158)],
            [(g + 1.4, 158), (g + 9, 156)],
            [(g + 9, 156), (g + 9, 135), (g + 7.5, 111)],
            [(g + 7.5, 111), (g + 1, 111)],
        ),
        "contrast",
    )
