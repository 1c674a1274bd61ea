"""A PNG without its texts, which may be megabytes (generation recipes, XMP of editors) and are no part of the picture.

Pillow refuses a whole file for one text of more than a megabyte, or for a text whose check sum is wrong.
Ref: W3C PNG Specification (Third Edition), section 5, chunk layout.
"""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP = b"XML:com.adobe.xmp\0\0"  # uncompressed: it may hold the orientation
_MOST_XMP = 1 << 18
_MOST_PROFILE = 1 << 20  # Pillow's own limit, beyond which it refuses the file


def without_texts(data: bytes) -> bytes:
    """The file's bytes without text chunks; whatever is no PNG, or breaks off, comes back as far as it goes."""
    if not data.startswith(_SIGNATURE):
        return data
    view = memoryview(data)
    kept, at = [view[:8]], 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        end = at + 12 + length
        if not _left_out(kind, view[at + 8 : min(at + 8 + length, len(data))]):
            kept.append(view[at:end])
        at = end
    return b"".join(kept) if len(kept) > 1 else data


def _left_out(kind: bytes, content: memoryview) -> bool:
    if kind == b"iCCP":
        return not _fits(bytes(content))
    if kind not in _TEXTS:
        return False
    return not (kind == b"iTXt" and len(content) < _MOST_XMP and bytes(content[: len(_XMP)]) == _XMP)


def _fits(content: bytes) -> bool:
    """Whether a compressed profile is whole and no larger than Pillow takes."""
    _name, _, rest = content.partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        unpacker.decompress(rest[1:], _MOST_PROFILE)
    except zlib.error:
        return False
    return not unpacker.unconsumed_tail
