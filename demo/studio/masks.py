"""Masks: of the size of their picture; and as other programs send them, transparent where they may change (OpenAI).

In: file bytes. Out: PNG bytes as an edit's `mask_image` has it, white where it may change, black where it stays.
"""

from __future__ import annotations

import io
from typing import Protocol

from PIL import Image, ImageChops

from demo.store.errors import ServiceError
from demo.studio.pictures import UPLOAD_LIMITS
from pictures import PictureTooLarge, UnreadablePicture, open_picture


class HasSize(Protocol):
    """A picture's row or file, as far as its size."""

    @property
    def width(self) -> int: ...

    @property
    def height(self) -> int: ...


def require_mask_size(mask: HasSize, size: tuple[int, int]) -> None:
    """Refuse a mask that is not of its picture's width and height. Raises ServiceError edit_mask_size."""
    if (mask.width, mask.height) != size:
        got, wanted = (f"{width}×{height}" for width, height in ((mask.width, mask.height), size))
        raise ServiceError("edit_mask_size", "mask_image", got=got, wanted=wanted)


def mask_of_alpha(data: bytes, field: str) -> bytes | None:
    """The mask that a picture's transparency is; None where nothing is transparent. Raises ServiceError."""
    try:
        opened = open_picture(data, limits=UPLOAD_LIMITS, background=None)
    except PictureTooLarge as error:
        raise ServiceError("image_too_large", field) from error
    except UnreadablePicture as error:
        raise ServiceError("bad_image", field) from error
    if opened.mode != "RGBA":
        return None
    alpha = opened.getchannel("A")
    mask = ImageChops.invert(alpha).point([0] * 128 + [255] * 128)
    return as_png(mask) if mask.getbbox() is not None else None


def inverted(data: bytes, field: str) -> bytes:
    """A mask with white and black changed. Raises ServiceError bad_image."""
    try:
        return as_png(ImageChops.invert(open_picture(data, limits=UPLOAD_LIMITS).convert("L")))
    except UnreadablePicture as error:
        raise ServiceError("bad_image", field) from error


def as_png(mask: Image.Image) -> bytes:
    out = io.BytesIO()
    mask.save(out, "PNG")
    return out.getvalue()
