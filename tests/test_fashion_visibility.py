"""What a picture cannot show is not scored."""

from __future__ import annotations

from dataclasses import replace

from fashion.lexicon import GARMENT_BY_ID
from fashion.scene import Garment, Scene, scenes
from fashion.scorer import Detection
from fashion.scoring import score
from fashion.visibility import hidden

BLOUSE = Garment("blouse", "red", "solid", "cotton", "short", neckline="round")
COAT = Garment("coat", "blue", "solid", "cotton", hem="knee")
VEST = Garment("vest", "blue", "solid", "cotton")


def wearing(*garments: Garment) -> Scene:
    return Scene(garments, "figure", next(scenes(1, 1)).background, "flat", 5)


def test_sleeves_under_a_coat_are_hidden_and_under_a_vest_are_not() -> None:
    assert hidden(wearing(BLOUSE, COAT)) == (frozenset({"sleeve"}), frozenset())
    assert hidden(wearing(BLOUSE, VEST)) == (frozenset(), frozenset())
    assert hidden(wearing(BLOUSE)) == (frozenset(),)


def test_a_hidden_sleeve_is_not_scored_and_everything_else_of_the_garment_is() -> None:
    scene = wearing(BLOUSE, COAT)
    seen = [
        Detection("blouse", "red", "dots", "long", None, None, 0.9),
        Detection("coat", "blue", "solid", None, "maxi", None, 0.9),
    ]
    blouse, coat = score(scene, seen)
    assert blouse.right == {"garment": True, "color": True, "pattern": False}
    assert coat.right == {"garment": True, "color": True, "pattern": True, "hem": False}


def test_only_what_lies_beneath_another_garment_can_be_hidden() -> None:
    for scene in scenes(3, 60):
        for garment, unseen in zip(scene.garments, hidden(scene), strict=True):
            if unseen:
                worn_over = replace(scene, garments=tuple(g for g in scene.garments if g is not garment))
                assert any(GARMENT_BY_ID[g.kind].slot == "outer" for g in worn_over.garments)
