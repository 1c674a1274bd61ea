"""Drawn cloth to learn from: a category and a seed in, one repeat of layer memberships out.

Out: (64, 64, 3) uint8, how much of layers 1 to 3 every pixel shows; what is missing to 255 is the ground. Layer 1 is
the main motif, 2 what lies inside it, 3 what lies beside it. The motifs begin with those of `fashion.drawing.patterns`
and vary in number, size, turn, place and form.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import numpy as np

from textile.training import motifs
from textile.training.torus import (
    FILLS,
    OVER,
    SIDE,
    Mark,
    lattice,
    memberships,
    noise,
    shrunk,
    svg_of,
    turned,
)  # fmt: skip

PIXELS = 64
Drawer = Callable[[Random], np.ndarray]


def draw_cloth(category: str, seed: int, colors: int) -> np.ndarray:
    """One tile in `colors` (1 to 4) layers. Decided by its arguments."""
    rng = Random(f"cloth/{category}/{seed}")
    texels = _DRAWERS[category](rng) if category != "solid" else np.zeros((OVER * PIXELS, OVER * PIXELS, 3), np.float32)
    shown = _merged(shrunk(np.ascontiguousarray(texels)), colors, category, rng)
    return np.rint(shown * 255).clip(0, 255).astype(np.uint8)


def _merged(shown: np.ndarray, colors: int, category: str, rng: Random) -> np.ndarray:
    """With fewer colours, what lies inside a motif shows the ground, and what lies beside it is of its colour."""
    shown = shown.copy()
    if colors <= 3:
        goal = rng.choice((0, 1)) if category in ("floral", "leaves", "paisley", "cartoon") else 0
        shown[..., goal] += shown[..., 2]
        shown[..., 2] = 0
    if colors <= 2:
        if category in ("camouflage", "stripes", "zigzag") and rng.random() < 0.5:
            shown[..., 0] += shown[..., 1]
        shown[..., 1] = 0
    if colors <= 1:
        shown[..., 0] = 0
    return shown


def _rects(bands: list[tuple[float, float, int, float]], upright: bool = True) -> str:
    """Bands (start, width, layer, opacity) across the tile."""
    box = 'x="{:.2f}" y="0" width="{:.2f}" height="100"' if upright else 'y="{:.2f}" x="0" height="{:.2f}" width="100"'
    return "".join(
        f'<rect {box.format(start, width)} fill="{FILLS[layer]}" fill-opacity="{opacity:.2f}"/>'
        for start, width, layer, opacity in bands
    )


def _sett(rng: Random, opacity: float) -> list[tuple[float, float, int, float]]:
    """A symmetric row of bands, as of a tartan."""
    repeats = rng.choice((1, 1, 1, 2))
    period = SIDE / repeats
    wide = rng.uniform(0.18, 0.46) * period
    bands = [(period / 2 - wide / 2, wide, 1, opacity)]
    if rng.random() < 0.75:
        inner = wide * rng.uniform(0.15, 0.5)
        bands.append((period / 2 - inner / 2, inner, 2, opacity))
    if rng.random() < 0.8:
        thin, off = rng.uniform(0.02, 0.07) * period, rng.uniform(0.0, 0.2) * period
        layer = rng.choice((2, 3, 3))
        bands += [
            (off, thin, layer, min(1.0, opacity + 0.3)),
            (period - off - thin, thin, layer, min(1.0, opacity + 0.3)),
        ]
    return [(start + k * period, width, layer, share) for k in range(repeats) for start, width, layer, share in bands]


def _stripes(rng: Random) -> np.ndarray:
    kind = rng.random()
    repeats = rng.choice((1, 1, 2, 2, 3, 4))
    period = SIDE / repeats
    if kind < 0.4:  # plain
        bands = [(0.0, period * rng.uniform(0.25, 0.6), 1, 1.0)]
    elif kind < 0.55:  # pinstripe
        bands = [(0.0, period * rng.uniform(0.08, 0.16), 1, 1.0)]
        if rng.random() < 0.4:
            bands.append((period * 0.5, period * 0.08, 3, 1.0))
    else:  # a row of several
        cuts = sorted(rng.uniform(0, 1) for _ in range(rng.choice((3, 4, 5))))
        bands = [
            (a * period, max(b - a, 0.05) * period, layer, 1.0)
            for a, b, layer in zip(cuts[:-1], cuts[1:], rng.sample([1, 3, 2, 1, 2, 3], len(cuts) - 1), strict=True)
        ]
        bands.append((cuts[-1] * period, 0.08 * period, 1, 1.0))
    texels = memberships(
        _rects([(s + k * period, w, layer, o) for k in range(repeats) for s, w, layer, o in bands]), PIXELS
    )
    turn = rng.choice(((1, 0), (1, 0), (1, 0), (1, 1), (2, 1))) if repeats < 3 else (1, 0)
    return turned(texels, *turn)


def _checkered(rng: Random) -> np.ndarray:
    kind = rng.random()
    if kind < 0.4:  # tartan
        sett = _sett(rng, rng.uniform(0.5, 0.65))
        body = _rects(sett) + _rects(sett if rng.random() < 0.7 else _sett(rng, 0.55), upright=False)
        texels = memberships(body, PIXELS)
    elif kind < 0.7:  # gingham, or with thin lines over it
        n = rng.choice((1, 2, 2, 3))
        share = rng.uniform(0.4, 0.55)
        bands = [(k * SIDE / n, share * SIDE / n, 1, 0.55) for k in range(n)]
        lines = [((k + share + (1 - share) / 2) * SIDE / n, 0.07 * SIDE / n, 3, 0.8) for k in range(n)]
        bands = bands + lines if rng.random() < 0.4 and n < 3 else bands
        texels = memberships(_rects(bands) + _rects(bands, upright=False), PIXELS)
    elif kind < 0.8:  # window panes
        n = rng.choice((1, 2, 2, 3))
        thin = rng.uniform(2.5, 7)
        bands = [(k * SIDE / n, thin, 1 + 2 * (k % 2) * (n % 2 == 0), 0.9) for k in range(n)]
        texels = memberships(_rects(bands) + _rects(bands, upright=False), PIXELS)
    elif kind < 0.92:  # chessboard
        n = rng.choice((1, 1, 2))
        side = SIDE / n / 2
        body = "".join(
            f'<rect x="{i * side:.2f}" y="{j * side:.2f}" width="{side:.2f}" height="{side:.2f}" fill="{FILLS[1]}"/>'
            for i in range(2 * n) for j in range(2 * n) if (i + j) % 2
        )  # fmt: skip
        texels = memberships(body, PIXELS)
    else:  # hound's tooth
        texels = memberships(svg_of(motifs.houndstooth(rng.choice((3, 4, 5, 6)))), PIXELS)
    return turned(texels, *rng.choice(((1, 0), (1, 0), (1, 0), (1, 0), (1, 1)))) if kind < 0.92 else texels


def _dots(rng: Random) -> np.ndarray:
    columns = rng.choice((1, 2, 2, 3, 4))
    drop = columns % 2 == 0 and rng.random() < 0.6
    rows = max(columns // 2, 1) if drop else columns
    places, apart = lattice(columns, rows, drop, rng), SIDE / columns * (1.2 if drop else 1)
    radius, sizes = apart * rng.uniform(0.18, 0.42 if columns > 1 else 0.34), rng.random() < 0.25
    ringed, second = rng.random() < 0.2, rng.random() < 0.4
    marks = []
    for i, (x, y) in enumerate(places):
        r = radius * (rng.uniform(0.4, 1.15) if sizes else 1.0)
        layer = 1 if not second else (1, 3)[i % 2]
        content = motifs.disc(0, 0, r, layer) + (motifs.disc(0, 0, r * 0.5, 2) if ringed else "")
        marks.append(Mark(content, r, x, y))
    return memberships(svg_of(marks), PIXELS)


def _zigzag(rng: Random) -> np.ndarray:
    waves, rows = rng.choice((1, 2, 2, 3)), rng.choice((1, 2, 3, 3, 4))
    height = SIDE / rows
    rise = min(SIDE / waves / 2 * rng.uniform(0.6, 1.3), 42)
    bands = [(0.0, rng.uniform(0.25, 0.55), 1)]
    if rng.random() < 0.5:
        bands.append((bands[0][1] + rng.uniform(0.05, 0.12), rng.uniform(0.08, 0.25), rng.choice((2, 3, 3))))
    step = SIDE / waves / 2
    body = ""
    for row in range(-4, rows + 4):
        for start, share, layer in bands:
            top, thick = (row + start) * height, share * height
            points = [(k * step, top + (rise if k % 2 else 0)) for k in range(2 * waves + 1)]
            under = [(x, y + thick) for x, y in reversed(points)]
            body += (
                f'<polygon points="{" ".join(f"{x:.2f},{y:.2f}" for x, y in points + under)}" fill="{FILLS[layer]}"/>'
            )
    return turned(memberships(body, PIXELS), *rng.choice(((1, 0), (1, 0), (1, 0), (1, 1))))


def _placed(
    rng: Random, drawn: Callable[[Random], str], reach: float, turns: tuple[float, ...], least: float = 0.62
) -> np.ndarray:
    """A motif of `reach` units in the middle, turned, and small ones in the corners; nothing crosses the edge."""
    scale = rng.uniform(least, 1.0) * 42 / reach
    marks = [Mark(drawn(rng), reach, 50, 50, rng.choice(turns), scale)]
    kind = rng.random()
    corners = ((14, 14), (86, 86), (86, 14), (14, 86))[: rng.choice((2, 4))]
    if kind < 0.35 and scale * reach < 38:
        bit = motifs.filler(rng)
        marks += [Mark(bit, 5, x, y, 0, rng.uniform(1.4, 2.0)) for x, y in corners]
    elif kind < 0.5 and scale * reach < 32:
        second = drawn(rng)
        marks = [Mark(marks[0].content, reach, 50, 50, marks[0].turn, scale * 0.85)]
        marks += [Mark(second, reach, x, y, rng.choice(turns), 13 / reach) for x, y in corners]
    return memberships(svg_of(marks), PIXELS)


def _cheetah(rng: Random) -> np.ndarray:
    spotted = rng.random() < 0.25
    columns = rng.choice((2, 3, 3) if spotted else (2, 2, 3))
    apart = SIDE / columns * 0.78
    marks = []
    for x, y in lattice(columns, columns, False, rng, 0.1):
        mark = motifs.spot(rng, apart * 1.3) if spotted else motifs.rosette(rng, apart)
        marks.append(Mark(mark, apart * 0.7, x, y, rng.uniform(0, 360)))
    for x, y in lattice(columns, columns, False, rng, 0.1):
        between = motifs.spot(rng, apart) if spotted or rng.random() < 0.4 else motifs.rosette(rng, apart * 0.85)
        marks.append(Mark(between, apart * 0.7, x + SIDE / columns / 2, y + SIDE / columns / 2, rng.uniform(0, 360)))
    return memberships(svg_of(marks), PIXELS)


def _camouflage(rng: Random) -> np.ndarray:
    n = OVER * PIXELS
    longest, rough, stretch = rng.uniform(1.0, 1.6), rng.uniform(4.4, 6.0), rng.choice((1.0, 1.0, 1.6, 2.2))
    digital = rng.random() < 0.2
    texels = np.zeros((n, n, 3), np.float32)
    for layer, share in ((0, rng.uniform(0.3, 0.45)), (2, rng.uniform(0.2, 0.35)), (1, rng.uniform(0.12, 0.25))):
        field = noise(n, rng, round(longest + layer % 2), rough, stretch)
        if digital:
            cell = 12
            field = np.kron(field[cell // 2 :: cell, cell // 2 :: cell], np.ones((cell, cell), np.float32))
        shown = field > np.quantile(field, 1 - share)
        texels[shown] = 0
        texels[shown, layer] = 1
    return texels


def _dancheong(rng: Random) -> np.ndarray:
    n = rng.choice((1, 1, 2))
    rows = max(1, n + rng.choice((-1, 0, 0)))
    w, h = SIDE / n, SIDE / rows
    share = rng.choice((0.0, 0.16, 0.22, 0.3))
    drop = share == 0.0 and n == 2
    body = ""
    order = rng.choice(([1, 0, 3], [3, 0, 1], [1, 3, 2], [2, 1, 3]))
    for row in range(rows) if share else ():
        third = share * h / 3
        body += _rects([(row * h + k * third, 0.9 * third, layer, 1.0) for k, layer in enumerate(order)], upright=False)
    medallion = motifs.lotus(rng)
    size = min(w, h * (1 - share)) / 2 * rng.uniform(0.8, 0.98)
    marks = [
        Mark(medallion, 10, x + w / 2, y + h * (share + (1 - share) / 2), 0, size / 10)
        for x, y in lattice(n, rows, drop, rng)
    ]
    corner = motifs.lotus(rng) if rng.random() < 0.6 else motifs.diamond(rng)
    small = [
        Mark(corner, 10, x, y + h * (share + (1 - share) / 2), 0, size / 24) for x, y in lattice(n, rows, drop, rng)
    ]
    if drop:
        small = []
    return memberships(body + svg_of(small + marks), PIXELS)


_DRAWERS: dict[str, Drawer] = {
    "stripes": _stripes, "checkered": _checkered, "dots": _dots, "zigzag": _zigzag,
    "floral": lambda rng: _placed(rng, motifs.flower, 9.4, (0,), 0.75),
    "leaves": lambda rng: _placed(rng, motifs.leaf, 11.5, (0, 35), 0.8),
    "paisley": lambda rng: _placed(rng, motifs.drop, 11.5, (16,)),
    "cartoon": lambda rng: _placed(rng, motifs.character, 11, (0,)),
    "cloud": lambda rng: _placed(rng, motifs.cloud, 15, (0,)),
    "cheetah": _cheetah, "camouflage": _camouflage, "dancheong": _dancheong,
}  # fmt: skip
