"""A database that is busy, away, or dies between a commit and its answer: no job is lost and no picture's file."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from demo_client import open_studio
from demo_fakes import fake_services
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from demo.ops import processes
from demo.store.errors import from_failure
from demo.store.settings import Settings
from demo.store.tables import BYTES
from demo.studio import opening


class GivenUp(Exception):
    """What PostgreSQL's driver raises for the transaction that is given up."""

    sqlstate = "40P01"


class Lost(Exception):
    """What PostgreSQL's driver raises where its connection has gone."""

    sqlstate = None


LOST = OperationalError("COMMIT", None, Lost("server closed the connection unexpectedly"))
BUSY = (
    OperationalError("UPDATE", None, sqlite3.OperationalError("database is locked")),
    OperationalError("UPDATE", None, GivenUp("two transactions wait for each other")),
    LOST,
)


@pytest.mark.parametrize("busy", BUSY)
def test_a_busy_database_ends_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, busy: OperationalError) -> None:
    """Neither while steps are told nor while what was drawn is committed; where drawing itself meets it, again."""
    from demo.queue.jobs import JobQueue
    from demo.worker.finishing import Finisher

    def twice(owner: type, name: str) -> None:
        really, left = getattr(owner, name), [busy, busy]
        monkeypatch.setattr(owner, name, lambda *given: _raised(left.pop()) if left else really(*given))

    twice(Finisher, "_commit")
    twice(JobQueue, "report")
    twice(JobQueue, "still_running")
    studio = open_studio(tmp_path)
    person = studio.person()
    assert [person.finished(f"코트 {number}", n=1)["status"] for number in range(3)] == ["succeeded"] * 3
    studio.close()


def _raised(error: Exception) -> None:
    raise error


def test_whoever_ends_a_job_and_whoever_deletes_take_the_counters_in_one_order(tmp_path: Path) -> None:
    """In two orders PostgreSQL finds that they wait for each other: of 3,784 jobs of fifty people 12 failed."""
    taken: dict[int, list[str]] = {}
    orders: list[list[str]] = []

    def note(connection: Connection, _cursor: object, statement: str, values: object, *_: object) -> None:
        name = "bytes" if statement.startswith("UPDATE counters") and BYTES in str(values) else ""
        name = "index" if statement.startswith("UPDATE prompt_index") else name
        if name:
            taken.setdefault(id(connection), []).append(name)

    def close(connection: Connection) -> None:
        orders.append(list(dict.fromkeys(taken.pop(id(connection), []))))

    event.listen(Engine, "before_cursor_execute", note)
    event.listen(Engine, "commit", close)
    try:
        studio = open_studio(tmp_path)
        person = studio.person()
        first, second = (person.finished(prompt, n=2, visibility="public") for prompt in ("코트", "빨간 원피스"))
        assert orders.count(["bytes", "index"]) == 2
        assert person.call("DELETE", f"/generations/{first['id']}").status_code == 200
        assert person.call("DELETE", f"/images/{second['images'][0]['id']}").status_code == 200
        assert person.call("DELETE", f"/images/{second['images'][1]['id']}").status_code == 200
        studio.close()
    finally:
        event.remove(Engine, "before_cursor_execute", note)
        event.remove(Engine, "commit", close)
    assert orders.count(["bytes", "index"]) == 4 and ["index", "bytes"] not in orders


@pytest.mark.parametrize("lost", [LOST, OperationalError("COMMIT", None, sqlite3.OperationalError("disk I/O error"))])
def test_pictures_stay_whose_commit_was_done_and_its_answer_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: OperationalError
) -> None:
    """A server that dies between a commit and its answer left rows whose files were removed."""
    from demo.worker import finishing

    really, answers = finishing.Finisher._commit, [lost]

    def commit(self: finishing.Finisher, *given: object) -> bool:
        done = really(self, *given)
        return _raised(answers.pop()) if answers else done

    monkeypatch.setattr(finishing.Finisher, "_commit", commit)
    monkeypatch.setattr(finishing, "AGAIN_SECONDS", 0.01)
    studio = open_studio(tmp_path)
    person = studio.person()
    done = person.finished("코트", n=1)
    studio.worker._finishing.wait()  # the rows are there before the commit's answer is
    assert done["status"] == "succeeded" and not answers
    assert person.get(done["images"][0]["url"].removeprefix("/api/v1")).status_code == 200
    studio.close()


class Quoting(Exception):
    """PostgreSQL's errors quote the values of the row."""

    def __init__(self, text: str, sqlstate: str) -> None:
        super().__init__(text)
        self.sqlstate = sqlstate


@pytest.mark.parametrize(("kind", "text", "sqlstate", "code"), [
    (IntegrityError, "duplicate key: Key (owner_id, key)=(a, full-1)", "23505", None),
    (OperationalError, "could not extend file: No space left on device", "53100", "disk_full"),
    (OperationalError, "sorry, too many clients already", "53300", "database_busy"),
    (OperationalError, "terminating connection: it was locked and busy and full", "57P01", "storage_unavailable"),
    (DataError, "invalid value: a full-length dress", "22P02", None),
])  # fmt: skip
def test_postgresqls_errors_are_known_by_their_codes_not_by_the_values_that_they_quote(
    kind: type[DBAPIError], text: str, sqlstate: str, code: str | None
) -> None:
    known = from_failure(kind("INSERT", None, Quoting(text, sqlstate)))
    assert (known and known.code) == code


def test_what_is_prepared_at_the_start_waits_for_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_studio(tmp_path, worker=False)
    services, really, answers = fake_services(studio.settings), opening.bring_in, [LOST, BUSY[0]]
    monkeypatch.setattr(opening, "AGAIN_SECONDS", 0.01)
    monkeypatch.setattr(opening, "bring_in", lambda made: _raised(answers.pop()) if answers else really(made))
    done = []
    monkeypatch.setattr(opening, "read_words", lambda *_: done.append(1) or 0)
    opening.warm_up(services)
    assert done == [1] and answers == [], "tried again until it was done"
    services.close()
    studio.close()


class Idle:
    """A worker that has nothing to do."""

    def stop(self) -> None: ...

    def run(self) -> None: ...

    def close(self) -> None: ...


def test_a_worker_that_starts_while_the_database_is_away_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ended with a page of traceback, to be started again and again."""
    monkeypatch.setattr(processes, "LOOK_AGAIN", 0.01)
    monkeypatch.setattr(processes, "on_end", lambda _stop: None)
    monkeypatch.setattr(processes.os, "nice", lambda _more: 0)
    monkeypatch.setattr(processes.os, "umask", lambda _mode: 0)
    answers = [LOST, LOST]
    settings = Settings(data_dir=tmp_path)
    assert processes.run_worker(settings, None, lambda _: _raised(answers.pop()) if answers else Idle()) == 0
    with pytest.raises(IntegrityError):
        processes.run_worker(settings, None, lambda _: _raised(IntegrityError("INSERT", None, Quoting("x", "23505"))))
