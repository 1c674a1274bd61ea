"""What happens to a generation, as numbered rows that streams replay, and one reader that hands them to all streams.

A client sees `number`, which counts within its generation alone; `seq` counts everybody's events and stays inside.
The reader is one thread that asks the database for news while anybody listens: ten times a second, or whenever another
process says that there are some (relay.py).
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import delete, func, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from demo.queue.relay import NoRelay, Relay
from demo.store.database import NEWS, Database
from demo.store.tables import Event, Generation

logger = logging.getLogger(__name__)
TICK_SECONDS = 1.0
LEAST_SECONDS = 0.02  # between two looks, however much others write
LATE = 100  # PostgreSQL numbers rows before they commit: so many numbers back are looked at again
Hear = Callable[[Sequence[Event]], None]
Entry = tuple[str, dict[str, Any]]  # what kind of event, and what it tells


def append(session: Session, generation_id: str, *entries: Entry, **columns: object) -> None:
    """Add events in the caller's transaction, under the generation's next numbers; `columns` of its row change with
    that in one statement.
    """
    count = Generation.event_count + len(entries)
    counting = update(Generation).where(Generation.id == generation_id).values(event_count=count, **columns)
    counting = counting.returning(Generation.event_count).execution_options(synchronize_session=False)
    last = session.scalar(counting) or len(entries)
    session.info[NEWS] = True
    session.add_all(
        Event(generation_id=generation_id, number=number, kind=kind, data=data)
        for number, (kind, data) in enumerate(entries, last - len(entries) + 1)
    )


def begin(session: Session, generation_id: str, kind: str) -> int:
    """Add the first event of a new generation in the caller's transaction; returns its number, for the new row."""
    session.add(Event(generation_id=generation_id, number=1, kind=kind, data={}))
    session.info[NEWS] = True
    return 1


def since(session: Session, generation_id: str, number: int) -> list[Event]:
    """Events of a generation after `number`, in order."""
    query = select(Event).where(Event.generation_id == generation_id, Event.number > number).order_by(Event.number)
    return list(session.scalars(query))


def drop_progress(session: Session, generation_id: str) -> None:
    """Forget the steps of a job that has ended."""
    session.execute(delete(Event).where(Event.generation_id == generation_id, Event.kind == "progress"))


class Watcher:
    """Tells whoever listens for a generation the rows that were written about it, by whatever process.

    `tick`, if set, is called about once a second with the ids that are listened for.
    """

    def __init__(self, database: Database, relay: Relay | None = None) -> None:
        self._database, self._relay = database, relay or NoRelay()
        self._news = False
        self._condition = threading.Condition()
        self._listeners: dict[str, list[Hear]] = {}
        self._seq = 0
        self._late = 0 if database.engine.dialect.name == "sqlite" else LATE
        self._thread: threading.Thread | None = None
        self._closed = False
        self.tick: Callable[[Sequence[str]], None] = lambda _ids: None

    def listen(self, generation_id: str, hear: Hear) -> None:
        """Hand every event that is written from now on to `hear`, in the reader's thread; it must not block.

        Rows may come twice. Call `leave` at the end.
        """
        with self._condition:
            if not self._listeners:
                self._seq = self._newest()
            self._listeners.setdefault(generation_id, []).append(hear)
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._watch, name="events", daemon=True)
                self._thread.start()
                self._relay.subscribe(self._hear_of_news)
            self._condition.notify_all()

    def leave(self, generation_id: str, hear: Hear) -> None:
        with self._condition:
            listeners = self._listeners.get(generation_id, [])
            if hear in listeners:
                listeners.remove(hear)
            if not listeners:
                self._listeners.pop(generation_id, None)

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
        due = 0.0
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._closed or self._listeners)
                self._condition.wait_for(lambda: self._closed or self._news, timeout=self._relay.look_seconds)
                if self._closed:
                    return
                told, self._news = self._news, False
                ids = list(self._listeners)
            if told:
                time.sleep(LEAST_SECONDS)
            try:
                self._look()
                if time.monotonic() >= due:
                    due = time.monotonic() + TICK_SECONDS
                    self.tick(ids)
            except SQLAlchemyError as error:
                logger.warning("cannot look for events: %s", type(error).__name__)
            except Exception:
                logger.exception("an event could not be handed on")

    def _hear_of_news(self) -> None:
        with self._condition:
            self._news = True
            self._condition.notify_all()

    def _look(self) -> None:
        with self._database.look() as session:
            rows = session.scalars(select(Event).where(Event.seq > self._seq - self._late).order_by(Event.seq)).all()
        by_generation: dict[str, list[Event]] = {}
        for row in rows:
            by_generation.setdefault(row.generation_id, []).append(row)
        with self._condition:
            hearers = [(hear, by_generation[id]) for id in by_generation for hear in self._listeners.get(id, ())]
        self._seq = max([self._seq, *(row.seq for row in rows)])
        for hear, news in hearers:
            hear(news)

    def _newest(self) -> int:
        with self._database.look() as session:
            return session.scalar(select(func.coalesce(func.max(Event.seq), 0))) or 0
