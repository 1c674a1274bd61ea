"""Take a prompt apart into the words that can be changed, and put another word in the place of one.

In: a prompt, Korean or English. Out: its words with their places, what each names and what can stand there; or the
prompt with words replaced. Particles agree with the new word (빨간 원피스를 → 파란 코트를), so does an English article
(an orange dress → a red dress); the new word has the form of the old one (빨간색 → 파란색, 빨간 → 파란, 배경은 거리 →
배경은 공원).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from fashion.lexicon import GARMENT_BY_ID, WORDS, Background, Color, GarmentKind, Word, word
from fashion.scene import conflicts
from fashion.segmentation import Piece, pieces
from fashion.vocabulary import known_words
from hangul.particles import PAIRS, fitting

EDITABLE = ("garment", "color", "pattern", "background", "style", "material", "sleeve", "hem", "neckline", "detail")
_PAIRED = frozenset(form for pair in PAIRS for form in pair[:2])
_HANGUL = re.compile("[가-힣]")
_ARTICLE = re.compile(r"\b(an?)(\s+)$", re.IGNORECASE)
_VOWELS = "aeiou"


@dataclass(frozen=True)
class Alternative:
    """A word that can stand in the place of another: its id, how it is said there, and for a colour its "#rrggbb"."""

    id: str
    text: str
    rgb: str | None = None


@dataclass(frozen=True)
class EditableWord:
    """text[start:end] of the NFC prompt names `id` of `field`; `alternatives`: what else can be said there."""

    start: int
    end: int
    text: str
    field: str
    id: str
    alternatives: tuple[Alternative, ...]


@dataclass(frozen=True)
class WordChange:
    """Replace the word `old` by `new`: the one that begins at `start`, or every one where `start` is None."""

    old: str
    new: str
    start: int | None = None


class WordNotFound(ValueError):
    """A word that a prompt does not have. `word`: it; `known`: the words that it has."""

    def __init__(self, word: str, known: Sequence[str]) -> None:
        super().__init__(f"{word!r} is not in the prompt: replace one of {', '.join(known) or 'no word'}")
        self.word, self.known = word, tuple(known)


def editable_words(text: str) -> list[EditableWord]:
    """The words of a prompt that can be changed, from left to right."""
    text = unicodedata.normalize("NFC", text)
    found = [piece for piece in pieces(text) if piece.entry and piece.entry[0] in EDITABLE]
    kinds = {piece.entry[1] for piece in found if piece.entry and piece.entry[0] == "garment"}
    return [
        EditableWord(piece.start, piece.end, piece.text, *piece.entry, _alternatives(piece, kinds))
        for piece in found
        if piece.entry
    ]


def replaced(text: str, changes: Sequence[WordChange]) -> str:
    """The prompt in NFC with words replaced. Places (`WordChange.start`) are those of the text as it is given.

    Raises WordNotFound for a word that the prompt does not have, ValueError for two changes of one place.
    """
    text = unicodedata.normalize("NFC", text)
    found = pieces(text)
    planned: dict[int, str] = {}
    for change in changes:
        places = [place for place, piece in enumerate(found) if _is_meant(piece, change)]
        if not places:
            raise WordNotFound(change.old, [piece.text for piece in found if piece.entry])
        for place in places:
            if place in planned:
                raise ValueError(f"{found[place].text!r} is replaced twice: give each word once")
            planned[place] = change.new
    for place in sorted(planned, reverse=True):
        text = _put(text, found, place, planned[place])
    return text


def changed_fields(source: str, target: str) -> frozenset[str]:
    """The fields of the words in which two prompts differ, of those that the domain knows."""
    return frozenset(field for field, _ in _named_words(source) ^ _named_words(target))


def _named_words(text: str) -> set[tuple[str, str]]:
    return {(str(span.field), str(span.id)) for span in known_words(text)}


def _is_meant(piece: Piece, change: WordChange) -> bool:
    """Whether a change speaks of this piece: by its very text, or by another name of what it says (빨강 for 빨간)."""
    if change.start is not None and piece.start != change.start:
        return False
    old = unicodedata.normalize("NFC", change.old).strip()
    if piece.kind == "particle":
        return False
    return piece.text.casefold() == old.casefold() or (piece.entry is not None and _entry(old) == piece.entry)


def _entry(text: str) -> tuple[str, str] | None:
    """What a text names as a whole, if it is one word of the lexicon."""
    spans = known_words(text)
    if len(spans) != 1 or spans[0].field is None or spans[0].id is None or spans[0].text != text:
        return None
    return spans[0].field, spans[0].id


def _put(text: str, found: Sequence[Piece], place: int, new: str) -> str:
    """The text with another word in one place; its particle and its article agree."""
    piece = found[place]
    new = _shaped(piece, unicodedata.normalize("NFC", new).strip())
    after = found[place + 1] if place + 1 < len(found) else None
    if after is not None and after.kind == "particle" and after.start == piece.end and after.text in _PAIRED:
        text = text[: after.start] + fitting(new, after.text) + text[after.end :]
    head, tail = text[: piece.start], text[piece.end :]
    if not _HANGUL.search(new) and (article := _ARTICLE.search(head)):
        right = "an" if new[:1].lower() in _VOWELS else "a"
        right = right.capitalize() if article[1][0].isupper() else right
        head = head[: article.start()] + right + article[2]
    return head + new + tail


def _shaped(piece: Piece, new: str) -> str:
    """A word as it is said in the place of another: 파랑 in the place of 빨간 is 파란."""
    named = _entry(new)
    if named is None or piece.entry is None or named[0] != piece.entry[0]:
        return new
    return _said_like(piece.text, word(*piece.entry), word(*named), asked=new)


def _said_like(text: str, old: Word, new: Word, asked: str = "") -> str:
    """The form of `new` that stands where `text`, a form of `old`, stood: before a noun, or by itself."""
    korean = bool(_HANGUL.search(text))
    if korean and isinstance(old, Background) and isinstance(new, Background) and text.startswith("배경은"):
        return f"배경은 {new.backdrop}"
    before, alone = (old.ko_before, old.ko) if korean else (old.en_before, old.en)
    forms = (new.ko_before, new.ko) if korean else (new.en_before, new.en)
    is_before, is_alone = text in before, text in alone or not before
    fits = [form for form in (*forms[0], *forms[1]) if form in (forms[0] if is_before and forms[0] else forms[1])]
    if asked in fits:
        return asked
    usable = [form for form in (*forms[0], *forms[1]) if not is_before or form in (forms[0] or forms[1])]
    both = [form for form in usable if not is_alone or form in forms[1]]
    chosen = (both or usable or [(forms[0] or forms[1])[0]])[0]
    return chosen if korean or re.match(r"(?:an?|the)\s", text) else re.sub(r"^(?:an?|the)\s+", "", chosen)


def _alternatives(piece: Piece, kinds: set[str]) -> tuple[Alternative, ...]:
    assert piece.entry is not None
    field, id = piece.entry
    old = word(field, id)
    others: list[Word] = [each for each in WORDS[field] if each.id != id]
    if isinstance(old, GarmentKind):
        others = [*_wearable(old, kinds)]
    return tuple(Alternative(each.id, _said_like(piece.text, old, each), _rgb(each)) for each in others)


def _rgb(each: Word) -> str | None:
    return f"#{bytes(each.rgb).hex()}" if isinstance(each, Color) else None


def _wearable(old: GarmentKind, kinds: set[str]) -> list[GarmentKind]:
    """The garments that can be worn in the place of one beside the others, those of the same place first."""
    beside = [GARMENT_BY_ID[kind].slot for kind in kinds if kind != old.id]
    fit = [
        kind
        for kind in GARMENT_BY_ID.values()
        if kind.id != old.id and kind.id not in kinds and not any(conflicts(kind.slot, slot) for slot in beside)
    ]
    return sorted(fit, key=lambda kind: kind.slot != old.slot)
