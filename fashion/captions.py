"""Say in Korean or English what a scene shows, in many ways, with the truth about what was said.

In: a `Scene`. Out: a `Caption` with its text and, per garment in the scene's order, the attributes that the text
names. A full caption names everything that distinguishes the scene; what is usual may stay unsaid (a solid fabric, a
white background, the flat style) and so may what the garment cannot vary (jeans are denim). A short caption names
the garments and some of the rest. On request the text carries the noise of real typing (`fashion.caption_noise`).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fashion import captions_english, captions_korean
from fashion.caption_noise import NOISES, add_noise
from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import Garment, Scene
from fashion.wordings import is_kept_out

LANGUAGES = ("ko", "en")
_USUAL_BACKGROUND, _USUAL_STYLE, _USUAL_PATTERN = "white", "flat", "solid"
_SAY_USUAL_PATTERN, _SAY_USUAL_PLACE = 0.3, 0.35  # how often the usual is said all the same
_TRIES = 50
_SHORT = {"color": 0.88, "pattern": 0.6, "material": 0.2, "sleeve": 0.2, "hem": 0.2, "neckline": 0.12, "details": 0.2}


@dataclass(frozen=True)
class Caption:
    """`mentions[i]` holds what the text says of scene.garments[i]: kind, and the fields that it names, as ids."""

    text: str
    mentions: tuple[dict[str, str | tuple[str, ...]], ...]
    shape: str = ""
    background: str | None = None  # the background that the text names, None where it names none
    style: str | None = None


@dataclass(frozen=True)
class CaptionContent:
    """What a caption will say: the scene, per garment the fields to name, and whether to name place and style."""

    scene: Scene
    fields: tuple[tuple[str, ...], ...]
    background: str | None
    style: str | None
    konglish: bool = False
    synonyms: bool = False  # in Korean, no word by its standard name where it has others


def caption(
    scene: Scene, language: str = "ko", seed: int = 0, short: bool = False,
    noise: str | Sequence[str] | None = None, shape: str | None = None,
) -> Caption:  # fmt: skip
    """Say what the scene shows. The same arguments always give the same text.

    `noise` is one of `NOISES` or several; `shape` forces one of `shapes(language)` that fits the scene. Raises
    ValueError that names what is allowed.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language {language!r}: use {' or '.join(LANGUAGES)}")
    kinds = () if noise is None else (noise,) if isinstance(noise, str) else tuple(noise)
    if wrong := [kind for kind in kinds if kind not in NOISES]:
        raise ValueError(f"noise {wrong[0]!r}: use {', '.join(NOISES)}")
    rng = random.Random((scene.seed << 33) ^ ((seed & 0xFFFFFFFF) << 1) ^ (language == "en"))
    content = _choose(scene, short, rng)
    text, name = say(content, language, rng, kinds, shape)
    mentions = tuple(_mention(garment, fields) for garment, fields in zip(scene.garments, content.fields, strict=True))
    return Caption(text, mentions, name, content.background, content.style)


def say(
    content: CaptionContent, language: str, rng: random.Random, noises: Iterable[str] = (), shape: str | None = None
) -> tuple[str, str]:
    """Word what is to be said, with `noises` of `NOISES`: the text and the name of its shape.

    Never one of the prompts that everyday wording is measured by (`fashion.wordings`): it is worded anew. Raises
    ValueError where no other wording is found.
    """
    kinds = tuple(noises)
    speaker = captions_korean if language == "ko" else captions_english
    worded = replace(content, konglish="konglish" in kinds, synonyms="synonyms" in kinds)
    for _ in range(_TRIES):
        text, name = speaker.say(worded, rng, shape)
        for kind in kinds:
            text = add_noise(text, kind, language, rng)
        if not is_kept_out(text):
            return text, name
    raise ValueError(f"{text!r} is kept out of training, and no other wording of {content} was found")


def shapes(language: str) -> tuple[str, ...]:
    """The names of all caption shapes of a language; some fit only a garment alone, others only a figure."""
    return tuple((captions_korean if language == "ko" else captions_english).SHAPES)


def _choose(scene: Scene, short: bool, rng: random.Random) -> CaptionContent:
    chance = rng.random
    fields = []
    for garment in scene.garments:
        named = _distinguishing(garment)
        if short:
            named = tuple(field for field in named if chance() < _SHORT[field])
        elif garment.pattern == _USUAL_PATTERN and chance() < _SAY_USUAL_PATTERN:
            named = (*named, "pattern")
        fields.append(named)
    usual = 0.06 if short else _SAY_USUAL_PLACE
    unusual = 0.25 if short else 1.0
    background = chance() < (usual if scene.background == _USUAL_BACKGROUND else unusual)
    style = chance() < (usual if scene.style == _USUAL_STYLE else unusual)
    place, look = scene.background if background else None, scene.style if style else None
    return CaptionContent(scene, tuple(fields), place, look)


@lru_cache(maxsize=65536)
def _distinguishing(garment: Garment) -> tuple[str, ...]:
    """The fields that tell this garment from others of its kind; solid goes without saying."""
    kind = GARMENT_BY_ID[garment.kind]
    varies = {
        "color": True, "pattern": garment.pattern != _USUAL_PATTERN, "material": len(kind.materials) > 1,
        "sleeve": len(kind.sleeves) > 1, "hem": len(kind.hems) > 1, "neckline": len(kind.necklines) > 1,
        "details": bool(garment.details),
    }  # fmt: skip
    return tuple(field for field, matters in varies.items() if matters)


def _mention(garment: Garment, fields: tuple[str, ...]) -> dict[str, str | tuple[str, ...]]:
    return {"kind": garment.kind, **{field: getattr(garment, field) for field in fields}}
