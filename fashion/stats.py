"""The charts that people look at before training, of any imagefolder that `export` or `prepare` wrote.

In: DIR/metadata.jsonl. Out: PNG charts (garments, colours as coloured bars, patterns, sleeves, garment × colour and
garment × sleeve with rows that sum to 1, top words and bigrams in both languages) and counts.json with every number.
Korean words are split by the morphological analyser. Labels are Korean where a Korean font is found, else English.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fashion import charts
from fashion.dataset import read_metadata
from fashion.lexicon import COLORS, GARMENTS, PATTERNS, SLEEVES, WORD_BY_ID, WORDS, Word
from fashion.shop_words import entries
from fashion.whole_folder import whole_folder
from hangul.normalize import clean

logger = logging.getLogger(__name__)

TOP = 25
_ENGLISH_STOP = frozenset(
    ["a", "an", "the", "of", "in", "on", "with", "and", "or", "as", "is", "are", "to", "me", "you", "it", "there"]
)
_KOREAN_STOP = frozenset(["있다", "하다", "되다", "주다", "그리다", "이다", "달리다"])


@dataclass
class DatasetCounts:
    """What a data set holds. Heatmaps: rows are garments, and a row sums to 1 (or 0 for a garment without any)."""

    rows: int = 0
    garments: Counter[str] = field(default_factory=Counter)
    colors: Counter[str] = field(default_factory=Counter)
    patterns: Counter[str] = field(default_factory=Counter)
    sleeves: Counter[str] = field(default_factory=Counter)
    garment_color: Counter[tuple[str, str]] = field(default_factory=Counter)
    garment_sleeve: Counter[tuple[str, str]] = field(default_factory=Counter)
    words: dict[str, Counter[str]] = field(default_factory=lambda: {"en": Counter(), "ko": Counter()})
    bigrams: dict[str, Counter[str]] = field(default_factory=lambda: {"en": Counter(), "ko": Counter()})


def count(rows: Iterable[Mapping[str, object]]) -> DatasetCounts:
    """Count garments, attributes, words and bigrams of metadata rows. Raises ValueError for a row without text."""
    counts = DatasetCounts()
    for row in rows:
        counts.rows += 1
        if "text" not in row:
            raise ValueError(f"row {counts.rows} has no column 'text': it has {', '.join(row)}")
        for garment in _garments(row):
            _count_garment(counts, garment, counts.rows)
        for language, column in (("en", "text"), ("ko", "text_ko")):
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


def row_shares(counts: Counter[tuple[str, str]], rows: Sequence[str], columns: Sequence[str]) -> np.ndarray:
    """The heatmap of pair counts, (rows, columns): each row sums to 1, or to 0 where nothing was counted."""
    table = np.array([[counts[row, column] for column in columns] for row in rows], dtype=float)
    table = table.reshape(len(rows), len(columns))
    return table / np.maximum(table.sum(axis=1, keepdims=True), 1)


def draw_charts(folder: Path, target: Path | None = None, progress: bool = True) -> Path:
    """Write all charts of the data set in `folder`; by default beside it, in FOLDER-stats. Return where they are."""
    rows = list(read_metadata(folder))
    counts = count(tqdm(rows, unit="caption", disable=None if progress else True))
    target = target or Path(folder).with_name(f"{Path(folder).name}-stats")
    labels = charts.Labels.find()
    with whole_folder(target) as work:
        _draw_bars(counts, labels, work)
        _draw_heatmaps(counts, labels, work)
        _draw_words(counts, labels, work)
        (work / "counts.json").write_text(json.dumps(_plain(counts), ensure_ascii=False, indent=1), "utf-8")
    return target


def _draw_bars(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    colors = {color.id: tuple(c / 255 for c in color.rgb) for color in COLORS}
    charts.bars(_named(counts.garments, GARMENTS, labels), labels("옷과 소품", "Garments"), folder / "garments.png")
    charts.bars(
        _named(counts.colors, COLORS, labels), labels("색", "Colours"), folder / "colors.png",
        [colors[id] for id, _ in counts.colors.most_common()],
    )  # fmt: skip
    charts.bars(_named(counts.patterns, PATTERNS, labels), labels("무늬", "Patterns"), folder / "patterns.png")
    charts.bars(_named(counts.sleeves, SLEEVES, labels), labels("소매", "Sleeves"), folder / "sleeves.png")


def _draw_heatmaps(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    for pairs, words, title, name in (
        (counts.garment_color, COLORS, labels("옷마다 색의 비율", "Colours of each garment"), "garment_color.png"),
        (counts.garment_sleeve, SLEEVES, labels("옷마다 소매의 비율", "Sleeves of each garment"), "garment_sleeve.png"),
    ):
        rows = [garment for garment in GARMENTS if any(pairs[garment.id, word.id] for word in words)]
        table = row_shares(pairs, [row.id for row in rows], [word.id for word in words])
        charts.heatmap(table, _names(rows, labels), _names(words, labels), title, folder / name)


def _draw_words(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    tops = (("words", "자주 쓰인 낱말", "Top words"), ("bigrams", "자주 쓰인 두 낱말", "Top bigrams"))
    for what, korean, english in tops:
        for language, name in (("ko", labels("한국어", "Korean")), ("en", labels("영어", "English"))):
            if language == "ko" and not labels.korean:
                logger.warning("no Korean font: %s_ko.png is left out, its numbers are in counts.json", what)
                continue
            top = getattr(counts, what)[language].most_common(TOP)
            charts.bars(top, f"{labels(korean, english)} ({name})", folder / f"{what}_{language}.png")


def _garments(row: Mapping[str, object]) -> list[Mapping[str, object]]:
    attributes = row.get("attributes")
    garments = attributes.get("garments") if isinstance(attributes, Mapping) else None
    return [garment for garment in garments or [] if isinstance(garment, Mapping)]


def _count_garment(counts: DatasetCounts, garment: Mapping[str, object], row: int) -> None:
    """Raises ValueError for an id that the lexicon lacks."""
    kind = str(garment.get("kind"))
    for name, value in (("garment", kind), *((name, garment.get(name)) for name in ("color", "pattern", "sleeve"))):
        if value is not None and str(value) not in WORD_BY_ID[name]:
            raise ValueError(f"row {row}: {name} {value!r} is not in the lexicon: correct it, or add the word there")
    counts.garments[kind] += 1
    for name, counter, pairs in (
        ("color", counts.colors, counts.garment_color), ("pattern", counts.patterns, None),
        ("sleeve", counts.sleeves, counts.garment_sleeve),
    ):  # fmt: skip
        if (value := garment.get(name)) is not None:
            counter[str(value)] += 1
            if pairs is not None:
                pairs[kind, str(value)] += 1


def _names(words: Sequence[Word], labels: charts.Labels) -> list[str]:
    return [labels(word.ko[0], word.en_modifiers[0]) for word in words]


def _named(counter: Counter[str], words: Sequence[Word], labels: charts.Labels) -> list[tuple[str, int]]:
    names = dict(zip((word.id for word in words), _names(words, labels), strict=True))
    return [(names[id], number) for id, number in counter.most_common()]


@cache
def domain_nouns() -> tuple[str, ...]:
    """Every Korean noun of the lexicon, whatever its field, and shops' colours: 버킷햇, 민소매, 코튼, 차콜."""
    names = {name for words in WORDS.values() for word in words for name in (*word.ko, *word.loan)}
    inflected = {form for words in WORDS.values() for word in words for form in word.ko_before}
    shades = {form for form, entry in entries().items() if entry.field == "color"} - inflected
    names |= {shade for shade in shades if not any(shade != other and shade.endswith(other) for other in shades)}
    return tuple(sorted(name for name in names if len(name) > 1 and name.isalpha() and not name.isascii()))


def _plain(counts: DatasetCounts) -> dict[str, object]:
    """Everything counted, ready for JSON, most frequent first."""

    def shares(pairs: Counter[tuple[str, str]]) -> dict[str, dict[str, float]]:
        rows = sorted({garment for garment, _ in pairs})
        columns = sorted({value for _, value in pairs})
        table = row_shares(pairs, rows, columns)
        return {row: dict(zip(columns, map(float, line), strict=True)) for row, line in zip(rows, table, strict=True)}

    single = {name: dict(getattr(counts, name).most_common()) for name in ("garments", "colors", "patterns", "sleeves")}
    texts = {
        f"{what}_{language}": dict(getattr(counts, what)[language].most_common(200))
        for what in ("words", "bigrams") for language in ("ko", "en")
    }  # fmt: skip
    heatmaps = {"garment_color": shares(counts.garment_color), "garment_sleeve": shares(counts.garment_sleeve)}
    return {"rows": counts.rows, **single, **heatmaps, **texts}
