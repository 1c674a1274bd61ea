"""The recipe in the XMP packet of a JPEG or WebP of ours."""

from __future__ import annotations

import html
import re

_RECIPE = re.compile(r'geuryeojwo:recipe="([^"]*)"')


def recipe_of_xmp(packet: object) -> str | None:
    """The recipe's JSON; None where the packet (bytes, or anything else for a file without one) has none."""
    found = _RECIPE.search(packet.decode("utf-8", "replace")) if isinstance(packet, bytes) else None
    return html.unescape(found[1]) if found else None
