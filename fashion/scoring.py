"""Compare what a scorer sees with what a scene asked for, garment by garment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from fashion.scene import Garment, Scene
from fashion.scorer import Detection
from fashion.visibility import hidden

SCORED = ("garment", "color", "pattern", "sleeve", "hem")


@dataclass(frozen=True)
class GarmentScore:
    """One asked garment: per attribute whether it was seen right.

    Attributes that its kind has not are left out, and so are those that its picture cannot show (`fashion.visibility`).

    A garment of another kind on the same place of the body is compared too, so that a red coat for a red jacket keeps
    its colour; a garment that is not seen at all has everything wrong.
    """

    asked: Garment
    seen: Detection | None
    right: dict[str, bool]

    @property
    def all_right(self) -> bool:
        return all(self.right.values())


def score(scene: Scene, found: Sequence[Detection]) -> list[GarmentScore]:
    """One `GarmentScore` for each garment of the scene: matched by kind first, then by place on the body."""
    from fashion.lexicon import GARMENT_BY_ID

    left = list(found)
    matched: list[Detection | None] = []
    for garment in scene.garments:
        same = next((d for d in left if d.garment == garment.kind), None)
        matched.append(same)
        if same is not None:
            left.remove(same)
    for place, garment in enumerate(scene.garments):
        if matched[place] is None:
            slot = GARMENT_BY_ID[garment.kind].slot
            near = next((d for d in left if GARMENT_BY_ID[d.garment].slot == slot), None)
            if near is None and len(scene.garments) == 1 and left:
                near = left[0]
            matched[place] = near
            if near is not None:
                left.remove(near)
    return [_compare(g, d, unseen) for g, d, unseen in zip(scene.garments, matched, hidden(scene), strict=True)]


def _compare(asked: Garment, seen: Detection | None, unseen: frozenset[str]) -> GarmentScore:
    wanted = {
        "garment": asked.kind,
        "color": asked.color,
        "pattern": asked.pattern,
        "sleeve": asked.sleeve,
        "hem": asked.hem,
    }
    right = {
        name: seen is not None and getattr(seen, name) == value
        for name, value in wanted.items()
        if value is not None and name not in unseen
    }
    return GarmentScore(asked, seen, right)


@dataclass
class Accuracy:
    """Counts of right answers over many garments."""

    right: dict[str, int] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)

    def add(self, scores: Sequence[GarmentScore]) -> None:
        for one in scores:
            for name, value in {**one.right, "all": one.all_right}.items():
                self.asked[name] = self.asked.get(name, 0) + 1
                self.right[name] = self.right.get(name, 0) + int(value)

    def percent(self) -> dict[str, float]:
        """Percent right by attribute, and "all": every attribute of a garment at once."""
        return {name: round(100 * self.right[name] / self.asked[name], 2) for name in self.asked}
