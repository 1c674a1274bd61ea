"""What light does to the cloth of a picture: how much of it each point gets, and where folds bend the cloth.

In: a picture (H, W, 3) uint8 and a mask (H, W), 1 where the cloth is. Out: `Shading`, in units that do not depend on
the picture's size, so that the page's preview and the result at full size agree.

Plain cloth shows its light itself: OKLab lightness over the lightness of well-lit cloth. A print would show through,
so the lightness of printed cloth is averaged over more than a motif first. How printed it is is measured: by how much
chroma over lightness, which light does not change, varies, and by how many steep steps its lightness has once thin
lines (seams, outlines, ribs of a knit) are taken out by a median.
Ref: Land & McCann 1971 (retinex: light changes slowly, reflectance in steps).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy import ndimage

from textile.oklab import oklab

WELL_LIT = 75  # percentile of the cloth's lightness that counts as fully lit
BRIGHTEST = 1.15  # of a highlight
MOST_RANGE = 1.0  # of log lightness between the darkest and the lightest cloth: black cloth is told mostly by gloss
PRINT_BLUR = 0.035  # of the longer side: more than most motifs, less than a sleeve
FOLD_BLUR = 0.018
BEND = 0.07  # of the longer side; squared, times the slope of log lightness, it is how far cloth is bent
MOST_BEND = 0.02  # of the longer side
LEAST_BEND = 0.001  # gentler slopes bend nothing
_CHROMA = (0.035, 0.08)  # spread of chroma over lightness: below it cloth is plain, above it printed
_STEPS = (0.05, 0.12)  # the like of the share of steep steps
_STEEP = 0.1  # of log lightness from a point to the next, at WORKED pixels
_SEEN = 0.03  # of lightness: a smaller step is no print, however steep it is on black cloth
_HUELESS = 0.2  # lightness below which the hue is noise
_WORKED = 256
_MOSTLY = 0.9  # of the points count for the spread of chroma: a collar or a ribbon of another colour is no print
_AGAIN = 2  # times that the ground of a print is looked for again
_FAR = 0.3  # of log lightness from the mean: no ground
_THIN = 5  # pixels of the median's window, at WORKED pixels
_DARK = 0.04  # lightness below which there is only noise


@dataclass(frozen=True)
class Shading:
    """`light` (H, W) float32: factor on OKLab, 1 where cloth is well lit. `bend` (2, H, W) float32: how far right and
    down of a point its cloth lies flat, as shares of the picture's longer side. `printed`: 0 plain to 1.
    """

    light: np.ndarray
    bend: np.ndarray
    printed: float


def shading_of(picture: np.ndarray, mask: np.ndarray, side: int | None = None) -> Shading:
    """The light on the masked cloth; beyond the mask it is what the picture shows there, for a mask that grows.

    `side`: the longer one of the whole picture, where this is a part of it.
    """
    side = side or max(mask.shape)
    lab = oklab(picture)  # (H, W, 3)
    inner = np.where(mask > 0.5, mask, 0).astype(np.float32)
    printed = _printed(lab, inner)
    lightness = np.log(np.maximum(lab[..., 0], _DARK))
    if printed > 0:
        lightness = (1 - printed) * lightness + printed * _ground(lightness, inner, PRINT_BLUR * side)
    low, lit, high = np.percentile(lightness[inner > 0], (2, WELL_LIT, 98)) if inner.any() else (0.0, 0.0, 0.0)
    gentle = min(1.0, MOST_RANGE / max(high - low, 1e-6))
    light = np.exp(np.clip((lightness - lit) * gentle, -2.5, 1))
    over = np.maximum(light - 1, 0)
    light = np.minimum(light, 1) + (BRIGHTEST - 1) * (1 - np.exp(-over / (BRIGHTEST - 1)))
    return Shading(light.astype(np.float32), _bend(lightness * gentle, inner, side), printed)


def blurred(values: np.ndarray, weights: np.ndarray, sigma: float) -> np.ndarray:
    """Weighted means around each point (H, W), a Gaussian of `sigma` pixels; where no weight is near, the nearest's."""
    height, width = values.shape
    by = max(1, int(sigma / 2.5))
    small = (max(1, -(-width // by)), max(1, -(-height // by)))

    def mean(plane: np.ndarray) -> np.ndarray:
        reduced = Image.fromarray(plane.astype(np.float32)).resize(small, Image.Resampling.BOX) if by > 1 else plane
        return ndimage.gaussian_filter(np.asarray(reduced, np.float32), sigma / by, mode="nearest")

    total, mass = mean(values * weights), mean(weights)
    known = mass > 1e-3
    if not known.any():
        return values.astype(np.float32)
    found = np.where(known, total / np.maximum(mass, 1e-3), 0)
    if not known.all():
        nearest = ndimage.distance_transform_edt(~known, return_distances=False, return_indices=True)
        found = found[tuple(nearest)]
    if by == 1:
        return found.astype(np.float32)
    whole = Image.fromarray(found.astype(np.float32)).resize((width, height), Image.Resampling.BICUBIC)
    return np.asarray(whole)


def _ground(lightness: np.ndarray, inner: np.ndarray, sigma: float) -> np.ndarray:
    """The lightness of printed cloth without its print: means around each point, again without what is far from them,
    so that a white letter on black cloth leaves no glow.
    """
    mean = blurred(lightness, inner, sigma)
    for _ in range(_AGAIN):
        near = np.exp(-(((lightness - mean) / _FAR) ** 2)).astype(np.float32)
        mean = blurred(lightness, inner * np.maximum(near, 1e-3), sigma)
    return mean


def _printed(lab: np.ndarray, inner: np.ndarray) -> float:
    """How printed the masked cloth is, 0 to 1."""
    by = max(1, round(max(inner.shape) / _WORKED))
    lab, inside = lab[::by, ::by], ndimage.binary_erosion(inner[::by, ::by] > 0.9, iterations=2)
    if inside.sum() < 50:
        return 0.0
    lightness = np.maximum(lab[..., 0], _HUELESS)
    planes = (lab[..., 1] / lightness, lab[..., 2] / lightness, np.log(lightness))
    first, second, logs = (ndimage.median_filter(plane, _THIN, mode="nearest") for plane in planes)
    away = np.hypot(first[inside] - np.median(first[inside]), second[inside] - np.median(second[inside]))
    spread = float(np.sqrt((np.sort(away)[: int(_MOSTLY * away.size) + 1] ** 2).mean()))
    steep = np.zeros(inside.shape, bool)
    for axis, here in ((1, steep[:, 1:]), (0, steep[1:])):
        here |= (np.abs(np.diff(logs, axis=axis)) > _STEEP) & (np.abs(np.diff(np.exp(logs), axis=axis)) > _SEEN)
    return max(_ramp(spread, *_CHROMA), _ramp(float(steep[inside].mean()), *_STEPS))


def _ramp(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low)))


def _bend(lightness: np.ndarray, inner: np.ndarray, side: int) -> np.ndarray:
    """Cloth bends away where its light changes: (2, H, W), right and down, in shares of the longer side.

    Seams and outlines bend nothing: a grey closing fills dark lines that are narrower than its window.
    """
    height, width = inner.shape
    by = max(1, round(side / _WORKED))
    small = (max(1, -(-width // by)), max(1, -(-height // by)))
    planes = (np.where(inner > 0, lightness, 0), (inner > 0).astype(np.float32))
    total, mass = (
        np.asarray(Image.fromarray(plane.astype(np.float32)).resize(small, Image.Resampling.BOX)) for plane in planes
    )
    known = mass > 0.05
    mean = np.where(known, total / np.maximum(mass, 0.05), -9)  # what is not cloth is no wall to bend at
    mean = ndimage.grey_closing(mean, size=_THIN, mode="nearest")
    smooth = blurred(mean, known.astype(np.float32), FOLD_BLUR * side / by)
    slope = np.stack([ndimage.sobel(smooth, axis, mode="nearest") / 8 for axis in (1, 0)]) / by  # per pixel
    moved = BEND**2 * side * slope
    length = np.hypot(*moved)
    moved *= MOST_BEND * np.tanh(np.maximum(length - LEAST_BEND, 0) / MOST_BEND) / np.maximum(length, 1e-9)
    whole = [Image.fromarray(each.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
             for each in moved]  # fmt: skip
    return np.stack([np.asarray(plane) for plane in whole])
