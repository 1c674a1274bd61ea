"""The motifs of drawn cloth as SVG about an origin: flowers, leaves, drops, characters, clouds, rosettes, lotuses.

They reach about 10 units. A fill names a layer: 1 the motif, 2 what lies inside it, 3 what lies beside it, 0 ground.
"""

from __future__ import annotations

from math import cos, pi, sin
from random import Random

from textile.training.torus import FILLS, SIDE, Mark

Point = tuple[float, float]
_LEAF = "M0 -10 C5 -6 5.6 3 0 9 C-5.6 3 -5 -6 0 -10 Z"
_DROP = "M1 -10 C8 -9 9 -1 7 4 C5 10 -5 11 -7 4 C-8.4 -1 -4 -4.4 -1 -4.6 C2.4 -5 3 -8 1 -10 Z"
_HEART = "M0 5.4 C-8 0 -5.4 -6 -2 -5.2 C-0.8 -4.9 -0.2 -4 0 -3.2 C0.2 -4 0.8 -4.9 2 -5.2 C5.4 -6 8 0 0 5.4 Z"
_CLOUD = (
    "M-13 5 C-15.4 1 -11.6 -2 -9 -0.6 C-10 -5.6 -4 -8.4 -1 -4.6 C1 -9.6 8.6 -8 7.8 -2.4 "
    "C11.6 -3.6 13.6 1 10.6 3 C14 3 16 4.4 18 6.2 C13 5 11 6.6 7 6.6 C3 6.6 1 5 -3 6.4 C-7 7.8 -11 7.6 -13 5 Z"
)


def disc(x: float, y: float, r: float, layer: int, flat: float = 1.0) -> str:
    return f'<ellipse cx="{x:.2f}" cy="{y:.2f}" rx="{r:.2f}" ry="{r * flat:.2f}" fill="{FILLS[layer]}"/>'


def path(d: str, layer: int, change: str = "") -> str:
    change = f' transform="{change}"' if change else ""
    return f'<path d="{d}" fill="{FILLS[layer]}"{change}/>'


def line(d: str, layer: int, width: float) -> str:
    ends = 'stroke-linecap="round" stroke-linejoin="round"'
    return f'<path d="{d}" fill="none" stroke="{FILLS[layer]}" stroke-width="{width:.2f}" {ends}/>'


def loop(points: list[Point], layer: int) -> str:
    """A smooth closed curve through points."""
    n, d = len(points), f"M{points[0][0]:.2f} {points[0][1]:.2f}"
    for i in range(n):
        (a, b), (c, e), (f, g), (h, k) = points[i - 1], points[i], points[(i + 1) % n], points[(i + 2) % n]
        d += f"C{c + (f - a) / 6:.2f} {e + (g - b) / 6:.2f} {f - (h - c) / 6:.2f} {g - (k - e) / 6:.2f} {f:.2f} {g:.2f}"
    return path(d + "Z", layer)


def around(number: int, content: str, start: float = 0.0) -> str:
    """Content repeated around the origin."""
    return "".join(f'<g transform="rotate({start + 360 * k / number:.1f})">{content}</g>' for k in range(number))


def blob(rng: Random, radius: float, layer: int, rough: float = 0.22, flat: float = 1.0) -> str:
    number = rng.choice((6, 7, 8))
    reach = [radius * rng.uniform(1 - rough, 1 + rough) for _ in range(number)]
    return loop(
        [(r * cos(2 * pi * k / number), flat * r * sin(2 * pi * k / number)) for k, r in enumerate(reach)], layer
    )


# of a petal: how far its handles reach sideways and up, at the heart and at the tip, and where the tip is
_PETALS = (
    (1.3, 0.4, 1.1, 1.0, 1.0),
    (1.5, 0.35, 1.0, 0.75, 1.0),
    (1.6, 0.5, 1.2, 1.05, 0.8),
)  # round, pointed, notched


def _petal(wide: float, low: float, shoulder: float, high: float, tip: float, half: float, long: float) -> str:
    a, b, c, d = half * wide, -long * low, half * shoulder, -long * high
    left = f"M0 0 C{-a:.2f} {b:.2f} {-c:.2f} {d:.2f} 0 {-long * tip:.2f}"
    return f"{left} C{c:.2f} {d:.2f} {a:.2f} {b:.2f} 0 0Z"


def flower(rng: Random) -> str:
    """Petals about a heart, some with leaves, some of two rings."""
    number, long, wide = rng.choice((5, 5, 6, 8)), rng.uniform(6.4, 7.6), rng.uniform(0.66, 0.92)  # petals stay apart
    half = min(long * sin(pi / number) * wide, 4.6)
    petal = _petal(*rng.choice(_PETALS), half, long)
    leaves = ""
    if rng.random() < 0.6:
        turns = rng.choice(((60, 240), (120, 240), (30, 150, 270)))
        leaves = "".join(path(_LEAF, 3, f"rotate({turn}) translate(0 -8) scale(0.42)") for turn in turns)
    inner = around(number, path(petal, 2, "scale(0.55)"), 180 / number) if rng.random() < 0.3 else ""
    heart = disc(0, 0, rng.uniform(1.5, 2.4), 2 if not inner else rng.choice((0, 3)))
    return leaves + around(number, path(petal, 1)) + inner + heart


def leaf(rng: Random) -> str:
    """One leaf with veins, a twig with pairs of leaves, a palm leaf, or a leaf of ginkgo."""
    form = rng.choice(("leaf", "leaf", "twig", "twig", "palm", "ginkgo"))
    if form == "leaf":
        wide = rng.uniform(0.7, 1.15)
        veins = line("M0 -8 L0 12", 0 if rng.random() < 0.5 else 2, 0.8)
        for y in (-3.5, 0.0, 3.5) if rng.random() < 0.7 else ():
            veins += line(f"M0 {y + 1.6} L{3.2 * wide:.2f} {y - 1} M0 {y + 1.6} L{-3.2 * wide:.2f} {y - 1}", 0, 0.6)
        second = path(_LEAF, 3, f"translate(5 4) rotate(55) scale({0.5 * wide:.2f} 0.55)") if rng.random() < 0.5 else ""
        return second + line("M0 6 L0 11", 1, 1.1) + path(_LEAF, 1, f"scale({wide:.2f} 1)") + veins
    if form == "twig":
        pairs, turn = rng.choice((2, 3, 4)), rng.uniform(35, 65)
        out = line("M0 -8 L0 11", rng.choice((1, 2)), 0.9) + path(_LEAF, 1, "translate(0 -8) scale(0.36)")
        for k in range(pairs):
            y, scale = -5 + k * 14 / pairs, rng.uniform(0.36, 0.5)
            for side, layer in ((-1, 1), (1, rng.choice((1, 3)))):
                out += path(
                    _LEAF, layer, f"translate(0 {y:.1f}) rotate({side * turn:.0f}) translate(0 -4.4) scale({scale:.2f})"
                )
        return out
    if form == "palm":
        out = line("M0 -9 L0 11", 1, 1.0)
        for k in range(6):
            y, reach = -8 + 2.8 * k, (2.5 + 7.5 * sin(pi * (k + 1) / 7)) / 10
            for side in (-1, 1):
                place = f"translate(0 {y + 2:.1f}) rotate({side * 58}) translate(0 {-8 * reach:.1f})"
                out += path(_LEAF, 1, f"{place} scale(0.24 {0.85 * reach:.2f})")
        return out
    fan = "M0 6 C-4 2 -9 1 -10 -3 C-8 -7 -4 -8 -0.6 -7 L0 -3 L0.6 -7 C4 -8 8 -7 10 -3 C9 1 4 2 0 6 Z"
    ribs = "".join(line(f"M0 5 L{x} -5", 2, 0.5) for x in (-6, -3, 3, 6))
    return line("M0 5 L0 11", 1, 1.0) + path(fan, 1) + ribs


def drop(rng: Random) -> str:
    """A paisley drop with what lies inside it, some with beads around it."""
    out = path(_DROP, 1, "scale(1.0)")
    layers = rng.choice(((2, 1), (2, 0), (0, 2), (2, 3), (0, 1)))
    out += path(_DROP, layers[0], f"translate(0.2 0.9) scale({rng.uniform(0.66, 0.76):.2f})")
    out += path(_DROP, layers[1], f"translate(0.4 1.6) scale({rng.uniform(0.36, 0.46):.2f})")
    kind = rng.random()
    if kind < 0.4:
        out += around(5, f'<g transform="translate(0 -1.5)">{disc(0, 0, 0.85, layers[0])}</g>').replace(
            "rotate", "translate(0.3 2.4) rotate"
        )
    elif kind < 0.7:
        out += disc(0.4, 2.4, 1.1, 3)
    if rng.random() < 0.5:
        beads = (
            (-8.6, -2),
            (-9.4, 2),
            (-8.6, 6),
            (-5.6, 9.6),
            (-1.4, 10.8),
            (3, 10.2),
            (6.8, 7.6),
            (9, 3.6),
            (9.6, -0.6),
            (8.8, -5),
            (6.4, -8.8),
        )
        out += "".join(disc(x, y, 0.8, 3) for x, y in beads)
    elif rng.random() < 0.4:
        out = path(_DROP, 3, "scale(1.14)") + out
    return out


def character(rng: Random) -> str:
    """A bear, cat, rabbit, chick, star or heart with a face."""
    form = rng.choice(("bear", "cat", "rabbit", "chick", "star", "heart", "ghost"))
    eye, ink = rng.uniform(0.9, 1.4), 2
    face, y = disc(0, 0.8, 7.4, 1, rng.uniform(0.86, 1.0)), 0.0
    if form == "bear":
        face = (
            disc(-5.6, -5.2, 3, 1) + disc(5.6, -5.2, 3, 1) + disc(-5.6, -5.2, 1.5, 3) + disc(5.6, -5.2, 1.5, 3) + face
        )
    elif form == "cat":
        face = path("M-7 -1 L-6.6 -9 L-1 -5.6 Z M7 -1 L6.6 -9 L1 -5.6 Z", 1) + face
    elif form == "rabbit":
        face = (
            disc(-3, -8, 2, 1, 2.3) + disc(3, -8, 2, 1, 2.3) + disc(-3, -8, 0.9, 3, 3) + disc(3, -8, 0.9, 3, 3) + face
        )
    elif form == "chick":
        face += path("M-1.6 1.4 L1.6 1.4 L0 3.6 Z", 3) + path("M0 -6 L-1.6 -9.4 L0 -8 L1.6 -9.4 Z", 3)
    elif form == "star":
        points = [
            (
                9.6 * cos(pi * k / 5 - pi / 2) * (1 if k % 2 == 0 else 0.56),
                9.6 * sin(pi * k / 5 - pi / 2) * (1 if k % 2 == 0 else 0.56),
            )
            for k in range(10)
        ]
        face, y = path("M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in points) + "Z", 1), 0.4
    elif form == "heart":
        face, y = path(_HEART, 1, "scale(1.6)"), -1.6
    else:
        face = path("M-7 9 L-7 -1 C-7 -11 7 -11 7 -1 L7 9 L4.6 6.4 L2.4 9 L0 6.4 L-2.4 9 L-4.6 6.4 Z", 1)
    eyes = disc(-2.7, y - 0.6, eye, ink) + disc(2.7, y - 0.6, eye, ink)
    mouth = (
        "" if form == "chick" else line(f"M-1.9 {y + 2.4} Q0 {y + rng.uniform(3.6, 5.2):.1f} 1.9 {y + 2.4}", ink, 0.9)
    )
    cheeks = disc(-4.6, y + 2, 1.2, 3, 0.7) + disc(4.6, y + 2, 1.2, 3, 0.7) if rng.random() < 0.5 else ""
    return face + cheeks + eyes + mouth


def cloud(rng: Random) -> str:
    """A cloud of the Korean kind with swirls and a tail, or a soft one of round parts."""
    if rng.random() < 0.6:
        swirl = 2 if rng.random() < 0.6 else 0
        rings = "".join(
            line(_spiral(x, y, r, way), swirl, 0.95)
            for x, y, r, way in ((-6.6, 2.6, 2.6, 1), (-1.6, -0.4, 3.1, 1), (5.2, -0.8, 2.9, -1))
        )
        edge = path(_CLOUD, 3, "scale(1.13)") if rng.random() < 0.3 else ""
        return edge + path(_CLOUD, 1) + rings
    parts = [
        (-7, 2, rng.uniform(3, 4)),
        (-2, -1.5, rng.uniform(4.4, 5.6)),
        (4.4, 0, rng.uniform(3.6, 4.8)),
        (8.6, 2.8, rng.uniform(2.4, 3.2)),
    ]
    out = (
        "".join(disc(x, y, r, 1) for x, y, r in parts)
        + f'<rect x="-10" y="1.6" width="21" height="4.4" rx="2.2" fill="{FILLS[1]}"/>'
    )
    if rng.random() < 0.5:
        out += line("M-5 3.2 Q-1 1 3 3.2 Q5 4 7 3", 2, 0.9)
    return out


def _spiral(x: float, y: float, r: float, way: int) -> str:
    points = [(x + way * r * (1 - k / 13) * cos(k * 0.62), y + r * (1 - k / 13) * sin(k * 0.62)) for k in range(11)]
    return "M" + "L".join(f"{a:.2f} {b:.2f}" for a, b in points)


def filler(rng: Random) -> str:
    """A small thing that lies between motifs."""
    kind = rng.randrange(5)
    if kind == 0:
        return disc(0, 0, 1.5, 3)
    if kind == 1:
        return around(5, disc(0, -2, 1.2, 3)) + disc(0, 0, 1, 2)
    if kind == 2:
        return path(_HEART, 3, "scale(0.5)")
    if kind == 3:
        return path("M0 -4 L1 -1 L4 0 L1 1 L0 4 L-1 1 L-4 0 L-1 -1 Z", 3)
    return path(_LEAF, 3, "scale(0.35)")


def spot(rng: Random, apart: float) -> str:
    return blob(rng, apart * rng.uniform(0.2, 0.3), 1, 0.3, rng.uniform(0.55, 0.9))


def rosette(rng: Random, apart: float) -> str:
    """A broken ring of two to four pieces about a middle of the second layer."""
    outer = apart * rng.uniform(0.38, 0.46)
    pieces, gap = rng.choice((1, 2, 2, 3, 3)), rng.uniform(0.2, 0.45)
    out = blob(rng, outer * 0.85, 2, 0.12)
    for k in range(pieces):
        start, end = 2 * pi * (k + gap / 2) / pieces, 2 * pi * (k + 1 - gap / 2) / pieces
        steps = [start + (end - start) * i / 6 for i in range(7)]
        thick = [outer * rng.uniform(0.2, 0.3) * f for f in (0.5, 0.9, 1.1, 1.0, 1.1, 0.9, 0.5)]
        far = [(outer * cos(a) * rng.uniform(0.94, 1.08), outer * sin(a)) for a in steps]
        near = [((outer - t) * cos(a), (outer - t) * sin(a)) for a, t in zip(steps, thick, strict=True)]
        out += loop(far + near[::-1], 1)
    return out


def lotus(rng: Random) -> str:
    """A medallion of dancheong: rings of petals in turn, a heart, a rim."""
    number = rng.choice((6, 8, 8, 10, 12))
    order = rng.choice(([1, 0, 3, 2], [1, 2, 0, 3], [3, 0, 1, 2], [2, 1, 0, 3], [1, 3, 0, 2]))
    half = 9.4 * sin(pi / number) * 1.15
    petal = f"M0 0 C{-half:.2f} -3.4 {-half:.2f} -9.2 0 -9.8 C{half:.2f} -9.2 {half:.2f} -3.4 0 0Z"
    out = disc(0, 0, 9.9, order[1]) if rng.random() < 0.3 else ""
    out += around(number, path(petal, order[0]))
    if rng.random() < 0.5:
        out += around(number, path(petal, order[1], "scale(0.8)"))
    out += around(number, path(petal, order[2], "scale(0.62)"), 180 / number * rng.choice((0, 1)))
    return out + disc(0, 0, 3.4, order[1]) + disc(0, 0, 2.2, order[3])


def diamond(rng: Random) -> str:
    a, b = rng.choice(((1, 2), (3, 2), (2, 1), (3, 0)))
    return path("M0 -9 L9 0 L0 9 L-9 0 Z", a) + path("M0 -5 L5 0 L0 5 L-5 0 Z", b)


def houndstooth(number: int) -> list[Mark]:
    """Hound's tooth, `number` teeth a side."""
    unit = SIDE / number / 4
    tooth = "M0 0 L2 0 L2 2 L1 3 L1 2 L0 3 L0 4 L-1 4 L-1 3 L-2 3 L0 1Z M2 0 L3 -1 L3 0 L2 1Z"
    tooth = "M0 0H2V1L3 0H4L2 2H2L1 3V2L0 3L-1 4V3L0 2Z"
    content = path(tooth, 1, f"scale({unit:.3f})")
    return [Mark(content, unit * 5, i * 4 * unit, j * 4 * unit) for i in range(number) for j in range(number)]
