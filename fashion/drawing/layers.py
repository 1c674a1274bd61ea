"""The vector layers of a picture, as SVG: flat colours with outlines, soft light, ids for masks.

In: a scene and its composition. Out: SVG documents in scene units. In the colour layer every panel has a fill of its
own (the garment's colour with the panel's number in its lowest bits), so that `cloth` finds the pixels of each panel
in the anti-aliased picture itself.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import TypeVar

import numpy as np

from fashion.drawing.materials import edge, edge_width, topstitch, weave_angle
from fashion.drawing.patterns import LEGIBLE_SCALE
from fashion.drawing.raster import Extent, document
from fashion.drawing.shapes import Panel, Stroke, Trim
from fashion.drawing.silhouettes import Composition
from fashion.drawing.styles import Look
from fashion.drawing.textures import Grain
from fashion.drawing.tones import Rgb, Tones, hex_of, luminance, tones_of
from fashion.scene import Garment, Scene

Ints = TypeVar("Ints", int, np.ndarray)
FRONT_LAYER = 75  # what lies over the clothes (a hand, a lock of hair) lies under a hat
WORN_SCALE = 0.62  # of a pattern on a figure
MAX_PANELS = 512
_REACH = 5.0  # of an outline, or of the second one that wanders, over a path; scene units
_TRIM_COLORS = {"white": "#fbf9f5", "dark": "#2e2b33", "metal": "#c8ccd3", "skin": "#f1d6c2"}
_NUMBER = re.compile(r"-?\d*\.?\d+")
_OTHER_COMMANDS = re.compile(r"[a-bdf-y]|[AHV]")  # whose numbers are not points


@dataclass(frozen=True)
class Piece:
    """One panel of one garment: its number in the picture, the fill that marks it, how its cloth lies."""

    number: int
    garment: int
    panel: Panel
    fill: Rgb
    grain: Grain
    fineness: float  # how small its threads and hair are drawn: 1 laid out alone, less on a figure


@dataclass(frozen=True)
class Cut:
    """A scene taken apart for painting. `order`: garments by rising layer."""

    scene: Scene
    composition: Composition
    look: Look
    back: tuple[tuple[Piece, ...], ...]  # of each garment
    front: tuple[tuple[Piece, ...], ...]
    order: tuple[int, ...]

    @property
    def pieces(self) -> list[Piece]:
        """All pieces by number."""
        return sorted((piece for group in (*self.back, *self.front) for piece in group), key=lambda piece: piece.number)

    def worn(self) -> Iterator[tuple[str, int]]:
        """What is painted one after the other: ("back", i), ("body", -1), ("garment", i), ("front", -1)."""
        silhouettes = self.composition.silhouettes
        yield from (("back", i) for i in self.order)
        if not self.composition.figure:
            yield from (("garment", i) for i in self.order)
            return
        yield "body", -1
        yield from (("garment", i) for i in self.order if silhouettes[i].layer < FRONT_LAYER)
        yield "front", -1
        yield from (("garment", i) for i in self.order if silhouettes[i].layer >= FRONT_LAYER)


def cut(scene: Scene, composition: Composition, look: Look) -> Cut:
    """Number the panels and lay their cloth: the seed moves and scales a pattern a little."""
    worn = WORN_SCALE if composition.figure else 1.0
    least = worn**0.5  # a print on a figure may be somewhat finer: what it covers is small, and some repeats must show
    numbers = count()
    back: list[tuple[Piece, ...]] = []
    front: list[tuple[Piece, ...]] = []
    for i, (garment, silhouette) in enumerate(zip(scene.garments, composition.silhouettes, strict=True)):
        rng = random.Random(f"paint/{scene.seed}/{i}")
        scale, x, y = rng.uniform(0.95, 1.12), 128 + rng.uniform(-12, 12), 128 + rng.uniform(-12, 12)
        for panels, pieces in ((silhouette.back, back), (silhouette.panels, front)):
            cloth = []
            for panel in panels:
                number = next(numbers)
                size = scale * max(panel.scale * worn, LEGIBLE_SCALE[garment.pattern] * least)
                grain = Grain(panel.angle, size * look.pattern_zoom, x, y)
                fill = _marked(tones_of(garment.color).rgb, number)
                cloth.append(Piece(number, i, panel, fill, grain, max(panel.scale * worn**0.6, 0.5)))
            pieces.append(tuple(cloth))
    order = tuple(sorted(range(len(scene.garments)), key=lambda i: composition.silhouettes[i].layer))
    return Cut(scene, composition, look, tuple(back), tuple(front), order)


def painted_extent(taken: Cut) -> Extent:
    """How far all paint reaches: lines a little beyond the points of their paths, the fringe of fur far at a corner."""
    garments = taken.scene.garments
    fringe = max((edge_width(garments[p.garment].material, p.fineness) for p in taken.pieces), default=0.0)
    beyond = max(_REACH, 2 * fringe)
    return taken.composition.extent[0] + beyond, taken.composition.extent[1] + beyond


def weave_grain(piece: Piece, material: str | None, look: Look) -> Grain:
    """How a material's threads lie: along the grain, never too fine to see."""
    scale = piece.fineness * look.pattern_zoom
    return Grain(piece.panel.angle + weave_angle(material), scale, piece.grain.x, piece.grain.y)


def _marked(rgb: Rgb, number: int) -> Rgb:
    number %= MAX_PANELS
    r, g, b = (c & ~7 for c in rgb)
    return r | number >> 6, g | number >> 3 & 7, b | number & 7


def mark_of(red: Ints, green: Ints, blue: Ints) -> Ints:
    """The number in the lowest bits of a fill (also of arrays)."""
    return (red & 7) << 6 | (green & 7) << 3 | blue & 7


# --- colours ------------------------------------------------------------------------------------------------------


def color_layer(taken: Cut) -> str:
    """Fills, outlines, seams and trims over nothing, anti-aliased."""
    figure = taken.composition.figure
    parts = []
    for what, i in taken.worn():
        if what == "body":
            assert figure is not None
            parts.append(_body(figure.body) + _body_lines(figure.strokes))
        elif what == "front":
            assert figure is not None
            parts.append(_body(figure.front))
        else:
            parts.append(_colored(taken, i, what == "back"))
    return document("".join(parts))


def _colored(taken: Cut, i: int, back: bool) -> str:
    garment, look = taken.scene.garments[i], taken.look
    silhouette, t = taken.composition.silhouettes[i], tones_of(garment.color)
    out = "".join(_panel(piece, garment, t, look) for piece in (taken.back if back else taken.front)[i])
    if back:
        return out
    out += "".join(_lace(stroke, t, look) for stroke in silhouette.strokes if stroke.role == "lace")
    return out + "".join(_trim(trim, t) for trim in silhouette.trims)


def _panel(piece: Piece, garment: Garment, t: Tones, look: Look) -> str:
    path, material = piece.panel.path, garment.material
    fur = material == "fur"
    out = edge(material, t, path, piece.fineness)
    out += f'<path d="{path}" fill="{hex_of(piece.fill)}"{"" if fur else look.stroke(t)}/>'
    out += look.extra_outline(path, t) if not fur else ""
    return out + (topstitch(t, path, box_of(path)) if material == "denim" else "")


def _lace(stroke: Stroke, t: Tones, look: Look) -> str:
    d, w = f'<path d="{stroke.path}" fill="none" stroke-linecap="round"', stroke.width
    under = f'{d} stroke="{look.line_color(t)}" stroke-width="{w + 1.1:.2f}"/>'
    return f'{under}{d} stroke="#fbf9f5" stroke-width="{w:.2f}"/>'


def _trim(trim: Trim, t: Tones) -> str:
    own = {"contrast": t.contrast, "self_dark": t.dark, "self_light": t.light}
    color = own.get(trim.tone) or _TRIM_COLORS[trim.tone]
    line = "#6d7078" if trim.tone == "metal" else t.line
    return f'<path d="{trim.path}" fill="{color}" stroke="{line}" stroke-width="0.8"/>'


def _body(parts: tuple[Trim, ...]) -> str:
    return "".join(
        f'<path d="{part.path}" fill="{_TRIM_COLORS.get(part.tone, _TRIM_COLORS["skin"])}" stroke="#a98f80" '
        'stroke-width="0.9"/>'
        for part in parts
    )


def _body_lines(strokes: tuple[Stroke, ...]) -> str:
    return "".join(
        f'<path d="{s.path}" fill="none" stroke="#7d6659" stroke-width="{s.width:.2f}" stroke-linecap="round"/>'
        for s in strokes
    )


# --- light --------------------------------------------------------------------------------------------------------


def light_layer(taken: Cut) -> str:
    """Grey: 128 leaves a colour as it is, darker shades it, lighter lights it. Folds, seams, panels that lie deeper."""
    parts = ['<rect width="256" height="256" fill="#808080"/>']
    figure = taken.composition.figure
    for what, i in taken.worn():
        if what in ("body", "front"):
            assert figure is not None
            parts.append(_neutral(figure.body if what == "body" else figure.front))
            continue
        parts += [_shaded(piece.panel) for piece in (taken.back if what == "back" else taken.front)[i]]
        if what == "garment":
            silhouette, t = taken.composition.silhouettes[i], tones_of(taken.scene.garments[i].color)
            parts += [_marks(stroke, t) for stroke in _together(silhouette.strokes)]
            parts.append(_neutral(silhouette.trims))
    return document("".join(parts))


def _shaded(panel: Panel) -> str:
    value = 128 * (1 + 0.6 * panel.shade) if panel.shade < 0 else 128 + 60 * panel.shade
    return f'<path d="{panel.path}" fill="{hex_of((round(value),) * 3)}"/>'


def _together(strokes: tuple[Stroke, ...]) -> list[Stroke]:
    """Strokes of one role and about one width as one: a third of the time."""
    paths: dict[tuple[str, float], list[str]] = {}
    for stroke in strokes:
        paths.setdefault((stroke.role, round(stroke.width * 2) / 2 or 0.5), []).append(stroke.path)
    return [Stroke("".join(same), width, role) for (role, width), same in paths.items()]


def _marks(stroke: Stroke, t: Tones) -> str:
    """Folds and lights in two soft steps; seams, stitches and ribs as thin lines, light ones on cloth near black."""
    d = f'<path d="{stroke.path}" fill="none" stroke-linecap="round" '
    dark_cloth = luminance(t.rgb) < 50
    if stroke.role in ("fold", "light"):
        color, strength = ("#000", 0.26 if dark_cloth else 0.2) if stroke.role == "fold" else ("#fff", 0.15)
        return "".join(
            f'{d}stroke="{color}" stroke-opacity="{strength * k:.3f}" stroke-width="{stroke.width * grow:.2f}"/>'
            for grow, k in ((2.2, 0.5), (1.1, 0.9))
        )
    if stroke.role == "lace":
        return f'{d}stroke="#808080" stroke-width="{stroke.width + 1.1:.2f}"/>'
    color, opacity = ("#fff", 0.26) if dark_cloth else ("#000", 0.58)
    if stroke.role == "stitch":
        d += 'stroke-dasharray="2.6 1.8" '
    opacity *= 0.55 if stroke.role == "rib" else 1.0
    return f'{d}stroke="{color}" stroke-opacity="{opacity:.2f}" stroke-width="{stroke.width:.2f}"/>'


def _neutral(parts: tuple[Trim, ...]) -> str:
    return f'<path d="{"".join(p.path for p in parts)}" fill="#808080"/>' if parts else ""


# --- masks --------------------------------------------------------------------------------------------------------


def id_of(garment: int) -> int:
    return 80 * (garment + 1)


def id_layer(taken: Cut) -> str:
    """Every garment in one flat colour, all else black, in the order of painting; to be drawn without anti-aliasing."""
    figure = taken.composition.figure
    parts = ['<rect width="256" height="256" fill="#000"/>']
    for what, i in taken.worn():
        if what in ("body", "front"):
            assert figure is not None
            parts.append(_flat([p.path for p in (figure.body if what == "body" else figure.front)], "#000", 0.9))
            continue
        silhouette, material = taken.composition.silhouettes[i], taken.scene.garments[i].material
        color = f"#{id_of(i):02x}0000"
        for piece in (taken.back if what == "back" else taken.front)[i]:
            width = edge_width(material, piece.fineness) or taken.look.outline_width
            parts.append(_flat([piece.panel.path], color, width))
        if what == "garment":
            parts.append(_flat([trim.path for trim in silhouette.trims], color, 0.8))
    return document("".join(parts), crisp=True)


def _flat(paths: list[str], color: str, width: float) -> str:
    return "".join(
        f'<path d="{path}" fill="{color}" stroke="{color}" stroke-width="{width:.2f}" stroke-linejoin="round"/>'
        for path in paths
    )


def box_of(path: str) -> tuple[float, float, float, float]:
    """The box around a path's points, control points included; the whole square where it has other than points."""
    if _OTHER_COMMANDS.search(path):
        return 0.0, 0.0, 256.0, 256.0
    numbers = [float(n) for n in _NUMBER.findall(path)]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])
