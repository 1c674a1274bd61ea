"""From a picture's embedded colour profile to sRGB, which everything else here takes for granted.

Ref: ICC.1:2022; LittleCMS through Pillow's ImageCms.
"""

from __future__ import annotations

import io
import logging
from functools import cache

from PIL import Image, ImageCms

logger = logging.getLogger(__name__)

_MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}  # of a profile's colour space


def to_srgb(picture: Image.Image, profile: bytes | None) -> Image.Image:
    """An L, RGB, CMYK or RGBA picture as RGB (RGBA as RGBA) in sRGB. A profile that cannot be used is left out."""
    if picture.mode == "RGBA":
        colors = to_srgb(picture.convert("RGB"), profile)
        colors.putalpha(picture.getchannel("A"))
        return colors
    if not profile:
        return picture.convert("RGB")
    try:
        described = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "srgb" in (ImageCms.getProfileDescription(described) or "").lower():
            return picture.convert("RGB")
        wanted = _MODES[described.profile.xcolor_space.strip()]
        if (wanted == "CMYK") != (picture.mode == "CMYK"):
            raise ValueError(f"a profile of {wanted} in a picture of {picture.mode}")
        changed = ImageCms.profileToProfile(
            picture.convert(wanted), described, _srgb(), ImageCms.Intent.RELATIVE_COLORIMETRIC, "RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError, ValueError, KeyError, TypeError) as error:
        logger.debug("the colour profile cannot be used: %s", error)
        return picture.convert("RGB")
    assert changed is not None
    return changed


@cache
def _srgb() -> ImageCms.ImageCmsProfile:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
