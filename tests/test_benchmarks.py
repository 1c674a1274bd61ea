"""What the benchmarks count."""

from __future__ import annotations

from benchmarks.drawn import counts, kept, rate
from benchmarks.korean import compared_shares
from fashion.scene import Garment
from fashion.scoring import GarmentScore

HAT = Garment("gat", "black")


def scores(*pictures: tuple[bool, bool]) -> list[list[GarmentScore]]:
    return [[GarmentScore(HAT, None, {"garment": garment, "color": color})] for garment, color in pictures]


def test_a_garment_counts_by_one_attribute_by_all_or_by_each() -> None:
    seen = scores((True, True), (True, False))
    for attribute, percent in (("garment", 100.0), ("color", 50.0), ("all", 50.0), ("each", 75.0)):
        assert rate(seen, attribute)[0] == percent
    assert counts(seen, "hem")[1].tolist() == [0, 0]


def test_what_was_wrong_before_the_second_stage_is_not_kept_or_lost() -> None:
    before, after = scores((True, True), (True, False)), scores((True, False), (False, True))
    still, was = kept(before, after)
    assert (still.tolist(), was.tolist()) == ([1, 0], [2, 1])
    row = compared_shares("kept", (still, was), kept(before, before))
    assert (round(row.ours.value, 1), row.theirs.value) == (33.3, 100.0)
