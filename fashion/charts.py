"""Bars and heatmaps in one quiet look, with Korean labels where a font can show them.

Matplotlib is imported when the first chart is drawn, with a backend that needs no screen.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

logger = logging.getLogger(__name__)

_INK, _QUIET, _BAR, _PAPER = "#26262b", "#8d8d96", "#3b6fb6", "#ffffff"
_PREFERRED_FONTS = ("pretendard", "noto sans kr", "noto sans cjk", "nanum", "malgun", "apple sd gothic")
_NEEDED = "옷꽃뾰"  # syllables that a font for Korean has


@dataclass(frozen=True)
class Labels:
    """Chooses Korean or English; `font` is the file that shows Korean, None where the machine has none."""

    font: str | None

    @classmethod
    def find(cls) -> Labels:
        """Look for a font of this machine that has Hangul; say so where there is none."""
        font = korean_font()
        if font is None:
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
    items: Sequence[tuple[str, int]], title: str, path: Path,
    colors: Sequence[tuple[float, ...]] | None = None,
) -> None:  # fmt: skip
    """Draw horizontal bars, the largest on top, the numbers beside them."""
    names, numbers = [name for name, _ in items], [number for _, number in items]
    figure, axes = _sheet(title, 7.0, 1.1 + 0.3 * max(len(items), 1))
    places = np.arange(len(items))
    edge = _QUIET if colors else "none"
    axes.barh(places, numbers, 0.72, color=list(colors) if colors else _BAR, edgecolor=edge, linewidth=0.6)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, max(numbers, default=1) * 1.12)
    axes.set_xticks([])
    for place, number in zip(places, numbers, strict=True):
        axes.text(number + max(numbers) * 0.01, float(place), f"{number:,}", va="center", color=_QUIET, fontsize=9)
    if not items:
        axes.set_ylim(0, 1)
    _save(figure, path)


def heatmap(table: np.ndarray, rows: Sequence[str], columns: Sequence[str], title: str, path: Path) -> None:
    """Draw shares as a heatmap: rows × columns, 0 is paper, the largest share is ink."""
    figure, axes = _sheet(title, 2.6 + 0.52 * len(columns), 1.7 + 0.3 * max(len(rows), 1))
    if table.size:
        axes.imshow(table, cmap="BuPu", vmin=0, vmax=max(float(table.max()), 1e-9), aspect="auto")
    axes.set_yticks(np.arange(len(rows)), rows)
    axes.set_xticks(np.arange(len(columns)), columns, rotation=45, ha="right")
    dark = 0.6 * float(table.max()) if table.size else 1.0
    for (row, column), share in np.ndenumerate(table):
        if share >= 0.005:
            text = f"{share:.2f}".removeprefix("0") if share < 1 else "1"
            ink = _PAPER if share > dark else _INK
            axes.text(column, row, text, ha="center", va="center", fontsize=7, color=ink)
    _save(figure, path)


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
