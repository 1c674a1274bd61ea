"""What of a free description can be drawn, in the domain's own words: 귀엽고 포근한 회색 니트 원피스, 오프숄더, 몸에
붙는 스타일 becomes 회색 니트 원피스.

In: a read prompt. Out: `OwnWords` of a prompt that a text encoder would mistake, None for every other. Two kinds are
mistaken. In a description with many words that the domain does not have, as shops write them, the few that it has are
lost on the encoder. And in a compound (스웨터 원피스, a sweater dress) the first noun says how the second is made and
is no garment. What is left out is told to whoever typed it (`fashion.vocabulary.unknown_words`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from fashion.dressing import Worn, together
from fashion.lexicon import GARMENT_BY_ID, word
from fashion.named_garments import PERSONS, NamedGarment, named_garments
from fashion.negation import unwanted
from fashion.scene import conflicts
from fashion.segmentation import Piece, pieces, unknown_count

MANY = 3  # unknown words; one or two may be a style's trigger, or what a fine-tuned checkpoint has learnt
_ORDER = ("color", "pattern", "material", "sleeve", "neckline", "hem", "detail")  # of a caption
_OWN_LOOK = ("color", "pattern")  # a second noun with its own is a garment of its own: 흰 셔츠 빨간 원피스


@dataclass(frozen=True)
class OwnWords:
    """`shortened`: words that the domain does not have were left out."""

    text: str
    shortened: bool


def own_words(text: str) -> OwnWords | None:
    """A prompt in NFC in words that the checkpoint has learnt, or None where it stays as it is."""
    found = pieces(text)
    named = named_garments(found)
    garments = _without_compounds(text, found, named)
    shortened = unknown_count(found) >= MANY
    if not garments or unwanted(text) or not (shortened or len(garments) < len(named)):
        return None
    korean = bool(re.search("[가-힣]", text))
    clothes = [_worn(garment, found) for garment in garments]
    person = next((piece.text for piece in found if piece.text.lower() in PERSONS), None)
    said = [_worn_by(person, clothes, korean)] if person else [together([one], korean) for one in clothes]
    for field in ("background", "style"):
        said += [_name(piece, korean) for piece in found if piece.entry and piece.entry[0] == field][:1]
    return OwnWords(", ".join(said), shortened)


def _without_compounds(text: str, found: Sequence[Piece], named: Sequence[NamedGarment]) -> list[NamedGarment]:
    """The garments, without those that are the first noun of a compound; their attributes are the second's."""
    left: list[NamedGarment] = []
    for garment in named:
        former = left[-1] if left else None
        if former and _is_compound(text, found, former, garment):
            left.pop()
            materials = former.kind.materials
            made_of = {("material", materials[0])} if len(materials) == 1 and not garment.named("material") else set()
            garment = replace(garment, attributes=garment.attributes | former.attributes | made_of)
        left.append(garment)
    return left


def _is_compound(text: str, found: Sequence[Piece], first: NamedGarment, second: NamedGarment) -> bool:
    """Whether two nouns that cannot be worn together stand side by side, with nothing between them but what the second
    may be made like.
    """
    if second.start <= first.start or not conflicts(first.kind.slot, second.kind.slot):
        return False
    between = [piece for piece in found if first.start < piece.start < second.start]
    noun = next(piece for piece in found if piece.start == first.start)
    signs = re.sub(r"[\w가-힣]", "", text[noun.end : second.start])
    own = any(piece.entry is None or piece.entry[0] in _OWN_LOOK for piece in between)
    return not own and not signs.strip(" -") and second.kind.slot == "whole"


def _worn_by(person: str, clothes: Sequence[Worn], korean: bool) -> str:
    """흰 셔츠와 검은 치마 입은 여자; a woman wearing a white shirt and a black skirt."""
    said = together(clothes, korean)
    return f"{said} 입은 {person}" if korean else f"a {person} wearing {said}"


def _worn(garment: NamedGarment, found: Sequence[Piece]) -> Worn:
    """The garment with one word of each field; of several that which stands nearest before the noun."""
    said = dict(sorted(garment.attributes))
    said |= dict(piece.entry for piece in found if piece.entry and garment.begin <= piece.start < garment.start)
    able = {field: id for field, id in said.items() if _fits(garment, field, id)}
    return Worn(garment.kind.id, tuple((field, able[field]) for field in _ORDER if field in able))


def _fits(garment: NamedGarment, field: str, id: str) -> bool:
    kind = GARMENT_BY_ID[garment.kind.id]
    options = {"material": kind.materials, "sleeve": kind.sleeves, "neckline": kind.necklines, "hem": kind.hems,
               "detail": kind.details}  # fmt: skip
    return id in options.get(field, (id,)) and not (field == "pattern" and kind.solid_only)


def _name(piece: Piece, korean: bool) -> str:
    assert piece.entry is not None
    entry = word(*piece.entry)
    return (entry.ko if korean else entry.en)[0]
