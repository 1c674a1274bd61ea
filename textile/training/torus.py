"""Drawing on a tile whose edges meet: places on a torus, shapes repeated across its edges, turns that keep it whole.

A tile is 100 × 100 units. A shape's fill is the layer that it shows: red 1, green 2, blue 3, black the ground (0), so
that the rasterised channels are the memberships of the layers.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np

from fashion.drawing.raster import rasterise_as_is

SIDE = 100.0
FILLS = ("#000", "#f00", "#0f0", "#00f")
OVER = 3  # texels a pixel


@dataclass(frozen=True)
class Mark:
    """SVG content about its origin that reaches `reach` units far, laid at (x, y), turned (degrees) and scaled."""

    content: str
    reach: float
    x: float
    y: float
    turn: float = 0.0
    scale: float = 1.0
    flip: bool = False


def svg_of(marks: list[Mark]) -> str:
    """Marks as SVG elements, each once more beyond every edge that it crosses."""
    out = []
    for mark in marks:
        reach = mark.reach * mark.scale
        for dx in (-SIDE, 0.0, SIDE):
            for dy in (-SIDE, 0.0, SIDE):
                x, y = mark.x % SIDE + dx, mark.y % SIDE + dy
                if -reach < x < SIDE + reach and -reach < y < SIDE + reach:
                    across = -mark.scale if mark.flip else mark.scale
                    place = f"translate({x:.2f} {y:.2f}) rotate({mark.turn:.1f}) scale({across:.3f} {mark.scale:.3f})"
                    out.append(f'<g transform="{place}">{mark.content}</g>')
    return "".join(out)


def memberships(body: str, pixels: int) -> np.ndarray:
    """SVG elements in tile units as (pixels · 3, pixels · 3, 3) float32: how much of each layer a texel shows."""
    texels = pixels * OVER
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{texels}" height="{texels}" viewBox="0 0 100 100">'
        f'<rect width="100" height="100" fill="#000"/>{body}</svg>'
    )
    rgb: np.ndarray = rasterise_as_is(svg)[..., :3].astype(np.float32) / 255
    return rgb


def shrunk(texels: np.ndarray) -> np.ndarray:
    """The mean over each pixel's texels: (n, n, c)."""
    n = len(texels) // OVER
    mean: np.ndarray = texels.reshape(n, OVER, n, OVER, -1).mean(axis=(1, 3))
    return mean


def turned(texels: np.ndarray, a: int, b: int) -> np.ndarray:
    """The tile turned by atan2(b, a) and repeated hypot(a, b) times as often; its edges still meet."""
    n = len(texels)
    y, x = np.mgrid[0:n, 0:n]
    result: np.ndarray = texels[(b * x + a * y) % n, (a * x - b * y) % n]
    return result


def noise(n: int, rng: Random, longest: int, roughness: float, stretch: float = 1.0) -> np.ndarray:
    """Random waves on the torus, (n, n) float32 of unit spread: power falls by `roughness` above `longest` waves."""
    y, x = np.meshgrid(np.fft.fftfreq(n) * n, np.fft.fftfreq(n) * n, indexing="ij")
    size = np.hypot(x, y * stretch)
    power = np.where(size > 0, (1 + (size / longest) ** 2) ** (-roughness / 2), 0)
    random = np.random.default_rng(rng.getrandbits(48)).standard_normal((n, n))
    field = np.fft.ifft2(np.fft.fft2(random) * power).real
    return (field / field.std()).astype(np.float32)


def lattice(columns: int, rows: int, drop: bool, rng: Random, jitter: float = 0.0) -> list[tuple[float, float]]:
    """Places in columns and rows; with `drop` (an even number of columns) every second column half a row lower."""
    w, h = SIDE / columns, SIDE / rows
    return [
        ((i * w + rng.uniform(-jitter, jitter) * w) % SIDE,
         ((j + (0.5 if drop and i % 2 else 0)) * h + rng.uniform(-jitter, jitter) * h) % SIDE)
        for i in range(columns)
        for j in range(rows)
    ]  # fmt: skip
