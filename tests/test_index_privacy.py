"""A viewer's answer holds their own and public prompts, all of them if asked, and nothing of anybody else's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_model import clustered, open_index, records

from index import IndexOptions, Record
from index.texts import ENDS, NUMBERS, TEXT, erase, write_sums

OPTIONS = IndexOptions(exact_below=500, background=False, own_process=False)
VECTORS = clustered(2_500, clusters=250, spread=0.6)
SECRET = clustered(6_000, clusters=30, seed=3)
QUERIES = np.vstack([clustered(100, clusters=100, seed=1), SECRET[:50], VECTORS[:50]])


def shared() -> list[Record]:
    return [*records(VECTORS), *records(VECTORS[:7], owner="b", public=False, prefix="b")]


@pytest.mark.parametrize("built", ["", "annoy", "hnswlib"], ids=["fresh", "annoy", "hnswlib"])
def test_answers_are_the_same_whether_others_have_private_prompts_or_not(tmp_path: Path, built: str) -> None:
    """Everything in an answer, scores and counts included, with A's private items and without."""
    answers = []
    for name, secret in (("without", []), ("with", records(SECRET, "a", public=False, prefix="secret"))):
        (tmp_path / name).mkdir()
        index = open_index(tmp_path / name, replace(OPTIONS, engine=built or "annoy"))
        index.add_many(shared() + secret)
        if built:
            index.rebuild()
            assert index._current_layers().generation.segments[""].near.search_k > 0
        answers.append([index.search(query, 10, viewer) for query in QUERIES for viewer in ("b", None)])
    assert answers[0] == answers[1]


def test_groups_of_others_do_not_shadow_ones_own(tmp_path: Path) -> None:
    """A draws, in private and later, what B has drawn: B still finds B's."""
    index = open_index(tmp_path)
    index.add("b1", "같은 말", VECTORS[0], "b", False)
    index.add("p1", "같은 말", VECTORS[0], "c", True)
    index.add("a1", "같은 말", VECTORS[0], "a", False)
    assert [index.search(VECTORS[0], 5, viewer)[0].id for viewer in ("a", "b", "c", None)] == ["a1", "p1", "p1", "p1"]
    index.rebuild()
    index.remove("p1")
    assert [hit.id for hit in index.search(VECTORS[0], 5, "b")] == ["b1"]
    assert index.search(VECTORS[0], 5, "c") == []


def test_k_own_prompts_are_found_among_ten_thousand_times_as_many(tmp_path: Path) -> None:
    index = open_index(tmp_path, OPTIONS)
    index.add_many(records(SECRET, "a", public=False))
    own = records(clustered(3, seed=9), "b", public=False, prefix="own")
    index.add_many(own)
    index.rebuild()
    assert {hit.id for hit in index.search(SECRET[0], 3, "b")} == {"own0", "own1", "own2"}
    assert len(index.search(SECRET[0], 1_000, "b")) == 3
    assert index.search(SECRET[0], 10, "stranger") == []


def test_k_are_found_when_nearly_all_near_ones_were_hidden_since_the_build(tmp_path: Path) -> None:
    index = open_index(tmp_path, OPTIONS)
    index.add_many(records(VECTORS))
    index.rebuild()
    near = [hit.id for hit in index.search(VECTORS[0], 700)]
    for id in near:
        index.set_visibility(id, public=False)
    hits = index.search(VECTORS[0], 10, "b")
    assert len(hits) == 10
    assert not {hit.id for hit in hits} & set(near)
    assert len(index.search(VECTORS[0], 1_000, "a")) == 1_000


def test_ten_thousand_queries_of_b_never_show_as_private_items(tmp_path: Path) -> None:
    index = open_index(tmp_path, OPTIONS)
    index.add_many(shared() + records(SECRET, "a", public=False, prefix="secret"))
    index.rebuild()
    late = [replace(record, id=f"late {record.id}") for record in records(SECRET[:200], "a", public=False)]
    index.add_many(late)
    generator = np.random.default_rng(5)
    for turn in range(10_000):
        base = SECRET[turn % len(SECRET)] if turn % 2 else VECTORS[turn % len(VECTORS)]
        hits = index.search(base + 0.1 * generator.standard_normal(16), int(generator.integers(1, 30)), "b")
        assert all(hit.id[0] in "rb" for hit in hits)
    assert len(index.search(SECRET[0], 1_000, "b")) == 1_000


@pytest.mark.parametrize("written", [None, 0, 1, 3])
def test_texts_that_are_still_being_written_are_left_to_their_publishing(tmp_path: Path, written: int | None) -> None:
    """A process that deletes may look into a generation while another writes it: two rows, `written` of their ends."""
    np.array([5, 7], "<i8").tofile(tmp_path / NUMBERS)
    (tmp_path / TEXT).write_bytes(b"id5group5id7group7")
    if written is not None:
        np.array([3, 9, 12, 18], "<i8")[:written].tofile(tmp_path / ENDS)
    assert erase(tmp_path, [7]) == 0
    np.array([3, 9, 12, 18], "<i8").tofile(tmp_path / ENDS)
    write_sums(tmp_path)
    assert erase(tmp_path, [7]) == 1
    assert (tmp_path / TEXT).read_bytes() == b"id5group5" + bytes(9)
