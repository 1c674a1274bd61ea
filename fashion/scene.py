"""A scene as data: who wears what, drawn how, before what. Sampled with a seed; the truth behind every picture.

A scene can be drawn at any size (`fashion.drawing`), captioned in two languages (`fashion.captions`) and asked for
exact masks. One tenth of the (garment, colour, pattern) combinations and every outfit of pink, orange and white over
bucket hat, jacket and t-shirt are kept out of the training split, to test composition.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache

from fashion.lexicon import BACKGROUNDS, COLORS, GARMENT_BY_ID, GARMENTS, PATTERNS, STYLES, GarmentKind, word

LAYOUTS = ("alone", "figure")
SPLITS = ("train", "held_out", "any")
HELD_OUT_OUTFIT_KINDS = frozenset({"bucket_hat", "jacket", "t_shirt"})
HELD_OUT_OUTFIT_COLORS = frozenset({"pink", "orange", "white"})
_MAX_DETAILS = 1
_PLAIN_IN_OUTFITS = {"feet"}  # beside other garments a shoe shows too little cloth to tell its print
_BOLD_PRINTS = ("stripes", "checkered", "dots", "zigzag")  # told from a strip of cloth, or from the cells of pixel art
_SLOT_CONFLICTS = {"whole": {"top", "bottom", "whole"}, "top": {"whole", "top"}, "bottom": {"whole", "bottom"}}


@dataclass(frozen=True)
class Garment:
    """One garment with ids of the lexicon; `None` where the kind has no such attribute. Checked when made."""

    kind: str
    color: str
    pattern: str = "solid"
    material: str | None = None
    sleeve: str | None = None
    hem: str | None = None
    neckline: str | None = None
    details: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        kind = word("garment", self.kind)
        assert isinstance(kind, GarmentKind)
        word("color", self.color)
        word("pattern", self.pattern)
        if kind.solid_only and self.pattern != "solid":
            raise ValueError(f"{self.kind} is only drawn solid, not {self.pattern}")
        for field, allowed in (("material", kind.materials), ("sleeve", kind.sleeves), ("hem", kind.hems),
                               ("neckline", kind.necklines)):  # fmt: skip
            value = getattr(self, field)
            if (value not in allowed) if allowed else (value is not None):
                raise ValueError(f"{self.kind} has no {field} {value!r}: use {' or '.join(allowed) or None}")
        if wrong := [detail for detail in self.details if detail not in kind.details]:
            raise ValueError(f"{self.kind} has no detail {wrong[0]!r}: use {' or '.join(kind.details) or 'none'}")

    @property
    def combination(self) -> tuple[str, str, str]:
        return self.kind, self.color, self.pattern


@dataclass(frozen=True)
class Scene:
    """One to three garments. Layout alone: one, laid out; figure: worn. `seed` moves what is not named."""

    garments: tuple[Garment, ...]
    layout: str = "alone"
    background: str = "white"
    style: str = "flat"
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= len(self.garments) <= 3:
            raise ValueError(f"a scene has 1 to 3 garments, not {len(self.garments)}")
        if self.layout not in LAYOUTS:
            raise ValueError(f"layout {self.layout!r}: use {' or '.join(LAYOUTS)}")
        if self.layout == "alone" and len(self.garments) > 1:
            raise ValueError("layout 'alone' shows one garment: use layout 'figure' for an outfit")
        word("background", self.background)
        word("style", self.style)
        slots = [GARMENT_BY_ID[garment.kind].slot for garment in self.garments]
        for i, slot in enumerate(slots):
            if any(conflicts(slot, other) for other in slots[:i]):
                raise ValueError(f"{self.garments[i].kind} cannot be worn with what fills its place already")

    def to_dict(self) -> dict[str, object]:
        return asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, object]) -> Scene:
        """Build from `to_dict` (or JSON of it). Raises ValueError for unknown words."""
        garments = tuple(Garment(**{**g, "details": tuple(g["details"])}) for g in data["garments"])  # type: ignore[attr-defined]
        return cls(**{**data, "garments": garments})  # type: ignore[arg-type]


def conflicts(slot: str, other: str) -> bool:
    """Whether two slots of a body exclude each other: a dress leaves no room for a skirt."""
    return slot == other or other in _SLOT_CONFLICTS.get(slot, ())


@cache
def is_held_out(kind: str, color: str, pattern: str) -> bool:
    """Whether this (garment, colour, pattern) is one of the tenth that training never sees. Stable for ever."""
    digest = hashlib.blake2b(f"{kind}/{color}/{pattern}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") % 10 == 0


def is_held_out_outfit(garments: tuple[Garment, ...]) -> bool:
    """Pink, orange and white in any order over bucket hat, jacket and t-shirt."""
    kinds = {g.kind for g in garments}
    colors = {g.color for g in garments if g.kind in HELD_OUT_OUTFIT_KINDS}
    return kinds >= HELD_OUT_OUTFIT_KINDS and colors == HELD_OUT_OUTFIT_COLORS


def goes_without_saying(garment: Garment, named: tuple[str, ...] = ()) -> bool:
    """Whether the bare noun means this colour: jeans, and denim that is named, are blue; a gat is black."""
    denim = garment.kind == "jeans" or (garment.material == "denim" and "material" in named)
    return (denim and garment.color == "blue") or (garment.kind == "gat" and garment.color == "black")


def sample_scene(seed: int, split: str = "train", count: int | None = None) -> Scene:
    """Draw one scene from a seed. `count` fixes the number of garments.

    train: no held-out combination or outfit; held_out: the first garment is a held-out combination; any: no rule.
    """
    if split not in SPLITS:
        raise ValueError(f"split {split!r}: use {', '.join(SPLITS)}")
    rng = random.Random(f"scene/{seed}/{split}/{count}")
    number = count or rng.choices((1, 2, 3), weights=(50, 25, 25))[0]
    style = sample_style(rng)
    while True:
        garments = _sample_garments(rng, number, style)
        if split == "any" or _belongs(garments, split):
            break
    layout = "figure" if number > 1 or rng.random() < 0.3 else "alone"
    return Scene(garments, layout, sample_background(rng), style, rng.randrange(2**31))


def scenes(seed: int, number: int, split: str = "train", count: int | None = None) -> Iterator[Scene]:
    """`number` scenes, the i-th from seed·10⁷ + i, so that streams of different seeds never meet."""
    return (sample_scene(seed * 10**7 + i, split, count) for i in range(number))


def permutation_outfits() -> list[tuple[Garment, ...]]:
    """The six outfits of pink, orange, white over bucket hat, jacket, t-shirt that no training scene holds."""
    from itertools import permutations

    return [
        (
            Garment("bucket_hat", hat, material="cotton"),
            Garment("jacket", jacket, material="cotton"),
            Garment("t_shirt", shirt, material="cotton", sleeve="short", neckline="round"),
        )
        for hat, jacket, shirt in permutations(("pink", "orange", "white"))
    ]


def _belongs(garments: tuple[Garment, ...], split: str) -> bool:
    """Whether an outfit may be met in the train or the held_out split."""
    held_out = [is_held_out(*garment.combination) for garment in garments]
    return held_out[0] == (split == "held_out") and not any(held_out[1:]) and not is_held_out_outfit(garments)


def _sample_garments(rng: random.Random, number: int, style: str) -> tuple[Garment, ...]:
    kinds: list[GarmentKind] = []
    while len(kinds) < number:
        kind = rng.choice(GARMENTS)
        if not any(conflicts(kind.slot, other.slot) for other in kinds):
            kinds.append(kind)
    return garments_of(rng, kinds, style)


def garments_of(rng: random.Random, kinds: Sequence[GarmentKind], style: str = "flat") -> tuple[Garment, ...]:
    """One garment of each kind, with what the domain gives such garments together."""
    slots = {kind.slot for kind in kinds}
    return tuple(_sample_garment(rng, kind, _prints(kind, slots, style)) for kind in kinds)


def _prints(kind: GarmentKind, slots: set[str], style: str) -> tuple[str, ...]:
    """The prints that a person could tell on this garment of an outfit, solid cloth aside."""
    outfit = len(slots) > 1
    if kind.solid_only or (outfit and kind.slot in _PLAIN_IN_OUTFITS):
        return ()
    if outfit and (style == "pixel" or (kind.slot == "top" and "outer" in slots)):
        return _BOLD_PRINTS
    return tuple(pattern.id for pattern in PATTERNS[1:])


def _sample_garment(rng: random.Random, kind: GarmentKind, prints: tuple[str, ...]) -> Garment:
    def pick(options: tuple[str, ...]) -> str | None:
        return rng.choice(options) if options else None

    solid = not prints or rng.random() < 0.35
    details = (rng.choice(kind.details),) if kind.details and rng.random() < 0.35 else ()
    sleeve = pick(kind.sleeves)
    if "one_shoulder" in details and sleeve == "sleeveless":
        details = ()
    return Garment(
        kind.id, rng.choice(COLORS).id, "solid" if solid else rng.choice(prints), pick(kind.materials),
        sleeve, pick(kind.hems), pick(kind.necklines), details[:_MAX_DETAILS],
    )  # fmt: skip


def sample_background(rng: random.Random) -> str:
    """The id of a background, as often as the domain has it."""
    return rng.choices([w.id for w in BACKGROUNDS], weights=(24, 16, 16, 10, 8, 8, 9, 9))[0]


def sample_style(rng: random.Random) -> str:
    """The id of a style, as often as the domain has it."""
    return rng.choices([w.id for w in STYLES], weights=(60, 10, 10, 10, 10))[0]
