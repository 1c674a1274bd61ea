"""All that is needed to draw a picture again, as JSON, and the file that carries it.

In: a resolved plan and a shot. Out: a recipe (a dict of plain values), PNG bytes with the recipe and the IPTC
digital source type inside, and back. The mark says what the picture is: trainedAlgorithmicMedia, or
compositeWithTrainedAlgorithmicMedia for a picture drawn over another.
"""

from __future__ import annotations

import hashlib
import io
import json
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

import torch
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from diffusion.request import DrawSettings, Shot

FORMAT = 1
KEY = "geuryeojwo"
SOURCE_TYPES = "http://cv.iptc.org/newscodes/digitalsourcetype/"
SETTINGS = (
    "steps", "guidance_scale", "size", "refine", "refine_strength", "scheduler", "style", "style_weight",
    "strength", "refine_steps", "refine_guidance",
)  # fmt: skip


def make_recipe(shot: Shot, settings: Mapping[str, object], made_with: Mapping[str, object]) -> dict[str, object]:
    """Compose a recipe from a shot, resolved settings (names of DrawSettings) and what drew it."""
    return {
        "format": FORMAT,
        "prompt": shot.prompt,
        "negative_prompt": shot.negative_prompt,
        "seed": shot.seed,
        "source_sha256": None if shot.source is None else picture_sha256(shot.source),
        "settings": {name: settings[name] for name in SETTINGS},
        "made_with": dict(made_with),
    }


def read_settings(recipe: Mapping[str, object], source: Image.Image | None = None) -> tuple[Shot, DrawSettings]:
    """The shot and settings that draw a recipe again.

    Raises ValueError for an unknown format, or a source picture that is missing, surplus or another one.
    """
    if recipe.get("format") != FORMAT:
        raise ValueError(f"recipe has format {recipe.get('format')!r}: this version reads {FORMAT}")
    wanted = recipe["source_sha256"]
    found = None if source is None else picture_sha256(source)
    if wanted != found:
        raise ValueError(f"recipe was drawn over picture {wanted}, this one is {found}: give that picture")
    shot = Shot(str(recipe["prompt"]), str(recipe["negative_prompt"]), int(recipe["seed"]), source)  # type: ignore[call-overload]
    return shot, DrawSettings(**recipe["settings"])  # type: ignore[arg-type]


def machine() -> dict[str, object]:
    """What else bytes depend on: library versions, threads, processor."""
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


def read_recipe(file: Path | io.BytesIO) -> dict[str, object]:
    """The recipe inside a PNG; raises ValueError where there is none."""
    with Image.open(file, formats=["PNG"]) as image:
        image.load()
        text = getattr(image, "text", {}).get(KEY)
    if text is None:
        raise ValueError(f"the picture has no {KEY} recipe: it was not drawn here, or its metadata was removed")
    return json.loads(text)


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
