"""All that is needed to draw a picture again, as JSON, and the file that carries it.

In: a resolved plan and a shot. Out: a recipe (a dict of plain values), PNG bytes with the recipe and the IPTC
digital source type inside, and back. The mark says what the picture is: trainedAlgorithmicMedia, or
compositeWithTrainedAlgorithmicMedia for a picture drawn over another. Imports no torch until something is drawn.

A recipe holds the texts as typed and, where a prompt reader read them otherwise, as drawn (`drawn_prompt`,
`drawn_negative_prompt`). Format 1, before there were readers, has the drawn texts alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

from diffusion.request import DrawSettings, Shot
from jobspec import StyleUse
from pictures import recipe_of_xmp

FORMAT = 2
FORMATS = (1, 2)
KEY = "geuryeojwo"
KEYS = (KEY, "recipe")  # of a PNG's text chunk: ours, and the studio's
# where the studio's JPEG and WebP had it before they had it in XMP
EXIF_IFD, USER_COMMENT, UNICODE = 0x8769, 0x9286, b"UNICODE\0"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SETTINGS = (
    "steps", "guidance_scale", "size", "refine", "refine_strength", "scheduler", "style", "style_weight",
    "strength", "refine_steps", "refine_guidance",
)  # fmt: skip
SIDES = ("width", "height")  # of a picture that is no square: `size` is null there


def make_recipe(shot: Shot, settings: Mapping[str, object], made_with: Mapping[str, object]) -> dict[str, object]:
    """Compose a recipe from a shot, resolved settings (names of DrawSettings) and what drew it."""
    texts = {"prompt": shot.prompt, "negative_prompt": shot.negative_prompt}
    drawn = {"drawn_prompt": shot.drawn_prompt, "drawn_negative_prompt": shot.drawn_negative}
    read = {key: text for key, text in drawn.items() if text not in (None, texts[key.removeprefix("drawn_")])}
    return {
        "format": FORMAT,
        **texts,
        **read,
        "seed": shot.seed,
        "source_sha256": None if shot.source is None else picture_sha256(shot.source),
        "settings": {name: settings[name] for name in SETTINGS}
        | {name: settings[name] for name in SIDES if settings.get(name) is not None}
        | _styles(settings.get("styles")),
        "made_with": dict(made_with),
    }


def _styles(styles: object) -> dict[str, object]:
    """A recipe's further styles as plain values; nothing where there are none, as before there were any."""
    found = [each.model_dump() for each in styles if isinstance(each, StyleUse)] if isinstance(styles, tuple) else []
    return {"styles": found} if found else {}


def read_settings(recipe: Mapping[str, object], source: Image.Image | None = None) -> tuple[Shot, DrawSettings]:
    """The shot and settings that draw a recipe again, its texts as they were drawn.

    Raises ValueError for an unknown format, what a recipe lacks, or a source picture that is missing, surplus or
    another one.
    """
    if recipe.get("format") not in FORMATS:
        raise ValueError(f"recipe has format {recipe.get('format')!r}: this version reads 1 and 2")
    if "edit" in recipe:
        raise ValueError("recipe is of an edit: make it again as an edit of its source picture")
    if lacking := [
        key for key in ("prompt", "negative_prompt", "seed", "source_sha256", "settings") if key not in recipe
    ]:
        raise ValueError(f"recipe has no {lacking[0]}: it was cut or edited")
    wanted = recipe["source_sha256"]
    found = None if source is None else picture_sha256(source)
    if wanted != found:
        raise ValueError(f"recipe was drawn over picture {wanted}, this one is {found}: give that picture")
    texts = {key: str(recipe[key]) for key in ("prompt", "negative_prompt")}
    drawn = {key: str(recipe.get(f"drawn_{key}", text)) for key, text in texts.items()}
    shot = Shot(
        texts["prompt"],
        texts["negative_prompt"],
        recipe["seed"],  # type: ignore[arg-type]  # Shot checks it
        source,
        drawn["prompt"],
        drawn["negative_prompt"],
    )
    try:
        return shot, DrawSettings(**recipe["settings"])  # type: ignore[arg-type]
    except TypeError as error:
        raise ValueError(f"recipe has settings that this version does not know: {error}") from error


def machine() -> dict[str, object]:
    """What else bytes depend on: library versions, threads, processor."""
    import torch

    return {
        "torch": torch.__version__,
        "diffusers": version("diffusers"),
        "threads": torch.get_num_threads(),
        "processor": platform.machine(),
    }


def png_bytes(image: Image.Image, recipe: Mapping[str, object]) -> bytes:
    """A PNG with the recipe (text chunk) and the digital source type (XMP) inside."""
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(recipe, ensure_ascii=False, sort_keys=True))
    info.add_itxt("XML:com.adobe.xmp", _xmp(edited=recipe["source_sha256"] is not None))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


def read_recipe(file: str | Path | io.BytesIO) -> dict[str, object]:
    """The recipe inside a picture, whether the pipeline or the studio wrote it (PNG, JPEG or WebP).

    Raises ValueError where there is none, FileNotFoundError where there is no picture.
    """
    name = "the picture" if isinstance(file, io.BytesIO) else str(file)
    try:
        with Image.open(file, formats=["PNG", "JPEG", "WEBP"]) as image:
            texts = _texts(image)
    except UnidentifiedImageError as error:
        raise ValueError(f"{name} is no PNG, JPEG or WebP picture") from error
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"{name} is damaged: {error}") from error
    for text in texts:
        try:
            recipe = json.loads(text)
        except ValueError:
            continue
        if isinstance(recipe, dict) and {"format", "prompt", "settings"} <= recipe.keys():
            return recipe
    raise ValueError(f"{name} has no {KEY} recipe: it was not drawn here, or its metadata was removed")


def _texts(image: Image.Image) -> list[str]:
    """What in a picture's metadata may be a recipe."""
    if image.format == "PNG":
        image.load()
        chunks = getattr(image, "text", {})
        return [chunks[key] for key in KEYS if key in chunks]
    if (found := recipe_of_xmp(image.info.get("xmp"))) is not None:
        return [found]
    comment = image.getexif().get_ifd(EXIF_IFD).get(USER_COMMENT, b"")
    if not isinstance(comment, bytes) or not comment.startswith(UNICODE):
        return []
    return [comment.removeprefix(UNICODE).decode("utf-16-be", errors="replace")]


def picture_sha256(image: Image.Image) -> str:
    """SHA-256 over a picture's size and RGBA pixels, independent of its file format."""
    rgba = image.convert("RGBA")
    return hashlib.sha256(f"{rgba.width}x{rgba.height}:".encode() + rgba.tobytes()).hexdigest()


def _xmp(edited: bool) -> str:
    kind = "compositeWithTrainedAlgorithmicMedia" if edited else "trainedAlgorithmicMedia"
    return (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        '<rdf:Description rdf:about="" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
        f'Iptc4xmpExt:DigitalSourceType="{SOURCE_TYPES}{kind}"/></rdf:RDF></x:xmpmeta>'
    )
