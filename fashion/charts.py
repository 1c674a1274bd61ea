"""Bars, heatmaps, histograms and word clouds in one quiet look, with Korean labels where a font can show them.

Matplotlib is imported when the first chart is drawn, with a backend that needs no screen.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

_INK, _QUIET, _BAR, _PAPER = "#26262b", "#8d8d96", "#3b6fb6", "#ffffff"
_PREFERRED_FONTS = ("pretendard", "noto sans kr", "noto sans cjk", "nanum", "malgun", "apple sd gothic")
_REST = "#c9c9d1"
_LONGEST_NAME = 28  # characters
_CLOUD_SIZE = (1200, 700)
_NEEDED = "옷꽃뾰"  # syllables that a font for Korean has


@dataclass(frozen=True)
class Labels:
    """Chooses Korean or English; `font` is the file that shows Korean, None where labels are English."""

    font: str | None

    @classmethod
    def find(cls, language: str = "ko") -> Labels:
        """Look for a font of this machine that has Hangul; say so where there is none and Korean is wanted."""
        if language not in ("ko", "en"):
            raise ValueError(f"language is {language!r}: use ko or en")
        font = korean_font() if language == "ko" else None
        if font is None and language == "ko":
            logger.warning("no Korean font on this machine: charts are labelled in English (install fonts-noto-cjk)")
        return cls(font)

    @property
    def korean(self) -> bool:
        return self.font is not None

    def __call__(self, korean: str, english: str) -> str:
        return korean if self.korean else english


@cache
def korean_font() -> str | None:
    """The file of a font with Hangul, one made for screens if there is one; None where there is none."""
    from matplotlib import font_manager

    entries = sorted(font_manager.fontManager.ttflist, key=lambda e: (_preference(e.name), abs(int(e.weight) - 400)))
    return next((entry.fname for entry in entries if entry.style == "normal" and _has_hangul(entry.fname)), None)


def bars(
    items: Sequence[tuple[str, int]], title: str, path: Path, colors: Sequence[tuple[float, ...]] | None = None,
    others: tuple[str, int] | None = None, nothing: str = "",
) -> None:  # fmt: skip
    """Draw horizontal bars, the largest on top, the numbers beside them; `others` is one more row, of what is left out,
    with its number alone, because together they may be many times the largest.

    `nothing`: what an empty chart says.
    """
    rows = [*items, others] if others else list(items)
    names, numbers = [_short(name) for name, _ in rows], [number for _, number in rows]
    longest = max((number for _, number in items), default=1)
    figure, axes = _sheet(title, 7.0, 1.1 + 0.3 * max(len(rows), 1))
    places, lengths = np.arange(len(rows)), [*numbers[: len(items)], 0][: len(rows)]
    edge = _QUIET if colors else "none"
    axes.barh(places[: len(items)], lengths[: len(items)], 0.72, color=list(colors) if colors else _BAR,
              edgecolor=edge, linewidth=0.6)  # fmt: skip
    axes.set_yticks(places, names)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlim(0, longest * 1.12)
    axes.set_xticks([])
    for place, length, number in zip(places, lengths, numbers, strict=True):
        axes.text(length + longest * 0.01, float(place), f"{number:,}", va="center", color=_QUIET, fontsize=9)
    if not rows:
        _say_nothing(axes, nothing)
    _save(figure, path)


def heatmap(
    table: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, path: Path, nothing: str = ""
) -> None:
    """Draw shares as a heatmap: rows × columns, 0 is paper, ink is the largest share, at least a half."""
    figure, axes = _sheet(title, 2.6 + 0.52 * max(len(columns), 6), 1.9 + 0.3 * max(len(rows), 1))
    if table.size:
        axes.imshow(table, cmap="BuPu", vmin=0, vmax=_darkest(table), aspect="auto")
    axes.set_yticks(np.arange(len(rows)), [_short(row) for row in rows])
    axes.set_xticks(np.arange(len(columns)), [_short(column) for column in columns], rotation=45, ha="right")
    dark = 0.6 * _darkest(table)
    for (row, column), share in np.ndenumerate(table):
        if share >= 0.005:
            text = f"{share:.2f}".removeprefix("0") if share < 0.995 else "1"
            ink = _PAPER if share > dark else _INK
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)
    if not table.size:
        _say_nothing(axes, nothing)
    _save(figure, path)


def histogram(
    series: Mapping[str, np.ndarray], edges: Sequence[float], title: str, across: str, up: str, path: Path
) -> None:
    """Draw counts of several series between the same edges beside each other; across is logarithmic where edges are."""
    figure, axes = _sheet(title, 8.0, 4.2)
    edges_found = np.asarray(edges, dtype=float)
    places, width = np.arange(len(edges_found) - 1), 0.8 / max(len(series), 1)
    for i, (name, values) in enumerate(series.items()):
        counts, _ = np.histogram(values, edges_found)
        axes.bar(places + (i - (len(series) - 1) / 2) * width, counts, width, label=name, color=(_REST, _BAR)[i % 2])
    axes.set_xticks(places, [_between(low, high) for low, high in pairwise(edges_found)], rotation=0)
    axes.set_xlabel(across, color=_INK)
    axes.set_ylabel(up, color=_INK)
    axes.legend(frameon=False)
    _save(figure, path)


def table(rows: Sequence[Sequence[str]], head: Sequence[str], title: str, path: Path) -> None:
    """Draw a table of texts: the first column at the left, the others at the right."""
    figure, axes = _sheet(title, 7.2, 0.9 + 0.34 * (len(rows) + 1))
    axes.set(xlim=(0, len(head)), ylim=(len(rows) + 0.6, -0.6), xticks=[], yticks=[])
    for place, row in enumerate([head, *rows]):
        for column, text in enumerate(row):
            left = column == 0
            axes.text(
                0.02 if left else column + 0.9, place, _short(text), ha="left" if left else "right", va="center",
                color=_QUIET if place == 0 else _INK, fontsize=10,
            )  # fmt: skip
        axes.axhline(place + 0.5, color="#e4e4ea", linewidth=0.8)
    _save(figure, path)


def word_cloud(numbers: Mapping[str, int], path: Path) -> None:
    """Draw words as large as they are frequent, the same every time; white paper where there are none."""
    from PIL import Image
    from wordcloud import WordCloud

    if not numbers:
        Image.new("RGB", _CLOUD_SIZE, _PAPER).save(path)
        return
    width, height = _CLOUD_SIZE
    cloud = WordCloud(
        font_path=korean_font(), width=width, height=height, background_color=_PAPER, colormap="viridis",
        random_state=0, prefer_horizontal=1.0, margin=6,
    )  # fmt: skip
    cloud.generate_from_frequencies(dict(numbers)).to_image().save(path)


def _darkest(table: np.ndarray) -> float:
    return max(0.5, float(table.max(initial=0.0)))


def _between(low: float, high: float) -> str:
    """The label of a bin of whole numbers, low ≤ n < high."""
    return f"{low:,.0f}" if high - low <= 1 else f"{low:,.0f}-{high - 1:,.0f}"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _say_nothing(axes: Axes, text: str) -> None:
    axes.set(xlim=(0, 1), ylim=(0, 1), xticks=[], yticks=[])
    axes.text(0.5, 0.5, text, ha="center", va="center", color=_QUIET, fontsize=11)


def _sheet(title: str, width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure in inches, without a frame, its title at the left."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=130, facecolor=_PAPER, layout="constrained")
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=13, color=_INK, pad=10)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelcolor=_INK, labelsize=9.5)
    return figure, axes


def _save(figure: Figure, path: Path) -> None:
    """Write the picture, every text of it in the font that has Hangul."""
    from matplotlib import font_manager
    from matplotlib.text import Text

    if (font := korean_font()) is not None:
        for text in figure.findobj(Text):
            assert isinstance(text, Text)
            size = text.get_fontsize()
            text.set_fontproperties(font_manager.FontProperties(fname=font, size=size))
    figure.savefig(path)


def _preference(name: str) -> int:
    return next((i for i, wanted in enumerate(_PREFERRED_FONTS) if wanted in name.lower()), len(_PREFERRED_FONTS))


def _has_hangul(path: str) -> bool:
    from matplotlib.ft2font import FT2Font

    try:
        font = FT2Font(path)
        return all(font.get_char_index(ord(syllable)) for syllable in _NEEDED)
    except (RuntimeError, OSError):  # a font file that FreeType cannot read
        return False
