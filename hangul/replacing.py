"""Swap words in a Korean sentence and keep its particles right: 원피스를 to 치마를, 코트를 to 재킷을.

In: a text and what to put for what. Out: the text in NFC with whole words replaced. A morphological analyser decides
what a word is and what is its particle: 고양이 is one word, so 고양 is not found in it, while 사람이 is 사람 and 이.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping

from hangul.analyser import Morpheme, morphemes
from hangul.particles import PAIRS, ending_of, fitting

_BY_FORM = {form: pair for pair in PAIRS for form in pair[:2]}
_WRITTEN_BOTH = {
    both: pair for pair in PAIRS for both in (pair[2], f"{pair[0]}({pair[1]})", f"{pair[1]}({pair[0]})")
}  # fmt: skip
_HANGUL = re.compile("[가-힣]+")
_PARTS_OF_NOUNS = ("N", "XR", "XPN", "SL", "UN", "IC", "W")  # tags of what makes one word with a noun beside it
_AFTER_NOUNS = (*_BY_FORM, *_WRITTEN_BOTH, "의", "에", "도", "만", "들", "처럼", "까지", "부터", "보다")  # 버킷햇의
_TAILS = ("서", "써", "부터")  # 으로서, 으로써, 으로부터
# the copula after a vowel and after a consonant, longest first; 이다 and its like may drop 이 after a vowel
_COPULA = (
    ("예요", "이에요"), ("여서", "이어서"), ("였", "이었"), ("여도", "이어도"), ("라서", "이라서"), ("라고", "이라고"),
    ("라는", "이라는"), ("라도", "이라도"), ("고", "이고"), ("며", "이며"), ("면", "이면"), ("다", "이다"),
    ("야", "이야"), ("랑", "이랑"), ("지", "이지"), ("네", "이네"), ("라", "이라"), ("든", "이든"),
)  # fmt: skip


def replace_words(text: str, replacements: Mapping[str, str], words: Iterable[str] = ()) -> str:
    """Return the text with every whole word replaced and the particle after it made to agree.

    Keys may be several words (흰 배경) or inflected forms (빨간); where two fit, the longer wins. What is replaced once
    is not looked at again. A noun that is written together with another is a part of a word and stays (차 in 차콜,
    진 in 스키니진), unless that other is replaced too. `words`: nouns that the dictionary may lack. Raises ValueError
    for an empty key.
    """
    text = unicodedata.normalize("NFC", text)
    wanted = {unicodedata.normalize("NFC", old): new for old, new in replacements.items()}
    if "" in wanted:
        raise ValueError("an empty word cannot be replaced: give at least one letter")
    if not any(old in text for old in wanted):
        return text
    words = tuple(words)
    found = morphemes(text, words)
    if split_wrongly := _split_wrongly(text, wanted, found):
        found = morphemes(text, words, split_wrongly)
    starts, ends = {m.start for m in found}, {m.end for m in found if not _is_stem(m, found)}
    pieces, position = [], 0
    for start, end, new in _whole(_matches(text, wanted, starts, ends), found):
        pieces += [text[position:start], new]
        position = end
        old_tail, new_tail = _particle(text, end, text[start:end], new, found)
        pieces.append(new_tail)
        position = end + len(old_tail)
    return "".join((*pieces, text[position:]))


def replace_word(text: str, old: str, new: str) -> str:
    """Replace one word: replace_word("원피스를 입은 고양이", "원피스", "재킷") is 재킷을 입은 고양이."""
    return replace_words(text, {old: new})


def _split_wrongly(text: str, wanted: Mapping[str, str], found: list[Morpheme]) -> list[tuple[int, int]]:
    """Places of words that the analyser does not know and joined to what follows: 버킷햇과 as 버킷 and 햇과.

    A morpheme that runs past the word's end, or is a verb's stem with its ending there (도트는 as 도, 트다), is such a
    mistake if it begins inside the word or is a guess, and the rest can be a particle; a longer word of the
    dictionary is none (티 in 티셔츠, 고양 in 고양이, 입 in 입은).
    """
    starts, ends = {m.start for m in found}, {m.end for m in found if not _is_stem(m, found)}
    places: list[tuple[int, int]] = []
    for old in sorted(wanted, key=len, reverse=True):
        start = text.find(old)
        while start >= 0:
            end = start + len(old)
            beyond = next((m for m in found if m.start < end < m.end or (m.end == end and _is_stem(m, found))), None)
            mistaken = beyond is not None and (beyond.start > start or not beyond.in_dictionary)
            taken = any(s < end and start < e for s, e in places)
            ended = text.startswith(_AFTER_NOUNS, end)
            if start in starts and end not in ends and mistaken and ended and not taken:
                places.append((start, end))
            start = text.find(old, start + 1)
    return sorted(places)


def _is_stem(morpheme: Morpheme, found: list[Morpheme]) -> bool:
    """Whether this is a verb's stem right before its ending: no word ends there."""
    stem = morpheme.tag.startswith(("VV", "VA", "VX", "XSV", "XSA"))
    return stem and any(m.tag.startswith("E") and m.start == morpheme.end for m in found)


def _matches(text: str, wanted: Mapping[str, str], starts: set[int], ends: set[int]) -> list[tuple[int, int, str]]:
    """Places of whole words from left to right, the longest first where several begin."""
    keys = sorted(wanted, key=len, reverse=True)
    matches, i = [], 0
    while i < len(text):
        for old in keys if i in starts else ():
            if text.startswith(old, i) and i + len(old) in ends:
                matches.append((i, i + len(old), wanted[old]))
                i += len(old) - 1
                break
        i += 1
    return matches


def _whole(matches: list[tuple[int, int, str]], found: list[Morpheme]) -> list[tuple[int, int, str]]:
    """The matches that no noun is written together with, other matches aside."""
    nouns = [m for m in found if m.tag.startswith(_PARTS_OF_NOUNS) and m.end > m.start]
    before = {m.end for m in nouns} | _ends_of_unwritten_copulas(found)
    after = {m.start for m in nouns}
    while True:
        begins, ends = {start for start, _, _ in matches}, {end for _, end, _ in matches}
        kept = [m for m in matches if m[0] not in before - ends and m[1] not in after - begins]
        if len(kept) == len(matches):
            return matches
        matches = kept


def _ends_of_unwritten_copulas(found: list[Morpheme]) -> set[int]:
    """Where the analyser made a noun's tail into the ending of a copula that nobody wrote: 스키니, as 스키 and 이다."""
    copulas = {m.end for m in found if m.is_copula and m.start == m.end}
    return {m.end for m in found if m.tag.startswith("E") and m.start in copulas}


def _particle(text: str, end: int, old: str, new: str, found: list[Morpheme]) -> tuple[str, str]:
    """What stands right after the word, and what has to stand there now; both empty where nothing depends on it."""
    for both, pair in _WRITTEN_BOTH.items():
        if text.startswith(both, end):
            return both, fitting(new, pair[0])
    after = next((m for m in found if m.start == end and (m.is_particle or m.is_copula)), None)
    if after is None:
        return _unseen_particle(text, end, old, new)
    if after.is_copula or after.form in ("이에요", "예요"):
        return _copula(text[end:], new)
    written = text[end : after.end]
    for tail in ("", *_TAILS):
        if tail and not written.endswith(tail):
            continue
        stem = written.removesuffix(tail)
        if stem in _BY_FORM:
            return stem, fitting(new, stem)
    return "", ""


def _unseen_particle(text: str, end: int, old: str, new: str) -> tuple[str, str]:
    """A particle that the analyser took for something else (자주가 as 자주, 가다): all that is left, and it fits."""
    written = _HANGUL.match(text, end)
    if written and written[0] in _BY_FORM and fitting(old, written[0]) == written[0]:
        return written[0], fitting(new, written[0])
    return "", ""


def _copula(rest: str, new: str) -> tuple[str, str]:
    """The copula as the new word wants it: 원피스예요 but 재킷이에요; 원피스다 but 재킷이다."""
    ending = ending_of(new)
    for after_vowel, after_consonant in _COPULA:
        for written in (after_consonant, after_vowel):
            if rest.startswith(written):
                if ending is None:
                    return "", ""
                return written, after_vowel if ending == "vowel" else after_consonant
    return "", ""
