"""Picture files: written with what they were drawn from and the mark that an algorithm made them; read safely.

Drawn pictures are PNG with text chunks (`recipe`, and `parameters` as other programs read it) and XMP with the IPTC
digital source type; as JPEG or WebP `parameters` is EXIF's UserComment and the recipe lies in XMP. Uploads are decoded
under limits and lose whatever metadata they came with.
Ref: IPTC Photo Metadata Standard, DigitalSourceType; http://cv.iptc.org/newscodes/digitalsourcetype/
"""

from __future__ import annotations

import io
import json
import re
import struct
import threading
from collections.abc import Mapping

from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo, putchunk

from demo.store.errors import ServiceError
from demo.studio import parameters
from pictures import WEBP_BYTES_A_PIXEL, PictureLimits, PictureTooLarge, UnreadablePicture, open_picture
from pictures.marking import EDITED as EDITED  # of what is written here
from pictures.marking import GENERATED as GENERATED
from pictures.marking import SOFTWARE, xmp

MOST_XMP = 64_000  # bytes that a JPEG has room for; of a longer recipe `parameters` alone is written
FORMATS = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
MAX_PIXELS = 25_000_000
DECODER_BYTES = 144_000_000  # so that a WebP or a progressive JPEG takes no more than a PNG of MAX_PIXELS
MAX_WEBP_PIXELS = DECODER_BYTES // WEBP_BYTES_A_PIXEL
MAX_UPLOAD_BYTES = 10 * 2**20
UPLOAD_LIMITS = PictureLimits(bytes=MAX_UPLOAD_BYTES, pixels=MAX_PIXELS, decoder_bytes=DECODER_BYTES)
DECODED_AT_ONCE = 3
KEPT_SIDE = 1024  # longest side of an upload as it is kept: drawing starts from 128-1024 pixels
THUMBNAIL_SIDE = 128
LABEL = "AI generated"
MOST_TITLE = 40  # characters of a prompt in a file's name: 120 bytes of Hangul
_NO_FILE_NAME = re.compile(r'[\\/:*?"<>|\x00-\x1f\x7f\u200b-\u200f\u2028-\u202e\ufeff]')
_decoding = threading.BoundedSemaphore(DECODED_AT_ONCE)
SHOWN_TO_OTHERS = ("format", "prompt", "negative_prompt", "drawn_prompt", "drawn_negative_prompt", "seed", "settings",
                  "asked")  # fmt: skip
PNG_HEAD = 8 + 12 + 13  # signature and IHDR
EXIF_DESCRIPTION, EXIF_SOFTWARE, EXIF_IFD, EXIF_USER_COMMENT = 0x010E, 0x0131, 0x8769, 0x9286


def encode(
    image: Image.Image, media_type: str, source_type: str | None = None, recipe: Mapping[str, object] | None = None
) -> bytes:
    """A picture as file bytes, marked with its source type and, if given, its recipe."""
    out = io.BytesIO()
    if media_type == "image/png":
        image.save(out, "PNG", pnginfo=_png_text(source_type, recipe, image.size))
        return out.getvalue()
    extra: dict[str, object] = {"exif": _exif(recipe, image.size)} if recipe else {}
    if source_type:
        whole = xmp(source_type, recipe).encode()
        extra["xmp"] = whole if len(whole) <= MOST_XMP else xmp(source_type).encode()
    if media_type == "image/jpeg":
        image.convert("RGB").save(out, "JPEG", quality=92, subsampling=0, **extra)
    else:
        image.save(out, "WEBP", quality=90, method=4, **extra)
    return out.getvalue()


def recipe_for_others(recipe: Mapping[str, object] | None) -> dict[str, object] | None:
    """What a stranger may know of how a picture was drawn: enough to draw alike, nothing of a source or of our parts.

    Without a source picture it draws the same again; `source_sha256` would tell which private picture it was.
    """
    if recipe is None:
        return None
    shown = {key: recipe[key] for key in SHOWN_TO_OTHERS if key in recipe}
    return shown | ({"source_sha256": None} if recipe.get("source_sha256", "") is None else {})


def with_other_recipe(data: bytes, source_type: str | None, recipe: Mapping[str, object] | None) -> bytes:
    """One of our PNG files with another recipe in it; the picture's own bytes stay as they are."""
    texts = _png_text(source_type, recipe, struct.unpack_from(">II", data, 16))
    out, at = io.BytesIO(), PNG_HEAD
    out.write(data[:PNG_HEAD])
    for kind, content, *_ in texts.chunks:
        putchunk(out, kind, content)
    while at < len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind not in (b"tEXt", b"zTXt", b"iTXt"):
            out.write(data[at : at + 12 + length])
        at += 12 + length
    return out.getvalue()


def thumbnail(image: Image.Image, source_type: str | None) -> bytes:
    """A WebP of at most 128 × 128, marked but without the prompt."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=80, method=4, **({"xmp": xmp(source_type).encode()} if source_type else {}))
    return out.getvalue()


def preview(image: Image.Image) -> bytes:
    """A small WebP of the picture so far, cheap to make."""
    small = image.convert("RGB")
    small.thumbnail((THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    out = io.BytesIO()
    small.save(out, "WEBP", quality=70, method=0)
    return out.getvalue()


def decode(data: bytes) -> Image.Image:
    """One of our own files as pixels."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def enlarged(image: Image.Image, scale: int) -> Image.Image:
    """A picture so many times as wide and high, resampled: it shows no more than before."""
    size = (image.width * scale, image.height * scale)
    return image if scale == 1 else image.resize(size, Image.Resampling.LANCZOS)


def repeated(image: Image.Image, tile: int, side: int) -> Image.Image:
    """A pattern's tile of `tile` pixels, its upper left corner, repeated to a square of `side` pixels."""
    sheet, one = Image.new("RGB", (side, side)), image.convert("RGB").crop((0, 0, tile, tile))
    for top in range(0, side, tile):
        for left in range(0, side, tile):
            sheet.paste(one, (left, top))
    return sheet


def read_upload(data: bytes) -> Image.Image:
    """A person's file as RGB pixels, upright, at most 1024 on its longest side, without any metadata.

    Bytes and pixels are checked before decoding, and only DECODED_AT_ONCE are decoded at the same time: the largest one
    allowed takes 150 MB meanwhile. Raises ServiceError bad_image, image_too_large, too_large.
    """
    if len(data) > MAX_UPLOAD_BYTES:
        raise ServiceError("too_large", "file")
    try:
        with _decoding:
            flat = open_picture(data, limits=UPLOAD_LIMITS, max_side=KEPT_SIDE)
    except PictureTooLarge as error:
        raise ServiceError("image_too_large", "file") from error
    except UnreadablePicture as error:
        raise ServiceError("bad_image", "file") from error
    bare = Image.new("RGB", flat.size)
    bare.paste(flat)
    return bare


def with_visible_mark(image: Image.Image) -> Image.Image:
    """A copy that says "AI generated" in its lower right corner, for downloads outside the page."""
    marked = image.convert("RGB")
    font = ImageFont.load_default(size=max(9, min(marked.size) // 18))
    pen = ImageDraw.Draw(marked, "RGBA")
    left, top, right, bottom = pen.textbbox((0, 0), LABEL, font=font)
    pad = (bottom - top) // 2
    x, y = marked.width - right - 2 * pad, marked.height - bottom - 2 * pad
    pen.rounded_rectangle((x + left - pad, y + top - pad, x + right + pad, y + bottom + pad), pad, fill=(0, 0, 0, 160))
    pen.text((x, y), LABEL, font=font, fill="white")
    return marked


def prompt_of(recipe: Mapping[str, object]) -> str:
    """The prompt as its writer put it (a style may have added words for the encoder)."""
    asked = recipe.get("asked")
    return str((asked if isinstance(asked, Mapping) else recipe).get("prompt", ""))


def file_title(recipe: Mapping[str, object] | None, position: int) -> str:
    """What a person would call a picture's file: the beginning of its prompt and its number in the set; "" for one
    without a prompt.
    """
    prompt = prompt_of(recipe) if recipe else ""
    words = " ".join(_NO_FILE_NAME.sub(" ", prompt).split())[:MOST_TITLE].strip(" .")
    return f"{words} {position + 1}" if words else ""


def has_parameters(data: bytes) -> bool:
    """Whether one of our PNG files has the text that other programs read: those of before do not."""
    return b"parameters\0" in data[:2048]


def _png_text(source_type: str | None, recipe: Mapping[str, object] | None, size: tuple[int, int]) -> PngInfo:
    info = PngInfo()
    if source_type:
        info.add_itxt("XML:com.adobe.xmp", xmp(source_type))
        info.add_text("Software", SOFTWARE)
    if recipe:
        info.add_itxt("parameters", parameters.write(recipe, *size))
        info.add_itxt("prompt", prompt_of(recipe))
        info.add_itxt("recipe", json.dumps(dict(recipe), ensure_ascii=False))
    return info


def _exif(recipe: Mapping[str, object], size: tuple[int, int]) -> Image.Exif:
    exif = Image.Exif()
    exif[EXIF_DESCRIPTION] = prompt_of(recipe).encode()
    exif[EXIF_SOFTWARE] = SOFTWARE
    exif.get_ifd(EXIF_IFD)[EXIF_USER_COMMENT] = b"UNICODE\0" + parameters.write(recipe, *size).encode("utf-16-be")
    return exif
