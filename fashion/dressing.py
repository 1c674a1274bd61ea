"""Dress the figure: what the person of a prompt wears where the prompt leaves the body bare, chosen by the seed.

In: the kinds of garments that a prompt names, and a seed. Out: garments for what they leave bare: 운동화 신은 사람 gets
a top and trousers, 저고리 입은 사람 a hanbok skirt. For a prompt without any garment: the one that it is drawn on. The
doll of the drawn domain wears a plain body suit, which looks like underwear.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from fashion.lexicon import GARMENT_BY_ID, GarmentKind, word
from hangul.particles import attach

_CALM = ("white", "black", "gray", "navy", "beige", "sky_blue", "brown")  # beside what the prompt names
_MALE = ("남자", "소년", "man", "boy")
_TOPS = ("t_shirt", "shirt", "knit", "blouse")
_BOTTOMS = ("trousers", "jeans", "skirt")
_SKIRTS = frozenset(("skirt", "dress", "blouse", "hanbok_skirt"))
_ALONE = ("dress", "jeogori", "t_shirt", "knit", "coat", "shirt", "skirt", "jacket")  # for a prompt that names none
_CLOSED = ("durumagi",)  # hides the body from neck to shin
LOOKS = ("color", "pattern", "material")  # what a prompt without a garment may say of one


@dataclass(frozen=True)
class Worn:
    """A garment that nobody named: its kind, and ids of its other words by field, in the order of a caption."""

    kind: str
    fields: tuple[tuple[str, str], ...]

    def text(self, korean: bool) -> str:
        """흰 반팔 티셔츠; a white short-sleeved t-shirt."""
        garment = GARMENT_BY_ID[self.kind]
        named = [word(field, id) for field, id in self.fields]
        if korean:
            return " ".join([*(one.modifiers[0] for one in named), garment.ko[0]])
        text = " ".join([*(one.en_modifiers[0] for one in named), garment.en[0]])
        return text if garment.plural else f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def missing(kinds: Sequence[str], seed: int, person: Collection[str] = (), without: Collection[str] = ()) -> list[Worn]:
    """Garments for what `kinds` leave bare; `person`: the prompt's words for who wears them, `without`: ids that it
    does not want.
    """
    bare = _bare(kinds)
    if not bare:
        return []
    hanbok = any(GARMENT_BY_ID[kind].hanbok for kind in kinds)
    male = not {one.lower() for one in person}.isdisjoint(_MALE)
    chosen: list[str] = []
    for options in _options(bare, kinds, hanbok, male):
        fit = [id for id in options if id not in without and not (male and id in _SKIRTS)]
        chosen.append(_rng(seed, "/".join(options)).choice(fit or list(options)))
    return [_plain(GARMENT_BY_ID[kind], seed, without) for kind in chosen]


def instead(looks: Sequence[tuple[str, str]], seed: int, without: Collection[str] = ()) -> Worn:
    """The garment that a prompt without one is drawn on, in the `looks` (field, id) that it names."""
    wanted = dict(looks)
    able = [
        kind
        for kind in map(GARMENT_BY_ID.__getitem__, _ALONE)
        if kind.id not in without and wanted.get("material", kind.materials[0]) in kind.materials
    ]
    kind = _rng(seed, "instead").choice(able or [GARMENT_BY_ID["dress"]])
    return Worn(kind.id, tuple((field, wanted[field]) for field in LOOKS if field in wanted))


def together(garments: Sequence[Worn], korean: bool) -> str:
    """흰 반팔 티셔츠와 검은 바지; a white short-sleeved t-shirt and black trousers."""
    texts = [one.text(korean) for one in garments]
    if not korean:
        return " and ".join(texts)
    return " ".join([*(attach(text, "와") for text in texts[:-1]), texts[-1]])


def _bare(kinds: Collection[str]) -> tuple[str, ...]:
    slots = {GARMENT_BY_ID[kind].slot for kind in kinds}
    if "whole" in slots or not set(kinds).isdisjoint(_CLOSED):
        return ()
    return tuple(slot for slot in ("top", "bottom") if slot not in slots)


def _options(bare: Sequence[str], kinds: Sequence[str], hanbok: bool, male: bool) -> list[tuple[str, ...]]:
    """The kinds to choose from, for one garment after another; more than three garments are not drawn well."""
    if hanbok:
        if "top" in bare and "bottom" in bare and not any(GARMENT_BY_ID[kind].slot == "outer" for kind in kinds):
            return [_CLOSED]
        return [("jeogori",) if slot == "top" else ("trousers",) if male else ("hanbok_skirt",) for slot in bare]
    if len(bare) == 2 and len(kinds) > 1 and not male:
        return [("dress",)]
    return [_TOPS if slot == "top" else _BOTTOMS for slot in bare]


def _plain(kind: GarmentKind, seed: int, without: Collection[str]) -> Worn:
    """A garment of a calm colour; jeans go without saying one."""
    colors = [id for id in _CALM if id not in without] or list(_CALM)
    fields = [] if kind.id == "jeans" else [("color", _rng(seed, kind.id, "color").choice(colors))]
    for field, options in (("sleeve", kind.sleeves), ("hem", kind.hems)):
        fit = [id for id in options if id not in ("sleeveless", "mini")]
        if fit:
            fields.append((field, _rng(seed, kind.id, field).choice(fit)))
    return Worn(kind.id, tuple(fields))


def _rng(seed: int, *what: str) -> random.Random:
    return random.Random("/".join(("dressing", str(seed), *what)))
