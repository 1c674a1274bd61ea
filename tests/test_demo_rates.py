"""Rate limits are counted exactly and never fail, however many requests come at once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from demo_client import open_studio
from limits.storage import MemoryStorage, Storage, storage_from_string

import demo.web.rates

THREADS, EACH = 8, 100


def test_many_requests_at_once_are_counted_and_none_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap of `limits`' own store, between a new timer and its start, is held open: with that store this fails."""
    monkeypatch.setattr(MemoryStorage, "__setattr__", _slowly)
    studio = open_studio(tmp_path, worker=False)
    storage = studio.app.extensions["people_limiter"].storage
    time.sleep(0.1)  # a first timer has ended
    errors = count_from_many_threads(storage)
    studio.close()
    assert errors == [] and storage.get("a") == THREADS * EACH


def test_a_count_ends_and_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    for clock in ("time", "monotonic"):
        monkeypatch.setattr(demo.web.rates.time, clock, lambda: now[0])
    storage = storage_from_string("counts://")
    assert [storage.incr("a", 60) for _ in range(3)] == [1, 2, 3] and storage.get_expiry("a") == 1060.0
    now[0] = 1061.0
    assert storage.get("a") == 0 and storage.incr("a", 60) == 1
    storage.incr("b", 600)
    now[0] = 2000.0
    storage.incr("c", 60)
    assert list(storage._counts) == ["c"]
    storage.clear("c")
    assert storage.get("c") == 0 and storage.check() and storage.reset() == 0


def count_from_many_threads(storage: Storage) -> list[Exception]:
    """What went wrong while many threads counted the same thing."""
    errors: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(EACH):
                storage.incr("a", 600)
        except Exception as error:
            errors.append(error)

    threads = [threading.Thread(target=count) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def _slowly(storage: MemoryStorage, name: str, value: object) -> None:
    object.__setattr__(storage, name, value)
    time.sleep(0.02)
