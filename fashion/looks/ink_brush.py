"""Ink brush painting (수묵화): a few tones of ink that bleed into hanji, big dry strokes, a tint of mineral, a seal."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image
from scipy import ndimage

from fashion.drawing import draw, draw_masks
from fashion.drawing.backgrounds import VARIANTS, background
from fashion.drawing.layers import cut
from fashion.drawing.noise import fractal
from fashion.drawing.raster import document, rasterise
from fashion.drawing.shapes import Figure, Silhouette
from fashion.drawing.silhouettes import Composition, compose
from fashion.drawing.styles import LOOKS
from fashion.looks.brush import stroke, strokes_of
from fashion.looks.ink_motifs import beside, seal, splashes
from fashion.scene import Scene

INK = np.array((30, 31, 38), np.float32)
TONES = np.array((0.06, 0.2, 0.42, 0.68), np.float32)  # of the washes, 1 is INK
TINT = 0.3  # how much of a garment's own colour its wash has
LEAST = 192  # pixels at which bristles are drawn, and made smaller after


def draw_ink_brush(scene: Scene, size: int) -> np.ndarray:
    """A scene painted with ink, uint8 (size, size, 3)."""
    work, flat = max(size, LEAST), replace(scene, style="flat", background="white")
    return ink_painting(flat, compose(flat), draw(flat, work), draw_masks(flat, work), size)


def ink_painting(
    scene: Scene, composition: Composition, picture: np.ndarray, masks: np.ndarray, size: int, over: str = ""
) -> np.ndarray:
    """What is shown by a picture before white, uint8 (work, work, 3), and by the masks (n, work, work) of a scene's
    garments, painted with ink, uint8 (size, size, 3); `over`: SVG elements that lie over the garments.
    """
    work, picture = len(picture), picture.astype(np.float32)
    rng = np.random.default_rng((scene.seed, 7))
    paper = background("hanji", work, scene.seed % VARIANTS).astype(np.float32)
    far = _ink(beside(rng), work)
    far = 0.42 * ndimage.gaussian_filter(far, 0.003 * work) * (1 - _near(picture))
    paper *= 1 - far[..., None] * (1 - INK / 255)
    paper = _washed(paper, picture, masks, rng)
    lines = _ink(_lines(scene, composition, rng) + over + splashes(rng), work)
    lines *= np.clip(0.93 + 0.1 * _noise(work, 40, rng), 0, 1)
    paper *= 1 - np.clip(lines, 0, 0.97)[..., None] * (1 - INK / 255)
    stamp = rasterise(document(seal(rng)), work).astype(np.float32)
    share = stamp[..., 3:] / 255 * np.clip(0.9 + 0.08 * _noise(work, 60, rng), 0, 1)[..., None]
    paper += share * (stamp[..., :3] - paper)
    done = Image.fromarray(np.clip(paper, 0, 255).astype(np.uint8))
    return np.asarray(done if work == size else done.resize((size, size), Image.Resampling.BOX))


def _washed(paper: np.ndarray, picture: np.ndarray, masks: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The paper with each garment's wash: tones with hard wet rims, past the contour here, reserves there."""
    work = paper.shape[0]
    fall = np.linspace(-0.5, 0.5, work, dtype=np.float32)
    for mask in masks:
        if not mask.any():
            continue
        color = np.median(picture[mask], axis=0)
        cloth = np.roll(mask, np.rint(rng.normal(0.006, 0.008, 2) * work).astype(int), axis=(0, 1)).astype(np.float32)
        cloth = ndimage.gaussian_filter(cloth, 0.026 * work)
        streaks = _streaks(work, int(rng.integers(VARIANTS)))
        cover = _step(cloth + 0.12 * _noise(work, 12, rng) + 0.07 * streaks, 0.26, 0.38) * _step(cloth, 0.02, 0.12)
        halo = _step(cloth + 0.1 * _noise(work, 7, rng), 0.02, 0.4)
        grey = ndimage.gaussian_filter(picture.mean(axis=2), 0.006 * work)
        level = np.median(grey[mask])
        print_ = np.clip((level - grey) / 150, -0.4, 0.6) * ndimage.binary_erosion(mask, iterations=2)
        dark = (
            0.2
            + 0.55 * (1 - level / 255)
            + 0.12 * _noise(work, 4, rng)
            + 0.3 * fall[:, None]
            + 0.22 * fall
            + 0.08 * streaks
        )
        tone, rim = _toned(dark + 0.9 * print_)
        reserve = _step(_noise(work, 5, rng) + 0.85 * streaks - 1.3 * (fall[:, None] + fall), 0.95, 1.25)
        wet = cover * (1 - 0.9 * reserve)
        edge = 4 * wet * (1 - wet)
        density = np.clip(wet * (tone + 0.1 * rim) + 0.12 * edge + 0.1 * halo * (1 - wet), 0, 0.9)
        stain = np.clip(color * (245 / max(color.max(), 120)), 0, 255) / 255
        paper = paper * (1 - TINT * wet[..., None] * (1 - stain))
        paper = paper * (1 - density[..., None] * (1 - INK / 255))
    return paper


def _toned(dark: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A darkness of 0..1 as the nearest of the four tones, and where one meets the next."""
    at = np.clip(dark * len(TONES), 0, len(TONES) - 1.001)
    whole, rest = np.floor(at), at - np.floor(at)
    mixed = _step(rest, 0.35, 0.65)
    low, high = TONES[whole.astype(int)], TONES[np.minimum(whole.astype(int) + 1, len(TONES) - 1)]
    return low + mixed * (high - low), 4 * mixed * (1 - mixed)


def _lines(scene: Scene, composition: Composition, rng: np.random.Generator) -> str:
    """Contours, folds and faces in the order of painting; what lies above covers with white, which is no ink."""
    taken = cut(scene, composition, LOOKS["flat"])
    parts = []
    for what, i in taken.worn():
        if what in ("body", "front"):
            assert taken.composition.figure is not None
            parts.append(_body(taken.composition.figure, what == "front", rng))
        elif what == "garment":
            parts.append(_garment(taken.composition.silhouettes[i], rng))
    return "".join(parts)


def _garment(silhouette: Silhouette, rng: np.random.Generator) -> str:
    out = ""
    for panel in silhouette.panels:
        out += f'<path d="{panel.path}" fill="#fff"/>'
        for points in strokes_of(panel.path):
            wide = np.clip(len(points) * 0.42, 1.6, 12.0) * rng.uniform(0.5, 1.15)
            out += stroke(points, wide, rng)
    for line in silhouette.strokes:
        if line.role in ("fold", "seam") and rng.random() < (0.7 if line.role == "fold" else 0.4):
            wide = 4.2 if line.role == "fold" else 1.6
            out += "".join(stroke(points, wide, rng, 0.8, "#3c3c3c") for points in strokes_of(line.path))
    for trim in silhouette.trims:
        fill = {"dark": "#222", "contrast": "#aaa", "self_dark": "#555"}.get(trim.tone, "#fff")
        out += f'<path d="{trim.path}" fill="{fill}"/>'
        out += "".join(stroke(points, 1.7, rng, 0) for points in strokes_of(trim.path))
    return out


def _body(figure: Figure, front: bool, rng: np.random.Generator) -> str:
    out = ""
    for part in figure.front if front else figure.body:
        dark = part.tone == "dark"
        out += f'<path d="{part.path}" fill="{"#1c1c1c" if dark else "#fff"}"/>'
        lines = strokes_of(part.path)
        out += "".join(stroke(points, 3.2 if dark else 2.0, rng, 0, "#222") for points in lines)
    if not front:
        out += "".join(
            stroke(points, 1.5 * line.width, rng, 0) for line in figure.strokes for points in strokes_of(line.path)
        )
    return out


def _ink(parts: str, work: int) -> np.ndarray:
    """How much ink SVG elements leave, 0..1 (work, work): black is all, white none."""
    sheet = rasterise(document(f'<rect width="256" height="256" fill="#fff"/>{parts}'), work)
    return 1 - sheet[..., 0].astype(np.float32) / 255


def _near(picture: np.ndarray) -> np.ndarray:
    """Where a figure or a garment stands before white, and a little around: what lies behind leaves that free."""
    painted = (picture.min(axis=2) < 232).astype(np.float32)
    return np.clip(2.2 * ndimage.gaussian_filter(painted, 0.02 * painted.shape[0]), 0, 1)


def _noise(work: int, cells: int, rng: np.random.Generator) -> np.ndarray:
    return fractal(work, cells, int(rng.integers(12)))


@lru_cache(maxsize=16)
def _streaks(work: int, variant: int) -> np.ndarray:
    """What the bristles of a broad slanted brush leave bare, unit spread (work, work)."""
    tall = np.random.default_rng(variant).standard_normal((2 * work, 2 * work)).astype(np.float32)
    along = ndimage.gaussian_filter(tall, (0.11 * work, 0.0035 * work))
    slanted = ndimage.rotate(along, 24 + 9 * variant, order=1, reshape=False)[work // 2 :, work // 2 :][:work, :work]
    return slanted / slanted.std()


def _step(values: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((values - low) / (high - low), 0, 1)
    return (t * t * (3 - 2 * t)).astype(np.float32)
