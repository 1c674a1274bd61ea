"""What stands beside the figure of an ink painting: bamboo, a plum branch or hills, splashes, and the red seal."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np

from fashion.looks.brush import stroke


def beside(rng: np.random.Generator) -> str:
    """One of three motifs on the left or the right, as SVG in scene units: black is ink."""
    made = (_bamboo, _plum, _hills)[rng.integers(3)](rng)
    return made if rng.random() < 0.5 else f'<g transform="matrix(-1 0 0 1 256 0)">{made}</g>'


def splashes(rng: np.random.Generator) -> str:
    """A few drops, thrown from one side."""
    x, y = rng.choice((rng.uniform(14, 60), rng.uniform(196, 242))), rng.uniform(120, 225)
    return "".join(
        f'<circle cx="{x + rng.normal(0, 15):.1f}" cy="{y + rng.normal(0, 20):.1f}" '
        f'r="{0.5 + rng.exponential(1.4):.2f}" fill="#333"/>'
        for _ in range(rng.integers(9, 18))
    )


def seal(rng: np.random.Generator) -> str:
    """낙관: a red square with a few cut strokes in a lower corner."""
    side, y = rng.uniform(23, 28), 252.0
    x = 6.0 if rng.random() < 0.5 else 250 - side
    y -= side + rng.uniform(0, 4)
    cell = side / 5
    cuts = "".join(
        f"M{x + cell * a:.1f} {y + cell * b:.1f}L{x + cell * c:.1f} {y + cell * d:.1f}"
        for a, b, c, d in (
            (1, 1, 4, 1), (2.5, 1, 2.5, 2.3), (1, 2.3, 4, 2.3), (1, 3.2, 1, 4.2),
            (1, 4.2, 2.5, 4.2), (3.3, 3.1, 4.1, 4.2), (4.1, 3.1, 3.3, 4.2),
        )[: rng.integers(5, 8)]
    )  # fmt: skip
    turn = rng.uniform(-3, 3)
    return (
        f'<g transform="rotate({turn:.1f} {x:.1f} {y:.1f})"><rect x="{x:.1f}" y="{y:.1f}" width="{side:.1f}" '
        f'height="{side:.1f}" rx="2.2" fill="#b8231c"/><path d="{cuts}" stroke="#f3e2c8" stroke-width="2.1" '
        'stroke-linecap="round"/></g>'
    )


def _bamboo(rng: np.random.Generator) -> str:
    out = ""
    for _ in range(rng.integers(2, 4)):
        x, lean, y, wide = rng.uniform(8, 44), rng.uniform(-0.06, 0.12), 262.0, rng.uniform(6, 10)
        while y > -10:
            length = rng.uniform(34, 52)
            line = _straight(x, y, x + lean * length, y - length + 3)
            out += stroke(line, wide * 1.5, rng, 0.5, "#222")
            x, y = x + lean * length, y - length
            if rng.random() < 0.75:
                out += "".join(_leaf(x, y, rng) for _ in range(rng.integers(2, 5)))
    return out


def _leaf(x: float, y: float, rng: np.random.Generator) -> str:
    turn, length, half = radians(rng.uniform(10, 150)), rng.uniform(24, 44), rng.uniform(2.6, 4.4)
    dx, dy = cos(turn), sin(turn)
    ax, ay, ex, ey = x + dx * length * 0.4, y + dy * length * 0.4, x + dx * length, y + dy * length
    return (
        f'<path d="M{x:.1f} {y:.1f}Q{ax - dy * half:.1f} {ay + dx * half:.1f} {ex:.1f} {ey:.1f}'
        f'Q{ax + dy * half:.1f} {ay - dx * half:.1f} {x:.1f} {y:.1f}Z" fill="#111"/>'
    )


def _plum(rng: np.random.Generator) -> str:
    out = ""
    x, y, turn, wide = -6.0, rng.uniform(40, 110), rng.uniform(-50, -15), 15.0
    for _ in range(6):
        length = rng.uniform(20, 34)
        ex, ey = x + cos(radians(turn)) * length, y + sin(radians(turn)) * length
        out += stroke(_straight(x, y, ex, ey), wide, rng, 0.9, "#111")
        twig = radians(turn + rng.choice((-55, 50)))
        far = rng.uniform(18, 36)
        out += stroke(_straight(ex, ey, ex + cos(twig) * far, ey + sin(twig) * far), wide * 0.5, rng, 0.3, "#222")
        for _ in range(rng.integers(2, 4)):
            share = rng.uniform(0.2, 1.0)
            out += _blossom(ex + cos(twig) * far * share, ey + sin(twig) * far * share, rng.uniform(2.6, 4.0))
        x, y, turn, wide = ex, ey, turn + rng.uniform(-25, 35), wide * 0.74
    return out


def _blossom(x: float, y: float, r: float) -> str:
    petals = "".join(
        f'<circle cx="{x + 1.25 * r * sin(radians(72 * k)):.1f}" cy="{y - 1.25 * r * cos(radians(72 * k)):.1f}" '
        f'r="{0.8 * r:.1f}" fill="#999"/>'
        for k in range(5)
    )
    return f'{petals}<circle cx="{x:.1f}" cy="{y:.1f}" r="{0.4 * r:.1f}" fill="#222"/>'


def _hills(rng: np.random.Generator) -> str:
    out = ""
    for shade, foot in (("#c4c4c4", rng.uniform(80, 100)), ("#8c8c8c", rng.uniform(112, 132))):
        x = np.arange(-8, 268, 8.0)
        peaks = sum(
            rng.uniform(18, 52) * np.exp(-(((x - rng.uniform(0, 256)) / rng.uniform(14, 34)) ** 2)) for _ in range(5)
        )
        ridge = np.stack([x, foot - peaks + rng.normal(0, 1.5, x.shape)], axis=1)
        line = "L".join(f"{a:.1f} {b:.1f}" for a, b in ridge)
        name = f"h{int(foot)}"
        out += (
            f'<linearGradient id="{name}" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{shade}"/>'
            f'<stop offset="1" stop-color="#fff"/></linearGradient><path d="M{line}L268 {foot + 45:.0f}L-8 '
            f'{foot + 45:.0f}Z" fill="url(#{name})"/>{stroke(ridge, 5.0, rng, 0.8, "#222")}'
        )
    return out


def _straight(x: float, y: float, ex: float, ey: float) -> np.ndarray:
    return np.linspace((x, y), (ex, ey), 14)
