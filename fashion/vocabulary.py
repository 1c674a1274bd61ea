"""Which words of a free prompt the drawn domain knows, and which it does not.

In: a prompt as typed, Korean, English or mixed, with or without spaces. Out: spans of text[start:end] with the field
and id that they name; whatever is neither a word of the lexicon, a particle nor a word that requests are made of
(그려 주세요, 입은 사람) is unknown.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from fashion.request_words import PAIRED
from fashion.segmentation import WRITTEN_WORD, pieces
from hangul.particles import fitting

# what may be taken off the end of an unknown word; 이 and 가 end too many nouns (고양이, 화가) for short words
_ENDING_LIST = "으로 에서 에게 까지 부터 처럼 이랑 을 를 은 는 과 와 로 에 의 도"
_ENDINGS = tuple(_ENDING_LIST.split())
_SHORT = "은는도에의로"  # particles that also end nouns and verbs
_FAMILY_NAMES = "김이박최정강조윤장임한오서신권황안송류홍"


@dataclass(frozen=True)
class Span:
    """text[start:end] names the word `id` of `field`; both are None where the domain does not know the word."""

    start: int
    end: int
    text: str
    field: str | None = None
    id: str | None = None


def known_words(text: str) -> list[Span]:
    """The words of the prompt that can be drawn, from left to right. Places refer to the text in NFC."""
    return [span for span in _spans(unicodedata.normalize("NFC", text)) if span.field]


def unknown_words(text: str) -> list[Span]:
    """The words of the prompt that the domain does not know: 용 and 고양이 in 용을 탄 고양이, without particles."""
    return [span for span in _spans(unicodedata.normalize("NFC", text)) if not span.field]


def _spans(text: str) -> list[Span]:
    """Known and unknown words in order; blanks, particles and plain request words are left out."""
    spans: list[Span] = []
    for piece in pieces(text):
        if piece.entry:
            spans.append(Span(piece.start, piece.end, piece.text, *piece.entry))
        elif piece.kind == "unknown":
            spans += _unknown_pieces(text, piece.start, piece.end)
    return spans


def _unknown_pieces(text: str, start: int, end: int) -> Iterator[Span]:
    """An unknown stretch as the words that were written; numbers and lone jamo are not worth a remark."""
    for match in WRITTEN_WORD.finditer(text, start, end):
        if re.search("[가-힣A-Za-z]", match[0]):
            word = without_particle(match[0])
            yield Span(match.start(), match.start() + len(word), word)


def without_particle(word: str) -> str:
    """고양이를 without 를, as far as the particle fits what is before it."""
    for ending in _ENDINGS:
        stem = word.removesuffix(ending)
        if ending in _SHORT and (len(stem) < 2 or (ending == "은" and word[0] in _FAMILY_NAMES and len(word) == 3)):
            continue  # 독도, 닮은 and 김정은 are words as they are
        if ending == "는" and stem.endswith("하"):
            return word  # 산책하는: a verb, and no particle
        if stem not in ("", word) and (ending not in PAIRED or fitting(stem, ending) == ending):
            return stem
    if len(word) > 3 and word[-1] in "이가" and fitting(word[:-1], "이") == word[-1]:
        return word[:-1]
    return word
