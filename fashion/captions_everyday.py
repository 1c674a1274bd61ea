"""Prompts as people type them: 흰 셔츠에 초록 바지, 청바지, 빨간 코트 공원에서 수채화로; white shirt and jeans, pixel art.

In: a scene. Out: a `Prompt`, which names some of the scene as a person would, and its text in Korean or English. A bare
noun may stand for its usual colour (청바지: blue), garments are joined by 에, 와, 랑, 하고 or a comma with nobody who
wears them, background and style come last. What a prompt leaves open may have been added to it (`fashion.completion`),
so that an encoder learns to read those additions too.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from fashion import everyday_english, everyday_korean
from fashion.captions import CaptionContent
from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import Garment, Scene, garments_of
from fashion.wordings import asks_the_same, is_kept_out

_SOLID = 0.5  # of the printed garments are made solid: most of what people ask for is
_ONE_COLOUR = 0.25  # of hanbok, jeogori and skirt alike
_ADDED = 0.45  # of the prompts have been completed
_NAMED = {"color": 0.93, "pattern": 1.0, "material": 0.15, "sleeve": 0.15, "hem": 0.2, "neckline": 0.08, "details": 0.1}
_PLACE, _STYLE, _WORN = 0.3, 0.3, 0.3  # how often background, style and, of one garment, a wearer are named
_TRIES = 20
_USUAL = 0.55  # of the outfits are put together as people put them together
_TOPS, _BOTTOMS = (
    ("t_shirt", "shirt", "blouse", "knit", "hoodie", "crop_top"),
    ("trousers", "jeans", "jeans", "skirt", "shorts"),
)
_OUTER, _MORE = (
    ("jacket", "coat", "cardigan", "padding", "vest"),
    ("sneakers", "boots", "bag", "scarf", "cap", "bucket_hat", "beanie"),
)
_OUTFITS: tuple[tuple[float, tuple[tuple[str, ...], ...]], ...] = (  # how often, and what each place is taken from
    (5, (_TOPS, _BOTTOMS)), (2, (_OUTER, _TOPS, _BOTTOMS)), (2, (_TOPS, _BOTTOMS, _MORE)), (2, (_OUTER, ("dress",))),
    (1.5, (("dress",), _MORE)), (1.5, (_OUTER, _TOPS)), (1.5, (_OUTER, _BOTTOMS)), (1.5, (_OUTER, _MORE)),
    (1.5, (_MORE, _TOPS)), (1, (_MORE, _BOTTOMS)), (3, (("jeogori",), ("hanbok_skirt",))), (1, (("durumagi",), ("gat",))),
    (1, (("baeja",), ("jeogori",))), (0.5, (("jeogori",), ("hanbok_skirt",), ("kkotsin", "baeja", "durumagi"))),
)  # fmt: skip


@dataclass(frozen=True)
class Prompt:
    """`content`: all that the text tells. `named[i]`: fields that the person names of garment i; those of `content` that
    are not among them were added, and so were the wearer, the background and the style where `added` has their name."""

    content: CaptionContent
    named: tuple[tuple[str, ...], ...]
    added: frozenset[str] = frozenset()


def everyday(scene: Scene, rng: random.Random) -> Prompt | None:
    """What a person might ask for who wants this scene; None where that is one of the prompts kept out of training."""
    scene = _plainer(scene, rng)
    if asks_the_same((g.kind, g.color, g.pattern) for g in scene.garments):
        return None
    completed = rng.random() < _ADDED
    named, fields = [], []
    for garment in scene.garments:
        given = tuple(field for field in _given(garment) if rng.random() < _NAMED[field])
        named.append(given)
        more = tuple(f for f in _given(garment) if f not in given and f not in ("details", "pattern"))
        fields.append((*given, *more) if completed else given)
    parts = {}
    for part, usual, share in (("background", "white", _PLACE), ("style", "flat", _STYLE)):
        unusual = getattr(scene, part) != usual
        parts[part] = rng.random() < (share if unusual else share / 4), unusual and completed
    added = {part for part, (given, late) in parts.items() if late and not given}
    if scene.layout == "figure" and len(scene.garments) == 1 and rng.random() >= _WORN:
        if completed:
            added.add("wearer")
        else:
            scene = replace(scene, layout="alone")
    background, style = (getattr(scene, part) if any(parts[part]) else None for part in ("background", "style"))
    return Prompt(CaptionContent(scene, tuple(fields), background, style), tuple(named), frozenset(added))


def say(prompt: Prompt, language: str, rng: random.Random) -> str:
    """One wording of it, never one of those kept out of training."""
    speaker = everyday_korean if language == "ko" else everyday_english
    for _ in range(_TRIES):
        text = speaker.say(prompt, rng)
        if not is_kept_out(text):
            return text
    raise ValueError(f"no wording of {prompt} is free: {text!r} is kept out of training")


def _plainer(scene: Scene, rng: random.Random) -> Scene:
    if len(scene.garments) > 1 and rng.random() < _USUAL:
        places = rng.choices([places for _, places in _OUTFITS], [share for share, _ in _OUTFITS])[0]
        kinds = [GARMENT_BY_ID[rng.choice(place)] for place in places]
        scene = replace(scene, garments=garments_of(rng, kinds, scene.style))
    garments = [
        replace(garment, pattern="solid") if garment.pattern != "solid" and rng.random() < _SOLID else garment
        for garment in scene.garments
    ]
    worn = [garment.kind for garment in garments]
    if "jeans" in worn and rng.random() < 0.6:
        garments = [replace(g, color="blue", pattern="solid") if g.kind == "jeans" else g for g in garments]
    if {"jeogori", "hanbok_skirt"} <= set(worn) and rng.random() < _ONE_COLOUR:
        color = garments[worn.index("jeogori")].color
        garments = [replace(g, color=color, pattern="solid") if GARMENT_BY_ID[g.kind].hanbok else g for g in garments]
    return replace(scene, garments=tuple(garments))


def _given(garment: Garment) -> tuple[str, ...]:
    """The fields that can be told of a garment."""
    kind = GARMENT_BY_ID[garment.kind]
    varies = {
        "color": True, "pattern": garment.pattern != "solid", "material": len(kind.materials) > 1,
        "sleeve": len(kind.sleeves) > 1, "neckline": len(kind.necklines) > 1, "hem": len(kind.hems) > 1,
        "details": bool(garment.details),
    }  # fmt: skip
    return tuple(field for field, matters in varies.items() if matters)
