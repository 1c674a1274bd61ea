"""The background thread lives through failures, and the tables exist for PostgreSQL too."""

from __future__ import annotations

import logging
import threading

import pytest
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateTable

from index import metadata
from index.background_rebuilder import BackgroundRebuilder


def test_a_failure_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    worked, calls = threading.Event(), []

    def tend() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("disk on fire")
        worked.set()

    rebuilder = BackgroundRebuilder(tend, interval=0.01, patience=0.01)
    with caplog.at_level(logging.ERROR, "index"):
        rebuilder.watch()
        assert worked.wait(30)
    rebuilder.stop()
    assert ["disk on fire" in record.getMessage() for record in caplog.records] == [True]


def test_what_is_urgent_does_not_wait() -> None:
    calls, first, second = [], threading.Event(), threading.Event()

    def tend() -> None:
        calls.append(1)
        (first if len(calls) == 1 else second).set()

    rebuilder = BackgroundRebuilder(tend, interval=3_600)
    rebuilder.watch()
    assert first.wait(30)
    while not second.wait(0.01):  # a wake that comes while the thread is busy is not needed
        rebuilder.watch(urgent=True)
    rebuilder.stop()
    ended = len(calls)
    rebuilder.watch(urgent=True)  # once stopped, it stays so
    assert len(calls) == ended


def test_the_tables_can_be_made_in_postgresql() -> None:
    dialect = postgresql.dialect()
    made = {table.name: str(CreateTable(table).compile(dialect=dialect)) for table in metadata.sorted_tables}
    assert "number BIGSERIAL NOT NULL" in made["prompt_vectors"]
    assert "vector BYTEA" in made["prompt_vectors"]
    assert "seq BIGINT NOT NULL" in made["prompt_index"]
