"""How cloth looks: stitches of a knit, twill of denim, gloss of satin and leather, hair of fur.

In: a material's id, the path and box of one panel. Out: SVG over the panel's colour, to be clipped by the panel
(`surface`), and marks that cross its edge (`edge`). Only flat fills and strokes: gradients and blur cost ten times more.
"""

from __future__ import annotations

import random

from fashion.drawing.patterns import Box, Cloth, Motif, lattice_svg, shape
from fashion.drawing.tones import Tones, hex_of, luminance, mix

_KNIT = "M0 0 C1.2 0.2 2.4 1.4 2.5 3.2 C1.2 3 0.1 1.8 0 0 Z M5 0 C3.8 0.2 2.6 1.4 2.5 3.2 C3.8 3 4.9 1.8 5 0 Z"
_TUFT = "M0 0 C0.6 2.6 0.2 5 -1.6 7.4 C-0.2 7.2 2.2 4 1.2 0 Z"


def surface(material: str | None, t: Tones, path: str, box: Box, cloth: Cloth, seed: int) -> str:
    """The texture inside a panel; empty for cotton (matte) and for what has no material."""
    if material == "knit":
        return _knit(t, box, cloth)
    if material == "denim":
        return _denim(t, path, box, cloth)
    if material == "satin":
        return _satin(t, box, cloth, seed)
    if material == "leather":
        return _leather(t, path, box, cloth, seed)
    if material == "fur":
        return _fur(t, box, cloth)
    return ""


def edge(material: str | None, t: Tones, path: str, scale: float) -> str:
    """Marks that cross a panel's outline: the fringe of fur. Painted before the panel itself."""
    if material != "fur":
        return ""
    line, soft = t.line, hex_of(mix(t.rgb, (255, 255, 255), 0.25))
    s = max(scale, 0.5)
    dashes = ((8.4, "1.1 2.6 0.8 1.9", 0, line), (7.2, "1.6 1.7 1.2 2.2", 0.6, t.base), (5.4, "1.2 2.1 1.7 2.5", 1.4, soft))
    return "".join(
        f'<path d="{path}" fill="none" stroke="{color}" stroke-width="{width * s:.2f}" stroke-dasharray="{dash}" '
        f'stroke-dashoffset="{offset}"/>'
        for width, dash, offset, color in dashes
    )


def edge_width(material: str | None, scale: float) -> float:
    """How far the marks of `edge` reach over the outline, as the width of a stroke, in scene units."""
    return 8.4 * max(scale, 0.5) if material == "fur" else 0.0


def inset(path: str, box: Box, by: float, attributes: str) -> str:
    """The path once more, `by` units inside its outline (scaled about the middle of its box)."""
    w, h = box[2] - box[0], box[3] - box[1]
    if w < 3 * by or h < 3 * by:
        return ""
    sx, sy = 1 - 2 * by / w, 1 - 2 * by / h
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return f'<path d="{path}" transform="matrix({sx:.4f} 0 0 {sy:.4f} {cx * (1 - sx):.3f} {cy * (1 - sy):.3f})" {attributes}/>'


def _contrast(t: Tones) -> tuple[str, str]:
    """A darker and a lighter tone of the cloth that both show on it."""
    dark = mix(t.rgb, (10, 8, 20), 0.34 if luminance(t.rgb) > 60 else 0.55)
    return hex_of(dark), hex_of(mix(t.rgb, (255, 255, 255), 0.38 if luminance(t.rgb) > 60 else 0.24))


def _knit(t: Tones, box: Box, cloth: Cloth) -> str:
    dark, light = _contrast(t)
    grain = Cloth(cloth.angle, max(cloth.scale, 0.6) * 1.5, cloth.phase)
    stitches = Motif(shape(_KNIT), 6.2, 4.2, fill=dark, opacity=0.5)
    ribs = Motif(((5.1, 0.0, "h0.8v42.1h-0.8z"),), 6.2, 42, fill=light, opacity=0.42)
    return lattice_svg((stitches, ribs), box, grain)


def _denim(t: Tones, path: str, box: Box, cloth: Cloth) -> str:
    dark, light = _contrast(t)
    twill = Cloth(cloth.angle + 32, max(cloth.scale, 0.6), cloth.phase)
    threads = Motif(((0.0, 0.0, "h1.1v60.1h-1.1z"),), 3.4, 60, fill=light, opacity=0.46)
    weft = Motif(((1.7, 0.0, "h0.7v60.1h-0.7z"),), 6.8, 60, fill=dark, opacity=0.5)
    thread = "#f0b45a" if luminance(t.rgb) < 190 else "#b4762e"
    stitch = f'fill="none" stroke="{thread}" stroke-width="1.1" stroke-dasharray="3.2 1.8"'
    return lattice_svg((threads, weft), box, twill) + inset(path, box, 3.2, stitch)


def _waves(box: Box, cloth: Cloth, rng: random.Random, number: int, width: float) -> list[str]:
    """Soft upright bands that run down the cloth, as closed paths of the given width."""
    left, top, right, bottom = box
    height = bottom - top
    out = []
    for k in range(number):
        x = left + (right - left) * (k + 0.3 + 0.5 * rng.random()) / number
        a, b, end = (rng.uniform(-0.16, 0.16) * height for _ in range(3))
        w = width * rng.uniform(0.7, 1.3)
        out.append(
            f"M{x:.1f} {top - 2:.1f}C{x + a:.1f} {top + height * 0.3:.1f} {x + b:.1f} {top + height * 0.6:.1f} {x + end:.1f} {bottom + 2:.1f}"
            f"L{x + end + w * 0.6:.1f} {bottom + 2:.1f}C{x + b + w * 1.6:.1f} {top + height * 0.6:.1f} {x + a + w * 1.5:.1f} {top + height * 0.3:.1f} {x + w * 0.5:.1f} {top - 2:.1f}Z"
        )
    return out


def _satin(t: Tones, box: Box, cloth: Cloth, seed: int) -> str:
    rng = random.Random(seed)
    wide = box[2] - box[0]
    number = max(1, round(wide / 34))
    white = 0.22 if luminance(t.rgb) < 215 else 0.5
    shine = _waves(box, cloth, rng, number, min(11.0, wide * 0.24))
    dusk = _waves(box, cloth, rng, number, min(9.0, wide * 0.2))
    out = f'<path d="{"".join(dusk)}" fill="{t.line}" fill-opacity="0.16"/>'
    for growth, opacity in ((5.0, white * 0.45), (2.0, white * 0.7), (0.0, white)):
        stroke = f' stroke="#fff" stroke-opacity="{opacity:.3f}" stroke-width="{growth}"' if growth else ""
        out += f'<path d="{"".join(shine)}" fill="#fff" fill-opacity="{opacity:.3f}"{stroke}/>'
    return out


def _leather(t: Tones, path: str, box: Box, cloth: Cloth, seed: int) -> str:
    rng = random.Random(seed)
    gloss = 0.62 if luminance(t.rgb) < 215 else 0.95
    wide, high = box[2] - box[0], box[3] - box[1]
    thin = min(4.2, wide * 0.1)
    out = f'<path d="{path}" fill="{t.line}" fill-opacity="0.16"/>'
    for share, length in ((0.2, 0.34), (0.68, 0.22)):
        x, y = box[0] + wide * (share + rng.uniform(-0.05, 0.05)), box[1] + high * rng.uniform(0.08, 0.2)
        lean, span = rng.uniform(-0.06, 0.1) * high, high * length
        streak = (
            f"M{x:.1f} {y:.1f}C{x + thin:.1f} {y + span * 0.3:.1f} {x + thin + lean:.1f} {y + span * 0.7:.1f} {x + lean:.1f} {y + span:.1f}"
            f"C{x + lean - thin * 0.4:.1f} {y + span * 0.6:.1f} {x - thin * 0.4:.1f} {y + span * 0.3:.1f} {x:.1f} {y:.1f}Z"
        )
        out += f'<path d="{streak}" fill="#fff" fill-opacity="{gloss}" stroke="#fff" stroke-opacity="{gloss * 0.3:.2f}" stroke-width="2.4"/>'
    rim = f'fill="none" stroke="#fff" stroke-opacity="{gloss * 0.5:.2f}" stroke-width="1.1"'
    return out + inset(path, box, 2.6, rim)


def _fur(t: Tones, box: Box, cloth: Cloth) -> str:
    dark, light = _contrast(t)
    hair = Cloth(cloth.angle, max(cloth.scale, 0.55), cloth.phase)
    under = Motif(shape(_TUFT, 2, 1, 12) + shape(_TUFT, 8.6, 6, -16, 0.9), 11.6, 11.0, drop=True, fill=dark, opacity=0.5)
    over = Motif(shape(_TUFT, 5.4, 3, -8) + shape(_TUFT, 10.6, 9, 20, 0.9), 11.6, 11.0, drop=True, fill=light, opacity=0.62)
    return lattice_svg((under, over), box, hair)
