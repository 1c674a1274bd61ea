"""The store on a real PostgreSQL: skipped unless TEST_POSTGRES names one (postgresql+psycopg://user@host/database)."""

from __future__ import annotations

import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from index_model import DIM, Model, assert_same, clustered

from index import IndexOptions, PromptIndex, Record, UnknownId

VECTORS = clustered(400)
OPTIONS = IndexOptions(exact_below=100, background=False)  # a build is a child process, as in the service


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """A database of the test's own: a schema that goes with it."""
    pytest.importorskip("psycopg")
    if not (address := os.environ.get("TEST_POSTGRES")):
        pytest.skip("TEST_POSTGRES names no database")
    name, owner = f"index_{uuid.uuid4().hex[:8]}", sa.create_engine(address)
    with owner.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    made = sa.create_engine(sa.make_url(address).update_query_dict({"options": f"-csearch_path={name}"}))
    yield made
    made.dispose()
    with owner.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
    owner.dispose()


def test_adds_removals_and_builds_give_the_models_answers(engine: sa.Engine, tmp_path: Path) -> None:
    index, other = (PromptIndex(tmp_path / "index", engine, DIM, "encoder", OPTIONS) for _ in range(2))
    model = Model()
    batch = [Record(f"r{i}", f"g{i % 150}", VECTORS[i], "ab"[i % 2], i % 3 > 0) for i in range(300)]
    index.add_many(batch)
    for record in batch:
        model.add(record)
    check(other, model)
    index.rebuild()
    for i in range(0, 300, 7):
        del model.live[f"r{i}"]
    index.remove_many([f"r{i}" for i in range(0, 300, 7)])
    index.set_visibility("r1", public=False)
    model.add(Record("r1", "g1", VECTORS[1], "b", False))
    with pytest.raises(UnknownId):
        index.remove("nowhere")
    check(other, model)
    index.rebuild()
    assert index.verify() == []
    assert index.removed("r7")
    check(PromptIndex(tmp_path / "index", engine, DIM, "encoder", OPTIONS), model)


def check(index: PromptIndex, model: Model) -> None:
    for viewer in ("a", "b", None):
        for query in VECTORS[::60]:
            assert_same(index.search(query, 20, viewer), model.search(query, 20, viewer))


def test_records_of_a_transaction_that_is_rolled_back_were_never_there(engine: sa.Engine, tmp_path: Path) -> None:
    index = PromptIndex(tmp_path / "index", engine, DIM, "encoder", OPTIONS)
    with engine.connect() as connection:
        index.add("lost", "lost", VECTORS[0], "a", True, connection=connection)
        connection.rollback()
        index.add("kept", "kept", VECTORS[0], "a", True, connection=connection)
        assert index.search(VECTORS[0]) == []  # nobody sees it before the commit
        connection.commit()
    assert [hit.id for hit in index.search(VECTORS[0])] == ["kept"]


def test_writers_at_once_miss_no_number(engine: sa.Engine, tmp_path: Path) -> None:
    index, seen = PromptIndex(tmp_path / "index", engine, DIM, "encoder", OPTIONS), []

    def write(owner: int) -> None:
        for i in range(20):
            id = f"{owner}-{i}"
            index.add(id, id, VECTORS[20 * owner + i], "a", True)
            seen.append(index.search(VECTORS[20 * owner + i], 1)[0].id == id)

    threads = [threading.Thread(target=write, args=(owner,)) for owner in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 80
    assert len(index.search(np.ones(DIM), 100)) == 80
