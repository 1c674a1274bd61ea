"""Scenes: checked when made, the same from the same seed, and training never meets what is held out."""

import itertools
import json
from collections.abc import Callable

import pytest

from fashion.lexicon import COLORS, GARMENT_BY_ID, GARMENTS, PATTERNS
from fashion.scene import (
    HELD_OUT_OUTFIT_COLORS,
    HELD_OUT_OUTFIT_KINDS,
    Garment,
    Scene,
    conflicts,
    is_held_out,
    is_held_out_outfit,
    permutation_outfits,
    sample_scene,
    scenes,
)  # fmt: skip

NUMBER = 6000


def test_training_never_samples_a_held_out_combination():
    assert not any(is_held_out(*g.combination) for scene in scenes(1, NUMBER) for g in scene.garments)


def test_training_never_samples_a_held_out_outfit():
    assert not any(is_held_out_outfit(scene.garments) for scene in scenes(1, NUMBER, count=3))
    assert not any(
        {g.kind for g in scene.garments} >= HELD_OUT_OUTFIT_KINDS
        and {g.color for g in scene.garments} == HELD_OUT_OUTFIT_COLORS
        for scene in scenes(2, NUMBER, count=3)
    )


def test_the_sampler_rejects_an_outfit_that_it_would_draw(monkeypatch):
    """The rule itself, not luck: a sampler fed only forbidden outfits first takes the first other one."""
    allowed = (Garment("dress", "red", "solid", "cotton", "long", "knee", "round"),)
    fed = iter([*permutation_outfits(), allowed])
    monkeypatch.setattr("fashion.scene._sample_garments", lambda rng, number, style: next(fed))
    assert sample_scene(3, "train").garments == allowed


def test_about_a_tenth_of_all_combinations_is_held_out_of_every_garment_colour_and_pattern():
    held = [
        combination for combination in itertools.product(
            [g.id for g in GARMENTS if not g.solid_only], [c.id for c in COLORS], [p.id for p in PATTERNS]
        ) if is_held_out(*combination)
    ]  # fmt: skip
    total = sum(not g.solid_only for g in GARMENTS) * len(COLORS) * len(PATTERNS)
    assert 0.09 < len(held) / total < 0.11
    for axis in range(3):
        assert len({combination[axis] for combination in held}) == (27, 16, 13)[axis]


def test_the_held_out_split_shows_a_held_out_combination_first():
    assert all(is_held_out(*scene.garments[0].combination) for scene in scenes(1, 300, "held_out"))


def _worn(keep: Callable[[Scene, Garment], bool]) -> list[tuple[Scene, Garment]]:
    """Garments of sampled scenes that `keep` takes, of every split."""
    return [
        (scene, garment)
        for split in ("train", "held_out", "any") for scene in scenes(1, 1500, split) for garment in scene.garments
        if keep(scene, garment)
    ]  # fmt: skip


def test_shoes_have_prints_only_alone():
    """Flower shoes show a toe's breadth of cloth, and shoes in an outfit are small; alone, a boot may have a print."""
    shoes = _worn(lambda _, garment: GARMENT_BY_ID[garment.kind].slot == "feet")
    alone = {garment.pattern for scene, garment in shoes if len(scene.garments) == 1 and garment.kind != "kkotsin"}
    other = {garment.pattern for scene, garment in shoes if len(scene.garments) > 1 or garment.kind == "kkotsin"}
    assert alone == {pattern.id for pattern in PATTERNS}
    assert other == {"solid"}


@pytest.mark.parametrize("place", ["under an outer garment", "in an outfit in pixel art"])
def test_fine_prints_are_not_sampled_where_nobody_could_tell_them(place: str):
    """A strip of a blouse under a coat, or twelve cells of pixel art, show stripes but no paisley."""

    def little(scene: Scene, garment: Garment) -> bool:
        slots = {GARMENT_BY_ID[other.kind].slot for other in scene.garments}
        under = GARMENT_BY_ID[garment.kind].slot == "top" and "outer" in slots
        return len(scene.garments) > 1 and (under if place.startswith("under") else scene.style == "pixel")

    met = {garment.pattern for _, garment in _worn(little)}
    assert met == {"solid", "stripes", "checkered", "dots", "zigzag"}
    assert {garment.pattern for _, garment in _worn(lambda s, g: not little(s, g))} == {p.id for p in PATTERNS}


def test_there_are_six_permutation_outfits_and_all_are_held_out():
    outfits = permutation_outfits()
    assert len({tuple(g.color for g in outfit) for outfit in outfits}) == 6
    assert all(is_held_out_outfit(outfit) for outfit in outfits)
    assert not is_held_out_outfit(outfits[0][:2])


def test_the_same_seed_is_the_same_scene_and_streams_do_not_meet():
    assert list(scenes(4, 50)) == list(scenes(4, 50))
    assert not set(scenes(4, 200)) & set(scenes(5, 200))


def test_training_sees_every_word():
    sampled = list(scenes(1, NUMBER))
    garments = [g for scene in sampled for g in scene.garments]
    assert {g.kind for g in garments} == set(GARMENT_BY_ID)
    assert {g.color for g in garments} == {c.id for c in COLORS}
    assert {g.pattern for g in garments} == {p.id for p in PATTERNS}
    assert {len(scene.garments) for scene in sampled} == {1, 2, 3}
    assert {scene.layout for scene in sampled} == {"alone", "figure"}


def test_nobody_wears_two_garments_in_one_place():
    for scene in scenes(6, 1000):
        slots = [GARMENT_BY_ID[g.kind].slot for g in scene.garments]
        assert not any(conflicts(a, b) for a, b in itertools.combinations(slots, 2))


def test_a_scene_survives_json():
    for scene in scenes(1, 100, "any"):
        assert Scene.from_dict(json.loads(json.dumps(scene.to_dict()))) == scene


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Garment("gat", "black", "dots"), "only drawn solid"),
        (lambda: Garment("dress", "red", "solid", "fur", "long", "knee", "round"), "no material 'fur'"),
        (lambda: Garment("scarf", "red", "solid", "knit", "long"), "no sleeve 'long'"),
        (lambda: Garment("kilt", "red"), "not in the lexicon"),
        (lambda: Scene(()), "1 to 3 garments"),
        (lambda: Scene(permutation_outfits()[0], layout="alone"), "layout 'figure'"),
        (lambda: sample_scene(1, "test"), "held_out"),
    ],
)
def test_what_cannot_be_drawn_is_refused_with_what_can(make, message):
    with pytest.raises(ValueError, match=message):
        make()
