"""Changes of many threads that commit together: each is whole or not there, whatever becomes of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_client import wait_for
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demo.store.database import Database, open_database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import StudioNote
from demo.store.together import GroupCommit, Together


def write(name: str) -> Callable[[Session], object]:
    row = StudioNote(name=name, value={})  # one object, whichever attempt it is, as a job's row is

    def change(session: Session) -> str:
        session.add(row)
        session.flush()
        return name

    return change


def refuse(_session: Session) -> None:
    raise ServiceError("queue_full")


def committed_together(database: Database, changes: list[Callable[[Session], object]]) -> list[object]:
    """What each change came to, result or error, where all but a first one wait for the same commit."""
    gate, commit, came = threading.Event(), GroupCommit(database), list[object]([None] * len(changes))

    def hold(session: Session) -> object:
        assert gate.wait(60)
        return write("first")(session)

    def run(i: int) -> None:
        try:
            came[i] = commit(changes[i])
        except Exception as error:
            came[i] = error

    first = threading.Thread(target=lambda: commit(hold))
    first.start()
    wait_for(lambda: commit._together._working)
    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(changes))]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(commit._together._waiting) == len(changes))
    gate.set()
    for thread in [first, *threads]:
        thread.join(60)
    return came


@pytest.mark.parametrize("failing", [refuse, write("first")])
def test_a_change_that_fails_takes_no_other_of_its_commit_along(
    tmp_path: Path, failing: Callable[[Session], object]
) -> None:
    database = open_database(Settings(data_dir=tmp_path))
    came = committed_together(database, [write("a"), failing, write("b"), write("c")])
    assert [came[0], *came[2:]] == ["a", "b", "c"]
    assert isinstance(came[1], ServiceError if failing is refuse else IntegrityError)
    with database.read() as session:
        names = {row.name for row in session.query(StudioNote)}
    assert {"first", "a", "b", "c"} <= names
    database.close()


def test_everybody_of_many_threads_gets_an_answer_of_their_own() -> None:
    rounds: list[int] = []

    def work(given: object) -> list[int]:
        rounds.append(len(given))
        return [2 * one for one in given]

    together, got = Together[int, int](work, most=16), dict[int, int]()

    def ask(thread: int) -> None:
        for i in range(50):
            got[100 * thread + i] = together(100 * thread + i)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert got == {one: 2 * one for one in got} and len(got) == 600 == sum(rounds) and max(rounds) <= 16
