"""Server-sent events of a generation: replayed from rows, woken by the watcher, never more than the cap at once."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator

from demo.queue import events
from demo.queue.events import END, Watcher
from demo.store.errors import ServiceError, stored_error
from demo.store.tables import ENDED, Event, Generation, Image
from demo.studio.generations import Generations
from demo.studio.visibility import Viewer
from demo.web import present

HEARTBEAT = 10.0
LOOK_AGAIN = 1.0  # how often a waiting stream asks for its place in the queue


class Streams:
    """Opens streams and counts them."""

    def __init__(self, generations: Generations, watcher: Watcher, most: int) -> None:
        self._generations, self._watcher, self._most = generations, watcher, most
        self._open = 0
        self._lock = threading.Lock()

    @property
    def open(self) -> int:
        return self._open

    def stream(self, viewer: Viewer, generation_id: str, last_seq: int) -> Iterator[str] | None:
        """The text of a stream after event `last_seq`; None when nothing will ever come. Raises ServiceError."""
        row = self._generations.get(viewer, generation_id, own=True)
        if row.status in ENDED and not self._events(generation_id, last_seq):
            return None
        with self._lock:
            if self._open >= self._most:
                raise ServiceError("too_many_streams")
            self._open += 1
        return _Counted(self._tell(viewer, row, last_seq), self._leave)

    def _leave(self) -> None:
        with self._lock:
            self._open -= 1

    def _events(self, generation_id: str, seq: int) -> list[Event]:
        with self._generations.database.read() as session:
            return events.since(session, generation_id, seq)

    def _tell(self, viewer: Viewer, row: Generation, seq: int) -> Iterator[str]:
        yield "retry: 2000\n\n"
        self._watcher.listen()
        try:
            yield from self._tell_until_end(viewer, row.id, seq)
        finally:
            self._watcher.leave()

    def _tell_until_end(self, viewer: Viewer, id: str, seq: int) -> Iterator[str]:
        place, beat = None, time.monotonic()
        while not self._watcher.closed:
            for event in _latest_progress_only(self._events(id, seq)):
                yield self._text(viewer, event)
                seq, beat = event.seq, time.monotonic()
                if event.kind in END:
                    return
            row = self._row(id)
            if row is None:  # deleted meanwhile
                yield _event("cancelled", {"status": "cancelled"})
                return
            if row.status == "queued" and (now := self._generations.position(row)) != place:
                if place is not None:
                    yield _event("queued", {"status": "queued", "position": now})
                place = now
            if time.monotonic() - beat >= HEARTBEAT:
                yield ": ok\n\n"
                beat = time.monotonic()
            self._watcher.wait(id, seq, LOOK_AGAIN)

    def _row(self, id: str) -> Generation | None:
        with self._generations.database.read() as session:
            return session.get(Generation, id)

    def _text(self, viewer: Viewer, event: Event) -> str:
        row = self._row(event.generation_id)
        if row is None:
            return ": gone\n\n"
        if event.kind == "queued":
            data: dict = {"status": "queued", "position": self._generations.position(row) or 0}
        elif event.kind == "progress":
            data = {"status": "running"} | (present.progress(row.id, event.data) or {})
        elif event.kind == "image":
            data = self._image(event.data["id"])
        elif event.kind == "done":
            data = present.generation(self._generations.show(row, viewer))
        elif event.kind == "failed":
            data = {"status": "failed", "error": stored_error(row.error)}
        else:
            data = {"status": event.kind}
        return _event(event.kind, data, event.seq)

    def _image(self, id: str) -> dict:
        with self._generations.database.read() as session:
            row = session.get(Image, id)
            return present.image(row) if row else {"id": id}


class _Counted:
    """A stream that gives its place back when it ends or is closed, begun or not."""

    def __init__(self, text: Iterator[str], leave: object) -> None:
        self._text, self._leave, self._left = text, leave, False

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> str:
        try:
            return next(self._text)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if not self._left:
            self._left = True
            self._text.close()
            self._leave()


def _latest_progress_only(rows: list[Event]) -> list[Event]:
    last = max((event.seq for event in rows if event.kind == "progress"), default=None)
    return [event for event in rows if event.kind != "progress" or event.seq == last]


def _event(kind: str, data: dict, seq: int | None = None) -> str:
    head = f"id: {seq}\n" if seq is not None else ""
    return f"{head}event: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
