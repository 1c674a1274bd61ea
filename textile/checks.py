"""Pictures and masks that no pattern can be put on, refused with what came, what is allowed and the cure.

A `ClothError` has a code and values; the service says them in the person's language, a command line as they stand.
"""

from __future__ import annotations

import numpy as np

LEAST_SIDE = 32  # pixels
LEAST_SHARE = 0.002  # of a picture's points that its cloth has at least
_ONE_COLOR = 1.5  # levels: a picture that varies less is empty
_SENTENCES = {
    "cloth_tiny": "the {what} has {got} pixels: at least {least}×{least} are needed; take a larger one",
    "cloth_empty": "the {what} is empty (transparent, or of one colour): take one that shows something",
    "cloth_missing": "no garment is found in the picture: take one that shows clothes, or paint a mask",
    "cloth_mask": "the mask is empty: paint the garment white, the rest black",
    "cloth_mask_size": "the mask has {got} pixels, its picture {wanted}: give a mask of the picture's size",
}


class ClothError(ValueError):
    """A picture, pattern or mask that cannot be used; `code` and `values` say why."""

    def __init__(self, code: str, **values: object) -> None:
        super().__init__(_SENTENCES[code].format_map(values))
        self.code, self.values = code, values


def check_picture(picture: np.ndarray, what: str, plain: bool = False) -> None:
    """Refuse what is no (H, W, 3) uint8, tiny, or empty; `plain`: one colour is allowed. Raises ClothError."""
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8:
        raise ValueError(f"the {what} is {picture.dtype} {picture.shape}: give uint8 (height, width, 3)")
    height, width = picture.shape[:2]
    least = 1 if plain else LEAST_SIDE
    if min(height, width) < least:
        raise ClothError("cloth_tiny", what=what, got=f"{width}×{height}", least=least)
    if not plain and float(picture.reshape(-1, 3).std(axis=0).max()) < _ONE_COLOR:
        raise ClothError("cloth_empty", what=what)


def check_mask(mask: np.ndarray, picture: np.ndarray) -> None:
    """Refuse a mask of another size, or one that marks nothing. Raises ClothError."""
    if mask.shape != picture.shape[:2]:
        got, wanted = (f"{shape[1]}×{shape[0]}" for shape in (mask.shape, picture.shape))
        raise ClothError("cloth_mask_size", got=got, wanted=wanted)
    if not covers(mask):
        raise ClothError("cloth_mask")


def covers(mask: np.ndarray) -> bool:
    """Whether a mask marks enough to put a pattern on."""
    return float((mask > 0.5).mean()) >= LEAST_SHARE
