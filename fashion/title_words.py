"""A shop's title cut into what its words do: attributes, garments, other goods, parts, joints, separators.

In: a title, Korean, English or mixed. Out: tokens from left to right. A Hangul word that is written as one is cut only
where known words cover it; of a word that they do not cover, no more than its last part counts, and only as a garment:
노트북가방 is a bag, 드레스룸 is no dress.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from fashion.shop_words import PLAIN, Entry, entries, is_hanbok

_PIECE = re.compile(
    r"(?P<hangul>[가-힣]+)|(?P<latin>[a-z]+)|(?P<digits>\d+)|(?P<with>(?<=w)/)|(?P<and>[&+])"
    r"|(?P<sign>(?<=\s)[-–—]+(?=\s)|[,/|:;()\[\]{}·•~★☆_#!?…“”\"【】「」『』<>=*※♥◆■●▶→]|\.(?=\s|$))"
)
_APOSTROPHES = re.compile("['’`´]")
_MOST_WORDS = 4  # of a phrase
_JOINING = ("하고", "이랑", "랑", "와", "과", "에")
_PARTICLES = ("으로", "이", "가", "을", "를", "은", "는", "의", "로", "도", "만")
_USE = "용"  # 셔츠용: for shirts, and no shirt


@dataclass(frozen=True)
class TitleToken:
    """A word with its entry, or a separator (role "separator")."""

    text: str
    entry: Entry

    @property
    def role(self) -> str:
        return self.entry.role


SEPARATOR, AND = Entry("separator"), Entry("and")


def title_tokens(title: str) -> list[TitleToken]:
    """The tokens of a title, unknown words as plain ones."""
    text = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", title)).lower()
    hanbok = is_hanbok(text)
    tokens: list[TitleToken] = []
    words: list[str] = []
    for match in _PIECE.finditer(text):
        if match.lastgroup in ("hangul", "latin", "digits"):
            words.append(match[0])
            continue
        tokens += _phrases(words, hanbok)
        words = []
        if match.lastgroup == "with":
            continue  # w/ is the word w
        tokens.append(TitleToken(match[0], AND if match.lastgroup == "and" else SEPARATOR))
    return [*tokens, *_phrases(words, hanbok)]


def _phrases(words: list[str], hanbok: bool) -> Iterator[TitleToken]:
    """Words without a sign between them, the longest phrase that is known first."""
    at = 0
    while at < len(words):
        for count in range(min(_MOST_WORDS, len(words) - at), 0, -1):
            joined = "".join(words[at : at + count])
            if (entry := _known(joined, count == 1, hanbok)) is not None:
                yield TitleToken(" ".join(words[at : at + count]), entry)
                at += count
                break
        else:
            word = words[at]
            yield from _cut(word, hanbok) if "가" <= word[0] <= "힣" else [TitleToken(word, PLAIN)]
            at += 1


def _known(word: str, alone: bool, hanbok: bool) -> Entry | None:
    table = entries()
    if hanbok and word in ("치마", "허리치마"):
        return Entry("garment", "garment", "hanbok_skirt")
    if hanbok and word == "갓":
        return Entry("garment", "garment", "gat")
    found = table.get(word)
    if found is None and word.isascii() and len(word) > 3 and word.endswith("s"):
        found = table.get(word[:-1]) or (table.get(word[:-2]) if word.endswith("es") else None)
    if found is None and alone and word == "베스트":
        return Entry("garment", "garment", "베스트")  # a vest after a colour or a cloth, else "best"
    return found


@lru_cache(maxsize=20_000)  # a shop's words come again and again
def _cut(word: str, hanbok: bool) -> tuple[TitleToken, ...]:
    """The tokens of one Hangul word."""
    for particle in ("", *_JOINING, *_PARTICLES, _USE):
        stem = word.removesuffix(particle) if particle else word
        if not stem or (particle and stem == word):
            continue
        pieces = _covered(stem, hanbok)
        if pieces is None:
            continue
        if particle == _USE:
            return (TitleToken(word, PLAIN),)
        return (*pieces, *([TitleToken(particle, AND if particle in _JOINING else PLAIN)] if particle else []))
    return (TitleToken(word, _last_garment(word, hanbok)),)


def _covered(word: str, hanbok: bool) -> list[TitleToken] | None:
    """The fewest known words that make up the whole word; None where there are none."""
    best: list[list[TitleToken] | None] = [[], *[None] * len(word)]
    for end in range(1, len(word) + 1):
        for start in range(end):
            before = best[start]
            entry = _known(word[start:end], False, hanbok) if before is not None else None
            if before is None or entry is None or (best[end] is not None and len(best[end] or []) <= len(before) + 1):
                continue
            best[end] = [*before, TitleToken(word[start:end], entry)]
    return best[-1]


def _last_garment(word: str, hanbok: bool) -> Entry:
    """What an unknown word is by its end: 바캉스원피스 is a dress; 앞치마 and its like stand in the tables."""
    for start in range(1, len(word) - 1):
        entry = _known(word[start:], False, hanbok)
        if entry is not None and entry.role in ("garment", "other"):
            return entry
    return PLAIN
