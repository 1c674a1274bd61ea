"""The texts in a picture file, by name: PNG's chunks, EXIF's texts, our own XMP. Bounded, and damage costs only itself.

Ref: W3C PNG Specification (Third Edition), section 11.3.3; EXIF 2.32, UserComment.
"""

from __future__ import annotations

import io
import logging
import struct
import zlib
from collections.abc import Iterator

from PIL import Image

from pictures import recipe_of_xmp

logger = logging.getLogger(__name__)
SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST = 4 << 20  # bytes of one text, unpacked: a graph of ComfyUI may take hundreds of kB
MOST_TEXTS = 64
EXIF_TEXTS = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model"}
EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
CODES = {b"UNICODE\0": "utf-16", b"ASCII\0\0\0": "ascii", b"\0" * 8: "utf-8"}


def texts_of(data: bytes) -> dict[str, str]:
    """Name → text; empty for a file without any, or that is no picture."""
    if data.startswith(SIGNATURE):
        return dict(_png(data))
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG", "WEBP"]) as opened:
            return dict(_exif(opened))
    except Exception as error:  # Pillow's readers raise what they like on damaged files
        logger.debug("no texts can be read: %s", error)
        return {}


def _png(data: bytes) -> Iterator[tuple[str, str]]:
    at, found = len(SIGNATURE), 0
    while at + 8 <= len(data) and found < MOST_TEXTS:
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind in (b"tEXt", b"zTXt", b"iTXt") and length <= MOST:
            found += 1
            text = _chunk(kind, data[at + 8 : at + 8 + length])
            if text is not None:
                yield text
        at += 12 + length


def _chunk(kind: bytes, content: bytes) -> tuple[str, str] | None:
    name, _, rest = content.partition(b"\0")
    try:
        if kind == b"tEXt":
            text = _latin_or_utf8(rest)
        elif kind == b"zTXt":
            text = _latin_or_utf8(_unpacked(rest[1:]))
        else:
            packed, rest = rest[:1] == b"\x01", rest[2:]
            body = rest.split(b"\0", 2)[2]
            text = (_unpacked(body) if packed else body).decode("utf-8")
    except (zlib.error, UnicodeDecodeError, IndexError):
        return None
    return name.decode("latin-1"), text


def _latin_or_utf8(data: bytes) -> str:
    """Latin-1 by the standard; many programs write UTF-8 all the same."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _unpacked(data: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    text = unpacker.decompress(data, MOST)
    if unpacker.unconsumed_tail:
        raise zlib.error("too long")
    return text


def _exif(opened: Image.Image) -> Iterator[tuple[str, str]]:
    xmp = opened.info.get("xmp", b"")
    if len(xmp) <= MOST and (own := recipe_of_xmp(xmp)) is not None:
        yield "recipe", own
    exif = opened.getexif()
    for tag, name in EXIF_TEXTS.items():
        if isinstance(text := exif.get(tag), str):
            text = _utf8(text)
            label, colon, rest = text.partition(":")  # of ComfyUI: "prompt:{…}", "workflow:{…}"
            yield (label.lower(), rest) if colon and rest.lstrip().startswith("{") else (name, text)
    comment = exif.get_ifd(EXIF_IFD).get(USER_COMMENT)
    if isinstance(comment, bytes) and len(comment) <= MOST:
        yield "UserComment", _comment(comment)
    elif isinstance(comment, str):
        yield "UserComment", _utf8(comment)


def _comment(data: bytes) -> str:
    """EXIF's UserComment: eight bytes of code, then text; UTF-16 in either order, whatever the file's own is."""
    code, body = CODES.get(data[:8]), data[8:]
    if code != "utf-16":
        return (data if code is None else body).decode("utf-8", "replace").strip("\0")
    big, little = (body.decode(order, "replace") for order in ("utf-16-be", "utf-16-le"))
    return max(big, little, key=_likely)


def _likely(text: str) -> int:
    """How much of a text is letters that prompts have: of the wrong byte order next to nothing is."""
    return sum(character.isascii() or "가" <= character <= "힣" for character in text[:2000])


def _utf8(text: str) -> str:
    """Pillow reads ASCII tags as Latin-1; programs write UTF-8 into them."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
