"""Server-sent events of a generation: replayed from rows, then pushed by the one reader of events.

A stream is an object without a thread: `pushed` serves it from an event loop, iterating from a thread (tests, any
WSGI server).
"""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Protocol

from sqlalchemy import select

from demo.store.errors import ServiceError, language, set_language, stored_error
from demo.store.tables import END_EVENTS, ENDED, Event, Generation, Image
from demo.studio.generations import Generations
from demo.studio.visibility import Viewer
from demo.web import present

HEARTBEAT = 10.0
PUSH = "studio.push"  # where a view leaves a stream for the server's event loop: environ[PUSH].append(stream)
LATER = "studio.later"  # where a view leaves an answer that is there once its jobs have ended, likewise


class EventWatcher(Protocol):
    """What `demo.queue.events.Watcher` gives: new rows, handed to whoever listens for a generation."""

    tick: Callable[[Sequence[str]], None]

    @property
    def closed(self) -> bool: ...

    def listen(self, generation_id: str, hear: Callable[[Sequence[Event]], None]) -> None: ...

    def leave(self, generation_id: str, hear: Callable[[Sequence[Event]], None]) -> None: ...


class EventWording(Protocol):
    """How a stream says what happens: text to send, "" for nothing, None where the generation is gone."""

    first: str

    def event(self, viewer: Viewer, event: Event) -> str | None: ...

    def place(self, place: int | None, number: int) -> str: ...

    def gone(self, number: int) -> str: ...


class Streams:
    """Opens streams, counts them, and writes their texts: it is itself the wording of /api/v1."""

    first = "retry: 2000\n\n"

    def __init__(self, generations: Generations, watcher: EventWatcher, most: int) -> None:
        self._generations, self._watcher, self._most = generations, watcher, most
        self._lock = threading.Lock()
        self._all: dict[Stream, None] = {}
        watcher.tick = self._tick

    @property
    def open(self) -> int:
        return len(self._all)

    def stream(
        self, viewer: Viewer, generation_id: str, last: int, wording: EventWording | None = None
    ) -> Stream | None:
        """What happens after event number `last`; None when nothing will ever come. Raises ServiceError."""
        row = self._generations.get(viewer, generation_id, own=True)
        if row.status in ENDED and not self._events(generation_id, last):
            return None
        last = min(last, row.event_count)  # a client may bring a number from elsewhere
        stream = Stream(self, viewer, generation_id, last, wording or self)
        with self._lock:
            if len(self._all) >= self._most or self._watcher.closed:
                raise ServiceError("too_many_streams")
            self._all[stream] = None
        try:
            self._watcher.listen(generation_id, stream.hear)  # first, so that nothing falls between this and the rows
            stream.begin(self._events(generation_id, last))
        except BaseException:
            stream.close()
            raise
        return stream

    def leave(self, stream: Stream) -> None:
        self._watcher.leave(stream.generation_id, stream.hear)
        with self._lock:
            self._all.pop(stream, None)

    def close(self) -> None:
        """End every stream: the server stops."""
        with self._lock:
            streams = list(self._all)
        for stream in streams:
            stream.end()

    def event(self, viewer: Viewer, event: Event) -> str | None:
        """One event as text; None when its generation is gone."""
        if event.kind == "progress":  # the most frequent one needs no row
            data: dict | None = {"status": "running"} | (present.progress(event.generation_id, event.data) or {})
        elif event.kind == "queued":
            data = {"status": "queued", "position": self._generations.places.of(event.generation_id)}
        else:
            data = self._ended_text(viewer, event)
        return None if data is None else as_text(event.kind, data, event.number)

    def place(self, place: int | None, number: int) -> str:
        return as_text("queued", {"status": "queued", "position": place}, number)

    def gone(self, number: int) -> str:
        return as_text("cancelled", {"status": "cancelled"}, number)

    def _ended_text(self, viewer: Viewer, event: Event) -> dict | None:
        with self._generations.database.read() as session:
            if event.kind == "image":
                image = session.get(Image, event.data["id"])
                return present.image(image) if image else {"id": event.data["id"]}
            row = session.get(Generation, event.generation_id)
        if row is None:
            return None
        if event.kind == "done":
            return present.generation(self._generations.show(row, viewer))
        if event.kind == "failed":
            return {"status": "failed", "error": stored_error(row.error)}
        return {"status": event.kind}

    def _events(self, generation_id: str, last: int) -> list[Event]:
        return self._generations.events(generation_id, last)

    def _tick(self, ids: Sequence[str]) -> None:
        """Once a second: tell new places in the queue, and end streams whose generation is gone or has ended."""
        with self._generations.database.look() as session:
            found = session.execute(select(Generation.id, Generation.status).where(Generation.id.in_(ids))).all()
        status, asked = dict(found), set(ids)
        with self._lock:
            streams = [stream for stream in self._all if stream.generation_id in asked]
        for stream in streams:
            now = status.get(stream.generation_id)
            if now is None:
                stream.tell_gone()
            elif now == "queued":
                stream.tell_place(self._generations.places.of(stream.generation_id))
            elif now in ENDED:
                stream.hear(self._events(stream.generation_id, stream.last))


class Stream:
    """The texts of one listener, in order, each event once."""

    def __init__(self, streams: Streams, viewer: Viewer, generation_id: str, last: int, wording: EventWording) -> None:
        self.generation_id, self.last = generation_id, last
        self._streams, self._viewer, self._language, self._wording = streams, viewer, language(), wording
        self._condition = threading.Condition(threading.RLock())
        self._early: list[Event] | None = []  # what came before the rows were read
        self._texts = deque[tuple[bool, str]]()  # (is it progress, text)
        if wording.first:
            self._texts.append((False, wording.first))
        self._place: int | None = None
        self._ended = False
        self._wake: Callable[[], None] = lambda: None

    def begin(self, rows: Sequence[Event]) -> None:
        """Tell the rows that were there, then what was heard meanwhile."""
        with self._condition:
            early, self._early = self._early or [], None
            self.hear(sorted([*rows, *early], key=lambda event: event.number))

    def hear(self, rows: Sequence[Event]) -> None:
        """Tell new events; those that were told are passed over."""
        with self._condition:
            if self._early is not None:
                self._early.extend(rows)
                return
            set_language(self._language)
            for event in _latest_progress_only(rows):
                if event.number > self.last and not self._ended:
                    text = self._wording.event(self._viewer, event)
                    self.last = event.number
                    text, ends = (": gone\n\n", True) if text is None else (text, event.kind in END_EVENTS)
                    self.tell(text, ends, event.kind == "progress")

    def tell(self, text: str, ends: bool = False, progress: bool = False) -> None:
        with self._condition:
            if text and progress and self._texts and self._texts[-1][0]:
                self._texts.pop()  # a slow reader needs the newest step only
            if text:
                self._texts.append((progress, text))
            self._ended = self._ended or ends
            self._condition.notify_all()
            self._wake()

    def tell_place(self, place: int) -> None:
        """Tell the place in the queue where it is another than the last one told."""
        with self._condition:
            if self._place is not None and place != self._place and not self._ended:
                self.tell(self._wording.place(place, self.last))
            self._place = place

    def tell_gone(self) -> None:
        """End with what is said of a generation that is not there any more."""
        self.tell(self._wording.gone(self.last), ends=True)

    def end(self) -> None:
        """Let the stream end after what waits to be told."""
        with self._condition:
            self._ended = True
            self._condition.notify_all()
            self._wake()

    def close(self) -> None:
        """Give the place back; more than once is fine."""
        self.end()
        self._streams.leave(self)

    async def pushed(self) -> AsyncIterator[str]:
        """The texts, from an event loop."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()
        with self._condition:
            self._wake = lambda: _set(loop, news)
        while True:
            news.clear()
            texts, ended = self._taken()
            for text in texts:
                yield text
            if ended:
                return
            try:
                await asyncio.wait_for(news.wait(), HEARTBEAT)
            except TimeoutError:
                yield ": ok\n\n"

    def __iter__(self) -> Iterator[str]:
        """The texts, from a thread."""
        beat = time.monotonic() + HEARTBEAT
        while True:
            texts, ended = self._taken()
            yield from texts
            if ended:
                return
            with self._condition:
                self._condition.wait_for(lambda: self._texts or self._ended, timeout=max(0.0, beat - time.monotonic()))
            if time.monotonic() >= beat:
                beat = time.monotonic() + HEARTBEAT
                yield ": ok\n\n"

    def _taken(self) -> tuple[list[str], bool]:
        with self._condition:
            texts = [text for _, text in self._texts]
            self._texts.clear()
            return texts, self._ended


def _set(loop: asyncio.AbstractEventLoop, news: asyncio.Event) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(news.set)


def _latest_progress_only(rows: Sequence[Event]) -> list[Event]:
    last = max((event.number for event in rows if event.kind == "progress"), default=None)
    return [event for event in rows if event.kind != "progress" or event.number == last]


def as_text(kind: str, data: dict, number: int) -> str:
    return f"id: {number}\nevent: {kind}\ndata: {json.dumps(data, ensure_ascii=False)}\n\n"
