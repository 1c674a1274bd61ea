"""The mark that an algorithm made a picture: XMP with the IPTC digital source type, and a recipe where it has one.

Ref: IPTC Photo Metadata Standard, DigitalSourceType; http://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from xml.sax.saxutils import escape, quoteattr

from PIL import Image
from PIL.PngImagePlugin import PngInfo

SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
NAMESPACE = "urn:geuryeojwo:picture"  # of what is ours in XMP
GENERATED = "trainedAlgorithmicMedia"
EDITED = "compositeWithTrainedAlgorithmicMedia"
SOFTWARE = "geuryeojwo"
JPEG_QUALITY = 92


def xmp(source_type: str, recipe: Mapping[str, object] | None = None) -> str:
    """The mark that an algorithm made it; of JPEG and WebP the recipe too."""
    text = quoteattr(json.dumps(dict(recipe), ensure_ascii=False), {'"': "&quot;"}) if recipe else ""
    own = f' xmlns:geuryeojwo="{NAMESPACE}" geuryeojwo:recipe={text}' if recipe else ""
    return (
        '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="{escape(SOURCE_TYPES + source_type)}"{own}/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
    )


def marked_file(image: Image.Image, format: str, source_type: str, recipe: Mapping[str, object]) -> bytes:
    """A marked picture as the bytes of a PNG or a JPEG, with its recipe. Raises ValueError for another format."""
    out = io.BytesIO()
    if format.upper() == "PNG":
        info = PngInfo()
        info.add_itxt("XML:com.adobe.xmp", xmp(source_type))
        info.add_text("Software", SOFTWARE)
        info.add_itxt("recipe", json.dumps(dict(recipe), ensure_ascii=False))
        image.save(out, "PNG", pnginfo=info)
    elif format.upper() in ("JPG", "JPEG"):
        packet = xmp(source_type, recipe).encode()
        image.convert("RGB").save(out, "JPEG", quality=JPEG_QUALITY, subsampling=0, xmp=packet)
    else:
        raise ValueError(f"a picture is written as PNG or JPEG, not {format!r}: name the file .png or .jpg")
    return out.getvalue()
