"""Say what a prompt leaves open, another way for every seed: 빨간 원피스 becomes 빨간 긴팔 미디 원피스, 공원, 수채화.

In: a read prompt (`fashion.prompt_reading`) and a seed. Out: a `Completion`: the text that is drawn, and what was
added. Who names a red dress and nothing else asks for any red dress; a network that is told no more draws the mean of
them, four times over. So what is open (background, style, worn or laid out, sleeves, length, neckline, material, a
colour) is drawn from the domain's own distribution by the seed, and named in the prompt's own language.

Nothing that the prompt says is touched, but for descriptions that `fashion.own_words` shortens. Nothing is added beside
a word that the domain does not know, since that word may be the place or the style. The same prompt and seed always
give the same text; each part is drawn by itself, so that another word in the prompt leaves the other parts as they
were. Of parts that the negative prompt names none is added.
"""

from __future__ import annotations

import random
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fashion.dressing import LOOKS, Worn, instead, missing, together
from fashion.lexicon import COLORS, word
from fashion.named_garments import PERSONS, NamedGarment, named_garments
from fashion.negation import unwanted
from fashion.own_words import own_words
from fashion.scene import sample_background, sample_style
from fashion.segmentation import Piece, pieces, unknown_count
from fashion.vocabulary import known_words

PARTS = ("background", "style", "wearer", "color", "material", "sleeve", "neckline", "hem")
_ON_BODY = ("top", "bottom", "outer", "whole")  # a hat, a bag or shoes by themselves are shown without who wears them
_WORN = 0.3  # of single garments are worn, as in the scenes that the checkpoint was trained on
_COTTON = 0.6  # of materials that nobody names are the kind's first, the commonest
_WEARING = """
    입은 입고 입는 입어 입을 입으면 입기 걸친 걸치고 쓴 쓰고 신은 신고 든 들고 두른 두르고 착용 착용한 착용샷
    사람 모델 인물 여자 남자 소녀 소년 아이 명 한명 모습 코디 착장 옷차림 차림 놓인 놓여
    person model figure someone man woman girl boy people
    wearing wears worn dressed carrying carries holding holds
"""
_WEARERS = frozenset(_WEARING.split())
_NATURAL = {  # colours that go without saying: those of the thing itself, where the prompt names none
    "cheetah": ("brown", "beige", "orange", "yellow"), "camouflage": ("green", "brown", "beige", "gray"),
    "leaves": ("green", "mint", "white", "beige"), "dancheong": ("green", "red", "navy", "white"),
}  # fmt: skip


@dataclass(frozen=True)
class Addition:
    """One thing that the prompt left open: its field and id in the lexicon, and the words that say it."""

    field: str
    id: str
    text: str


@dataclass(frozen=True)
class Completion:
    """`text` is what is drawn, in NFC; `added` what of it the prompt does not say of its garments, in no particular
    order; `dressed` the garments that it does not name."""

    text: str
    added: tuple[Addition, ...] = ()
    dressed: tuple[Worn, ...] = ()


def completed(
    prompt: str, seed: int, negative: str = "", parts: Sequence[str] = PARTS, setting: int | None = None,
    rewords: bool = True,
) -> Completion:  # fmt: skip
    """The prompt with `parts` of what it leaves open, chosen by the seed, and clothes for who is left bare.

    `setting`: the seed of a picture that is varied; all that makes it that picture (background, style, who wears it, in
    which other clothes, colours) is chosen as for it, and `seed` chooses sleeves, lengths, necklines and materials.
    `rewords`: free descriptions are put into the domain's own words first (`fashion.own_words`).
    """
    if not parts:
        return Completion(unicodedata.normalize("NFC", prompt))
    setting = seed if setting is None else setting
    text = unicodedata.normalize("NFC", prompt)
    said = own_words(text) if rewords else None
    text = said.text if said else text
    found = pieces(text)
    left_out = unwanted(text)  # 치마 없이, and nothing else: no garment is wanted
    garments = [one for one in named_garments(found) if not any(no.start <= one.start < no.end for no in left_out)]
    korean = not re.search("[A-Za-z]", text) or bool(re.search("[가-힣ㄱ-ㅣ]", text))
    avoided = {(span.field, span.id) for span in known_words(negative)} if negative else set()
    without = {str(id) for _, id in avoided}
    if not garments:
        return _on_clothes(text, found, (seed, setting), negative, without, korean, parts)
    persons = [piece.text for piece in found if piece.text.lower() in _WEARERS]
    kinds = [garment.kind.id for garment in garments]
    if (said and said.shortened) or unknown_count(found):
        dressed = missing(kinds, setting, persons, without) if persons else []
        return _finished(text, [], [], dressed, korean)
    named = {piece.entry[0] for piece in found if piece.entry}
    if any(_means_ground(piece, found[:place]) for place, piece in enumerate(found)):
        named.add("background")
    before: list[tuple[int, Addition]] = []
    for garment in garments:
        for field, id in _open(garment, seed, setting, parts):
            if (field, id) not in avoided:
                place = garment.begin if field == "color" else garment.start
                before.append((place, Addition(field, id, _modifier(field, id, korean))))
    behind = []
    wearable = len(garments) == 1 and garments[0].kind.slot in _ON_BODY
    if wearable and not persons and "wearer" in parts and _rng(setting, "wearer").random() < _WORN:
        behind.append(Addition("wearer", "figure", "입은 사람" if korean else "worn by a person"))
    for field, sample in (("background", sample_background), ("style", sample_style)):
        id = sample(_rng(setting, field))
        if field in parts and field not in named and id not in ("white", "flat") and (field, id) not in avoided:
            entry = word(field, id)
            behind.append(Addition(field, id, (entry.ko if korean else entry.en)[0]))
    worn = bool(persons) or any(addition.field == "wearer" for addition in behind) or len(kinds) > 1
    dressed = missing(kinds, setting, persons, without) if worn else []
    return _finished(text, before, behind, dressed, korean)


def _on_clothes(
    text: str, found: Sequence[Piece], seeds: tuple[int, int], negative: str, without: set[str], korean: bool,
    parts: Sequence[str],
) -> Completion:  # fmt: skip
    """A prompt without a garment, drawn on one, with its own colour, pattern, material, background and style alone."""
    if not text.strip():
        return Completion(text)
    named = {piece.entry[0]: piece.entry[1] for piece in found if piece.entry}
    garment = instead([(field, named[field]) for field in LOOKS if field in named], seeds[1], without)
    words = [garment.text(korean)]
    persons = list(dict.fromkeys(piece.text for piece in found if piece.text in PERSONS))
    if persons:
        words = [f"{words[0]} 입은 {persons[0]}" if korean else f"a {persons[0]} wearing {words[0]}"]
    for field in ("background", "style"):
        if field in named:
            entry = word(field, named[field])
            words.append((entry.ko if korean else entry.en)[0])
    done = completed(", ".join(words), seeds[0], negative, parts, seeds[1])
    return Completion(done.text, done.added, (garment, *done.dressed))


def _finished(
    text: str, before: Sequence[tuple[int, Addition]], behind: Sequence[Addition], dressed: Sequence[Worn], korean: bool
) -> Completion:
    """The text with everything that was added; clothes stand before the background and the style."""
    said = [Addition("outfit", "outfit", together(dressed, korean))] if dressed else []
    who = [one for one in behind if one.field == "wearer"]
    rest = [one for one in behind if one.field != "wearer"]
    text = _with(text, before, [*who, *said, *rest])
    return Completion(text, (*(addition for _, addition in before), *behind), tuple(dressed))


def _means_ground(piece: Piece, before: Sequence[Piece]) -> bool:
    """배경은 하늘색으로 asks for one that the domain does not have; brown boots on white."""
    if piece.text.lower() in ("배경", "background"):
        return True
    return (
        bool(before)
        and before[-1].text.lower() in ("on", "against")
        and piece.entry is not None
        and piece.entry[0] == "color"
    )


def _open(garment: NamedGarment, seed: int, setting: int, parts: Iterable[str]) -> list[tuple[str, str]]:
    """What is said of one garment that the prompt does not say: fields and ids, in the order of a caption."""
    kind = garment.kind
    found = []
    for field, options in (("color", tuple(color.id for color in COLORS)), ("material", kind.materials),
                           ("sleeve", kind.sleeves), ("neckline", kind.necklines), ("hem", kind.hems)):  # fmt: skip
        if field not in parts or garment.named(field) or len(options) < 2:
            continue
        if field == "sleeve" and garment.named("detail"):
            continue  # one shoulder has its own
        rng = _rng(setting if field == "color" else seed, kind.id, field)
        if field == "color":
            options = _usual_colors(garment) or options
        first = field == "material" and rng.random() < _COTTON
        found.append((field, options[0] if first else rng.choice(options)))
    return found


def _usual_colors(garment: NamedGarment) -> tuple[str, ...]:
    """The colours that a garment has where nobody names one: 청바지 and 청치마 are blue, a gat is black."""
    kind = garment.kind
    if kind.id == "jeans" or ("material", "denim") in garment.attributes:
        return ("blue",)
    if kind.id == "gat":
        return ("black",)
    patterns = [id for field, id in garment.attributes if field == "pattern"]
    if kind.hanbok and "stripes" in patterns:
        return ("pink", "red", "yellow", "mint")  # 색동
    return next((_NATURAL[id] for id in patterns if id in _NATURAL), ())


def _modifier(field: str, id: str, korean: bool) -> str:
    entry = word(field, id)
    return (entry.modifiers if korean else entry.en_modifiers)[0]


def _with(text: str, before: Sequence[tuple[int, Addition]], behind: Sequence[Addition]) -> str:
    """The text with additions before its nouns, from right to left, and the others behind it."""
    for start in sorted({start for start, _ in before}, reverse=True):
        named = " ".join(addition.text for at, addition in before if at == start)
        gap = " " if start and not text[start - 1].isspace() else ""
        text = f"{text[:start]}{gap}{named} {text[start:]}"
    return ", ".join((text.rstrip(" ,.!~"), *(addition.text for addition in behind))) if behind else text


def _rng(seed: int, *what: str) -> random.Random:
    return random.Random("/".join(("completion", str(seed), *what)))
