# ruff: noqa: E501 (rows of SVG data)
"""Palace (궁궐): the scene's own figure or garment before a tiled hall with dancheong, red pillars and a platform."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np

from fashion.drawing import draw_masks
from fashion.drawing.raster import document, rasterise
from fashion.drawing.silhouettes import compose
from fashion.looks.painted import painted, stood_before
from fashion.looks.palace_roof import roof
from fashion.scene import Scene

SHARE = 0.8  # of the picture's side that the figure keeps: above it stands the roof
SKIES = (
    ("#8fc3e6", "#e6f3f8"), ("#a9cfe8", "#fbeedd"), ("#f3b58f", "#fdeccb"), ("#b6b4df", "#f7dfe3"), ("#9fd2cc", "#f1f6e4"),
)  # fmt: skip


def draw_palace(scene: Scene, size: int) -> np.ndarray:
    """A scene before a palace, uint8 (size, size, 3)."""
    flat = replace(scene, style="flat")
    return before_palace(scene, painted(flat, compose(flat), round(SHARE * size)), size)


def palace_masks(scene: Scene, size: int) -> np.ndarray:
    """Where each garment is in such a picture, (garments, size, size) of bool."""
    side = round(SHARE * size)
    left = (size - side) // 2  # `stood_before` sets the figure in the middle of the lower edge
    masks = np.zeros((len(scene.garments), size, size), bool)
    masks[:, size - side :, left : left + side] = draw_masks(replace(scene, style="flat"), side)
    return masks


def before_palace(scene: Scene, layer: np.ndarray, size: int) -> np.ndarray:
    """A figure or a garment, uint8 (n, n, 4) of `SHARE` of the size, before the scene's palace, (size, size, 3)."""
    ground = rasterise(document(_palace(Random(f"palace/{scene.seed}"))), size)[..., :3]
    return stood_before(ground, layer)


def _palace(rng: Random) -> str:
    """Sky, hills, one hall from the front, to a side, or with two roofs, its court."""
    kind = rng.choice(("near", "aside", "two roofs"))
    middle = 128.0 if kind != "aside" else rng.choice((92.0, 164.0))
    eave = rng.uniform(84, 94) if kind != "two roofs" else rng.uniform(94, 100)
    half = {"near": rng.uniform(122, 136), "aside": rng.uniform(118, 130), "two roofs": rng.uniform(112, 122)}[kind]
    foot = rng.uniform(188, 198)
    out = _sky(rng) + _hills(rng)
    if kind == "aside":
        out += _gallery(256 - middle, rng.uniform(112, 122), foot)
    if kind == "two roofs":
        out += roof(middle, half * 0.76, eave - 40, 34, half * 0.44, rng)
        out += _brackets(middle, half * 0.58, eave - 42, 14)
        out += roof(middle, half, eave, 30, half * 0.6, rng, ridge=False)
    else:
        out += roof(middle, half, eave, rng.uniform(58, 66), half * rng.uniform(0.5, 0.62), rng)
    under = _hall(middle, half * 0.8, eave, foot, rng) + _brackets(middle, half * 0.84, eave - 3, 20)
    return out + under + _court(middle, half * 0.95, foot)


def _sky(rng: Random) -> str:
    high, low = rng.choice(SKIES)
    clouds = ""
    for _ in range(rng.randrange(1, 4)):
        x, y, s = rng.uniform(10, 246), rng.uniform(8, 40), rng.uniform(0.7, 1.3)
        clouds += (
            f'<path transform="translate({x:.0f} {y:.0f}) scale({s:.2f})" d="M-24 6C-28 0 -18 -4 -14 -1C-12 -9 2 -10 4 -3'
            'C10 -8 20 -4 17 2C24 1 28 6 22 7Z" fill="#fff" fill-opacity=".8"/>'
        )
    return (
        f'<linearGradient id="sky" x1="0" y1="0" x2="0" y2="1"><stop offset="0" stop-color="{high}"/><stop offset=".6" '
        f'stop-color="{low}"/></linearGradient><rect width="256" height="256" fill="url(#sky)"/>{clouds}'
    )


def _hills(rng: Random) -> str:
    tint = rng.choice(("#9db7a4", "#a7b5c6", "#b3bfa0"))
    x, y = rng.uniform(20, 236), rng.uniform(34, 60)
    return (
        f'<path d="M-10 130C{x - 90:.0f} 110 {x - 34:.0f} {y:.0f} {x:.0f} {y:.0f}C{x + 30:.0f} {y:.0f} {x + 70:.0f} 104 '
        f'270 118V190H-10Z" fill="{tint}"/>'
    )


def _brackets(middle: float, half: float, top: float, tall: float) -> str:
    """공포 under the eave: rafters' ends, then green, red and blue capitals over a painted beam."""
    left, width, step = middle - half, 2 * half, 14.0
    out = f'<rect x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}" fill="#1e6a55"/>'
    low = top + tall
    for k in range(int(width / step)):
        x = left + (k + 0.5) * width / int(width / step)
        arm, heart = ("#d8432f", "#2f62b4") if k % 2 else ("#2f62b4", "#e8912f")
        out += (
            f'<path d="M{x - 6:.1f} {top + 1:.1f}h12l-2 {0.3 * tall:.1f}h-8z" fill="#59b18a"/>'
            f'<path d="M{x - 4.4:.1f} {top + 0.32 * tall:.1f}h8.8l-2.2 {0.3 * tall:.1f}h-4.4z" fill="{arm}"/>'
            f'<circle cx="{x:.1f}" cy="{top + 0.17 * tall:.1f}" r="{0.11 * tall:.1f}" fill="#fbf1d4"/>'
            f'<rect x="{x - 6.6:.1f}" y="{low - 0.34 * tall:.1f}" width="13.2" height="{0.34 * tall:.1f}" fill="{heart}"/>'
            f'<rect x="{x - 3:.1f}" y="{low - 0.34 * tall:.1f}" width="6" height="{0.34 * tall:.1f}" fill="#f0c24a"/>'
        )
    line = f'y1="{low:.1f}" y2="{low:.1f}" x1="{left:.1f}" x2="{left + width:.1f}"'
    return out + f'<line {line} stroke="#173f38" stroke-width="1.6"/>'


def _hall(middle: float, half: float, eave: float, foot: float, rng: Random) -> str:
    """Red pillars, and between them doors with a lattice on paper."""
    top, bays = eave + 12, rng.choice((5, 7))
    wood, paper = rng.choice((("#2f7a62", "#f4ead0"), ("#a8402f", "#f6ecd6"), ("#3c8a74", "#efe3c2")))
    left, bay = middle - half, 2 * half / bays
    out = f'<rect x="{left:.1f}" y="{top:.1f}" width="{2 * half:.1f}" height="{foot - top:.1f}" fill="#7d2a22"/>'
    for k in range(bays):
        x, y, w, h = left + k * bay + 5, top + 9, bay - 10, foot - top - 10
        out += f'<rect x="{x:.1f}" y="{y:.1f}" width="{w:.1f}" height="{h:.1f}" fill="{paper}" stroke="{wood}" stroke-width="2.6"/>'
        tall = y + 0.68 * h
        bars = "".join(f"M{x + w * i / 4:.1f} {y:.1f}V{tall:.1f}" for i in (1, 2, 3))
        bars += "".join(f"M{x:.1f} {y + 0.68 * h * i / 6:.1f}h{w:.1f}" for i in range(1, 6))
        out += f'<path d="{bars}" stroke="{wood}" stroke-width="1.3"/>'
        out += f'<rect x="{x:.1f}" y="{tall:.1f}" width="{w:.1f}" height="{0.32 * h:.1f}" fill="{wood}"/>'
    for k in range(bays + 1):
        x = left + k * bay
        out += (
            f'<rect x="{x - 4.5:.1f}" y="{top:.1f}" width="9" height="{foot - top:.1f}" fill="#c23a2a" stroke="#6b1d17" '
            f'stroke-width="1.1"/><rect x="{x - 3:.1f}" y="{top:.1f}" width="2.4" height="{foot - top:.1f}" fill="#e0654c"/>'
            f'<rect x="{x - 6:.1f}" y="{foot - 5:.1f}" width="12" height="6" rx="1.5" fill="#d3cec2" stroke="#857f74"/>'
        )
    return out


def _gallery(middle: float, top: float, foot: float) -> str:
    """행각, a lower wing beside the hall."""
    out = f'<rect x="{middle - 100:.0f}" y="{top:.1f}" width="200" height="{foot - top:.1f}" fill="#d9b78c"/>'
    for k in range(-4, 5):
        out += f'<rect x="{middle + 22 * k - 3:.1f}" y="{top:.1f}" width="6" height="{foot - top:.1f}" fill="#b5392b"/>'
    return out + roof(middle, 112, top + 4, 26, 100, Random(0), animals=False)


def _court(middle: float, half: float, foot: float) -> str:
    """월대, the stone platform: two courses, steps in the middle, paving before it."""
    out = f'<rect y="{foot - 1:.1f}" width="256" height="80" fill="#ddd2bb"/>'
    for y in (foot + 32, foot + 44):
        out += f'<path d="M0 {y:.1f}H256" stroke="#c5b798" stroke-width="1.2"/>'
    out += "".join(
        f'<path d="M{128 + 26 * k} {foot + 22:.1f}L{128 + 46 * k} 256" stroke="#c5b798"/>' for k in range(-6, 7)
    )
    for grow, y in ((0.0, foot), (14.0, foot + 11)):
        left, width = middle - half - grow, 2 * (half + grow)
        out += f'<rect x="{left:.1f}" y="{y:.1f}" width="{width:.1f}" height="12" fill="#cfcabf" stroke="#8f897d" stroke-width="1.2"/>'
        out += f'<rect x="{left - 2:.1f}" y="{y:.1f}" width="{width + 4:.1f}" height="3.4" fill="#ebe7dd"/>'
        out += "".join(
            f'<path d="M{left + 22 * k:.1f} {y + 4:.1f}v8" stroke="#a39c8e"/>' for k in range(1, int(width / 22))
        )
    steps = "".join(
        f'<rect x="{middle - 24 - 2 * k:.1f}" y="{foot + 4.8 * k:.1f}" width="{48 + 4 * k}" height="5" fill="#e3dfd4" '
        'stroke="#989184" stroke-width=".9"/>'
        for k in range(5)
    )
    return out + steps
