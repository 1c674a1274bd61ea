"""Paint a scene: cloth, pattern, material, shade, outline, style, ground.

In: a Scene. Out: `draw` (size, size, 3) uint8 and `draw_masks` (garments, size, size) bool, both decided by the scene
alone. A garment is painted as flat SVG shapes over a transparent ground (resvg), then a style turns that layer and the
ground into the picture (NumPy, Pillow).
"""

from __future__ import annotations

import random
import re
from dataclasses import replace

import numpy as np

from fashion.drawing.backgrounds import background
from fashion.drawing.materials import edge, edge_width, surface
from fashion.drawing.patterns import Box, Cloth, pattern_svg
from fashion.drawing.raster import document, rasterise
from fashion.drawing.shapes import Figure, Panel, Silhouette, Stroke, Trim
from fashion.drawing.silhouettes import Composition, compose
from fashion.drawing.styles import LOOKS, Look, finish, finish_mask
from fashion.drawing.tones import Tones, tones_of
from fashion.scene import Garment, Scene

MIN_SIZE, MAX_SIZE = 64, 1024
FRONT_LAYER = 75  # what lies over the clothes (a hand, a lock of hair) lies under a hat
_TRIM_COLORS = {"white": "#fbf9f5", "dark": "#2e2b33", "metal": "#c8ccd3", "skin": "#f1d6c2"}


def draw(scene: Scene, size: int = 256) -> np.ndarray:
    """Draw the scene: (size, size, 3) uint8 RGB. Raises ValueError for a size outside 64..1024."""
    _check(size)
    look = LOOKS[scene.style]
    layer = rasterise(foreground(scene, compose(scene), look), look.render_size(size))
    return finish(scene.style, layer, background(scene.background, look.render_size(size), scene.seed), size, scene.seed)


def draw_masks(scene: Scene, size: int = 256) -> np.ndarray:
    """The visible part of each garment: (len(scene.garments), size, size) bool, in the garments' order."""
    _check(size)
    look = LOOKS[scene.style]
    ids = rasterise(_ids(scene, compose(scene), look), look.mask_size(size), crisp=True)[..., 0]
    ids = finish_mask(scene.style, ids, size, scene.seed)
    return np.stack([ids == _id(i) for i in range(len(scene.garments))])


def foreground(scene: Scene, composition: Composition, look: Look) -> str:
    """The garments and the figure as an SVG document over nothing."""
    painters = [_Painter(scene, i, look) for i in range(len(scene.garments))]
    order = sorted(range(len(painters)), key=lambda i: composition.silhouettes[i].layer)
    parts = [_ground_shadow(composition)]
    for i in order:
        parts += [painters[i].panel(panel) for panel in composition.silhouettes[i].back]
    figure = composition.figure
    if figure:
        parts.append(_figure(figure.body, figure.strokes))
    front = _figure(figure.front, ()) if figure else ""
    for i in order:
        if front and composition.silhouettes[i].layer >= FRONT_LAYER:
            parts.append(front)
            front = ""
        parts.append(painters[i].garment(composition.silhouettes[i]))
    return document("".join(parts) + front)


class _Painter:
    """Paints one garment of a scene: its tones, how its cloth lies, and the look of the style."""

    def __init__(self, scene: Scene, number: int, look: Look) -> None:
        rng = random.Random(f"paint/{scene.seed}/{number}")
        self.cloth_of: Garment = scene.garments[number]
        self.look = look
        self.tones: Tones = tones_of(self.cloth_of.color)
        self.seed = rng.randrange(2**31)
        self.cloth = Cloth(0.0, rng.uniform(0.94, 1.12), (rng.uniform(-12, 12), rng.uniform(-12, 12)), rng.randrange(2))
        self.clips = f"g{number}"
        self.count = 0

    def garment(self, silhouette: Silhouette) -> str:
        out = "".join(self.panel(panel) for panel in silhouette.panels)
        out += "".join(self.stroke(stroke) for stroke in silhouette.strokes)
        return out + "".join(self.trim(trim) for trim in silhouette.trims)

    def panel(self, panel: Panel) -> str:
        self.count += 1
        t, look, path, clip = self.tones, self.look, panel.path, f"{self.clips}c{self.count}"
        box = box_of(path)
        cloth = replace(self.cloth, angle=panel.angle, scale=max(self.cloth.scale * panel.scale * look.pattern_zoom, 0.3))
        material = self.cloth_of.material
        inside = pattern_svg(self.cloth_of.pattern, t, box, cloth)
        inside += surface(material, t, path, box, cloth, self.seed + self.count)
        inside += self.shade(panel, box)
        out = edge(material, t, path, panel.scale) + f'<path d="{path}" fill="{t.base}"/>'
        out += f'<clipPath id="{clip}"><path d="{path}"/></clipPath><g clip-path="url(#{clip})">{inside}</g>'
        return out + look.outline(path, t, soft=material == "fur")

    def shade(self, panel: Panel, box: Box) -> str:
        """Soft steps of shadow at the lower right and of light at the upper left, and the panel's own shade."""
        t, path, s = self.tones, panel.path, max(panel.scale, 0.5) * 1.0
        out = ""
        if panel.shade:
            tint = "#0c0a18" if panel.shade < 0 else "#fff"
            out += f'<path d="{path}" fill="{tint}" fill-opacity="{min(abs(panel.shade) * 0.55, 0.6):.3f}"/>'
        if not self.look.shade:
            return out
        for step, opacity in ((3.0, 0.075), (6.5, 0.06), (11.0, 0.05)):
            out += _rim(path, box, -step * s, -step * s * 0.7, t.line, opacity * self.look.shade)
        for step, opacity in ((2.6, 0.10), (5.5, 0.07)):
            out += _rim(path, box, step * s, step * s * 0.8, "#ffffff", opacity * self.look.shade)
        return out

    def stroke(self, stroke: Stroke) -> str:
        t, w, d = self.tones, stroke.width, f'<path d="{stroke.path}" fill="none" stroke-linecap="round" '
        if stroke.role in ("fold", "light"):
            color, strength = (t.line, 0.17) if stroke.role == "fold" else ("#ffffff", 0.2)
            strength *= 0.5 + 0.5 * self.look.shade
            return "".join(
                f'{d}stroke="{color}" stroke-opacity="{strength * k:.3f}" stroke-width="{w * grow:.2f}"/>'
                for grow, k in ((2.4, 0.5), (1.5, 0.6), (0.8, 0.8))
            )
        if stroke.role == "stitch":
            return f'{d}stroke="{t.line}" stroke-opacity="0.7" stroke-width="{w:.2f}" stroke-dasharray="2.6 1.8"/>'
        if stroke.role == "lace":
            return f'{d}stroke="{t.line}" stroke-width="{w + 1.1:.2f}"/>{d}stroke="#fbf9f5" stroke-width="{w:.2f}"/>'
        opacity = 0.45 if stroke.role == "rib" else 0.8
        return f'{d}stroke="{self.look.line_color(t)}" stroke-opacity="{opacity}" stroke-width="{w:.2f}"/>'

    def trim(self, trim: Trim) -> str:
        t = self.tones
        own = {"contrast": t.contrast, "self_dark": t.dark, "self_light": t.light}
        color = own.get(trim.tone) or _TRIM_COLORS[trim.tone]
        line = t.line if trim.tone != "metal" else "#6d7078"
        return f'<path d="{trim.path}" fill="{color}" stroke="{line}" stroke-width="0.8" stroke-opacity="0.85"/>'


def box_of(path: str) -> Box:
    """The box around a path's points, control points included; the whole square where it uses other than M L C Q S T Z."""
    if _OTHER_COMMANDS.search(path):
        return 0.0, 0.0, 256.0, 256.0
    numbers = [float(n) for n in _NUMBER.findall(path)]
    xs, ys = numbers[::2], numbers[1::2]
    return max(min(xs), -8.0), max(min(ys), -8.0), min(max(xs), 264.0), min(max(ys), 264.0)


_OTHER_COMMANDS = re.compile(r"[a-dfghi-ko-rtu-yAHV]")
_NUMBER = re.compile(r"-?\d*\.?\d+(?:e-?\d+)?")


def _rim(path: str, box: Box, dx: float, dy: float, color: str, opacity: float) -> str:
    """What lies inside the clip but outside the path moved by (dx, dy): a crescent along one side."""
    left, top, right, bottom = box[0] - dx - 1, box[1] - dy - 1, box[2] - dx + 1, box[3] - dy + 1
    return (
        f'<g transform="translate({dx:.2f} {dy:.2f})"><path d="M{left:.1f} {top:.1f}H{right:.1f}V{bottom:.1f}H{left:.1f}Z{path}" '
        f'fill="{color}" fill-opacity="{opacity:.3f}" fill-rule="evenodd"/></g>'
    )


def _figure(parts: tuple[Trim, ...], strokes: tuple[Stroke, ...]) -> str:
    out = "".join(
        f'<path d="{part.path}" fill="{_TRIM_COLORS.get(part.tone, "#e9dccf")}" stroke="#7d6659" stroke-width="0.9" stroke-opacity="0.55"/>'
        for part in parts
    )
    return out + "".join(
        f'<path d="{s.path}" fill="none" stroke="#6f594e" stroke-width="{s.width:.2f}" stroke-opacity="0.7" stroke-linecap="round"/>'
        for s in strokes
    )


def _ground_shadow(composition: Composition) -> str:
    """A soft contact shadow: under the feet of a figure, or just beside a garment laid out."""
    if composition.figure:
        steps = ((46, 6.5), (38, 5), (28, 3.6))
        return "".join(f'<ellipse cx="128" cy="247" rx="{rx}" ry="{ry}" fill="#2a2436" fill-opacity="0.07"/>' for rx, ry in steps)
    paths = "".join(panel.path for s in composition.silhouettes for panel in s.panels)
    return "".join(
        f'<path d="{paths}" transform="translate({k:.1f} {k * 1.3:.1f})" fill="#2a2436" fill-opacity="0.055" '
        f'stroke="#2a2436" stroke-opacity="0.04" stroke-width="{k * 0.9:.1f}" stroke-linejoin="round"/>'
        for k in (2.0, 3.4)
    )


def _id(number: int) -> int:
    return 80 * (number + 1)


def _ids(scene: Scene, composition: Composition, look: Look) -> str:
    """Every garment in one flat colour, the figure black, in the order of painting."""

    def flat(paths: list[str], number: int | None, width: float) -> str:
        color = "#000" if number is None else f"#{_id(number):02x}0000"
        return "".join(f'<path d="{p}" fill="{color}" stroke="{color}" stroke-width="{width:.2f}" stroke-linejoin="round"/>' for p in paths)

    def whole(i: int, panels: tuple[Panel, ...]) -> str:
        material = scene.garments[i].material
        return "".join(flat([p.path], i, max(look.outline_width, edge_width(material, p.scale))) for p in panels)

    order = sorted(range(len(scene.garments)), key=lambda i: composition.silhouettes[i].layer)
    parts = ['<rect width="256" height="256" fill="#000"/>']
    parts += [whole(i, composition.silhouettes[i].back) for i in order]
    figure: Figure | None = composition.figure
    if figure:
        parts.append(flat([part.path for part in figure.body], None, 0.9))
    front = flat([part.path for part in figure.front], None, 0.9) if figure else ""
    for i in order:
        silhouette = composition.silhouettes[i]
        if front and silhouette.layer >= FRONT_LAYER:
            parts.append(front)
            front = ""
        parts.append(whole(i, silhouette.panels) + flat([trim.path for trim in silhouette.trims], i, 0.8))
    return document("".join(parts) + front)


def _check(size: int) -> None:
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise ValueError(f"a picture of {size} px cannot be drawn: use {MIN_SIZE} to {MAX_SIZE}")
