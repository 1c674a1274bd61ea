"""Photos of garments without masks into pictures with pseudo-masks: GrabCut from two frames that must agree.

In: a folder with labels.tsv (file_name, garment) and pictures. Out: `photos.npz`: pictures (n, 128, 128, 3), masks
(n, 128, 128) uint8 0..255, labels, names and how much the two cuts agreed (IoU). Ref: Rother et al. 2004, GrabCut.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from textile.opening import open_named
from textile.training.labelled import labelled

logger = logging.getLogger(__name__)
SIDE = 128
_FRAMES = (0.03, 0.09)  # of the side: what lies outside is ground for certain
# which garments of the lexicon a photo's label may mean
KINDS_OF_LABEL: dict[str, tuple[str, ...]] = {
    "t-shirt": ("t_shirt",), "longsleeve": ("knit", "t_shirt", "hoodie"), "shirt": ("shirt", "blouse"),
    "dress": ("dress",), "pants": ("trousers", "jeans"), "shorts": ("shorts",), "skirt": ("skirt",),
    "shoes": ("sneakers", "boots", "kkotsin"), "outwear": ("jacket", "coat", "padding", "cardigan", "hoodie"),
    "hat": ("cap", "beanie", "bucket_hat"),
}  # fmt: skip


@dataclass(frozen=True)
class GarmentPhotos:
    """`pictures` (n, 128, 128, 3) and `masks` (n, 128, 128) uint8; `labels` and `names` (n,); `agreed` (n,) 0..1."""

    pictures: np.ndarray
    masks: np.ndarray
    labels: np.ndarray
    names: np.ndarray
    agreed: np.ndarray

    def save(self, path: Path) -> None:
        np.savez(path, **vars(self))

    @classmethod
    def open(cls, path: Path) -> GarmentPhotos:
        with np.load(path) as arrays:
            return cls(**{name: arrays[name] for name in ("pictures", "masks", "labels", "names", "agreed")})


def cut_photos(folder: Path, most: int, left_out: frozenset[str]) -> GarmentPhotos:
    """GrabCut on at most so many photos, labels in turn; `left_out` are names that no training may see."""
    rows: dict[str, list[str]] = {}
    for path, label in labelled(folder, "garment", KINDS_OF_LABEL):
        if path.name not in left_out:
            rows.setdefault(label, []).append(path.name)
    queues = [sorted(names, key=lambda name: hashlib.sha256(name.encode()).hexdigest()) for names in rows.values()]
    chosen = [
        (label, queue[i])
        for i in range(max(map(len, queues)))
        for label, queue in zip(rows, queues, strict=True)
        if i < len(queue)
    ]
    pictures, masks, labels, names, agreed = [], [], [], [], []
    for number, (label, name) in enumerate(chosen[:most]):
        picture = np.asarray(open_named(folder / name).resize((SIDE, SIDE), Image.Resampling.BOX))
        first, second = (grab_cut(picture, frame) for frame in _FRAMES)
        together = (first & second).sum() / max((first | second).sum(), 1)
        pictures.append(picture)
        masks.append(((first.astype(np.uint16) + second) * 255 // 2).astype(np.uint8))
        labels.append(label)
        names.append(name)
        agreed.append(together)
        if number % 200 == 199:
            logger.info("cut %d of %d photos, mean agreement %.3f", number + 1, min(most, len(chosen)), np.mean(agreed))
    return GarmentPhotos(np.stack(pictures), np.stack(masks), np.array(labels), np.array(names), np.array(agreed))


def grab_cut(picture: np.ndarray, frame: float, sure: np.ndarray | None = None) -> np.ndarray:
    """The garment of a picture (h, w, 3) uint8: (h, w) bool. `sure` (h, w) float, where given, is how likely each
    pixel is garment: beyond 0.95 and under 0.05 it is taken as certain."""
    import cv2

    h, w = picture.shape[:2]
    inset_x, inset_y = max(round(frame * w), 1), max(round(frame * h), 1)
    state = np.full((h, w), cv2.GC_BGD, np.uint8)
    if sure is None:
        state[inset_y:-inset_y, inset_x:-inset_x] = cv2.GC_PR_FGD
    else:
        state[:] = np.where(sure > 0.5, cv2.GC_PR_FGD, cv2.GC_PR_BGD)
        state[sure > 0.95], state[sure < 0.05] = cv2.GC_FGD, cv2.GC_BGD
        if not (state & 1).any() or (state & 1).all():
            return sure > 0.5
    cv2.setRNGSeed(1)
    models = np.zeros((2, 1, 65))
    bgr = np.ascontiguousarray(picture[..., ::-1])
    cv2.grabCut(bgr, state, None, models[0], models[1], 4, cv2.GC_INIT_WITH_MASK)  # type: ignore[call-overload]  # without a frame
    return (state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD)
