"""Jobs: rows that wait, run under a lease, and end exactly once.

queued → running → succeeded | failed | cancelled. A worker claims in a fair order, renews its lease while it draws, and
may only end a job that is still its own (same worker, same attempt). What a dead worker held waits again with the same
seed, at most three attempts in all.
"""

from __future__ import annotations

import heapq
import logging
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from demo.queue import events
from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import ENDED, Generation, Image, Owner, Preview

logger = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
JOBS_OF_ONE_OWNER_IN_A_BATCH = 2  # so that somebody else waits for at most two


@dataclass(frozen=True)
class Waiting:
    """What the order of the queue depends on."""

    id: str
    owner_id: str
    created_at: float
    n: int
    batch_key: str
    attempt: int


def fair_order(waiting: Sequence[Waiting], served_at: Mapping[str, float]) -> list[Waiting]:
    """Order jobs so that people take turns: next is always whoever was served longest ago."""
    lines: dict[str, deque[Waiting]] = {}
    for job in sorted(waiting, key=lambda job: (job.created_at, job.id)):
        lines.setdefault(job.owner_id, deque()).append(job)
    turns = [(served_at.get(owner, 0.0), line[0].created_at, place, owner)
             for place, (owner, line) in enumerate(lines.items())]  # fmt: skip
    heapq.heapify(turns)
    order: list[Waiting] = []
    clock = max([0.0, *served_at.values()])
    while turns:
        _, _, place, owner = heapq.heappop(turns)
        order.append(lines[owner].popleft())
        clock += 1.0
        if lines[owner]:
            heapq.heappush(turns, (clock, 0.0, place, owner))
    return order


def choose_batch(order: Sequence[Waiting], most_pictures: int) -> list[Waiting]:
    """The first job and those of its batch key that fit beside it; one that killed a worker is drawn alone."""
    head, batch = order[0], [order[0]]
    if head.attempt > 0:
        return batch
    pictures, held = head.n, {head.owner_id: 1}
    for job in order[1:]:
        fits = pictures + job.n <= most_pictures and job.batch_key == head.batch_key and job.attempt == 0
        if fits and held.get(job.owner_id, 0) < JOBS_OF_ONE_OWNER_IN_A_BATCH:
            batch.append(job)
            pictures += job.n
            held[job.owner_id] = held.get(job.owner_id, 0) + 1
    return batch


def queue_order(session: Session) -> list[Waiting]:
    """Every waiting job in the order in which they will begin, as far as it is known now."""
    columns = (Generation.id, Generation.owner_id, Generation.created_at, Generation.n, Generation.batch_key,
               Generation.attempt)  # fmt: skip
    rows = session.execute(select(*columns).where(Generation.status == "queued")).all()
    waiting = [Waiting(*row) for row in rows]
    owners = {job.owner_id for job in waiting}
    served = session.execute(select(Owner.id, Owner.served_at).where(Owner.id.in_(owners))).all() if owners else []
    return fair_order(waiting, dict(served))


def admit(session: Session, settings: Settings, owner_id: str) -> None:
    """Refuse a job that the queue has no room for. Raises ServiceError queue_full, too_many_jobs."""
    open_jobs = Generation.status.in_(("queued", "running"))
    mine = session.scalar(select(func.count()).where(open_jobs, Generation.owner_id == owner_id))
    if mine >= settings.jobs_per_owner:
        raise ServiceError("too_many_jobs")
    waiting = session.scalar(select(func.count()).select_from(Generation).where(Generation.status == "queued"))
    if waiting >= settings.queue:
        raise ServiceError("queue_full", retry_after=min(60, 5 + waiting // 10))


class JobQueue:
    """What a worker does with jobs, in short transactions."""

    def __init__(self, database: Database, settings: Settings, worker: str) -> None:
        self._database, self._settings, self.worker = database, settings, worker

    def claim(self) -> list[Generation]:
        """Take the next batch: same batch key, at most `batch` pictures; empty when nothing waits."""
        with self._database.read() as session:  # a look without taking turns with writers
            if session.scalar(select(Generation.id).where(Generation.status == "queued").limit(1)) is None:
                return []
        with self._database.write() as session:
            order = queue_order(session)
            if not order:
                return []
            ids = [job.id for job in choose_batch(order, self._settings.batch)]
            now = time.time()
            jobs = [session.get_one(Generation, id) for id in ids]
            for job in jobs:
                job.status, job.worker, job.attempt = "running", self.worker, job.attempt + 1
                job.lease_until = now + self._settings.lease_seconds
                job.started_at = now
                job.timings = job.timings | {"queue": round(now - job.created_at, 4)}
            session.execute(update(Owner).where(Owner.id.in_({j.owner_id for j in jobs})).values(served_at=now))
            return jobs

    def renew(self, jobs: Iterable[Generation]) -> None:
        """Keep the leases of what is being drawn."""
        ids = [job.id for job in jobs]
        if ids:
            with self._database.write() as session:
                mine = (Generation.id.in_(ids), Generation.status == "running", Generation.worker == self.worker)
                lease = time.time() + self._settings.lease_seconds
                session.execute(update(Generation).where(*mine).values(lease_until=lease))

    def still_running(self, jobs: Sequence[Generation]) -> set[str]:
        """The ids of those jobs that are still this worker's (not cancelled, not deleted, not taken away)."""
        with self._database.read() as session:
            query = select(Generation.id, Generation.attempt).where(
                Generation.id.in_([job.id for job in jobs]), Generation.status == "running",
                Generation.worker == self.worker,
            )  # fmt: skip
            attempts = {job.id: job.attempt for job in jobs}
            return {id for id, attempt in session.execute(query) if attempts[id] == attempt}

    def report(self, job_ids: Iterable[str], progress: dict, previews: Mapping[str, Sequence[bytes]]) -> None:
        """Write one step of a batch: progress, event and the pictures so far."""
        with self._database.write() as session:
            mine = (Generation.id.in_(list(job_ids)), Generation.status == "running", Generation.worker == self.worker)
            for job in session.scalars(select(Generation).where(*mine)):
                pictures = previews.get(job.id, ())
                shown = len(pictures) or (job.progress or {}).get("previews", 0)
                version = progress["done"] if pictures else (job.progress or {}).get("version", 0)
                job.progress = progress | {"previews": shown, "version": version}
                for position, data in enumerate(pictures):
                    session.merge(Preview(generation_id=job.id, position=position, data=data))
                events.append(session, job.id, "progress", job.progress)

    def own(self, session: Session, job: Generation) -> Generation | None:
        """The row of a job if this worker may still end it, in a writing session."""
        row = session.get(Generation, job.id)
        mine = row and row.status == "running" and row.worker == self.worker and row.attempt == job.attempt
        return row if mine else None

    def fail(self, job: Generation, code: str, **values: object) -> bool:
        """End a job as failed; False when it was no longer ours to end."""
        with self._database.write() as session:
            row = self.own(session, job)
            if row is None:
                return False
            end(session, row, "failed", {"code": code, "values": {k: str(v) for k, v in values.items()}})
            return True

    def give_back(self, jobs: Iterable[Generation]) -> None:
        """Let jobs wait again without counting an attempt: this worker is stopping."""
        with self._database.write() as session:
            for job in jobs:
                if row := self.own(session, job):
                    row.attempt -= 1
                    requeue(session, row)


def take_back(session: Session, dead_worker: str | None = None) -> int:
    """Let the jobs of a dead worker, or those with a lease run out, wait again; the third time they fail."""
    lost = Generation.worker == dead_worker if dead_worker else Generation.lease_until < time.time()
    rows = list(session.scalars(select(Generation).where(Generation.status == "running", lost)))
    for row in rows:
        logger.warning("job %s lost its worker in attempt %d", row.id, row.attempt)
        if row.attempt >= MAX_ATTEMPTS:
            end(session, row, "failed", {"code": "worker_died"})
        else:
            requeue(session, row)
    return len(rows)


def requeue(session: Session, row: Generation) -> None:
    """Put a running job back, to be drawn from its beginning with the same seed."""
    row.status, row.worker, row.lease_until, row.progress = "queued", None, None, None
    session.execute(delete(Preview).where(Preview.generation_id == row.id))
    events.append(session, row.id, "queued")


def end(session: Session, row: Generation, status: str, error: dict | None = None) -> None:
    """Bring a job to its one end state. Raises ValueError if it has one."""
    if row.status in ENDED:
        raise ValueError(f"job {row.id} has ended as {row.status}, it cannot become {status}")
    row.status, row.error, row.finished_at = status, error, time.time()
    row.worker = row.lease_until = row.progress = None
    session.execute(delete(Preview).where(Preview.generation_id == row.id))
    events.drop_progress(session, row.id)
    if status == "succeeded":
        images = select(Image.id).where(Image.generation_id == row.id).order_by(Image.position)
        for image_id in session.scalars(images):
            events.append(session, row.id, "image", {"id": image_id})
    events.append(session, row.id, {"succeeded": "done"}.get(status, status))
