"""The thirteen patterns as vector motifs that repeat over the cloth.

In: a pattern's id, the tones of the garment's colour. Out: motifs on a common lattice, in scene units, that
`textures` rasterises into one small seamless tile and lays along the grain of every panel. The garment's own colour
keeps about half of the area or more (camouflage lays tints of it on the rest), so that its name stays true.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from fashion.drawing.tones import Tones

VARIANTS = {"stripes": 2}  # down or across the body; every other pattern has one
# The least scale of each pattern, so that its motifs can be told from others once the picture is shrunk to 128 px
# (`python -m benchmarks.checkpoint --ceiling` prints what is read of them there). Large prints have motifs of many
# parts; a stripe is a stripe at any size that a pixel shows, and solid cloth has only its gloss to lay.
LEGIBLE_SCALE = {
    "paisley": 1.5, "floral": 1.4, "cartoon": 1.3, "camouflage": 1.25, "cheetah": 1.2, "leaves": 1.1, "cloud": 1.1,
    "dancheong": 1.0, "dots": 0.9, "checkered": 0.85, "zigzag": 0.8, "stripes": 0.75, "solid": 0.3,
}  # fmt: skip
Subpath = tuple[float, float, str]  # where it starts in its tile, then relative commands


@dataclass(frozen=True)
class Motif:
    """Shapes of one colour that repeat every `width` × `height`, shifted by half a height on odd columns if `drop`."""

    subpaths: tuple[Subpath, ...]
    width: float
    height: float
    drop: bool = False
    fill: str = "#000"
    opacity: float = 1.0


def motifs_of(pattern: str, tones: Tones, variant: int = 0) -> tuple[Motif, ...]:
    """The motifs of a pattern, lowest first; none for solid. Raises ValueError for an unknown pattern."""
    if pattern == "solid":
        return ()
    try:
        maker = _MAKERS[pattern]
    except KeyError:
        raise ValueError(f"pattern {pattern!r} cannot be drawn: use one of solid, {', '.join(_MAKERS)}") from None
    return maker(tones, variant)


def period(motifs: tuple[Motif, ...]) -> tuple[float, float]:
    """Width and height after which all motifs repeat, in scene units."""
    widths = [m.width * (2 if m.drop else 1) for m in motifs]
    heights = [m.height for m in motifs]
    return max(widths), max(heights)


def tile_svg(motifs: tuple[Motif, ...], width: float, height: float) -> str:
    """The elements that fill one tile from (0, 0) to (width, height), seamless at its borders."""
    return "".join(
        f'<path d="{_repeated(m, width, height)}" fill="{m.fill}" fill-opacity="{m.opacity}"/>' for m in motifs
    )


def _repeated(motif: Motif, width: float, height: float) -> str:
    w, h = motif.width, motif.height
    out: list[str] = []
    for i in range(-1, round(width / w) + 1):
        shift = h / 2 if motif.drop and i % 2 else 0.0
        for j in range(-1, round(height / h) + 1):
            x, y = i * w, j * h + shift
            out.extend(f"M{x + dx:.2f} {y + dy:.2f}{rel}" for dx, dy, rel in motif.subpaths)
    return "".join(out)


# --- shapes -------------------------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[MLCQZ]|-?\d*\.?\d+")


@cache
def shape(path: str, x: float = 0.0, y: float = 0.0, turn: float = 0.0, size: float = 1.0) -> tuple[Subpath, ...]:
    """Absolute path data (M L C Q Z) as relative subpaths, turned and scaled about its origin, moved to (x, y)."""
    cos, sin = math.cos(math.radians(turn)) * size, math.sin(math.radians(turn)) * size
    subpaths: list[Subpath] = []
    start, body, here, command, numbers = (0.0, 0.0), "", (0.0, 0.0), "", []
    for token in _TOKEN.findall(path) + ["M"]:
        if not token.isalpha():
            numbers.append(float(token))
            continue
        pairs = zip(numbers[::2], numbers[1::2], strict=True)
        points = [(a * cos - b * sin + x, a * sin + b * cos + y) for a, b in pairs]
        if command == "M":
            start = here = points[0]
        elif points:
            step = {"L": 1, "C": 3, "Q": 2}[command]
            for k in range(0, len(points), step):
                group = points[k : k + step]
                body += command.lower() + " ".join(f"{a - here[0]:.2f} {b - here[1]:.2f}" for a, b in group)
                here = group[-1]
        if token == "Z":
            body += "z"
        if token == "M" and body:
            subpaths.append((start[0], start[1], body))
            body = ""
        command, numbers = token, []
    return tuple(subpaths)


def disc(x: float, y: float, r: float, ry: float | None = None) -> tuple[Subpath, ...]:
    """A circle, or an ellipse with another vertical radius."""
    v = r if ry is None else ry
    return ((x - r, y, f"a{r} {v} 0 1 0 {2 * r} 0a{r} {v} 0 1 0 {-2 * r} 0z"),)


def rect(x: float, y: float, w: float, h: float) -> tuple[Subpath, ...]:
    return ((x, y, f"h{w}v{h}h{-w}z"),)


def ring(path: str, x: float, y: float, number: int, size: float = 1.0, start: float = 0.0) -> tuple[Subpath, ...]:
    """`number` copies of a petal around (x, y)."""
    return tuple(s for k in range(number) for s in shape(path, x, y, start + 360 * k / number, size))


# --- the patterns -------------------------------------------------------------------------------------------------

_PETAL = "M0 0 C-3.4 -2.2 -3 -6.6 0 -7 C3 -6.6 3.4 -2.2 0 0 Z"
_LEAF = "M0 -10 C5 -6 5.6 3 0 9 C-5.6 3 -5 -6 0 -10 Z"
_LEAF_VEIN = "M-0.5 -7 L0.5 -7 L0.7 11 L-0.7 11 Z M0 0 L4 -3.4 L4.4 -2.6 L0 1.4 Z M0 3 L-3.8 -0.4 L-4.2 0.4 L0 4.4 Z"
_DROP = "M1 -10 C8 -9 9 -1 7 4 C5 10 -5 11 -7 4 C-8.4 -1 -4 -4.4 -1 -4.6 C2.4 -5 3 -8 1 -10 Z"
_DROP_IN = "M1.6 -4 C5.4 -3 5.4 1 4.4 3.6 C3 7 -3 7.4 -4.4 3.6 C-5.2 0.6 -2.4 -1.6 -0.4 -2 C0.8 -2.3 1.4 -3 1.6 -4 Z"
_DROP_CORE = "M0.4 -0.2 C2.6 0.4 2.4 3 0.6 3.8 C-1.4 4.4 -2.6 2.6 -1.8 1.2 C-1.2 0.2 -0.4 -0.1 0.4 -0.2 Z"
_STAR = "M0 -6 L1.6 -2 L5.8 -1.8 L2.5 0.9 L3.6 5 L0 2.7 L-3.6 5 L-2.5 0.9 L-5.8 -1.8 L-1.6 -2 Z"
_HEART = "M0 5.4 C-8 0 -5.4 -6 -2 -5.2 C-0.8 -4.9 -0.2 -4 0 -3.2 C0.2 -4 0.8 -4.9 2 -5.2 C5.4 -6 8 0 0 5.4 Z"
_SMILE = "M-4 1 C-2.6 4.8 2.6 4.8 4 1 C2.4 3 -2.4 3 -4 1 Z"
_CLOUD = (
    "M-13 5 C-15.4 1 -11.6 -2 -9 -0.6 C-10 -5.6 -4 -8.4 -1 -4.6 C1 -9.6 8.6 -8 7.8 -2.4 "
    "C11.6 -3.6 13.6 1 10.6 3 C14 3 16 4.4 18 6.2 C13 5 11 6.6 7 6.6 C3 6.6 1 5 -3 6.4 C-7 7.8 -11 7.6 -13 5 Z"
)
_CLOUD_SWIRL = (
    "M-8.6 4.6 C-10.8 3.4 -9.6 0.6 -7.4 1.2 C-6 1.6 -6 3.4 -7.4 3.5 C-6.8 2.4 -8 1.8 -8.5 2.7 "
    "C-8.9 3.5 -8.2 4.2 -7.2 4.7 Z "
    "M-3.4 1.8 C-6.6 -0.6 -3.8 -4.8 -0.8 -3 C1.4 -1.6 0.4 1.4 -1.6 1 C-3 0.6 -2.6 -1.2 -1.4 -1 "
    "C-1.8 -0.2 -0.6 0.2 -0.3 -0.8 "
    "C0.1 -2.4 -2.2 -2.8 -2.9 -1.2 C-3.4 0.2 -2.6 1.4 -1.4 2.2 Z "
    "M4 2.6 C1.4 0 3.4 -4.2 6 -2.8 C7.8 -1.6 7 0.8 5.4 0.5 C4.2 0.2 4.4 -1.2 5.4 -1.1 C5.2 -0.4 6.2 -0.4 6.2 -1.2 "
    "C6 -2.2 4.4 -1.8 4.2 -0.4 C4.2 0.8 5 1.8 6 2.6 Z"
)
_BLOB_A = (
    "M-14 -1 C-14 -7 -7 -4 -3 -7 C2 -10 8 -8 12 -5 C17 -1 13 3 9 2 C4 1 6 7 0 7 C-5 7 -4 2 -9 4 C-13 5 -14 2 -14 -1 Z"
)
_BLOB_B = "M-10 1 C-12 -4 -6 -6 -2 -4 C3 -7 11 -6 11 -1 C11 3 6 2 4 4 C1 7 -4 3 -6 5 C-8 6 -9 3 -10 1 Z"
_ROSETTE = (
    "M-5 -1 C-5 -5 -1 -6 1 -5 L0.4 -2.6 C-1.4 -3 -2.8 -2 -2.8 0 Z M3 -4.4 C6 -3 6 1 4.6 2.6 L2.4 1 "
    "C3.4 -0.4 3.2 -2 2 -2.6 Z "
    "M2.8 4.4 C0 6.4 -4 5 -4.8 2 L-2.6 1.4 C-2 3 -0.4 3.6 1.4 2.6 Z"
)
_SPOT = "M-2 -0.6 C-1.6 -2.4 1.4 -2.2 2 -0.4 C2.2 1.4 -0.6 2.4 -1.6 1.2 Z"


def _stripes(t: Tones, variant: int) -> tuple[Motif, ...]:
    if variant:  # across the body
        return (Motif(rect(0, 0, 19.2, 7), 19, 19, fill=t.accent),)
    return (Motif(rect(0, 0, 7, 19.2), 19, 19, fill=t.accent),)


def _checkered(t: Tones, variant: int) -> tuple[Motif, ...]:
    size, band = 24.0, 5.2
    return (
        Motif(rect(0, 0, band, size), size, size, fill=t.accent, opacity=0.58),
        Motif(rect(0, 0, size, band), size, size, fill=t.accent, opacity=0.58),
        Motif(rect(14.2, 0, 1.2, size), size, size, fill=t.third, opacity=0.75),
        Motif(rect(0, 14.2, size, 1.2), size, size, fill=t.third, opacity=0.75),
    )


def _dots(t: Tones, variant: int) -> tuple[Motif, ...]:
    return (Motif(disc(7, 8, 4.3), 13, 18, drop=True, fill=t.accent),)


def _floral(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h = 23.0, 28.0
    leaves = shape(_LEAF, 19.4, 13, 60, 0.46) + shape(_LEAF, 1.6, 14, -60, 0.46)
    return (
        Motif(leaves, w, h, drop=True, fill=t.leaf),
        Motif(ring(_PETAL, 10.5, 10, 5, 1.3), w, h, drop=True, fill=t.bloom),
        Motif(disc(10.5, 10, 2.9), w, h, drop=True, fill=t.heart),
    )


def _leaves(t: Tones, variant: int) -> tuple[Motif, ...]:
    """A large leaf in leaf green beside a small one in the second colour: green tells them from clouds."""
    w, h = 22.0, 32.0
    vein = shape(_LEAF_VEIN, 8, 10, 38, 1.0) + shape(_LEAF_VEIN, 13, 26, -48, 0.78)
    return (
        Motif(shape(_LEAF, 8, 10, 38, 1.2), w, h, drop=True, fill=t.leaf),
        Motif(shape(_LEAF, 13, 26, -48, 0.86), w, h, drop=True, fill=t.accent),
        Motif(vein, w, h, drop=True, fill=t.base),
    )


def _paisley(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h, x, y, turn = 24.0, 30.0, 11.5, 13.0, 16.0
    return (
        Motif(shape(_DROP, x, y, turn, 1.24) + disc(21, 26, 1.7), w, h, drop=True, fill=t.accent),
        Motif(shape(_DROP_IN, x, y, turn, 1.04), w, h, drop=True, fill=t.inlay),
        Motif(shape(_DROP_CORE, x, y, turn, 1.1), w, h, drop=True, fill=t.heart),
    )


def _zigzag(t: Tones, variant: int) -> tuple[Motif, ...]:
    band = ((0.0, 9.0, "l9 -9l9 9v6.6l-9 -9l-9 9z"),)
    return (Motif(band, 18, 17.5, fill=t.accent),)


def _cheetah(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h = 18.5, 24.0
    rosettes = shape(_ROSETTE, 8, 8, 15, 1.28) + shape(_SPOT, 3.4, 17.6, 40, 1.15) + shape(_SPOT, 13.6, 19, -20, 1.25)
    return (
        Motif(disc(8, 8, 4.0, 3.6), w, h, drop=True, fill=t.mid),
        Motif(rosettes, w, h, drop=True, fill=t.spot),
    )


def _cartoon(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h = 25.0, 36.0
    face = disc(10, 11, 8.2) + disc(3.8, 4.2, 3.3) + disc(16.2, 4.2, 3.3)
    features = disc(7, 9.4, 1.6) + disc(13, 9.4, 1.6) + shape(_SMILE, 10, 11.6, 0, 1.15)
    return (
        Motif(face, w, h, drop=True, fill=t.accent),
        Motif(features, w, h, drop=True, fill=t.ink),
        Motif(shape(_STAR, 19, 27, 12, 0.95), w, h, drop=True, fill=t.gold),
        Motif(shape(_HEART, 6, 28.4, -12, 0.95), w, h, drop=True, fill=t.rose),
    )


def _camouflage(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h = 32.0, 44.0
    dark = shape(_BLOB_A, 10, 9, 8, 0.78) + shape(_BLOB_A, 24, 31, 168, 0.74)
    light = shape(_BLOB_B, 24, 17, 12, 0.82) + shape(_BLOB_A, 7, 36, 174, 0.56)
    deep = shape(_BLOB_B, 12, 13, -14, 0.66) + shape(_BLOB_B, 28, 35, 20, 0.6) + shape(_BLOB_B, 3, 25, 160, 0.5)
    return tuple(
        Motif(blobs, w, h, drop=True, fill=fill)
        for blobs, fill in ((dark, t.camo_dark), (light, t.camo_light), (deep, t.camo_deep))
    )


def _dancheong(t: Tones, variant: int) -> tuple[Motif, ...]:
    """Ridge bands in the five colours and a lotus medallion between them."""
    w, h = 26.0, 36.0
    bands = ((0.0, 1.9, t.obang_green), (1.9, 1.3, "#f4efe2"), (3.2, 1.9, t.obang_red), (5.1, 1.3, t.obang_yellow))
    out = [Motif(rect(0, y, w + 0.1, d), w, h, fill=fill) for y, d, fill in bands]
    x, y = 13.0, 21.5
    out += [
        Motif(ring(_PETAL, x, y, 8, 1.18), w, h, fill=t.obang_green),
        Motif(ring(_PETAL, x, y, 8, 0.92, 22.5), w, h, fill="#f4efe2"),
        Motif(ring(_PETAL, x, y, 8, 0.76), w, h, fill=t.obang_red),
        Motif(disc(x, y, 2.2), w, h, fill=t.obang_yellow),
        Motif(shape("M0 -3.6 L2.6 0 L0 3.6 L-2.6 0 Z", 0, y, 0, 1), w, h, fill=t.obang_blue),
    ]
    return tuple(out)


def _cloud(t: Tones, variant: int) -> tuple[Motif, ...]:
    w, h = 28.0, 22.0
    body, swirl = shape(_CLOUD, 12, 10, 0, 0.82), shape(_CLOUD_SWIRL, 12, 10, 0, 0.88)
    return (Motif(body, w, h, drop=True, fill=t.accent), Motif(swirl, w, h, drop=True, fill=t.base))


_MAKERS: dict[str, Callable[[Tones, int], tuple[Motif, ...]]] = {
    "stripes": _stripes, "checkered": _checkered, "dots": _dots, "floral": _floral, "leaves": _leaves,
    "paisley": _paisley, "zigzag": _zigzag, "cheetah": _cheetah, "cartoon": _cartoon, "camouflage": _camouflage,
    "dancheong": _dancheong, "cloud": _cloud,
}  # fmt: skip
