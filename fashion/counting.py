"""What a data set holds, counted: garments, colours, patterns, sleeves, genders, their pairs, words and bigrams.

In: metadata rows of an imagefolder. A row that has labels of its own (DeepFashion: gender, category, sleeve, color) is
counted by these, in any words; others by their garments, whose ids are the lexicon's. Out: counters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import TypeAlias

import numpy as np

from fashion.lexicon import WORD_BY_ID, WORDS
from fashion.shop_words import entries
from hangul.normalize import clean

Pairs: TypeAlias = Counter[tuple[str, str]]
LANGUAGES = {"en": "text", "ko": "text_ko"}
_ENGLISH_STOP = frozenset(
    ["a", "an", "the", "of", "in", "on", "with", "and", "or", "as", "is", "are", "was", "to", "me", "you", "it"]
    + ["there", "wore", "wears", "wearing"]
)
_KOREAN_STOP = frozenset(["있다", "하다", "되다", "주다", "그리다", "이다", "달리다"])
_LABELS = {"kind": "category", "color": "color", "sleeve": "sleeve", "gender": "gender"}  # ours → a row's own labels


@dataclass
class DatasetCounts:
    """What a data set holds; pairs are (row, column) of a heatmap."""

    rows: int = 0
    garments: Counter[str] = field(default_factory=Counter)
    colors: Counter[str] = field(default_factory=Counter)
    patterns: Counter[str] = field(default_factory=Counter)
    sleeves: Counter[str] = field(default_factory=Counter)
    genders: Counter[str] = field(default_factory=Counter)
    garment_color: Pairs = field(default_factory=Counter)
    garment_sleeve: Pairs = field(default_factory=Counter)
    gender_garment: Pairs = field(default_factory=Counter)
    color_garment: Pairs = field(default_factory=Counter)
    words: dict[str, Counter[str]] = field(default_factory=lambda: {"en": Counter(), "ko": Counter()})
    bigrams: dict[str, Counter[str]] = field(default_factory=lambda: {"en": Counter(), "ko": Counter()})

    def singles(self) -> dict[str, Counter[str]]:
        names = ("garments", "colors", "patterns", "sleeves", "genders")
        return {name: getattr(self, name) for name in names}

    def pairs(self) -> dict[str, Pairs]:
        names = ("garment_color", "garment_sleeve", "gender_garment", "color_garment")
        return {name: getattr(self, name) for name in names}


def count(rows: Iterable[Mapping[str, object]]) -> DatasetCounts:
    """Count metadata rows. Raises ValueError for a row without text or with a word that the lexicon lacks."""
    counts = DatasetCounts()
    for row in rows:
        counts.rows += 1
        if "text" not in row:
            raise ValueError(f"row {counts.rows} has no column 'text': it has {', '.join(row)}")
        for garment in _garments(row, counts.rows):
            _count_garment(counts, garment)
        for language, column in LANGUAGES.items():
            words = split_words(str(row.get(column) or ""), language)
            counts.words[language].update(words)
            counts.bigrams[language].update(f"{a} {b}" for a, b in pairwise(words))
    return counts


def split_words(text: str, language: str) -> list[str]:
    """The words of a caption that carry meaning: Korean by the analyser, in dictionary form; English by letters."""
    if language == "en":
        return [word for word in re.findall(r"[a-z][a-z'-]*", text.lower()) if word not in _ENGLISH_STOP]
    from hangul.analyser import content_words

    return [word for word in content_words(clean(text), domain_nouns()) if word not in _KOREAN_STOP]


def row_shares(counts: Pairs, rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """The heatmap of pair counts, (rows, columns): each row sums to 1, or to 0 where nothing was counted."""
    table = np.array([[counts[row, column] for column in columns] for row in rows], dtype=float)
    table = table.reshape(len(rows), len(columns))
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def _garments(row: Mapping[str, object], number: int) -> Iterator[dict[str, str]]:
    """A row's garments as ids by field: by its own labels where it has any, else by what its scene holds."""
    attributes = row.get("attributes")
    if not isinstance(attributes, Mapping):
        return
    if any(isinstance(attributes.get(name), str) for name in _LABELS.values()):
        yield {ours: str(attributes[name]) for ours, name in _LABELS.items() if attributes.get(name) is not None}
        return
    for garment in attributes.get("garments") or []:
        if isinstance(garment, Mapping):
            yield _known(garment, number)


def _known(garment: Mapping[str, object], row: int) -> dict[str, str]:
    """A garment of the drawn domain. Raises ValueError for an id that the lexicon lacks."""
    found = {"kind": str(garment.get("kind"))}
    found |= {name: str(garment[name]) for name in ("color", "pattern", "sleeve") if garment.get(name) is not None}
    for name, value in found.items():
        field_name = "garment" if name == "kind" else name
        if value not in WORD_BY_ID[field_name]:
            raise ValueError(
                f"row {row}: {field_name} {value!r} is not in the lexicon: correct it, or add the word there"
            )
    return found


def _count_garment(counts: DatasetCounts, garment: Mapping[str, str]) -> None:
    singles = {"kind": counts.garments, "color": counts.colors, "pattern": counts.patterns, "sleeve": counts.sleeves,
               "gender": counts.genders}  # fmt: skip
    for name, value in garment.items():
        singles[name][value] += 1
    for row, column, pairs in (
        ("kind", "color", counts.garment_color), ("kind", "sleeve", counts.garment_sleeve),
        ("gender", "kind", counts.gender_garment), ("color", "kind", counts.color_garment),
    ):  # fmt: skip
        if row in garment and column in garment:
            pairs[garment[row], garment[column]] += 1


@cache
def domain_nouns() -> tuple[str, ...]:
    """Every Korean noun of the lexicon, whatever its field, and shops' colours: 버킷햇, 민소매, 코튼, 차콜."""
    names = {name for words in WORDS.values() for word in words for name in (*word.ko, *word.loan)}
    inflected = {form for words in WORDS.values() for word in words for form in word.ko_before}
    shades = {form for form, entry in entries().items() if entry.field == "color"} - inflected
    names |= {shade for shade in shades if not any(shade != other and shade.endswith(other) for other in shades)}
    return tuple(sorted(name for name in names if len(name) > 1 and name.isalpha() and not name.isascii()))
