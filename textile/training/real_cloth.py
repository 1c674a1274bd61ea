"""Photographed cloth to learn from: close-ups cut where their edges nearly meet, as layer memberships and weave.

In: a folder with labels.tsv (file_name, pattern) and pictures. Out: tiles like those of `drawn_cloth`, and the light of
the weave that the layers leave over.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from PIL import Image
from skimage.color import rgb2lab
from sklearn.cluster import KMeans

from textile.training.labelled import labelled

CATEGORY_OF_LABEL = {
    "checkered": "checkered", "dotted": "dots", "floral": "floral", "solid": "solid", "striped": "stripes",
    "zigzag": "zigzag",
}  # fmt: skip
SPLITS = ("generator", "classifier", "test")
_RUN = 8  # photos of one cloth follow each other: whole runs go to one split
_OVERLAP = 14  # pixels over which a crop is blended into itself


@dataclass(frozen=True)
class Photo:
    """A close-up of cloth and the category that its label names."""

    path: Path
    category: str
    split: str


def photos(folder: Path) -> list[Photo]:
    """The pictures of a folder, each in one split: photos of one cloth are numbered one after another. Raises as
    `labelled` does."""
    found = []
    for i, (path, label) in enumerate(labelled(folder, "pattern", CATEGORY_OF_LABEL)):
        digits = path.stem.rsplit("_", 1)[-1]
        number = int(digits) if digits.isdecimal() else i
        lot = (number // _RUN * 7 + len(label)) % 5
        split = SPLITS[0] if lot < 2 else SPLITS[1] if lot < 4 else SPLITS[2]
        found.append(Photo(path, CATEGORY_OF_LABEL[label], split))
    return found


def tile_of_photo(picture: Image.Image, seed: int, colors: int, size: int = 128) -> tuple[np.ndarray, np.ndarray]:
    """A tile cut from a close-up: memberships (size, size, 3) uint8 and weave (size, size) uint8, 128 neutral."""
    rng = Random(f"photo/{seed}")
    array = np.asarray(_turned(picture.convert("RGB"), 90 * rng.randrange(4)), np.float32)
    tile = _meeting(array, rng)
    side = Image.fromarray(tile.astype(np.uint8)).resize((size, size), Image.Resampling.LANCZOS)
    return _layers(np.asarray(side), colors, seed)


def _turned(picture: Image.Image, degrees: int) -> Image.Image:
    return picture.rotate(degrees, expand=True)


def _meeting(array: np.ndarray, rng: Random) -> np.ndarray:
    """The part of a picture whose opposite edges are the most alike, blended over a few pixels where they meet."""
    for axis in (0, 1):
        array = np.swapaxes(array, 0, axis)
        length = len(array)
        small = array[:, ::2, :].mean(axis=2) - array.mean()
        starts = range(0, max(length // 4, 1), 3)
        best = min(
            (
                float(np.abs(small[s : s + _OVERLAP] - small[s + w : s + w + _OVERLAP]).mean()) * rng.uniform(0.9, 1.1),
                s,
                w,
            )
            for s in starts
            for w in range(length // 2, length - s - _OVERLAP, 2)
        )
        _, start, width = best
        part = array[start : start + width].copy()
        beyond = array[start + width : start + width + _OVERLAP]
        share = np.linspace(0, 1, _OVERLAP, dtype=np.float32)[:, None, None]
        part[:_OVERLAP] = beyond * (1 - share) + part[:_OVERLAP] * share
        array = np.swapaxes(part, 0, axis)
    return array


def _layers(rgb: np.ndarray, colors: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Memberships of the commonest colours, the commonest of all as the ground, and the light that they leave over."""
    lab = rgb2lab(rgb).astype(np.float32)
    lab[..., 0] -= _blurred(lab[..., 0], 24.0) - lab[..., 0].mean()  # the lamp's light
    soft = np.stack([_blurred(lab[..., c], 2.0) for c in range(3)], axis=-1)
    flat = soft.reshape(-1, 3)
    found = KMeans(colors, n_init=1, max_iter=20, random_state=seed).fit(flat)
    centers, labels = found.cluster_centers_, found.labels_
    order = np.argsort(-np.bincount(labels, minlength=colors))
    centers = centers[order].astype(np.float32)
    distance = ((flat[:, None] - centers[None]) ** 2).sum(-1)
    apart = max(float(np.sqrt(((centers[:1] - centers[1:]) ** 2).sum(-1)).min()) if colors > 1 else 1.0, 4.0)
    share = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / (0.12 * apart**2))
    share /= share.sum(axis=1, keepdims=True)
    light = lab[..., 0] - (share @ centers)[:, 0].reshape(lab.shape[:2])
    light -= _blurred(light, 6.0)
    shown = np.zeros((*lab.shape[:2], 3), np.float32)
    shown[..., : colors - 1] = share.reshape(*lab.shape[:2], colors)[..., 1:]
    return np.rint(shown * 255).astype(np.uint8), np.rint(128 + light * 2.0).clip(0, 255).astype(np.uint8)


def _blurred(field: np.ndarray, sigma: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    result: np.ndarray = gaussian_filter(field, sigma, mode="wrap")
    return result
