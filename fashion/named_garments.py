"""Which garments a prompt names, and with which attributes.

In: the pieces of a prompt (`fashion.segmentation`). Out: `NamedGarment`s in the order of the prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from fashion.lexicon import GARMENT_BY_ID, GarmentKind
from fashion.segmentation import Piece

PERSONS = ("사람", "모델", "여자", "남자", "소녀", "소년", "아이", "person", "model", "man", "woman", "girl", "boy")
_ATTRIBUTES = ("color", "pattern", "material", "sleeve", "hem", "neckline", "detail")
_NOUNLESS = {("material", "knit"): "knit", ("neckline", "turtleneck"): "knit"}  # 회색 니트, 흰 목폴라: a sweater


@dataclass(frozen=True)
class NamedGarment:
    """A garment of the prompt, where its phrase begins and where its noun does, and what the prompt may have named of
    it as (field, id)."""

    kind: GarmentKind
    begin: int
    start: int
    attributes: frozenset[tuple[str, str]]

    def named(self, field: str) -> bool:
        return any(one == field for one, _ in self.attributes)


def named_garments(found: Sequence[Piece]) -> list[NamedGarment]:
    """The garments that are named, each kind once, with the attributes before them and those behind the last one."""
    groups: list[tuple[str, int, list[Piece]]] = []
    waiting: list[Piece] = []
    for place, piece in enumerate(found):
        kind = _kind_of(piece, found[place + 1 : place + 2])
        if kind:
            groups.append((kind, piece.start, waiting))
            waiting = []
        elif piece.entry and piece.entry[0] in _ATTRIBUTES:
            behind = bool(groups) and place > 0 and found[place - 1].text.lower() == "in"  # a blouse in white
            (groups[-1][2] if behind else waiting).append(piece)
    kinds = {kind for kind, _, _ in groups}
    named: dict[str, NamedGarment] = {}
    for kind, start, own in groups:
        if kind == "skirt" and "jeogori" in kinds:
            kind = "hanbok_skirt"
        attributes = frozenset(piece.entry for piece in (*own, *waiting) if piece.entry)
        begin = min([start, *(piece.start for piece in own)])
        former = named.get(kind)
        if former:
            begin, start, attributes = former.begin, former.start, attributes | former.attributes
        named[kind] = NamedGarment(GARMENT_BY_ID[kind], begin, start, attributes)
    return list(named.values())


def _kind_of(piece: Piece, after: Sequence[Piece]) -> str | None:
    if piece.entry is None:
        return None
    if piece.entry[0] == "garment":
        return piece.entry[1]
    goes_on = bool(after) and after[0].entry is not None and after[0].entry[0] not in ("background", "style")
    return None if goes_on else _NOUNLESS.get(piece.entry)
