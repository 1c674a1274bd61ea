"""Prompt reading: the prompt that is drawn, with typos corrected and general words made definite.

In: a prompt. Out: the prompt that is drawn, and each replacement, so that the studio can show it. There are two kinds:
one wrong jamo in a word of the lexicon (`fashion.typo_correction`), and general words that no drawing was ever called
by: 모자 is read as 버킷햇, unless the prompt names something for the head itself.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fashion.lexicon import GARMENT_BY_ID
from fashion.segmentation import Piece, pieces
from hangul.particles import PAIRS, attach, fitting

# general word → the kinds that it is read as
GENERAL: dict[str, tuple[str, ...]] = {
    "모자": ("bucket_hat",), "신발": ("sneakers",), "상의": ("t_shirt",), "하의": ("trousers",), "겉옷": ("jacket",),
    "한복": ("jeogori", "hanbok_skirt"), "개량한복": ("jeogori", "hanbok_skirt"),
    "생활한복": ("jeogori", "hanbok_skirt"),
    "치마저고리": ("jeogori", "hanbok_skirt"), "hat": ("bucket_hat",), "shoes": ("sneakers",),
    "hanbok": ("jeogori", "hanbok_skirt"), "top": ("t_shirt",), "tops": ("t_shirt",), "bottoms": ("trousers",),
}  # fmt: skip
_PARTS = ("달린", "없는")  # 모자 달린 재킷: a hood, and no hat
_OTHERWISE = {"top": ("on", "at", "of", "hat", "hats")}  # beside which a word means no garment: on top of, a top hat
_PAIRED = frozenset(form for pair in PAIRS for form in pair[:2])


@dataclass(frozen=True)
class Reading:
    """text[start:end] of the NFC prompt is read as `replacement`."""

    start: int
    end: int
    text: str
    replacement: str


def readings(text: str) -> list[Reading]:
    """What of a prompt is read otherwise than it was typed, from left to right."""
    return [reading for reading, _ in _changes(unicodedata.normalize("NFC", text))]


def read_prompt(text: str, general: bool = True) -> str:
    """The prompt in NFC as it is drawn; particles agree with the replacements.

    `general`: whether general words are made definite; without, typos alone are corrected.
    """
    text = unicodedata.normalize("NFC", text)
    for reading, particle in reversed(list(_changes(text, general))):
        for change in (particle, reading):
            if change is not None:
                text = text[: change.start] + change.replacement + text[change.end :]
    return text


def _changes(text: str, general: bool = True) -> Iterator[tuple[Reading, Reading | None]]:
    """What is read otherwise, with the particle behind it where that changes too."""
    found = pieces(text)
    taken = {GARMENT_BY_ID[piece.entry[1]].slot for piece in found if piece.entry and piece.entry[0] == "garment"}
    for place, piece in enumerate(found):
        if piece.corrected:
            yield Reading(piece.start, piece.end, piece.text, piece.corrected), None
            continue
        kinds = GENERAL.get(piece.text.lower(), ()) if general and piece.kind == "plain" else ()
        slots = {GARMENT_BY_ID[kind].slot for kind in kinds}
        after = found[place + 1 : place + 3]
        if not kinds or slots & taken or any(part.text in _PARTS for part in after) or _goes_on(piece, after):
            continue
        beside = (*found[max(place - 1, 0) : place], *after[:1])
        if any(near.text.lower() in _OTHERWISE.get(piece.text.lower(), ()) for near in beside):
            continue
        taken |= slots
        replacement = _name(kinds, _looks(text, found[:place], piece.start), korean=piece.text[0] >= "가")
        yield Reading(piece.start, piece.end, piece.text, replacement), _agreeing(after, replacement)


def _goes_on(piece: Piece, after: Sequence[Piece]) -> bool:
    """Whether the word is only the beginning of one that is unknown: 모자이크."""
    end = piece.end
    for part in after:
        if part.start != end:
            return False
        if part.kind == "unknown":
            return True
        end = part.end
    return False


def _looks(text: str, before: Sequence[Piece], end: int) -> str:
    """The colour, pattern and material right before a word, with their blanks: 보라 in 보라 한복."""
    start = end
    for piece in reversed(before):
        if piece.entry is None or piece.entry[0] not in ("color", "pattern", "material"):
            break
        start = piece.start
    looks = text[start:end]
    return looks if not looks or looks[-1].isspace() else f"{looks} "


def _name(kinds: Sequence[str], looks: str, *, korean: bool) -> str:
    """저고리와 한복 치마; jeogori and hanbok skirt.

    What stands before it goes for both: 보라 저고리와 보라 한복 치마.
    """
    names = [(GARMENT_BY_ID[kind].ko if korean else GARMENT_BY_ID[kind].en)[0] for kind in kinds]
    names = [names[0], *(looks + name for name in names[1:])]
    return " ".join([*(attach(name, "와") for name in names[:-1]), names[-1]]) if korean else " and ".join(names)


def _agreeing(after: Sequence[Piece], replacement: str) -> Reading | None:
    """The particle right behind a word that is read as `replacement`, if another form fits that."""
    if not after or after[0].kind != "particle" or after[0].text not in _PAIRED:
        return None
    particle = after[0]
    form = fitting(replacement, particle.text)
    return Reading(particle.start, particle.end, particle.text, form) if form != particle.text else None
