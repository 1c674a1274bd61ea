"""Which pixels of a picture are garment, and which kind of garment, by a small U-Net."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from textile.missing import WeightsMissing

SEGMENTER_FILE = "segmenter.safetensors"


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

    @classmethod
    def load(cls, folder: Path | str) -> GarmentSegmenter:
        """Open `folder`/segmenter.safetensors. Raises WeightsMissing that says how to train it."""
        raise WeightsMissing(Path(folder) / SEGMENTER_FILE, "python -m textile train-masks")

    def mask(self, image: Image.Image | np.ndarray) -> GarmentMask:
        """The garment of a picture of any size and mode; what is transparent is ground.

        Raises ValueError for a picture without pixels or under 16 px a side.
        """
        raise NotImplementedError
