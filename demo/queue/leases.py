"""Leases: which running jobs have lost their worker. Every worker and every web process looks after all of them.

A worker changes the mark of its jobs (`lease_until`) every two seconds. Whoever looks compares the marks with those of
before, by its own steady clock: a mark that has stayed the same for `lease_seconds` belongs to a worker that is dead,
hung or cut off. No wall clock is compared, neither with another host's nor with itself of before. A process on this
machine that is known to be dead is not waited for.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable

from sqlalchemy import delete, select

from demo.queue import jobs
from demo.queue.identity import is_dead
from demo.store.database import Database
from demo.store.tables import Generation, WorkerRow

logger = logging.getLogger(__name__)
LONGEST_LOOK = 5.0  # seconds: who was stopped itself between two looks does not count that time
FORGET_SECONDS = 600.0  # the row of a worker that has said nothing for so long goes


class Marks:
    """For how long each of many marks has stayed the same, by the looks of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._before, self._now = clock, clock(), 0.0
        self._since: dict[str, tuple[Hashable, float]] = {}

    def look(self, marks: dict[str, Hashable]) -> dict[str, float]:
        """Seconds for which each mark is known to be unchanged; 0.0 for one that is new or has changed."""
        moment = self._clock()
        self._now += min(LONGEST_LOOK, moment - self._before)
        self._before = moment
        known, self._since = self._since, {}
        for name, mark in marks.items():
            last = known.get(name)
            self._since[name] = last if last is not None and last[0] == mark else (mark, self._now)
        return {name: self._now - since for name, (_, since) in self._since.items()}


class Leases:
    """Lets jobs wait again whose worker has gone; one object per process, asked every few seconds."""

    def __init__(self, database: Database, lease_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._seconds = database, lease_seconds
        self._jobs, self._workers = Marks(clock), Marks(clock)

    def take_back(self) -> int:
        """Look at every running job once; returns how many had lost their worker."""
        columns = (Generation.id, Generation.worker, Generation.attempt, Generation.lease_until)
        with self._database.read() as session:
            rows = session.execute(select(*columns).where(Generation.status == "running")).all()
        marks: dict[str, Hashable] = {id: (worker, attempt, lease) for id, worker, attempt, lease in rows}
        ages, dead = self._jobs.look(marks), {worker for _, worker, *_ in rows if worker and is_dead(worker)}
        lost = [row for row in rows if row.worker in dead or ages[row.id] >= self._seconds]
        if not lost:
            return 0
        with self._database.write() as session:
            return sum(jobs.lose(session, *row) for row in lost)

    def forget_workers(self) -> None:
        """Delete the rows of workers that are dead, or have said nothing for long."""
        with self._database.read() as session:
            rows = session.execute(select(WorkerRow.name, WorkerRow.heartbeat)).all()
        ages = self._workers.look(dict(rows))
        gone = [name for name, age in ages.items() if age >= FORGET_SECONDS or is_dead(name)]
        if gone:
            with self._database.write() as session:
                session.execute(delete(WorkerRow).where(WorkerRow.name.in_(gone)))
