"""What a prompt says should not be there: 모자 없이, 줄무늬 말고 체크무늬, a coat with no pockets.

In: a prompt. Out: the prompt without those words, and the words that are not wanted, which belong in the negative
prompt: an encoder that is given "모자 없이" draws a hat. Only words that can be drawn are taken out.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from fashion.lexicon import GARMENT_BY_ID
from fashion.prompt_reading import GENERAL
from fashion.request_words import NEGATIONS_AFTER, NEGATIONS_BEFORE
from fashion.segmentation import WRITTEN_WORD, Piece, pieces
from fashion.vocabulary import without_particle

_ARTICLES = ("a", "an", "any", "the")
_LOOKS = ("color", "pattern", "material")  # what stands before a garment and goes with it: 빨간 모자 없이
_AND = ("와", "과", "랑", "이랑", "하고", "나", "이나", "and", "or")
_SIGNS = re.compile(r"[,.;:!?/]")
_WEAR, _STEM = "쓴|신은|입은|맨|멘|두른|든|한|낀|찬|들어간|달린", "쓰|신|입|매|메|두르|들|하|끼|차|들어가|달리"
# 모자 안 쓴, 모자를 쓰지 않은, 양말은 신지 말고
_VERBS = re.compile(
    rf"안\s*(?:{_WEAR})(?![가-힣])|(?:{_STEM})지\s*(?:않은|않고|않는|말고|마세요|마|말아\s*줘)(?![가-힣])|빼\s*(?:줘|주세요)"
)
_ADVERBS = "끝 한 수 상관 관계 말 틀림 어김 거침 꾸밈 스스럼 문제"  # 끝없이, 상관 없이
_PLAIN_ENGLISH = ("more", "one", "idea", "problem", "matter", "thanks", "only", "just", "any", "too", "very", "less")


@dataclass(frozen=True)
class Unwanted:
    """text[start:end] of the NFC prompt says that `words` are not wanted."""

    start: int
    end: int
    words: str


def unwanted(text: str) -> list[Unwanted]:
    """What a prompt does not want, from left to right."""
    text = unicodedata.normalize("NFC", text)
    found, parts = [], pieces(text)
    verbs = [match.span() for match in _VERBS.finditer(text)]
    for start, end in verbs:
        named = _named_before(text, parts, sum(part.start < start for part in parts), start)
        found.append(_span(text, named, start, end))
    for place, piece in enumerate(parts):
        if any(start <= piece.start < end for start, end in verbs):
            continue
        if piece.text in NEGATIONS_AFTER:
            found.append(_span(text, _named_before(text, parts, place, piece.start), piece.start, piece.end))
        elif piece.text.lower() in NEGATIONS_BEFORE:
            with_before = place and piece.text.lower() == "no" and parts[place - 1].text.lower() == "with"
            start = parts[place - 1].start if with_before else piece.start
            found.append(_span(text, _named_after(text, parts, place), start, piece.end))
    return sorted((one for one in found if one), key=lambda one: one.start)


def _span(text: str, named: Sequence[Piece], start: int, end: int) -> Unwanted | None:
    """The stretch from start to end with what it says is not wanted; None where that is nothing."""
    if not named:
        return None
    first, last = named[0].start, named[-1].end
    return Unwanted(min(start, first), max(end, last), text[first:last])


def wanted(text: str) -> str:
    """The prompt in NFC without what it does not want; as it is where nothing that can be drawn would be left."""
    text = unicodedata.normalize("NFC", text)
    left = text
    for one in reversed(unwanted(text)):
        left = f"{left[: one.start].rstrip()} {left[one.end :].lstrip()}"
    left = re.sub(r"\s+(?=[,.;])", "", left).strip(" ,.;").removesuffix(" but")
    return left if left != text and any(map(_is_thing, pieces(left))) else text


def negative_words(text: str) -> str:
    """What a prompt does not want, for the negative prompt: "" or words with commas.

    A garment of a place that the rest of the prompt fills is left out: 모자 말고 비니 wants a beanie on the head.
    """
    text = unicodedata.normalize("NFC", text)
    left = wanted(text)
    filled = {slot for piece in pieces(left if left != text else "") for slot in _slots(piece)}
    kept = [one.words for one in unwanted(text) if not filled & {s for p in pieces(one.words) for s in _slots(p)}]
    return ", ".join(dict.fromkeys(kept))


def _named_before(text: str, parts: Sequence[Piece], place: int, end: int) -> list[Piece]:
    """The pieces of 빨간 모자와 가방(은) in front of 없이."""
    last = place - 1
    if last > 0 and parts[last].kind == "particle":
        last -= 1
    first = last + 1
    while first > 0 and _is_thing(parts[first - 1]):
        first = _with_looks(text, parts, first - 1)
        if first < 2 or parts[first - 1].text not in _AND or not _is_thing(parts[first - 2]):
            break
        first -= 1
    if first > last:
        return _unknown_before(text, parts, last, end)
    return list(parts[first : last + 1])


def _unknown_before(text: str, parts: Sequence[Piece], last: int, end: int) -> list[Piece]:
    """The last word of what is unknown before `end`, where 없이 begins (안경 없이); no part of a word: 끝없이."""
    if last < 0 or parts[last].kind != "unknown":
        return []
    words = [m for m in WRITTEN_WORD.finditer(text, parts[last].start, end) if m.end() < end]
    if not words or _SIGNS.search(text[words[-1].end() : end]) or words[-1][0] in _ADVERBS.split():
        return []
    bare = without_particle(words[-1][0])
    return [Piece(words[-1].start(), words[-1].start() + len(bare), bare, "unknown")]


def _with_looks(text: str, parts: Sequence[Piece], noun: int) -> int:
    """Where a noun with the colour, pattern and material in front of it begins."""
    first = noun
    if parts[noun].kind == "plain" or (parts[noun].entry or ("",))[0] == "garment":
        while first > 0 and (parts[first - 1].entry or ("",))[0] in _LOOKS and _close(text, parts, first):
            first -= 1
    return first


def _named_after(text: str, parts: Sequence[Piece], place: int) -> list[Piece]:
    """The pieces of "any red ribbons or a hat" behind "without"."""
    first = _behind_articles(parts, place + 1)
    last = _thing_ends(text, parts, first)
    while last > first and last < len(parts) and parts[last].text.lower() == "or":
        more = _behind_articles(parts, last + 1)
        if (end := _thing_ends(text, parts, more)) == more:
            break
        last = end
    return list(parts[first:last]) or _unknown_after(text, parts, first)


def _unknown_after(text: str, parts: Sequence[Piece], first: int) -> list[Piece]:
    """The first word of what is unknown behind "no": no belt, without glasses."""
    if first >= len(parts) or parts[first].kind != "unknown" or not _close(text, parts, first):
        return []
    word = WRITTEN_WORD.search(text, parts[first].start)
    if word is None or not word[0].isascii() or word[0].lower() in _PLAIN_ENGLISH:
        return []
    return [Piece(word.start(), word.end(), word[0], "unknown")]


def _behind_articles(parts: Sequence[Piece], place: int) -> int:
    while place < len(parts) and parts[place].text.lower() in _ARTICLES:
        place += 1
    return place


def _thing_ends(text: str, parts: Sequence[Piece], first: int) -> int:
    """Behind the looks and the noun that begin at `first`; `first` itself where there are none."""
    last = first
    while last < len(parts) and _is_thing(parts[last]) and (last == first or _close(text, parts, last)):
        last += 1
        if (parts[last - 1].entry or ("garment",))[0] not in _LOOKS:
            break
    return last


def _close(text: str, parts: Sequence[Piece], place: int) -> bool:
    """Whether nothing but blanks stands in front of a piece."""
    return not _SIGNS.search(text[parts[place - 1].end : parts[place].start])


def _is_thing(piece: Piece) -> bool:
    return piece.entry is not None or piece.text.lower() in GENERAL


def _slots(piece: Piece) -> set[str]:
    """The places on a figure that a garment, or a general word for some, takes."""
    kinds = [piece.entry[1]] if piece.entry and piece.entry[0] == "garment" else GENERAL.get(piece.text.lower(), ())
    return {GARMENT_BY_ID[kind].slot for kind in kinds}
