"""The index: what it answers, and what it leaves on disk."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from index_model import DIM, SMALL, Model, assert_same, clustered, database, open_index, records

from index import IndexOptions, PromptIndex, Record, RefusedRecord, UnknownId
from index.memory_segment import MemorySegment
from index.options import DEFAULTS, tuned, write_tuned
from index.records import Leader, unit_rows

VECTORS = clustered(200)


def test_search_finds_a_prompt_added_a_moment_ago(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add("one", "빨간 원피스", VECTORS[0], "a", True)
    (hit,) = index.search(VECTORS[0], 5)
    assert (hit.id, hit.group) == ("one", "빨간 원피스")
    assert hit.score == pytest.approx(1, abs=1e-6)


def test_what_another_process_committed_is_found_by_the_next_search(tmp_path: Path) -> None:
    here, there = open_index(tmp_path), open_index(tmp_path)
    here.add_many(records(VECTORS[:100]))
    here.rebuild()
    assert len(there.search(VECTORS[0], 100)) == 100
    here.add("new", "new", VECTORS[150], "b", True)
    assert there.search(VECTORS[150], 1)[0].id == "new"
    there.remove("new")
    assert here.search(VECTORS[150], 1)[0].id != "new"


def test_a_record_on_the_callers_connection_lives_and_dies_with_its_transaction(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    with index.store.engine.connect() as connection:
        index.add("one", "one", VECTORS[0], "a", True, connection)
        connection.rollback()
        assert index.search(VECTORS[0], 5) == []
        index.add("two", "two", VECTORS[1], "a", True, connection)
        assert index.search(VECTORS[1], 5) == []
        connection.commit()
    assert [hit.id for hit in index.search(VECTORS[1], 5)] == ["two"]


def test_one_prompt_drawn_fifty_times_is_one_result_and_its_newest_stands_for_it(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many([Record(f"d{i}", "same", VECTORS[0], "a", True) for i in range(50)])
    index.add("other", "other", VECTORS[1], "a", True)
    assert [hit.id for hit in index.search(VECTORS[0], 2)] == ["d49", "other"]
    index.rebuild()
    index.remove("d49")
    assert [hit.id for hit in index.search(VECTORS[0], 2)] == ["d48", "other"]


def test_a_search_is_the_same_from_memory_and_from_the_file(tmp_path: Path) -> None:
    index, model = open_index(tmp_path), Model()
    for record in records(VECTORS):
        model.add(record)
    index.add_many(records(VECTORS))
    fresh = [index.search(query, 10) for query in VECTORS[:20]]
    index.rebuild()
    assert index.stats()["fresh_rows"] == 0
    assert index.stats()["generation_rows"] == 200
    assert [index.search(query, 10) for query in VECTORS[:20]] == fresh
    for query, hits in zip(VECTORS, fresh, strict=False):
        assert_same(hits, model.search(query, 10, None))


def test_a_known_id_gets_its_new_vector_and_keeps_its_place(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    index.add("r0", "group r0", VECTORS[100], "a", True)
    assert index.search(VECTORS[100], 1)[0].id == "r0"
    assert len(index.search(VECTORS[0], 1000)) == 60
    assert index.verify() == []


def test_visibility_moves_a_record_between_file_and_memory(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    index.set_visibility("r0", public=False)
    assert "r0" not in {hit.id for hit in index.search(VECTORS[0], 100, "b")}
    assert index.search(VECTORS[0], 1, "a")[0].id == "r0"
    index.rebuild()
    index.set_visibility("r0", public=True)
    assert index.search(VECTORS[0], 1, "b")[0].id == "r0"


def test_a_removal_empties_the_row_at_once_and_the_file_with_the_next_build(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    index.remove("r7")
    with index.store.engine.connect() as connection:
        row = connection.execute(sa.text("select * from prompt_vectors where id = 'r7'")).mappings().one()
    assert {name for name, value in row.items() if value is not None} == {"number", "id", "seq"}
    assert not index.removed("r7")
    index.rebuild()
    assert index.removed("r7")
    assert not index.removed("r8")
    assert b"group r7\n" not in b"".join(p.read_bytes() for p in (tmp_path / "index").rglob("text.utf8"))
    index.remove("r7")  # again: nothing to do
    with pytest.raises(RefusedRecord, match="never returns"):
        index.add("r7", "group r7", VECTORS[7], "a", True)


def test_a_due_removal_is_built_away_by_itself(tmp_path: Path) -> None:
    options = IndexOptions(exact_below=50, background=False, own_process=False, erase_within=0)
    index = open_index(tmp_path, options)
    index.add_many(records(VECTORS[:60]))
    index.tend()
    assert index.stats()["generation_rows"] == 60
    index.remove("r7")
    index.tend()
    assert index.removed("r7")


def test_a_reader_keeps_its_generation_until_it_lets_go(tmp_path: Path) -> None:
    reader, builder = open_index(tmp_path), open_index(tmp_path)
    builder.add_many(records(VECTORS[:60]))
    builder.rebuild()
    reader.search(VECTORS[0], 1)
    builder.remove("r7")
    builder.rebuild()
    assert not builder.removed("r7"), "the reader still has the file that holds it"
    assert "r7" not in {hit.id for hit in reader.search(VECTORS[7], 100)}
    reader.refresh()
    builder.tend()
    assert builder.removed("r7")


def test_the_folder_can_be_deleted_at_any_time(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS))
    index.rebuild()
    shutil.rmtree(tmp_path / "index")
    assert index.search(VECTORS[3], 1)[0].id == "r3"
    assert open_index(tmp_path).search(VECTORS[3], 1)[0].id == "r3"
    assert index.verify() == ["the folder was deleted: a rebuild brings it back"]
    index.tend()
    assert index.verify() == []
    assert open_index(tmp_path).stats()["generation_rows"] == 200


def test_the_background_thread_builds_in_a_child_process(tmp_path: Path) -> None:
    index = open_index(tmp_path, IndexOptions(exact_below=50))
    index.add_many(records(VECTORS))
    index.search(VECTORS[0], 1)
    index.close()  # waits for what it is building
    assert index.stats()["generation_rows"] == 200
    assert index.search(VECTORS[9], 1)[0].id == "r9"


def test_another_encoders_records_wait_to_be_embedded_again(tmp_path: Path) -> None:
    old = open_index(tmp_path)
    old.add_many(records(VECTORS[:60]))
    old.rebuild()
    new = open_index(tmp_path, dim=8, encoder="other")
    query = np.ones(8)
    assert new.search(query, 5) == []
    assert new.outdated(2) == ["r0", "r1"]
    new.add("r0", "group r0", query, "a", True)
    assert [hit.id for hit in new.search(query, 5)] == ["r0"]
    assert len(new.outdated()) == 59
    assert "r0" not in {hit.id for hit in old.search(VECTORS[0], 100)}
    new.tend()
    assert new.stats()["generation_rows"] == 1
    with pytest.raises(ValueError, match="index has dim 16"):
        open_index(tmp_path, dim=12)


def test_an_older_database_put_in_place_is_noticed(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    with index.store.engine.begin() as connection:  # as a backup would have it
        connection.execute(sa.text("delete from prompt_vectors where number > 30"))
        connection.execute(sa.text("update prompt_index set seq = 30"))
    assert len(index.search(VECTORS[0], 100)) == 30
    assert index.verify()[0].startswith("damaged")
    index.tend()
    assert index.verify() == []


def test_the_memory_segment_misses_no_row_that_can_score_enough() -> None:
    memory, vectors = MemorySegment(16), np.vstack([clustered(9_000), unit_rows(np.eye(16), 16)])
    for start in range(0, len(vectors), 190):  # pieces that end anywhere in a block
        rows = list(enumerate(vectors))[start:][:190]
        memory.extend([(f"g{i}", Leader(i, f"r{i}", f"g{i}", "", vector)) for i, vector in rows])
    assert all(np.array_equal(memory.vector(row), vectors[row]) for row in range(len(vectors)))
    for query in (*clustered(2, seed=5), vectors[0], vectors[-1]):
        scores = vectors.astype(np.float64) @ query
        for least in (None, -1.0, 0.0, 0.5, 0.9, 1.0):
            rows, found = memory.scores(query, 8_500, least)
            assert np.allclose(found, scores[rows], atol=1e-6)
            must = {row for row in range(8_500) if scores[row] >= (-1 if least is None else least)}
            assert must <= set(rows.tolist()) <= set(range(8_500))
    assert len(memory.scores(vectors[0], len(vectors), 0.95)[0]) < 4_500, "most rows are left out after a third of them"


def test_many_removals_are_one_commit_all_or_none(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:6]))
    with pytest.raises(UnknownId, match="'nowhere' is not in the index"):
        index.remove_many(["r0", "nowhere"])
    assert len(index.search(VECTORS[0], 9)) == 6
    index.remove("r0")
    index.remove_many(["r0", "r1", "r2", "r2"])
    index.remove_many([])
    assert {hit.id for hit in index.search(VECTORS[0], 9)} == {"r3", "r4", "r5"}
    index.rebuild()
    assert [index.removed(f"r{i}") for i in range(4)] == [True, True, True, False]


def test_an_empty_store_can_be_built_and_searched(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.rebuild()
    assert index.search(VECTORS[0], 3, "a") == []
    assert index.verify() == []
    index.add("one", "one", VECTORS[0], "a", False)
    assert open_index(tmp_path).search(VECTORS[0], 3, "a")[0].id == "one"


def test_a_database_in_memory_works_too(tmp_path: Path) -> None:
    engine = sa.create_engine("sqlite://", poolclass=sa.StaticPool, connect_args={"check_same_thread": False})
    index = PromptIndex(tmp_path, engine, DIM, "encoder", IndexOptions(exact_below=50, background=False))
    index.add_many(records(VECTORS))
    index.rebuild()
    assert index.search(VECTORS[5], 1)[0].id == "r5"


def test_a_tuned_setting_is_used_and_a_broken_one_is_not(tmp_path: Path) -> None:
    write_tuned(IndexOptions(n_trees=7, recall=0.9), tmp_path)
    assert (tuned(SMALL, tmp_path).n_trees, tuned(SMALL, tmp_path).recall) == (7, 0.9)
    assert tuned(IndexOptions(n_trees=9), tmp_path).n_trees == 9
    for content in ("{", "[]", '{"n_trees": -1, "recall": 0.9}', "{}"):
        (tmp_path / "tuned.json").write_text(content)
        assert tuned(SMALL, tmp_path).recall == DEFAULTS["recall"]
    with pytest.raises(ValueError, match="n_trees"):
        IndexOptions(n_trees=0)


def test_two_openers_of_a_new_database_make_its_tables_once(tmp_path: Path) -> None:
    first, second = open_index(tmp_path), open_index(tmp_path)
    assert first.store.store_id == second.store.store_id
    with database(tmp_path).connect() as connection:
        assert connection.execute(sa.text("select count(*) from prompt_index")).scalar_one() == 1
