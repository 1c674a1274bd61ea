"""Which pixels of a picture are garment, and which kind of garment, by a small U-Net.

The network sees the picture at 128 × 128 and its mirror image; a guided filter (He et al. 2010) brings the mask to the
picture's own edges and size.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import uniform_filter

from fashion.lexicon import GARMENTS
from textile.segmentation_network import INPUT, SegmentationNetwork
from textile.weights import open_weights, save_weights

SEGMENTER_FILE = "segmenter.safetensors"
LEAST_SIDE = 16
_GUIDED = 384  # the longer side at which the guided filter is fitted
_LEAST_SHARE = 0.01  # of the picture: less is taken for nothing


@dataclass(frozen=True)
class GarmentMask:
    """`mask` (H, W) float32 in 0..1, 1 = garment, soft at its edge; `kind` an id of the lexicon's garments;
    `confidence` of the kind, 0..1; `share` of the picture that is garment, 0..1: 0 where none was found.
    """

    mask: np.ndarray
    kind: str
    confidence: float
    share: float


class GarmentSegmenter:
    """A trained segmentation network."""

    def __init__(self, network: SegmentationNetwork) -> None:
        self.network = network

    @classmethod
    def load(cls, folder: Path | str) -> GarmentSegmenter:
        """Open `folder`/segmenter.safetensors. Raises WeightsMissing that says how to train it, ValueError for weights
        of another shape."""

        def build(facts: dict) -> SegmentationNetwork:
            return SegmentationNetwork(tuple(facts["widths"]))

        return cls(open_weights(Path(folder) / SEGMENTER_FILE, "python -m textile train-masks PHOTOS", build))

    def save(self, folder: Path, facts: Mapping[str, object]) -> None:
        """Write the weights as float16, their widths and what was measured."""
        save_weights(self.network, folder / SEGMENTER_FILE, {"widths": self.network.widths, **facts})

    def mask(self, image: Image.Image | np.ndarray) -> GarmentMask:
        """The garment of a picture of any size and mode; what is transparent is ground.

        Raises ValueError for a picture under 16 px a side or one that is transparent all over.
        """
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        if min(picture.size) < LEAST_SIDE:
            raise ValueError(f"the picture is {picture.width} × {picture.height} px: give at least {LEAST_SIDE} a side")
        rgb, opaque = over_grey(picture)
        small = np.asarray(
            rgb.resize((INPUT, INPUT), Image.Resampling.BOX if max(rgb.size) > INPUT else Image.Resampling.BICUBIC)
        )
        likely, kinds = found_in(self.network, small)
        mask = at_full_size(likely, rgb)
        if opaque is not None:
            mask = mask * opaque
        share = float((mask > 0.5).mean())
        if share < _LEAST_SHARE:
            mask, share = np.zeros_like(mask), 0.0
        best = int(kinds.argmax())
        return GarmentMask(mask, GARMENTS[best].id, float(kinds[best]), share)


def found_in(network: SegmentationNetwork, picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How likely each pixel of a picture (128, 128, 3) uint8 is garment, (128, 128) float32, and each kind, (29,)."""
    shown = torch.from_numpy(np.stack([picture, picture[:, ::-1]])).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.inference_mode():
        mask, kinds = network(shown.contiguous(memory_format=torch.channels_last))
    likely = mask.sigmoid()[:, 0]
    likely = (likely[0] + likely[1].flip(1)) / 2
    return likely.numpy(), kinds.softmax(dim=1).mean(dim=0).numpy()


def over_grey(picture: Image.Image) -> tuple[Image.Image, np.ndarray | None]:
    """The picture in RGB over grey, and how opaque each pixel is; None where all are."""
    if not picture.has_transparency_data:
        return picture.convert("RGB"), None
    rgba = picture.convert("RGBA")
    opaque = np.asarray(rgba.getchannel("A"), np.float32) / 255
    if not opaque.any():
        raise ValueError("the picture is transparent all over: give one that shows a garment")
    ground = Image.new("RGBA", rgba.size, (160, 160, 160, 255))
    return Image.alpha_composite(ground, rgba).convert("RGB"), opaque


def at_full_size(likely: np.ndarray, rgb: Image.Image) -> np.ndarray:
    """The mask (128, 128) at the picture's size and edges: (H, W) float32 in 0..1."""
    scale = min(1.0, _GUIDED / max(rgb.size))
    size = (max(round(rgb.width * scale), 1), max(round(rgb.height * scale), 1))
    coarse = np.asarray(Image.fromarray(likely).resize(size, Image.Resampling.BICUBIC)).clip(0, 1)
    guide = np.asarray(rgb.resize(size, Image.Resampling.BOX) if size != rgb.size else rgb, np.float32) / 255
    radius = max(2, round(max(size) / INPUT * 2))
    fitted = _guided(guide, coarse, 2 * radius + 1)
    if size != rgb.size:
        fitted = np.asarray(Image.fromarray(fitted).resize(rgb.size, Image.Resampling.BICUBIC))
    return ((fitted - 0.5) * 2.2 + 0.5).clip(0, 1).astype(np.float32)  # a filter leaves edges a little too soft


def _guided(guide: np.ndarray, mask: np.ndarray, window: int, blur: float = 1e-3) -> np.ndarray:
    """A colour-guided filter: near every pixel the mask as a linear function of the guide (h, w, 3)."""

    def mean(field: np.ndarray) -> np.ndarray:
        result: np.ndarray = uniform_filter(field, window, mode="nearest")
        return result

    middle = np.stack([mean(guide[..., c]) for c in range(3)], axis=-1)
    covariance = np.empty((*mask.shape, 3, 3), np.float32)
    for i in range(3):
        for j in range(i, 3):
            value = mean(guide[..., i] * guide[..., j]) - middle[..., i] * middle[..., j]
            covariance[..., i, j] = covariance[..., j, i] = value
    covariance += blur * np.eye(3, dtype=np.float32)
    level = mean(mask)
    shared = np.stack([mean(guide[..., c] * mask) for c in range(3)], axis=-1) - middle * level[..., None]
    slope = np.linalg.solve(covariance, shared[..., None])[..., 0].astype(np.float32)
    rest = level - (slope * middle).sum(axis=-1)
    slope = np.stack([mean(slope[..., c]) for c in range(3)], axis=-1)
    result: np.ndarray = (slope * guide).sum(axis=-1) + mean(rest)
    return result.astype(np.float32)
