"""What happens to a generation, as rows that streams replay, and a watcher that wakes the streams.

The watcher is one thread that asks the database for news ten times a second while anybody listens; a stream then reads
its own generation's rows, so nothing is lost between processes.
"""

from __future__ import annotations

import logging
import threading

from sqlalchemy import delete, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.tables import Event

logger = logging.getLogger(__name__)
INTERVAL = 0.1
MOST_KNOWN = 10_000
END = ("done", "failed", "cancelled")


def append(session: Session, generation_id: str, kind: str, data: dict | None = None) -> None:
    """Add one event in the caller's transaction."""
    session.add(Event(generation_id=generation_id, kind=kind, data=data or {}))


def since(session: Session, generation_id: str, seq: int) -> list[Event]:
    """Events of a generation after `seq`, in order."""
    query = select(Event).where(Event.generation_id == generation_id, Event.seq > seq).order_by(Event.seq)
    return list(session.scalars(query))


def drop_progress(session: Session, generation_id: str) -> None:
    """Forget the steps of a job that has ended."""
    session.execute(delete(Event).where(Event.generation_id == generation_id, Event.kind == "progress"))


class Watcher:
    """Wakes whoever listens for a generation when a row about it was written, by whatever process."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._condition = threading.Condition()
        self._newest: dict[str, int] = {}  # generation -> newest seq seen
        self._listeners = 0
        self._thread: threading.Thread | None = None
        self._closed = False

    def listen(self) -> None:
        """Say that a stream begins; call `leave` when it ends."""
        with self._condition:
            self._listeners += 1
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="events", daemon=True)
                self._thread.start()
            self._condition.notify_all()

    def leave(self) -> None:
        with self._condition:
            self._listeners -= 1
            if self._listeners == 0:
                self._newest.clear()

    def wait(self, generation_id: str, seq: int, timeout: float) -> bool:
        """Wait until the generation has an event after `seq`; False after `timeout` seconds without one."""
        with self._condition:
            return self._condition.wait_for(
                lambda: self._closed or self._newest.get(generation_id, 0) > seq, timeout=timeout
            )

    def close(self) -> None:
        with self._condition:
            self._closed = True
            self._condition.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=2)

    @property
    def closed(self) -> bool:
        return self._closed

    def _watch(self) -> None:
        seq: int | None = None
        while True:
            with self._condition:
                if not self._closed and self._listeners == 0:
                    seq = None
                    self._condition.wait_for(lambda: self._closed or self._listeners > 0)
                self._condition.wait_for(lambda: self._closed, timeout=INTERVAL)
                if self._closed:
                    return
            try:
                seq = self._look(seq)
            except SQLAlchemyError as error:
                logger.warning("cannot look for events: %s", error)

    def _look(self, seq: int | None) -> int:
        with self._database.read() as session:
            if seq is None:
                return session.scalar(select(func.coalesce(func.max(Event.seq), 0))) or 0
            rows = session.execute(select(Event.generation_id, Event.seq).where(Event.seq > seq)).all()
        if rows:
            with self._condition:
                for generation_id, number in rows:
                    self._newest[generation_id] = max(number, self._newest.get(generation_id, 0))
                if len(self._newest) > MOST_KNOWN:  # who misses a wake-up looks again by itself
                    self._newest.clear()
                self._condition.notify_all()
            return max(number for _, number in rows)
        return seq
