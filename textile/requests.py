"""A Korean or English sentence into a pattern's category and palette, and the words that could not be read.

`파란 바탕에 흰 물방울` → dots, ground blue, motif white. The ground comes first in a palette: the colour before
바탕, 배경, ground or background, or after `on`; else the first one that is named.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from fashion.lexicon import COLOR_BY_ID, word
from fashion.segmentation import Piece, pieces
from hangul.normalize import clean
from textile.categories import RGB, category

# what requests for cloth are made of besides the words of `fashion`: no remark is due
_PLAIN = re.compile(
    r"(원단|천|옷감|패브릭|직물|패턴|텍스타일|무늬|벽지|타일|fabric|cloth|textile|tile|print|motif)s?(으로|로|을|를|이|가|에|의)?",
    re.IGNORECASE,
)
_GROUND = re.compile(
    r"(?:바탕|배경|ground|background)(?:색)?(?:에다가|에다|에는|에|으로|은|의|이고|위에)?", re.IGNORECASE
)
_SHADES = {
    "연한": 0.45, "밝은": 0.35, "옅은": 0.45, "연": 0.45, "light": 0.4, "pale": 0.5,
    "진한": -0.35, "짙은": -0.4, "어두운": -0.45, "진": -0.35, "dark": -0.4, "deep": -0.35,
}  # fmt: skip
_LONG_ENOUGH = 2000


@dataclass(frozen=True)
class PatternRequest:
    """What a sentence asks for. `category` is None where none is named, `palette` where no colour is.

    `unread` are the words that name nothing known here; `unused` what was understood and has no place in a pattern: a
    garment, a second category, a fifth colour, and colours that the category cannot show.
    """

    category: str | None
    palette: tuple[RGB, ...] | None
    unread: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()


def read_request(text: str) -> PatternRequest:
    """Read a sentence. Raises ValueError for one that is empty or longer than 2,000 characters."""
    text = clean(text)
    if not text:
        raise ValueError("the sentence is empty: name a pattern, e.g. 파란 바탕에 흰 물방울")
    if len(text) > _LONG_ENOUGH:
        raise ValueError(f"the sentence has {len(text)} characters: use at most {_LONG_ENOUGH}")
    grounds = [match.start() for match in _GROUND.finditer(text)]
    blanked = _GROUND.sub(lambda match: " " * len(match[0]), text)
    found = pieces(blanked)
    on = [piece.start for piece in found if piece.text.lower() == "on"]
    colors: list[tuple[Piece, RGB]] = []
    categories: list[Piece] = []
    unread: list[str] = []
    unused: list[str] = []
    shade = 0.0
    for piece in found:
        field, id = piece.entry or ("", "")
        if field == "color":
            colors.append((piece, shaded(COLOR_BY_ID[id].rgb, shade)))
        elif field == "pattern":
            categories.append(piece)
        elif piece.kind == "unknown" and piece.text.lower() in _SHADES:
            shade = _SHADES[piece.text.lower()]
            continue
        elif piece.kind == "unknown" and not _PLAIN.fullmatch(piece.text):
            unread.append(piece.text)
        elif field and not _PLAIN.fullmatch(piece.text):
            unused.append(piece.text)
        shade = 0.0
    return _settled(colors, categories, grounds, on, unread, unused)


def shaded(rgb: RGB, share: float) -> RGB:
    """A colour mixed with white (share above 0) or black (below)."""
    goal = 255 if share > 0 else 0
    r, g, b = (round(level + (goal - level) * abs(share)) for level in rgb)
    return r, g, b


def _settled(
    colors: list[tuple[Piece, RGB]], categories: list[Piece], grounds: list[int], on: list[int],
    unread: list[str], unused: list[str],
) -> PatternRequest:  # fmt: skip
    """Order the colours, ground first, and leave out what the category cannot show."""
    named = categories[0].entry[1] if categories and categories[0].entry else None
    unused += [piece.text for piece in categories[1:] if piece.entry and piece.entry[1] != named]
    first = _ground_of(colors, grounds, on)
    ordered = [*colors[first : first + 1], *colors[:first], *colors[first + 1 :]]
    ordered = [pair for i, pair in enumerate(ordered) if pair[1] not in [rgb for _, rgb in ordered[:i]]]
    most = category(named).colors if named else 4
    unused += [piece.text for piece, _ in ordered[most:]]
    palette = tuple(rgb for _, rgb in ordered[:most])
    return PatternRequest(named, palette or None, tuple(unread), tuple(unused))


def _ground_of(colors: list[tuple[Piece, RGB]], grounds: list[int], on: list[int]) -> int:
    """Which colour is the ground: the last one before 바탕, else the first one after `on`, else the first."""
    for start in grounds:
        before = [i for i, (piece, _) in enumerate(colors) if piece.end <= start]
        if before:
            return before[-1]
    for start in on:
        after = [i for i, (piece, _) in enumerate(colors) if piece.start > start]
        if after:
            return after[0]
    return 0


def category_words(id: str) -> tuple[str, ...]:
    """Every Korean and English name of a category, the standard ones first."""
    one = word("pattern", category(id).id)
    return (*one.ko, *one.loan, *one.everyday, *one.en, *one.en_before)
