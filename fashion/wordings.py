"""Two hundred prompts as people type them, in Korean and English, with what a picture of each must show.

In: `wordings.tsv`, a row a prompt: language, group, prompt, garments (`shirt white; trousers green`: a kind and the
attributes that the prompt names or that its bare noun means), background, style; empty where the prompt says nothing.
Out: `Wording`s to measure by (`benchmarks.wording`), and `is_kept_out` and `asks_the_same`, by which the captions of
training leave every one of them out: by its text, and outfits by what they ask for. So add prompts, and never tune a
caption to one.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fashion.lexicon import GARMENT_BY_ID, WORD_BY_ID, word

FILE = Path(__file__).parent / "wordings.tsv"
GROUPS = ("outfit", "hanbok", "background", "style", "short")
_FIELDS = ("color", "pattern", "material", "sleeve", "hem", "neckline")
_SIGNS = re.compile(r"[\W_]+")


@dataclass(frozen=True)
class WordedGarment:
    """One garment that a prompt asks for: its kind, and by field what it names of it."""

    kind: str
    fields: tuple[tuple[str, str], ...]

    def get(self, field: str) -> str | None:
        return dict(self.fields).get(field)


@dataclass(frozen=True)
class Wording:
    """A prompt and what its picture must show; None where the prompt leaves it open."""

    language: str
    group: str
    prompt: str
    garments: tuple[WordedGarment, ...]
    background: str | None
    style: str | None


@cache
def wordings() -> tuple[Wording, ...]:
    """All of them. Raises ValueError for a row with a word that the lexicon has not."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(_wording(row) for row in csv.DictReader(file, delimiter="\t"))


def is_kept_out(text: str) -> bool:
    """Whether a text is one of the prompts, whatever its blanks, signs and capitals."""
    return squeezed(text) in _texts()


def asks_the_same(garments: Iterable[tuple[str, str, str]]) -> bool:
    """Whether an outfit, as (kind, colour, pattern) of each garment, is one that a prompt asks for."""
    return frozenset(garments) in _outfits()


def squeezed(text: str) -> str:
    """A text without blanks, signs and capitals: what makes two wordings the same."""
    return _SIGNS.sub("", unicodedata.normalize("NFC", text).casefold())


@cache
def _texts() -> frozenset[str]:
    return frozenset(squeezed(wording.prompt) for wording in wordings())


@cache
def _outfits() -> frozenset[frozenset[tuple[str, str, str]]]:
    asked = [wording.garments for wording in wordings() if len(wording.garments) > 1]
    return frozenset(
        frozenset((one.kind, one.get("color") or "", one.get("pattern") or "solid") for one in garments)
        for garments in asked
    )


def _wording(row: dict[str, str]) -> Wording:
    for field in ("background", "style"):
        if row[field]:
            word(field, row[field])
    if row["group"] not in GROUPS:
        raise ValueError(f"{row['prompt']!r} is of group {row['group']!r}: use one of {', '.join(GROUPS)}")
    garments = tuple(_asked(text.split()) for text in row["garments"].split(";"))
    return Wording(
        row["language"], row["group"], row["prompt"], garments, row["background"] or None, row["style"] or None
    )


def _asked(words: list[str]) -> WordedGarment:
    kind, *attributes = words
    if kind not in GARMENT_BY_ID:
        raise ValueError(f"{kind!r} is no garment of the lexicon")
    return WordedGarment(kind, tuple((_field_of(id), id) for id in attributes))


def _field_of(id: str) -> str:
    for field in _FIELDS:
        if id in WORD_BY_ID[field]:
            return field
    raise ValueError(f"{id!r} is no attribute of the lexicon: {', '.join(_FIELDS)}")
