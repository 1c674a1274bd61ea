"""What every index promises: the local layered one and pgvector in a real PostgreSQL, by one suite."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from index_model import DIM, Model, assert_same, clustered, database, records

from index import Hit, IndexOptions, PromptIndex, Record, RefusedRecord, UnknownId
from testing.cluster_servers import PostgresServer

Open = Callable[..., PromptIndex]
VECTORS = clustered(600)


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    server = PostgresServer()
    server.start()
    yield server
    server.close()


@pytest.fixture(params=["local", "pgvector"])
def open_index(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    """Opens an index over this test's records, as one process after another does."""
    engines: list[sa.Engine] = []
    if request.param == "local":

        def opened(encoder: str = "encoder", dim: int = DIM) -> PromptIndex:
            engines.append(database(tmp_path))
            options = IndexOptions(exact_below=50, background=False, own_process=False)
            return PromptIndex(tmp_path / "index", engines[-1], dim, encoder, options)

    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        url = server.database(f"index_{uuid.uuid4().hex[:8]}")

        def opened(encoder: str = "encoder", dim: int = DIM) -> PromptIndex:
            from index.pgvector_index import PgVectorIndex

            engines.append(sa.create_engine(url))
            return PgVectorIndex(engines[-1], dim, encoder)

    yield opened
    for engine in engines:
        engine.dispose()


def check(index: PromptIndex, model: Model, k: int = 20) -> None:
    for viewer in ("a", "b", None):
        for query in VECTORS[::60]:
            assert_same(index.search(query, k, viewer), model.search(query, k, viewer))


def test_answers_are_those_of_brute_force_whatever_happens(open_index: Open) -> None:
    """Adds, changed vectors, changed visibility, removals, equal prompts; by two openers at once; built and not."""
    index, other, model = open_index(), open_index(), Model()
    generator = np.random.default_rng(3)
    for turn in range(40):
        by = (index, other)[turn % 2]
        batch = []
        for _ in range(int(generator.integers(1, 12))):
            i = int(generator.integers(0, 600))
            batch.append(Record(f"{turn}-{i}", f"group {i % 90}", VECTORS[i], "ab"[i % 2], i % 3 > 0))
        batch = list({record.id: record for record in batch}.values())
        by.add_many(batch)
        for record in batch:
            model.add(record)
        known = sorted(model.live)
        changed = model.live[known[int(generator.integers(0, len(known)))]]
        public = not changed.public
        by.set_visibility(changed.id, public)
        model.live[changed.id] = Record(changed.id, changed.group, changed.vector, changed.owner, public)
        if turn % 3 == 0:
            gone = known[int(generator.integers(0, len(known)))]
            by.remove(gone)
            model.live.pop(gone, None)
        if turn in (10, 30):
            index.rebuild()
        if turn % 5 == 0:
            check((other, index)[turn % 2], model)
    check(index, model, 100)
    check(open_index(), model)
    assert index.verify() == [] and index.live_count() == len(model.live)


def test_an_existing_store_is_taken_over_when_an_index_is_first_opened(open_index: Open) -> None:
    index, model = open_index(), Model()
    for record in (*records(VECTORS[:200], "a", True, "p"), *records(VECTORS[200:300], "b", False, "q")):
        index.add_many([record])
        model.add(record)
    check(open_index(), model)


def test_a_record_lives_and_dies_with_the_callers_transaction(open_index: Open) -> None:
    index = open_index()
    with index.store.engine.connect() as connection:
        index.add("lost", "lost", VECTORS[0], "a", True, connection=connection)
        connection.rollback()
        index.add("kept", "kept", VECTORS[0], "a", True, connection=connection)
        connection.commit()
    assert [hit.id for hit in index.search(VECTORS[0])] == ["kept"]


def test_what_others_keep_to_themselves_changes_no_answer(open_index: Open) -> None:
    """Neither scores nor ids nor how many come, in the file or fresh."""
    index = open_index()
    index.add_many(records(VECTORS[:60], "b", True, "public "))
    index.add_many(records(VECTORS[60:80], "a", False, "own "))
    before = [index.search(query, 50, "a") for query in VECTORS[:300:20]]
    index.add_many(records(VECTORS[80:600], "b", False, "hidden "))
    for _ in range(2):
        assert [index.search(query, 50, "a") for query in VECTORS[:300:20]] == before
        assert all("hidden" not in hit.id for query in VECTORS[::20] for hit in index.search(query, 50, None))
        index.rebuild()


def test_k_come_where_k_exist_however_many_are_hidden_or_removed(open_index: Open) -> None:
    index, rows = open_index(), clustered(3000, clusters=2, spread=0.1)
    index.add_many(records(rows[:2900], "b", True, "r"))
    index.add_many(records(rows[2900:2950], "a", False, "own "))
    index.add_many(records(rows[2950:], "b", True, "stay "))
    index.rebuild()
    for i in range(1450):
        index.set_visibility(f"r{i}", public=False)
    index.remove_many([f"r{i}" for i in range(1450, 2900)])
    for query in rows[::300]:
        assert len(index.search(query, 100, "a")) == 100
        assert {hit.id for hit in index.search(query, 50, None)} == {f"stay {i}" for i in range(50)}


def test_equal_prompts_are_one_result_and_the_newest_that_may_be_seen_stands_for_it(open_index: Open) -> None:
    index = open_index()
    for i in range(30):
        index.add(f"{i}", "red coat", VECTORS[i], "ab"[i % 2], i < 20)
    assert [hit.id for hit in index.search(VECTORS[0], 10, None)] == ["19"]
    assert [hit.id for hit in index.search(VECTORS[0], 10, "a")] == ["28"]
    assert [hit.id for hit in index.search(VECTORS[0], 10, "b")] == ["29"]
    index.remove("29")
    assert [hit.id for hit in index.search(VECTORS[0], 10, "b")] == ["27"]


def test_a_removed_record_is_gone_for_every_opener_and_never_returns(open_index: Open) -> None:
    index, other = open_index(), open_index()
    index.add_many(records(VECTORS[:5]))
    assert len(other.search(VECTORS[0], 10)) == 5
    index.remove("r0")
    assert "r0" not in {hit.id for hit in other.search(VECTORS[0], 10)}
    other.rebuild()
    assert other.removed("r0") and not other.removed("r1")
    with pytest.raises(RefusedRecord):
        index.add("r0", "group r0", VECTORS[0], "a", True)
    with pytest.raises(UnknownId):
        index.remove("nowhere")


def test_another_encoders_records_wait_to_be_embedded_again(open_index: Open) -> None:
    open_index().add_many(records(VECTORS[:4]))
    newer = open_index("newer", 8)
    assert newer.search(np.ones(8), 10) == [] and sorted(newer.outdated()) == ["r0", "r1", "r2", "r3"]
    newer.add("r1", "group r1", np.ones(8), "a", True)
    assert [hit.id for hit in newer.search(np.ones(8), 10)] == ["r1"] and len(newer.outdated()) == 3
    assert len(open_index().search(VECTORS[0], 10)) == 3


def test_threads_that_write_and_search_at_once_find_what_is_committed(open_index: Open) -> None:
    index, seen = open_index(), []

    def write(owner: int) -> None:
        for i in range(15):
            id = f"{owner}-{i}"
            index.add(id, id, VECTORS[15 * owner + i], "a", True)
            seen.append(index.search(VECTORS[15 * owner + i], 1)[0].id == id)

    threads = [threading.Thread(target=write, args=(owner,)) for owner in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 60 and len(index.search(np.ones(DIM), 100)) == 60


@pytest.mark.parametrize("bad", [np.zeros(DIM), np.full(DIM, np.nan), np.ones(DIM + 1)])
def test_a_vector_without_a_direction_is_refused(open_index: Open, bad: np.ndarray) -> None:
    index = open_index()
    with pytest.raises(ValueError, match="vector"):
        index.search(bad)
    with pytest.raises(ValueError, match="vector"):
        index.add("x", "x", bad, "a", True)


def test_recall_of_the_graph_is_at_least_95_percent(open_index: Open) -> None:
    """Clustered like prompts, far more than are compared exactly: recall@10 of 200 queries beside brute force."""
    rows = clustered(6000, dim=64, clusters=150, seed=5)
    index = open_index("wide", 64)
    index.add_many([Record(f"r{i}", f"group {i}", row, "ab"[i % 2], i % 4 > 0) for i, row in enumerate(rows)])
    index.rebuild()
    public = np.array([i for i in range(6000) if i % 4 > 0])
    found = expected = 0
    for query in clustered(200, dim=64, clusters=150, seed=5):
        best = set(public[np.argsort(-(rows[public] @ query))[:10]].tolist())
        found += len(best & {int(hit.id[1:]) for hit in index.search(query, 10, None)})
        expected += 10
    assert found / expected >= 0.95


def test_a_search_ends_within_a_second_even_behind_a_thousand_changes(open_index: Open) -> None:
    index, other = open_index(), open_index()
    index.add_many(records(clustered(1000, seed=9)))
    began = time.monotonic()
    assert isinstance(other.search(VECTORS[0], 1)[0], Hit)
    assert time.monotonic() - began < 60  # on a machine at any load


def test_pgvector_reads_only_rows_of_the_viewers_scopes_and_finds_public_ones_by_the_graph(
    postgres: PostgresServer,
) -> None:
    """The filter stands in the query: the plan of a search never meets another owner's row."""
    from index.pgvector_index import PgVectorIndex

    index = PgVectorIndex(sa.create_engine(postgres.database("plans")), DIM, "encoder")
    index.add_many(records(clustered(3000), "b", True, "p"))
    index.add_many(records(clustered(3000, seed=1), "b", False, "q"))
    index.rebuild()
    table, vector = index._points.name, "[" + ",".join(["1"] * DIM) + "]"
    with index.store.engine.connect() as connection:
        public = f"SELECT id FROM {table} WHERE scope = '' ORDER BY vector <#> '{vector}' LIMIT 10"
        plan = "\n".join(connection.exec_driver_sql(f"EXPLAIN ANALYZE {public}").scalars())
        assert f"Index Scan using {index._graph}" in plan and "Rows Removed by Filter" not in plan
        graph = connection.exec_driver_sql(f"SELECT indexdef FROM pg_indexes WHERE indexname = '{index._graph}'")
        assert "WHERE (scope = ''::text)" in graph.scalar_one()
    index.store.engine.dispose()


def test_pgvector_says_what_it_lacks(tmp_path: Path) -> None:
    pytest.importorskip("pgvector")
    from index.pgvector_index import PgVectorIndex

    with pytest.raises(ValueError, match="database is sqlite: pgvector needs DATABASE_URL"):
        PgVectorIndex(database(tmp_path), DIM, "encoder")
