# ruff: noqa: E501 (rows of points)
"""What the two court dresses share: gold, sleeves that hang wide, a screen behind, painting with what lies over it.

Body units as in fashion.drawing: the head from 0 to 48, shoulders at 65, feet at 240, the axis at x = 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from math import cos, radians, sin
from random import Random

import numpy as np

from fashion.drawing.figure import make_figure
from fashion.drawing.layers import cut, id_layer, id_of
from fashion.drawing.paths import SIDE, Frame, Path, Point, ellipse, flip, line, shape
from fashion.drawing.raster import document, rasterise
from fashion.drawing.silhouettes import Composition
from fashion.drawing.sketch import Sketch
from fashion.drawing.styles import LOOKS as STYLES
from fashion.looks.painted import painted, stood_before
from fashion.scene import Garment, Scene

GOLD, DEEP_GOLD, RED, JADE, WHITE, BLACK = "#ecc24a", "#9a6a18", "#c92f35", "#3fa98a", "#fbf9f2", "#26242b"
PRINTS = ("floral", "cloud", "dancheong", "leaves", "dots")  # that court dress is woven with


@dataclass
class Over:
    """Pieces with colours of their own, in body units, in the order in which they lie over the garments."""

    pieces: list[str] = field(default_factory=list)
    frame: Frame = field(default_factory=lambda: Frame(1, 0, 0))

    def add(self, path: Path, fill: str, rim: str | None = None, width: float = 0.9) -> None:
        edge = f' stroke="{rim}" stroke-width="{width}" stroke-linejoin="round"' if rim else ""
        self.pieces.append(f'<path d="{self.frame.place(path)}" fill="{fill}"{edge}/>')

    def pair(self, path: Path, fill: str, rim: str | None = None, width: float = 0.9) -> None:
        self.add(path, fill, rim, width)
        self.add(flip(path), fill, rim, width)

    def stroke(self, path: Path, color: str, width: float) -> None:
        d = self.frame.place(path)
        self.pieces.append(
            f'<path d="{d}" fill="none" stroke="{color}" stroke-width="{width}" stroke-linecap="round"/>'
        )

    def band(self, upper: list[Point], lower: list[Point], fill: str = GOLD, motif: str = DEEP_GOLD) -> None:
        """A gold-stamped band between two lines of as many points, with a row of small flowers."""
        self.add(shape(upper, [upper[-1], lower[-1]], lower[::-1], [lower[0], upper[0]]), fill, DEEP_GOLD, 0.8)
        thick = abs(lower[len(lower) // 2][1] - upper[len(upper) // 2][1])
        ends = [((ax + bx) / 2, (ay + by) / 2) for (ax, ay), (bx, by) in zip(upper, lower, strict=True)]
        for (ax, ay), (bx, by) in zip(ends[:-1], ends[1:], strict=True):
            steps = max(1, round(((bx - ax) ** 2 + (by - ay) ** 2) ** 0.5 / (1.1 * thick)))
            for k in range(steps):
                t = (k + 0.5) / steps
                x, y, r = ax + (bx - ax) * t, ay + (by - ay) * t, 0.2 * thick
                self.add(ellipse(x, y, r, 1.3 * r), motif)


def frame_of(rng: Random) -> Frame:
    """The whole body and its hat in the square, a little to a side."""
    scale = 248 / 274 * (1 - rng.uniform(0, 0.04))
    return Frame(scale, SIDE / 2 + rng.uniform(-5, 5), SIDE - rng.uniform(3, 6) - 244 * scale)


def print_of(garment: Garment) -> str:
    return garment.pattern if garment.pattern in PRINTS else "solid"


def satin_or_cotton(garment: Garment) -> str:
    return garment.material if garment.material in ("cotton", "satin") else "satin"


def along(arm: float, way: float, across: float) -> Point:
    """A point of a sleeve by its way from the shoulder and its distance from the upper edge."""
    s, c = sin(radians(arm)), cos(radians(arm))
    return 30 + s * way - c * across, 64 + c * way + s * across


def wide_sleeves(sketch: Sketch, arm: float, length: float, wide: float) -> None:
    """Sleeves whose lower edge hangs in a deep curve."""
    end, low = along(arm, length, 0), along(arm, length, wide)
    sleeve = shape(
        [(31, 63.6), along(arm, 0.5 * length, -2.4), end],
        [end, low],
        [low, along(arm, 0.72 * length, wide + 3), along(arm, 0.4 * length, 0.72 * wide + 6), (29, 96)],
        [(29, 96), (30, 80), (31, 63.6)],
    )
    sketch.pair(sleeve, "sleeve", -arm, 0.95)
    for way, across in ((0.3, 0.5), (0.52, 0.72)):
        fold = [along(arm, way * length, 5), along(arm, (way + 0.06) * length, 0.5 * wide), along(arm, way * length, across * wide + 6)]  # fmt: skip
        sketch.strokes_pair(line(fold), "fold", 1.8)
    sketch.strokes_pair(
        line([along(arm, 8, 3), along(arm, 0.5 * length, 2.6), along(arm, 0.8 * length, 3)]), "light", 2
    )


def cuff(over: Over, arm: float, way: float, thick: float, wide: float, fill: str) -> None:
    """One band across the end of both sleeves."""
    a, b, c, d = (
        along(arm, way, -0.4),
        along(arm, way + thick, -0.4),
        along(arm, way + thick, wide),
        along(arm, way, wide),
    )
    over.pair(shape([a, b], [b, c], [c, d], [d, a]), fill, "#55403a", 0.6)


@dataclass(frozen=True)
class Court:
    """A dressed figure that is not painted yet, and its ground as SVG; `arm`: degrees from the body."""

    scene: Scene
    sketches: tuple[Sketch, ...]
    over: Over
    arm: float
    ground: str

    @cached_property
    def composition(self) -> Composition:
        rng = Random(f"court/figure/{self.scene.seed}")
        figure = make_figure(rng, self.over.frame, self.arm, suit_top=False, suit_bottom=False, hat=True, holds=False, shod=False, hair="short")  # fmt: skip
        return Composition(tuple(sketch.place(self.over.frame) for sketch in self.sketches), figure, (SIDE, SIDE))

    def layer(self, size: int) -> np.ndarray:
        """The figure over nothing, uint8 (size, size, 4)."""
        return painted(self.scene, self.composition, size, "".join(self.over.pieces))

    def masks(self, size: int) -> np.ndarray:
        """Where each garment is, (garments, size, size) of bool; gold, sleeves' bands and the like count as cloth."""
        ids = rasterise(id_layer(cut(self.scene, self.composition, STYLES["flat"])), size)[..., 0]
        return np.stack([ids == id_of(i) for i in range(len(self.scene.garments))])

    def picture(self, size: int) -> np.ndarray:
        """The figure before its ground, uint8 (size, size, 3)."""
        return stood_before(rasterise(document(self.ground), size)[..., :3], self.layer(size))


def screen(rng: Random, silks: tuple[str, ...], frame: str, flower: str) -> str:
    """병풍, a folding screen of silk on a mat, with a painted branch on some of its leaves."""
    silk, leaves = rng.choice(silks), rng.choice((5, 6))
    out = f'<rect width="256" height="256" fill="{frame}"/>'
    wide = 256 / leaves
    for k in range(leaves):
        x = k * wide
        out += f'<rect x="{x + 2:.1f}" y="8" width="{wide - 4:.1f}" height="196" fill="{silk}" stroke="{GOLD}" stroke-width="1.4"/>'  # fmt: skip
        if k % 2:
            out += f'<rect x="{x + 2:.1f}" y="8" width="{wide - 4:.1f}" height="196" fill="#000" fill-opacity=".05"/>'
        y, lean = rng.uniform(40, 150), rng.uniform(-8, 8)
        out += f'<path d="M{x + wide / 2:.1f} 196Q{x + wide / 2 + lean:.1f} {y + 50:.1f} {x + wide / 2 - lean:.1f} {y:.1f}" stroke="#8d8f76" stroke-width="1.8" fill="none" stroke-opacity=".55"/>'  # fmt: skip
        for _ in range(4):
            bx, by, r = x + wide / 2 + rng.uniform(-12, 12), y + rng.uniform(-16, 40), rng.uniform(3, 6)
            out += f'<circle cx="{bx:.1f}" cy="{by:.1f}" r="{r:.1f}" fill="{flower}" fill-opacity=".6"/>'
            out += f'<circle cx="{bx:.1f}" cy="{by:.1f}" r="{0.4 * r:.1f}" fill="#fff6dc" fill-opacity=".8"/>'
    mat = "".join(f'<path d="M0 {y}H256" stroke="#b98f56" stroke-width="1"/>' for y in range(220, 256, 8))
    return f'{out}<rect y="212" width="256" height="44" fill="#d6b078"/>{mat}<rect y="208" width="256" height="5" fill="#6b3d26"/>'
