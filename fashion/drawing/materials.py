"""How cloth looks: stitches of a knit, twill of denim, gloss of satin and leather, hair of fur.

`weave` gives the motifs of a repeating light map (128 is neutral); `sheen` the smooth gloss at each pixel; `edge` and
`topstitch` the marks at a panel's outline, as SVG.
"""

from __future__ import annotations

import numpy as np

from fashion.drawing.patterns import Motif, shape
from fashion.drawing.tones import Tones, hex_of, luminance, mix

GLOSSY = ("satin", "leather")
_KNIT = "M0 0 C1.4 0.2 2.9 1.6 3.1 4.0 C1.5 3.6 0.1 2.2 0 0 Z M6.2 0 C4.8 0.2 3.3 1.6 3.1 4.0 C4.7 3.6 6.1 2.2 6.2 0 Z"
_ROW = "M0 0.2 L3.1 4.3 L6.2 0.2 L6.2 1.3 L3.1 5.3 L0 1.3 Z"
_TUFT = "M0 0 C0.6 2.6 0.2 5 -1.6 7.6 C-0.2 7.2 2.6 4 1.4 0 Z"


def weave(material: str, t: Tones) -> tuple[Motif, ...]:
    """The light map of a material that has stitches, threads or hair. Dark cloth needs stronger marks to show them."""
    dark_cloth, light_cloth = luminance(t.rgb) < 70, luminance(t.rgb) > 130
    deep, high = (0.62, 0.3) if dark_cloth else (0.2, 0.5) if light_cloth else (0.32, 0.38)
    if material == "knit":
        return (
            Motif(shape(_KNIT), 7.4, 5.0, fill="#fff", opacity=high * 0.55),
            Motif(((6.1, -0.1, "h1.4v5.2h-1.4z"),), 7.4, 5.0, fill="#000", opacity=deep),
            Motif(shape(_ROW), 7.4, 5.0, fill="#000", opacity=deep * 0.8),
        )
    if material == "denim":
        return (
            Motif(((0.0, -0.1, "h1.5v7.4h-1.5z"),), 3.6, 7.2, fill="#fff", opacity=high * 0.75),
            Motif(((2.2, -0.1, "h0.9v7.4h-0.9z"),), 3.6, 7.2, fill="#000", opacity=deep * 0.75),
            Motif(((0.0, 1.0, "h3.6v0.8h-3.6z"),), 3.6, 3.6, fill="#000", opacity=deep * 0.25),
        )
    put = ((1.5, 1, 14), (6.0, 5.5, -14), (9.5, 0.5, -4), (3.5, 7.5, 4))
    under = tuple(p for x, y, turn in put for p in shape(_TUFT, x, y, turn, 0.8))
    over = tuple(p for x, y, turn in put for p in shape(_TUFT, x + 2.2, y + 2.0, -turn * 1.2, 0.85))
    return (
        Motif(under, 12.0, 12.0, drop=True, fill="#000", opacity=deep * 0.8),
        Motif(over, 12.0, 12.0, drop=True, fill="#fff", opacity=high * 0.8),
    )


def weave_angle(material: str | None) -> float:
    """How far the threads lean from the grain, in degrees."""
    return 32.0 if material == "denim" else 0.0


def sheen(
    material: str, t: Tones, u: np.ndarray, v: np.ndarray, drift: np.ndarray, bevel: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Darkening (a factor) and lightening (towards white, 0..1) per pixel of satin or leather.

    u, v: cloth coordinates in scene units; drift: slow noise; bevel: -1..1, positive where the light falls. All (n,).
    """
    dark_cloth, light_cloth, pale = luminance(t.rgb) < 70, luminance(t.rgb) > 130, luminance(t.rgb) > 215
    if material == "satin":
        wave = np.cos((u * 0.92 + v * 0.2 + 9.0 * drift) * (2 * np.pi / 46))
        shine = np.clip((wave - 0.15) / 0.85, 0, 1) ** 2.0 * (0.36 if dark_cloth else 0.9 if pale else 0.46)
        dusk = 1 - np.clip((-wave - 0.1) / 0.9, 0, 1) * (0.07 if pale else 0.12)
        return dusk, shine * (0.75 + 0.25 * np.clip(bevel * 3 + drift, -1, 1))
    wave = np.cos((u + v * 0.12 + 9.0 * drift) * (2 * np.pi / 58))
    streak = np.clip((wave - 0.93) / 0.04, 0, 1) * np.clip((drift - 0.1) * 4, 0, 1)
    rim = np.clip((bevel - 0.3) / 0.1, 0, 1) * np.clip((0.62 - bevel) / 0.06, 0, 1)
    shine = np.maximum(streak * 0.5, rim * 0.42) * (0.8 if dark_cloth else 1.5 if pale else 1.0)
    dusk = (1.0 if light_cloth else 0.93) - 0.05 * np.clip(-wave, 0, 1) - 0.12 * np.clip(-bevel * 2, 0, 1)
    return dusk, np.clip(shine, 0, 0.95)


def edge(material: str | None, t: Tones, path: str, scale: float) -> str:
    """The fringe of fur, painted before the panel itself; empty for other materials."""
    if material != "fur":
        return ""
    tip = hex_of(mix(t.rgb, (40, 34, 52), 0.26 if luminance(t.rgb) > 60 else 0.0))
    s = max(scale, 0.5)
    dashes = (
        (9.0, "0.9 1.7 0.7 2.6 1.1 1.3", 0, tip), (7.0, "1.3 1.1 0.9 1.6", 0.6, tip),
        (6.4, "1.0 1.9 1.5 1.2 0.8 2.3", 1.7, t.base), (4.2, "2.0 0.7 1.4 0.9", 0.3, t.base),
    )  # fmt: skip
    return "".join(
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width * s:.2f}" stroke-dasharray="{dash}" '
        f'stroke-dashoffset="{offset}"/>'
        for width, dash, offset, color in dashes
    )


def edge_width(material: str | None, scale: float) -> float:
    """How far the marks of `edge` reach over the outline, as the width of a stroke, in scene units."""
    return 9.0 * max(scale, 0.5) if material == "fur" else 0.0


def topstitch(t: Tones, path: str, box: tuple[float, float, float, float]) -> str:
    """The light seam along a panel of denim; empty for pieces too small to sew."""
    w, h = box[2] - box[0], box[3] - box[1]
    by = 3.2
    if w < 5 * by or h < 4 * by:
        return ""
    sx, sy = 1 - 2 * by / w, 1 - 2 * by / h
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    color = "#f0b45a" if luminance(t.rgb) < 190 else "#b4762e"
    matrix = f"matrix({sx:.4f} 0 0 {sy:.4f} {cx * (1 - sx):.3f} {cy * (1 - sy):.3f})"
    thread = f'stroke="{color}" stroke-width="1.1" stroke-dasharray="3.2 1.8"'
    return f'<path d="{path}" transform="{matrix}" fill="none" {thread}/>'
