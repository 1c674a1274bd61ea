"""Jobs: rows that wait, run under a lease, and end exactly once.

queued → running → succeeded | failed | cancelled. A worker claims in a fair order (fairness.py), renews its lease while
it draws (leases.py), and may only end a job that is still its own (same worker, same attempt). What a dead worker held
waits again with the same seed, at most three attempts in all.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Select, Text, bindparam, delete, func, select, update
from sqlalchemy.orm import Session

from demo.queue import events
from demo.queue.fairness import QueueLimits, Waiting, choose_batch, fair_order
from demo.queue.relay import NoRelay, Relay
from demo.queue.weights import Weights
from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import ENDED, Generation, Image, Owner, Preview, next_turn

logger = logging.getLogger(__name__)
MAX_ATTEMPTS = 3
REMEMBERED = 4  # waiting jobs of an address that remember when it was served: some may be cancelled


@cache
def _waiting() -> Select[*tuple[Any, ...]]:
    """Built once: it is asked for at every place in the queue that is told."""
    return (
        select(Generation.id, Generation.owner_id, Generation.turn, Generation.n, Generation.batch_key,
               Generation.attempt, Generation.address, Generation.address_turn, Generation.weights, Owner.served_turn)
        .join(Owner, Owner.id == Generation.owner_id).where(Generation.status == "queued")
        .order_by(Generation.turn, Generation.created_at, Generation.id)
    )  # fmt: skip


@cache
def _open_jobs() -> Select[*tuple[Any, ...]]:
    """What the limits ask of the jobs that wait or run, for one owner and one address."""
    queued, mine = Generation.status == "queued", Generation.owner_id == bindparam("owner")
    near = Generation.address == bindparam("address", type_=Text)
    return select(
        func.count().filter(queued).label("waiting"),
        func.count().filter(mine).label("mine_open"),
        func.count().filter(mine, queued).label("mine_waiting"),
        func.count().filter(near, queued).label("near"),
        func.max(Generation.address_turn).filter(near).label("address_turn"),
    ).where(Generation.status.in_(("queued", "running")))


def queue_order(session: Session) -> list[Waiting]:
    """Every waiting job in the order in which they will begin, as far as it is known now."""
    rows = session.execute(_waiting()).all()
    return fair_order([Waiting(*row[:-1]) for row in rows], {row.owner_id: row.served_turn for row in rows})


class Place(NamedTuple):
    """Where a new job stands: its turn, the keyed hash of its address, the turn in which one of that last began."""

    turn: int
    address: str | None
    address_turn: int


def admit(session: Session, settings: Settings, owner_id: str, address: str | None = None) -> Place:
    """The place of a new job. Raises ServiceError queue_full, too_many_jobs, address_full.

    `address`: a keyed hash of where it comes from.
    """
    turn = next_turn(session)  # first: whoever is admitted at the same time waits until this is counted
    found = session.execute(_open_jobs(), {"owner": owner_id, "address": address}).one()
    limits = QueueLimits(settings.queue, settings.jobs_per_owner, settings.address_share)
    refusal = limits.refusal(found.waiting, found.mine_open, found.mine_waiting, found.near)
    if refusal is not None:
        later = min(60, 5 + found.waiting // 10) if refusal != "too_many_jobs" else None
        raise ServiceError(refusal, retry_after=later)
    return Place(turn, address, found.address_turn or 0)


def line_up(session: Session, row: Generation, place: Place) -> None:
    """Put an admitted job into the queue, in the caller's transaction."""
    row.turn, row.address, row.address_turn = place.turn, place.address, place.address_turn
    session.add(row)
    row.event_count = events.begin(session, row.id, "queued")


class JobQueue:
    """What a worker does with jobs, in short transactions."""

    def __init__(
        self, database: Database, settings: Settings, worker: str, relay: Relay | None = None,
        weights: Weights | None = None,
    ) -> None:  # fmt: skip
        self._database, self._settings, self.worker = database, settings, worker
        self._relay, self._weights = relay or NoRelay(), weights
        self.usual_guidance: float | None = None  # of the checkpoint, once it is known
        self.row_guidance = 1.0  # at which a picture takes one row of its network, not two
        self._took = False  # whether the last claim had jobs: then more wait, as a rule, and nobody looks first

    def claim(self) -> list[Generation]:
        """Take the next batch: same batch key, at most `batch` pictures, twice as many of those that take one row of
        the network each (guidance scales other than its own take two); empty when nothing waits.
        """
        if not self._took and not self.any_waits():
            return []
        self._took = False
        with self._database.write() as session:
            turn = next_turn(session)  # first: another worker that claims waits until this is committed
            taken = self._weights.taken() if self._weights else None
            order = [job for job in queue_order(session) if taken is None or job.weights in taken]
            if not order:
                return []
            head = session.get_one(Generation, order[0].id, with_for_update=True)
            batch = choose_batch(order, self._most_pictures(head))
            now = time.time()
            jobs = [head, *(session.get_one(Generation, job.id, with_for_update=True) for job in batch[1:])]
            for job in jobs:
                job.status, job.worker, job.attempt = "running", self.worker, job.attempt + 1
                job.lease_until = now + self._settings.lease_seconds
                job.started_at = now
                job.address_turn = turn if job.address else job.address_turn
                job.timings = job.timings | {"queue": round(max(0.0, now - job.created_at), 4)}
            _note_service(session, jobs, turn)
        self._took = True
        return jobs

    def _most_pictures(self, head: Generation) -> int:
        scale = head.spec.get("guidance_scale") or self.usual_guidance
        one_row = scale is not None and max(scale, 1.0) == self.row_guidance
        return self._settings.batch * (2 if one_row else 1)

    def any_waits(self) -> bool:
        """Whether any job waits that this worker would begin: a look without taking turns with writers."""
        query = select(Generation.id).where(Generation.status == "queued").limit(1)
        if self._weights:
            query = query.where(Generation.weights.in_(self._weights.taken()))
        with self._database.look() as session:
            return session.scalar(query) is not None

    def renew(self, jobs: Iterable[Generation]) -> None:
        """Keep the leases of what is being drawn."""
        ids = [job.id for job in jobs]
        if ids:
            with self._database.write() as session:
                mine = (Generation.id.in_(ids), Generation.status == "running", Generation.worker == self.worker)
                lease = time.time() + self._settings.lease_seconds
                free = select(Generation.id).where(*mine).with_for_update(skip_locked=True)
                session.execute(update(Generation).where(Generation.id.in_(free)).values(lease_until=lease))

    def still_running(self, jobs: Sequence[Generation]) -> set[str]:
        """The ids of those jobs that are still this worker's (not cancelled, not deleted, not taken away)."""
        with self._database.look() as session:
            query = select(Generation.id, Generation.attempt).where(
                Generation.id.in_([job.id for job in jobs]), Generation.status == "running",
                Generation.worker == self.worker,
            )  # fmt: skip
            attempts = {job.id: job.attempt for job in jobs}
            return {id for id, attempt in session.execute(query) if attempts[id] == attempt}

    def report(
        self, job_ids: Iterable[str], progress: dict[str, Any], previews: Mapping[str, Sequence[bytes]]
    ) -> set[str]:  # fmt: skip
        """Write one step of a batch: progress, event and the pictures so far. Returns the ids of those jobs that are
        still this worker's, but for one that somebody else is just changing.
        """
        relayed = {id for id, pictures in previews.items() if pictures and self._relay.keep_previews(id, pictures)}
        with self._database.write() as session:
            mine = (Generation.id.in_(list(job_ids)), Generation.status == "running", Generation.worker == self.worker)
            free = select(Generation.id, Generation.progress).where(*mine)
            rows = session.execute(free.with_for_update(skip_locked=True)).all()  # waits for nobody: no deadlock
            for id, before in rows:
                pictures, before = previews.get(id, ()), before or {}
                shown = len(pictures) or before.get("previews", 0)
                version = progress["done"] if pictures else before.get("version", 0)
                told = progress | {"previews": shown, "version": version}
                for position, data in enumerate(pictures if id not in relayed else ()):
                    session.merge(Preview(generation_id=id, position=position, data=data))
                events.append(session, id, ("progress", told), progress=told)
            return {id for id, _ in rows}

    def own(self, session: Session, job: Generation) -> Generation | None:
        """The row of a job if this worker may still end it, in a writing session."""
        row = session.get(Generation, job.id, with_for_update=True)
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

    def try_again(self, jobs: Iterable[Generation]) -> None:
        """Let jobs wait again after a failure that is nobody's fault; the third time they fail."""
        with self._database.write() as session:
            for job in jobs:
                if (row := self.own(session, job)) and row.attempt >= MAX_ATTEMPTS:
                    end(session, row, "failed", {"code": "database_busy"})
                elif row:
                    requeue(session, row)


def _note_service(session: Session, jobs: Sequence[Generation], turn: int) -> None:
    """Write down when these people and addresses were served; of addresses a few waiting jobs remember it, as the
    order takes the latest turn of all of them.
    """
    session.execute(update(Owner).where(Owner.id.in_({job.owner_id for job in jobs})).values(served_turn=turn))
    for address in {job.address for job in jobs if job.address}:
        next_ones = (
            select(Generation.id).where(Generation.address == address, Generation.status == "queued")
            .order_by(Generation.turn).limit(REMEMBERED)
        )  # fmt: skip
        session.execute(update(Generation).where(Generation.id.in_(next_ones)).values(address_turn=turn))


def take_back(session: Session, dead_worker: str) -> int:
    """Let the jobs of a dead worker wait again; the third time they fail. Returns how many there were."""
    mine = (Generation.status == "running", Generation.worker == dead_worker)
    columns = (Generation.id, Generation.worker, Generation.attempt, Generation.lease_until)
    return sum(lose(session, *row) for row in session.execute(select(*columns).where(*mine)).all())


def lose(session: Session, id: str, worker: str | None, attempt: int, lease: float | None) -> bool:
    """Take a job from a worker, if it is as it was seen: same worker, attempt and lease; the third time it fails. One
    that somebody is just changing is left to the next look: whoever hangs there must not keep all others waiting.
    """
    row = session.get(Generation, id, with_for_update={"skip_locked": True}, populate_existing=True)
    if row is None or row.status != "running" or (row.worker, row.attempt, row.lease_until) != (worker, attempt, lease):
        return False
    logger.warning("job %s lost its worker %s in attempt %d", row.id, worker, attempt)
    if row.attempt >= MAX_ATTEMPTS:
        end(session, row, "failed", {"code": "worker_died"})
    else:
        requeue(session, row)
    return True


def requeue(session: Session, row: Generation) -> None:
    """Put a running job back, to be drawn from its beginning with the same seed."""
    row.status, row.worker, row.lease_until, row.progress = "queued", None, None, None
    session.execute(delete(Preview).where(Preview.generation_id == row.id))
    events.append(session, row.id, ("queued", {}))


def end(session: Session, row: Generation, status: str, error: dict[str, Any] | None = None) -> None:
    """Bring a job to its one end state. Raises ValueError if it has one."""
    if row.status in ENDED:
        raise ValueError(f"job {row.id} has ended as {row.status}, it cannot become {status}")
    row.status, row.error, row.finished_at = status, error, time.time()
    row.worker = row.lease_until = row.progress = row.address = None
    session.execute(delete(Preview).where(Preview.generation_id == row.id))
    events.drop_progress(session, row.id)
    entries: list[events.Entry] = []
    if status == "succeeded":
        images = select(Image.id).where(Image.generation_id == row.id).order_by(Image.position)
        entries += (("image", {"id": image_id}) for image_id in session.scalars(images))
    events.append(session, row.id, *entries, ({"succeeded": "done"}.get(status, status), {}))
