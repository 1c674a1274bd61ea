"""Open a picture file as what a viewer shows: sRGB, upright, transparency on paper, no larger than asked.

In: a path or bytes, JPEG, PNG or WebP. Out: an RGB picture (RGBA where no background is given and the file has alpha).
Size in bytes and pixels is checked before anything is decoded. With `max_side`, a JPEG is decoded at a reduced size and
any other picture is reduced in strips, so that a PNG of 25 million pixels takes about its decoded 100 MB and no more.
No filter of warnings is set, since those belong to the whole process: what Pillow warns about is read all the same.
Ref: EXIF 2.32, tag 0x0112 (orientation); ICC.1:2022 (profiles).
"""

from __future__ import annotations

import ctypes
import io
import logging
import struct
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from pictures.png_chunks import without_texts
from pictures.profiles import to_srgb

logger = logging.getLogger(__name__)

Color = str | tuple[int, int, int]
# what Pillow's readers raise on damaged files
_DAMAGE = (
    OSError, ValueError, SyntaxError, KeyError, IndexError, TypeError, AttributeError, EOFError, ArithmeticError,
    NotImplementedError, RuntimeError, MemoryError, struct.error, zlib.error, Warning,
)  # fmt: skip
_ORIENTATION = 0x0112
WEBP_BYTES_A_PIXEL = 18
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_270, 7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}  # fmt: skip
_GAP = 2  # a picture is reduced by whole numbers to at least twice the size asked for, then resampled
_STRIP = 1 << 18  # pixels converted at a time
_MANY = 4_000_000  # pixels whose memory is worth giving back


class UnreadablePicture(ValueError):
    """The file is no picture of an allowed format, or a damaged one."""


class PictureTooLarge(UnreadablePicture):
    """The file has more bytes or pixels than allowed."""


@dataclass(frozen=True)
class PictureLimits:
    """The most `bytes` of a file and `pixels` of a picture, and the formats that are read at all.

    `decoder_bytes`: what a decoder may hold at once. It is about 4 bytes a pixel, but for WebP (18, Pillow holds one
    four times) and progressive JPEG (every coefficient besides, 3 to 8 more by colours and subsampling).
    """

    bytes: int = 256 * 2**20
    pixels: int = 100_000_000
    decoder_bytes: int | None = None
    formats: Sequence[str] = ("JPEG", "PNG", "WEBP")


def open_picture(
    source: Path | bytes, *, limits: PictureLimits | None = None, max_side: int | None = None,
    background: Color | None = "white",
) -> Image.Image:  # fmt: skip
    """Read a picture; see the module for what is done to it.

    `max_side`: the longer side in pixels, where the picture is larger. `background`: what shows through transparent
    pixels, None to keep them. Raises UnreadablePicture, PictureTooLarge, FileNotFoundError.
    """
    limits = limits or PictureLimits()
    data = _read(source, limits)
    try:
        found = _decode(data, limits, max_side, background)
    except UnreadablePicture:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureTooLarge(f"the picture has more than {limits.pixels} pixels: make it smaller") from error
    except _DAMAGE as error:
        raise UnreadablePicture(_reason(error, limits)) from error
    if found.decoded > _MANY:
        _give_back()
    picture = to_srgb(found.picture, found.profile)
    if found.turn is not None:
        picture = picture.transpose(found.turn)
    if max_side is not None:
        picture.thumbnail((max_side, max_side), Image.Resampling.LANCZOS)
    return picture


class _Decoded(NamedTuple):
    """A picture as it lies in its file: its profile, how to turn it upright, and how many pixels were decoded."""

    picture: Image.Image
    profile: bytes | None
    turn: Image.Transpose | None
    decoded: int


def _decode(data: bytes, limits: PictureLimits, max_side: int | None, background: Color | None) -> _Decoded:
    with Image.open(io.BytesIO(without_texts(data)), formats=list(limits.formats)) as opened:
        _check_size(opened, limits, max_side)
        if max_side is not None and opened.format == "JPEG":
            _decode_reduced(opened, max_side)
        opened.load()
        picture = _in_strips(opened, _factor(opened.size, max_side), background)
        turn = _UPRIGHT.get(_orientation(opened))
        return _Decoded(picture, opened.info.get("icc_profile"), turn, opened.width * opened.height)


def _read(source: Path | bytes, limits: PictureLimits) -> bytes:
    size = len(source) if isinstance(source, bytes) else source.stat().st_size
    if size > limits.bytes:
        raise PictureTooLarge(f"the file has {size} bytes: {limits.bytes} are allowed")
    return source if isinstance(source, bytes) else source.read_bytes()


def _check_size(opened: Image.Image, limits: PictureLimits, max_side: int | None) -> None:
    size = f"the picture has {opened.width} × {opened.height} pixels"
    if opened.width * opened.height > limits.pixels:
        raise PictureTooLarge(f"{size}: make it smaller, {limits.pixels} are allowed")
    if limits.decoder_bytes is not None and (needed := _decoder_bytes(opened, max_side)) > limits.decoder_bytes:
        raise PictureTooLarge(
            f"{size}, which take {needed >> 20} MB to decode: make it smaller or save it as PNG or baseline JPEG, "
            f"{limits.decoder_bytes >> 20} MB are allowed"
        )


def _decoder_bytes(opened: Image.Image, max_side: int | None) -> int:
    """What decoding takes at once, by the file's head: measured for WebP, by libjpeg's tables for progressive JPEG."""
    pixels = opened.width * opened.height
    if opened.format == "WEBP":
        return WEBP_BYTES_A_PIXEL * pixels
    if isinstance(opened, JpegImageFile) and opened.info.get("progressive"):
        shares = [across * down for _, across, down, _ in opened.layer]  # of the finest plane's samples
        share = 1 if max_side is None else _GAP * max_side / max(opened.size)
        reduced = next(by for by in (8, 4, 2, 1) if by * share <= 1 or by == 1)
        return 2 * pixels * sum(shares) // max(shares) + 4 * pixels // reduced**2
    return 4 * pixels


def _decode_reduced(opened: Image.Image, max_side: int) -> None:
    """Let the JPEG decoder leave out frequencies that a picture of that size cannot show."""
    share = _GAP * max_side / max(opened.size)
    if share < 1:
        opened.draft(None, (max(1, round(opened.width * share)), max(1, round(opened.height * share))))


def _orientation(opened: Image.Image) -> int:
    """The EXIF orientation, 1 where there is none that can be read: a viewer shows such a photo as it lies."""
    try:
        return int(opened.getexif().get(_ORIENTATION, 1))
    except Image.DecompressionBombError:
        raise
    except _DAMAGE as error:
        logger.debug("EXIF cannot be read: %s", error)
        return 1


def _factor(size: tuple[int, int], max_side: int | None) -> int:
    return 1 if max_side is None else max(1, max(size) // (_GAP * max_side))


def _in_strips(opened: Image.Image, factor: int, background: Color | None) -> Image.Image:
    """The picture reduced by a whole factor, as L, RGB, CMYK or RGBA; a strip at a time, so that no copy is whole."""
    width, height = opened.size
    rows = max(factor, _STRIP // max(width, 1) // factor * factor)
    target: Image.Image | None = None
    for top in range(0, height, rows):
        strip = _levels(opened.crop((0, top, width, min(top + rows, height))), background)
        if factor > 1:
            strip = (
                strip.convert("RGBa").reduce(factor).convert("RGBA") if strip.mode == "RGBA" else strip.reduce(factor)
            )
        if target is None:
            target = Image.new(strip.mode, (strip.width, -(-height // factor)))
        target.paste(strip, (0, top // factor))
    assert target is not None
    return target


def _levels(strip: Image.Image, background: Color | None) -> Image.Image:
    """A strip in 8 bits: L, RGB or CMYK as it is, and transparency on the background unless that is None."""
    if strip.mode.startswith("I;16") or strip.mode in ("I", "F"):
        import numpy as np

        levels = np.clip(np.asarray(strip, dtype=np.float32) / 257, 0, 255)  # 65535 is white
        return Image.fromarray(levels.round().astype(np.uint8))
    if strip.mode in ("RGBA", "RGBa", "LA", "La", "PA") or "transparency" in strip.info:
        layer = strip.convert("RGBA")
        if background is None:
            return layer
        return Image.alpha_composite(Image.new("RGBA", layer.size, background), layer).convert("RGB")
    return strip if strip.mode in ("L", "RGB", "CMYK") else strip.convert("RGB")


def _give_back() -> None:
    """Return freed memory to the system: glibc keeps blocks of this size for every thread that ever decoded."""
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Callable[[int], int] | None:
    try:
        return ctypes.CDLL(None).malloc_trim
    except (OSError, AttributeError, TypeError):  # no glibc
        return None


def _reason(error: BaseException, limits: PictureLimits) -> str:
    formats = ", ".join(limits.formats)
    if isinstance(error, UnidentifiedImageError):
        return f"cannot identify image file: no {formats}, or damaged at its beginning; save it anew as one of them"
    reason = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    return f"the picture is damaged ({reason}): copy or save it anew"
