"""What a shop's title says is on sale: garments with their attributes, each bound to the garment that it describes.

In: a title or description. Out: garments as metadata rows hold them. The grammar is that of `fashion.captions`: an
attribute belongs to the next garment of its stretch (between commas, "and", "with", brackets), else to the one before;
a colour before a part (a white collar) or a detail (gold buttons) is the part's. What stays open is left out: two
colours to choose from, two kinds of garment in one stretch, a shade that is near no colour of the lexicon.
`tests/data/shop_titles.tsv` and `python -m benchmarks.shop_titles` say how well that works.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fashion.lexicon import GARMENT_BY_ID
from fashion.shop_words import FIELDS, PLAIN, Entry
from fashion.title_words import TitleToken, title_tokens

Attributes = dict[str, str | list[str] | None]  # kind, FIELDS without detail, details

_ONE_MATERIAL = {"knit": "knit", "beanie": "knit", "jeans": "denim"}  # said by the name of the kind
_WORN_ON_BODY = ("top", "outer", "whole", "bottom")
_DETAILS_OF_A_COLOR = ("buttons", "pockets", "ribbon", "sash")  # a colour before them is theirs
_COMPOUNDS = (("top", "whole"), ("outer", "whole"), ("top", "outer"), ("whole", "outer"), ("neck", "outer"))
_SHAPES = (
    "print",
    "prints",
    "motif",
    "shape",
    "shaped",
    "style",
    "프린트",
    "프린팅",
    "모양",
    "스타일",
    "무늬",
)  # no bag
_HEADLESS = {"니트": "knit", "데님": "jeans"}  # cloths that are garments where none follows


@dataclass
class _Garment:
    kind: str | None  # None: a thing that the lexicon lacks
    stretch: int
    attributes: list[TitleToken] = field(default_factory=list)
    open: bool = False  # whether its kind is unclear


@dataclass
class _Reading:
    """How far a title has been read."""

    garments: list[_Garment] = field(default_factory=list)
    pending: list[TitleToken] = field(default_factory=list)  # attributes whose garment has not come
    last: _Garment | None = None
    stretch: int = 0
    within: bool = False  # behind "with"
    trailing: list[TitleToken] = field(default_factory=list)  # attributes after the last garment of a set


def garments_of(title: str) -> list[Attributes]:
    """The garments on sale that the lexicon has, in the order of the title; attributes it leaves open are None."""
    tokens = _with_headless(title_tokens(title))
    if any(token.role == "unworn" for token in tokens):
        return []
    is_set = any(token.role == "set" for token in tokens)
    reading = _Reading()
    for place, token in enumerate(tokens):
        _READERS[token.role](reading, tokens, place, is_set)
    _flush(reading)
    if is_set:
        _share_color(reading)
    else:
        _open_rivals(reading.garments)
    return [_attributes(garment) for garment in _merged(reading.garments) if garment.kind and not garment.open]


def names_goods(title: str) -> bool:
    """Whether the title says what is on sale, be it in the lexicon or not."""
    return any(token.role in ("garment", "other", "unworn") for token in _with_headless(title_tokens(title)))


def only_color(text: str) -> str | None:
    """The colour of a shop's colour column; None where it names none, several, or one that is in no lexicon."""
    found = {token.entry.id for token in title_tokens(text) if token.entry.field == "color"}
    return found.pop() if len(found) == 1 else None


def _with_headless(tokens: list[TitleToken]) -> list[TitleToken]:
    """Tokens with 니트 and 데님 as garments where their stretch has no other; 베스트 as a vest or as "best"."""
    result = list(tokens)
    if any(token.role == "set" for token in tokens):  # 니트 스커트 투피스: a knitted skirt, or a sweater and a skirt
        for i, token in enumerate(tokens[:-1]):
            if token.text in _HEADLESS and tokens[i + 1].role == "garment":
                result[i] = TitleToken(token.text, PLAIN)
            elif token.text == "나시":  # of a set it is a garment of its own
                result[i] = TitleToken(token.text, Entry("other"))
    start = 0
    for end in range(len(tokens) + 1):
        if end < len(tokens) and tokens[end].role not in ("separator", "and", "with", "set"):
            continue
        stretch = range(start, end)
        heads = any(tokens[i].role in ("garment", "other") for i in stretch)
        bare = [i for i in stretch if tokens[i].text in _HEADLESS]
        if bare and not heads:
            kind = _HEADLESS[tokens[bare[-1]].text]
            result[bare[-1]] = TitleToken(tokens[bare[-1]].text, Entry("garment", "garment", kind))
        start = end + 1
    for i, token in enumerate(result):
        if token.entry.id == "베스트":
            before = result[i - 1] if i else token
            worn = before.role == "attribute" and before.entry.field in ("material", "color", "pattern")
            result[i] = TitleToken(token.text, Entry("garment", "garment", "vest") if worn else PLAIN)
    return result


def _attribute(reading: _Reading, tokens: Sequence[TitleToken], place: int, is_set: bool) -> None:
    token = tokens[place]
    of_part = token.entry.id in _DETAILS_OF_A_COLOR and not token.text.endswith("ed")
    of_pattern = reading.within and token.entry.field == "pattern" and token.text.endswith("s")
    if of_part or of_pattern:
        _absorb(reading.pending, tokens[place - 1] if place else None)
    reading.pending.append(token)


def _garment(reading: _Reading, tokens: Sequence[TitleToken], place: int, is_set: bool) -> None:
    kind = tokens[place].entry.id if tokens[place].role == "garment" else None
    following = tokens[place + 1] if place + 1 < len(tokens) else None
    if following is not None and following.text in _SHAPES:
        reading.pending.clear()
        return
    if following is not None and _is_named_by_next(kind, following, is_set):
        if kind and following.role == "garment":
            _as_modifier(reading, tokens[place], following)
        elif is_set:
            reading.pending.clear()
        return
    if place and _is_for(tokens, place):
        reading.pending.clear()
        return
    earlier = [garment for garment in reading.garments if garment.stretch == reading.stretch]
    garment = _Garment(kind, reading.stretch, list(reading.pending))
    reading.pending.clear()
    if kind is not None and not is_set:
        for other in earlier:
            _settle(other, garment)
    reading.garments.append(garment)
    reading.last = garment


def _settle(other: _Garment, garment: _Garment) -> None:
    """Two kinds in one stretch: a shirt midi dress is a dress, else nobody knows which of them it is."""
    if other.kind is None or garment.kind is None or other.kind == garment.kind:
        return
    slots = GARMENT_BY_ID[other.kind].slot, GARMENT_BY_ID[garment.kind].slot
    if slots in _COMPOUNDS and not _colors(other):
        garment.attributes += other.attributes
        other.kind, other.attributes = None, []
    else:
        other.open = garment.open = True


def _is_named_by_next(kind: str | None, following: TitleToken, is_set: bool) -> bool:
    """Whether the next word says what this one is: shirt dress, coat hanger, 레인부츠 장화; not in a set of both."""
    if following.role not in ("garment", "other", "part"):
        return False
    return not (is_set and kind and following.role == "garment" and following.entry.id != kind)


def _as_modifier(reading: _Reading, token: TitleToken, head: TitleToken) -> None:
    """A garment's name right before another's: jean jacket, shirt dress. 흰 티 청바지 are two things."""
    first, second = GARMENT_BY_ID[str(token.entry.id)], GARMENT_BY_ID[str(head.entry.id)]
    if first.id == "jeans":
        reading.pending.append(TitleToken(token.text, Entry("attribute", "material", "denim")))
    elif first.id not in ("padding", second.id) and (first.slot, second.slot) not in _COMPOUNDS:
        reading.garments.append(_Garment(first.id, reading.stretch, open=True))
        reading.pending.clear()


def _is_for(tokens: Sequence[TitleToken], place: int) -> bool:
    """Whether the garment is what something else is for: cleaner for white sneakers."""
    before = place - 1
    while before >= 0 and tokens[before].role == "attribute":
        before -= 1
    return before >= 0 and tokens[before].role == "for"


def _part(reading: _Reading, tokens: Sequence[TitleToken], place: int, is_set: bool) -> None:
    _absorb(reading.pending, tokens[place - 1] if place else None)


def _absorb(pending: list[TitleToken], before: TitleToken | None) -> None:
    """Take what is said of a part from the attributes that wait: cloth and pattern right before it, and one colour."""
    if not pending or pending[-1] is not before:
        return
    while pending and pending[-1].entry.field in ("material", "pattern"):
        pending.pop()
    if pending and pending[-1].entry.field == "color":
        pending.pop()


def _separator(reading: _Reading, tokens: Sequence[TitleToken], place: int, is_set: bool) -> None:
    _flush(reading)
    reading.stretch += 1
    if tokens[place].role == "with":
        reading.within = True
    elif tokens[place].role == "separator":
        reading.within = False


def _flush(reading: _Reading) -> None:
    """Attributes that no garment followed are said of the one before, if there is one."""
    if reading.last is None and not reading.garments:
        return
    if reading.last is not None:
        reading.last.attributes += reading.pending
    reading.trailing += reading.pending
    reading.pending.clear()


def _plain(reading: _Reading, tokens: Sequence[TitleToken], place: int, is_set: bool) -> None:
    return


_READERS = {
    "attribute": _attribute, "garment": _garment, "other": _garment, "part": _part, "separator": _separator,
    "and": _separator, "with": _separator, "in": _separator, "set": _plain, "for": _plain, "plain": _plain,
    "unworn": _plain,
}  # fmt: skip


def _share_color(reading: _Reading) -> None:
    """A set whose one colour is named at its end has that colour: blazer and skirt set in pink."""
    trailing = [token for token in reading.trailing if token.entry.field == "color"]
    colors = [t for g in reading.garments for t in g.attributes if t.entry.field == "color"]
    if len(trailing) != 1 or any(token not in trailing for token in colors):
        return
    for garment in reading.garments:
        if not any(token.entry.field == "color" for token in garment.attributes):
            garment.attributes.append(trailing[0])


def _open_rivals(garments: Sequence[_Garment]) -> None:
    """Two kinds for one place of the body, not each of its own colour, are two words for one thing: 셔츠, 블라우스."""
    for garment in garments:
        for other in garments:
            if garment.kind and other.kind and garment.kind != other.kind:
                same_slot = GARMENT_BY_ID[garment.kind].slot == GARMENT_BY_ID[other.kind].slot
                if same_slot and not (_colors(garment) and _colors(other)):
                    garment.open = other.open = True


def _colors(garment: _Garment) -> set[str | None]:
    return {token.entry.id for token in garment.attributes if token.entry.field == "color"}


def _merged(garments: Sequence[_Garment]) -> list[_Garment]:
    """Garments with those of one kind in one stretch as one; in another stretch only where nothing contradicts."""
    result: list[_Garment] = []
    for garment in garments:
        same = next((g for g in result if g.kind == garment.kind and garment.kind), None)
        if same is not None and (same.stretch == garment.stretch or not _contradict(same, garment)):
            same.attributes += garment.attributes
            same.open |= garment.open
        else:
            result.append(garment)
    return result


def _contradict(one: _Garment, other: _Garment) -> bool:
    return bool(_colors(one) and _colors(other) and _colors(one) != _colors(other))


def _attributes(garment: _Garment) -> Attributes:
    """What is said of a garment, as far as it is clear and its kind has such a thing."""
    assert garment.kind is not None
    kind = GARMENT_BY_ID[garment.kind]
    has = {
        "sleeve": bool(kind.sleeves), "hem": bool(kind.hems), "neckline": bool(kind.necklines),
        "material": bool(kind.materials), "pattern": not kind.solid_only,
    }  # fmt: skip
    found: Attributes = {"kind": garment.kind}
    for name in FIELDS[:-1]:
        ids = {token.entry.id for token in garment.attributes if token.entry.field == name}
        only = ids.pop() if len(ids) == 1 else None
        if name == "material" and only == _ONE_MATERIAL.get(garment.kind):
            only = None
        found[name] = only if has.get(name, True) else None
    details = dict.fromkeys(token.entry.id for token in garment.attributes if token.entry.field == "detail")
    worn = kind.slot in _WORN_ON_BODY
    found["details"] = [detail for detail in details if detail and (worn or detail in kind.details)]
    return found
