"""The charts that people look at before training, of any imagefolder that this package wrote.

In: DIR/metadata.jsonl. Out: PNG charts (garments or categories, genders, sleeves, patterns, colours as coloured bars;
garment × colour, garment × sleeve, gender × garment and colour × garment with rows that sum to 1; top words, bigrams
and word clouds in both languages) and counts.json with every number. Many labels are cut to the most frequent ones and
one more for all others, so that a chart stays one page. Korean words are split by the morphological analyser. Labels
are Korean where a Korean font is found and nothing else is asked for, else English.
"""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tqdm import tqdm

from fashion import charts
from fashion.counting import DatasetCounts, Pairs, count, row_shares
from fashion.dataset import read_metadata
from fashion.lexicon import COLOR_BY_ID, WORD_BY_ID, WORDS
from fashion.whole_folder import whole_folder

logger = logging.getLogger(__name__)

TOP = 25  # words and bigrams
MOST_BARS, MOST_ROWS, MOST_COLUMNS = 40, 30, 24
_CLOUD = 150  # words
_GENDERS = {"female": "여성", "male": "남성"}
_FIELDS = {"garments": "garment", "colors": "color", "patterns": "pattern", "sleeves": "sleeve", "genders": "gender"}
_TITLES = {
    "garments": ("옷과 소품", "Garments"), "colors": ("색", "Colours"), "patterns": ("무늬", "Patterns"),
    "sleeves": ("소매", "Sleeves"), "genders": ("성별", "Genders"),
    "garment_color": ("옷마다 색의 비율", "Colours of each garment"),
    "garment_sleeve": ("옷마다 소매의 비율", "Sleeves of each garment"),
    "gender_garment": ("성별마다 옷의 비율", "Garments of each gender"),
    "color_garment": ("색마다 옷의 비율", "Garments of each colour"),
    "words": ("자주 쓰인 낱말", "Top words"), "bigrams": ("자주 쓰인 두 낱말", "Top bigrams"),
}  # fmt: skip


def draw_charts(folder: Path, target: Path | None = None, progress: bool = True, language: str = "ko") -> Path:
    """Write all charts of the data set in `folder`; by default beside it, in FOLDER-stats. Return where they are."""
    rows = list(read_metadata(folder))
    counts = count(tqdm(rows, unit="caption", disable=None if progress else True))
    target = target or Path(folder).with_name(f"{Path(folder).name}-stats")
    labels = charts.Labels.find(language)
    with whole_folder(target) as work:
        _draw_bars(counts, labels, work)
        _draw_heatmaps(counts, labels, work)
        _draw_words(counts, labels, work)
        (work / "counts.json").write_text(json.dumps(_plain(counts), ensure_ascii=False, indent=1), "utf-8")
    return target


def label(field: str, id: str, labels: charts.Labels) -> str:
    """What a chart calls an id of the lexicon, or a word that a data set has in its place."""
    if field == "gender" and id in _GENDERS:
        return labels(_GENDERS[id], id)
    word = WORD_BY_ID.get(field, {}).get(id) or WORD_BY_ID.get(field, {}).get(_lexicon_id(field, id))
    return labels(word.ko[0], word.en_modifiers[0] if word.id == id else id) if word else id


def _draw_bars(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    for name, counter in counts.singles().items():
        kept, rest = _most(counter, MOST_BARS)
        items = [(label(_FIELDS[name], id, labels), number) for id, number in kept]
        colors = [_paint(id) for id, _ in kept] if name == "colors" else None
        others = (_others(labels, len(counter) - len(kept)), rest) if rest else None
        charts.bars(items, labels(*_TITLES[name]), folder / f"{name}.png", colors, others, _nothing(labels))


def _draw_heatmaps(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    for name, pairs in counts.pairs().items():
        row_field, column_field = name.split("_")
        rows = _most(_sums(pairs, 0), MOST_ROWS)[0]
        columns = _most(_sums(pairs, 1), MOST_COLUMNS)[0]
        shown, row_ids = [id for id, _ in columns], [id for id, _ in rows]
        column_names = [label(column_field, id, labels) for id in shown]
        if rest := {column for _, column in pairs} - set(shown):
            pairs = pairs + Counter({(row, ""): sum(pairs[row, column] for column in rest) for row in row_ids})
            shown, column_names = [*shown, ""], [*column_names, _others(labels, len(rest))]
        row_names = [label(row_field, id, labels) for id in row_ids]
        cut = len(_sums(pairs, 0)) - len(row_ids)
        title = labels(*_TITLES[name]) + (labels(f" (많은 순 {len(rows)}개)", f" (top {len(rows)})") if cut else "")
        table = row_shares(pairs, row_ids, shown)
        charts.heatmap(table, row_names, column_names, title, folder / f"{name}.png", _nothing(labels))


def _draw_words(counts: DatasetCounts, labels: charts.Labels, folder: Path) -> None:
    for language, name in (("ko", labels("한국어", "Korean")), ("en", labels("영어", "English"))):
        if language == "ko" and charts.korean_font() is None:
            logger.warning("no Korean font: charts of Korean words are left out, their numbers are in counts.json")
            continue
        for what in ("words", "bigrams"):
            top = getattr(counts, what)[language].most_common(TOP)
            title = f"{labels(*_TITLES[what])} ({name})"
            charts.bars(top, title, folder / f"{what}_{language}.png", nothing=_nothing(labels))
        charts.word_cloud(dict(counts.words[language].most_common(_CLOUD)), folder / f"cloud_{language}.png")


def _most(counter: Counter[str], most: int) -> tuple[list[tuple[str, int]], int]:
    """The most frequent, and how many of the others there are."""
    kept = counter.most_common(most)
    return kept, counter.total() - sum(number for _, number in kept)


def _sums(pairs: Pairs, side: int) -> Counter[str]:
    sums: Counter[str] = Counter()
    for ids, number in pairs.items():
        sums[ids[side]] += number
    return sums


def _others(labels: charts.Labels, number: int) -> str:
    return labels(f"그 밖 {number}가지", f"{number} others")


def _nothing(labels: charts.Labels) -> str:
    return labels("자료에 없어요", "the data set says nothing of this")


@cache
def _lexicon_id(field: str, name: str) -> str:
    """The id of the lexicon's word that is called so in English: tee is t_shirt."""
    return next((word.id for word in WORDS.get(field, ()) if name in word.en), "")


def _paint(name: str) -> tuple[float, ...]:
    """A colour's own: the lexicon's, else matplotlib's of that name, else a light grey."""
    from matplotlib.colors import is_color_like, to_rgb

    color = COLOR_BY_ID.get(name) or COLOR_BY_ID.get(_lexicon_id("color", name))
    if color is not None:
        return tuple(channel / 255 for channel in color.rgb)
    return to_rgb(name) if not name.isdigit() and is_color_like(name) else (0.88, 0.88, 0.9)


def _plain(counts: DatasetCounts) -> dict[str, object]:
    """Everything counted, ready for JSON, most frequent first."""

    def shares(pairs: Pairs) -> dict[str, dict[str, float]]:
        rows, columns = sorted({row for row, _ in pairs}), sorted({column for _, column in pairs})
        table = row_shares(pairs, rows, columns)
        return {row: dict(zip(columns, map(float, line), strict=True)) for row, line in zip(rows, table, strict=True)}

    singles: Mapping[str, object] = {name: dict(found.most_common()) for name, found in counts.singles().items()}
    texts = {
        f"{what}_{language}": dict(getattr(counts, what)[language].most_common(200))
        for what in ("words", "bigrams") for language in ("ko", "en")
    }  # fmt: skip
    heatmaps = {name: shares(pairs) for name, pairs in counts.pairs().items()}
    return {"rows": counts.rows, **singles, **heatmaps, **texts}
