"""The place of every waiting job, computed at most so often that it takes a small share of the time."""

from __future__ import annotations

import threading
import time

from demo.queue import jobs
from demo.store.database import Database

KEPT_SECONDS = 0.25
SHARE = 10  # a new order is computed at the earliest after so many times what the last one took


class Places:
    """`of(id)`: how many jobs come before that one; safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._places: dict[str, int] = {}
        self._made, self._took = float("-inf"), 0.0

    def of(self, id: str) -> int:
        """The place of a waiting job, 0 = next; of one too new to be counted, the last."""
        if self._old(0.0 if id not in self._places else KEPT_SECONDS):
            self._compute()
        places = self._places
        return places.get(id, len(places))

    def _old(self, kept: float) -> bool:
        return time.monotonic() - self._made > max(kept, SHARE * self._took)

    def _compute(self) -> None:
        if not self._lock.acquire(blocking=False):  # somebody is at it; the last order serves meanwhile
            return
        try:
            started = time.monotonic()
            with self._database.read() as session:
                self._places = {job.id: place for place, job in enumerate(jobs.queue_order(session))}
            self._made = time.monotonic()
            self._took = self._made - started
        finally:
            self._lock.release()
