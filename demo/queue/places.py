"""The place of every waiting job: one order of the whole queue serves all who ask while it is new.

Whoever asks about a job that the last order does not hold waits for one that began after they asked: the place of a
new job is right at once, and two hundred who come together share one computation.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence

from demo.queue import jobs
from demo.store.database import Database
from demo.store.together import Together

KEPT_SECONDS = 0.25  # how long the place of a job that is known is told again
SHARE = 10  # an order that took long to compute is kept for so many times that long (processor time, not waiting)


class Places:
    """`of(id)`: how many jobs come before that one; safe from any thread."""

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._clock = database, clock
        self._computing = threading.Lock()
        self._places: Mapping[str, int] = {}
        self._old_at = float("-inf")
        self._new_order = Together[str, Mapping[str, int]](self._for_all, most=1024)

    def of(self, id: str) -> int:
        """The place of a waiting job, 0 = next (of one that has just begun, too)."""
        places = self._places
        if id not in places:
            places = self._new_order(id)
        elif self._clock() > self._old_at and self._computing.acquire(blocking=False):
            try:  # one who asks computes; to others the last order serves meanwhile
                places = self._compute()
            finally:
                self._computing.release()
        return places.get(id, 0)

    def _for_all(self, ids: Sequence[str]) -> list[Mapping[str, int]]:
        with self._computing:
            return [self._compute()] * len(ids)

    def _compute(self) -> Mapping[str, int]:
        began = time.thread_time()
        with self._database.look() as session:
            places = {job.id: place for place, job in enumerate(jobs.queue_order(session))}
        took = time.thread_time() - began
        self._places, self._old_at = places, self._clock() + max(KEPT_SECONDS, SHARE * took)
        return places
