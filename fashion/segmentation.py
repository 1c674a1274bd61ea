"""A free prompt cut into words of the lexicon, words that requests are made of, particles and what is unknown.

In: a prompt in NFC, Korean, English or mixed, with or without spaces. Out: pieces text[start:end], in order. No
analyser: the text without blanks is cut along the cheapest path (dynamic programming over the tables of forms).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from fashion import request_words
from fashion.lexicon import WORDS, forms
from fashion.typo_correction import corrections

WRITTEN_WORD = re.compile(r"[가-힣ㄱ-ㅣ]+|[A-Za-z][A-Za-z']*|[0-9]+")
_HANGUL = re.compile("[가-힣ㄱ-ㅣ]")
_UNKNOWN_START, _UNKNOWN_EACH, _TORN_WORD = 4.0, 1.0, 8.0


@dataclass(frozen=True)
class Piece:
    """text[start:end] is known, plain, particle, typo (`corrected` is its right spelling) or unknown.

    `entry` is the (field, id) that it names, if any.
    """

    start: int
    end: int
    text: str
    kind: str
    entry: tuple[str, str] | None = None
    corrected: str | None = None


@dataclass(frozen=True, slots=True)
class _Step:
    """A piece of the squeezed text: known, plain, particle, typo (`corrected`: its right spelling) or unknown."""

    length: int
    kind: str
    entry: tuple[str, str] | None = None
    corrected: str | None = None


@lru_cache(maxsize=8)  # one request asks for the same prompt several times
def pieces(text: str) -> tuple[Piece, ...]:
    """An NFC text cut into words, particles and what is unknown, in order; blanks and signs are left out."""
    squeezed, places, cuts = _squeeze(text)
    found, i = [], 0
    for step in _cheapest_path(squeezed, cuts):
        start, end = places[i], places[i + step.length - 1] + 1
        i += step.length
        typed = text[start:end]
        found.append(Piece(start, end, typed, step.kind, step.entry, _spelled(typed, step.corrected)))
    return tuple(
        replace(piece, kind="unknown", entry=None, corrected=None) if _goes_on(piece, after) else piece
        for piece, after in zip(found, [*found, None][1:], strict=True)
    )


def _goes_on(piece: Piece, after: Piece | None) -> bool:
    """Whether a typo is only the beginning of a word that is unknown: 드레이프 is no 그레이."""
    return bool(piece.corrected) and after is not None and after.kind == "unknown" and after.start == piece.end


def unknown_count(found: Sequence[Piece]) -> int:
    """How many written words of pieces are unknown; numbers and lone jamo are not counted."""
    return sum(
        bool(re.search("[가-힣A-Za-z]", written[0]))
        for piece in found
        if piece.kind == "unknown"
        for written in WRITTEN_WORD.finditer(piece.text)
    )


def typo_targets() -> tuple[list[str], list[str]]:
    """(words, taken): the Korean words whose typos are corrected, squeezed, and every form that is no typo.

    Words of one syllable are left out: most that are one key away are words too (찐, beside 진). So are negations: a
    typo must not turn what is wanted into what is not.
    """
    lexicon, plain, _ = _tables()
    known, rest = [*lexicon, *plain], plain - frozenset(request_words.NEGATIONS_AFTER)
    long = (*(word for word in lexicon if len(word) > 1), *(word for word in rest if len(word) > 2))
    return sorted(word for word in long if _HANGUL.match(word)), known


def _spelled(typed: str, corrected: str | None) -> str | None:
    """The correction with the blanks of what was typed."""
    if corrected is None:
        return None
    letters = iter(corrected)
    return "".join(next(letters) if WRITTEN_WORD.match(letter) else letter for letter in typed)


def _squeeze(text: str) -> tuple[str, list[int], set[int]]:
    """The text in lower case without blanks and signs, the place of every character, and where words were cut."""
    letters: list[str] = []
    places: list[int] = []
    cuts = {0}
    for match in WRITTEN_WORD.finditer(text):
        cuts.add(len(letters))
        letters += match[0].lower()
        places += range(match.start(), match.end())
        cuts.add(len(letters))
    return "".join(letters), places, cuts


def _cheapest_path(text: str, cuts: set[int]) -> list[_Step]:
    """Cut the squeezed text into steps at the least cost; what is cheapest here depends on the step before."""
    # at every place, per kind of the last step: (cost, the step, the kind before it)
    best: list[dict[str, tuple[float, _Step | None, str]]] = [{} for _ in range(len(text) + 1)]
    best[0]["start"] = (0.0, None, "")
    for i in range(len(text)):
        steps = list(_steps_from(text, i, cuts)) if best[i] else []
        for before, (cost, last, _) in list(best[i].items()):
            for step in steps:
                if step.kind == "particle" and before == "start":
                    continue
                price = cost + _price(step, last, i in cuts)
                at = best[i + step.length]
                if step.kind not in at or price < at[step.kind][0]:
                    at[step.kind] = (price, step, before)
    path, i = [], len(text)
    kind = min(best[i], key=lambda k: best[i][k][0])
    while i:
        _, taken, before = best[i][kind]
        assert taken is not None
        path.append(taken)
        i, kind = i - taken.length, before
    return _merge_unknown(path[::-1])


def _price(step: _Step, last: _Step | None, at_cut: bool) -> float:
    """Few long pieces beat many short ones; short words do not begin or end inside what is written as one word."""
    if step.kind == "unknown":
        if last is not None and last.kind == "unknown" and not at_cut:
            return _UNKNOWN_EACH
        torn = last is not None and last.kind in ("known", "plain") and last.length <= 2 and not at_cut
        return _UNKNOWN_EACH + _UNKNOWN_START + (_TORN_WORD if torn else 0)
    price = {"known": 1.0, "plain": 1.3, "particle": 1.1, "typo": 2.2}[step.kind]
    if step.kind == "particle" or at_cut:
        return price
    if step.length == 1:
        price += 1.5
    if last is not None and last.kind == "unknown":
        price += 3.0 if step.length <= 2 else 1.0
    return price


def _steps_from(text: str, i: int, cuts: set[int]) -> Iterator[_Step]:
    lexicon, plain, longest = _tables()
    latin = not _HANGUL.match(text[i])
    right = _corrections()
    for length in range(1, min(longest, len(text) - i) + 1):
        piece = text[i : i + length]
        whole = i in cuts and i + length in cuts
        torn = i not in cuts and not cuts.isdisjoint(range(i + 1, i + length))  # the end of a word and more: 더한 옷
        if not torn and (corrected := right.get(piece)):
            yield _Step(length, "typo", lexicon.get(corrected), corrected)
        if entry := lexicon.get(piece):
            if whole or not latin or (i in cuts and _HANGUL.match(piece[-1])):
                yield _Step(length, "known", entry)
        elif whole and latin and (entry := _singular(lexicon, piece)):
            yield _Step(length, "known", entry)
        if piece in plain and (whole or (not latin and (length > 1 or i in cuts))):
            yield _Step(length, "plain")
        if piece in request_words.PARTICLES and (i not in cuts or text[i - 1] < "가"):
            yield _Step(length, "particle")
    yield _Step(1, "unknown")


def _singular(lexicon: dict[str, tuple[str, str]], piece: str) -> tuple[str, str] | None:
    """The entry of an English plural: shirts, dresses."""
    return lexicon.get(piece.removesuffix("s")) or lexicon.get(piece.removesuffix("es"))


def _merge_unknown(path: list[_Step]) -> list[_Step]:
    merged: list[_Step] = []
    for step in path:
        if step.kind == "unknown" and merged and merged[-1].kind == "unknown":
            merged[-1] = _Step(merged[-1].length + step.length, "unknown")
        else:
            merged.append(step)
    return merged


@lru_cache(maxsize=1)
def _tables() -> tuple[dict[str, tuple[str, str]], frozenset[str], int]:
    """Squeezed form → (field, id), the plain words, and the longest length; the first field to have a form keeps it."""
    lexicon: dict[str, tuple[str, str]] = {}
    for field, words in WORDS.items():
        for word in words:
            for form in (*forms(word, "ko"), *forms(word, "en")):
                squeezed, _, _ = _squeeze(unicodedata.normalize("NFC", form))
                for variant in {squeezed, _without_article(form)}:
                    lexicon.setdefault(variant, (field, word.id))
    plain = request_words.PLAIN
    return lexicon, plain - lexicon.keys(), max(map(len, (*lexicon, *plain)))


@lru_cache(maxsize=1)
def _corrections() -> dict[str, str]:
    return corrections(*typo_targets())


def _without_article(form: str) -> str:
    return _squeeze(re.sub(r"^(?:a|an|the) ", "", form))[0]
