"""An answer that is there once its jobs have ended: the server's event loop waits for it, without a thread.

Under a server that has no such loop (tests, any WSGI server) the thread of the request waits. Who hangs up meanwhile
cancels the jobs: nobody would fetch the pictures.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence

from flask import Response, request

from demo.store.errors import ServiceError, from_failure, language, set_language
from demo.store.tables import Event
from demo.studio.visibility import Viewer
from demo.web.current import services, streams, viewer
from demo.web.problems import Dialect, problem
from demo.web.streams import LATER, PUSH, EventWording, Stream

logger = logging.getLogger(__name__)


class Silence:
    """Says nothing: for an answer in one piece."""

    first = ""

    def event(self, _viewer: Viewer, _event: Event) -> str | None:
        return ""

    def place(self, _place: int | None, _number: int) -> str:
        return ""

    def gone(self, _number: int) -> str:
        return ""


class Followed:
    """Jobs of one request, in order, followed to their ends."""

    def __init__(self, generation_ids: Sequence[str], wording: EventWording) -> None:
        self.services, self.viewer, self._language = services(), viewer(), language()
        self._ids, self._ended = generation_ids, False
        self._streams: list[Stream] = []
        try:
            for id in generation_ids:
                stream = streams().stream(self.viewer, id, 0, wording)
                self._streams += [stream] if stream is not None else []
        except BaseException:
            self.close()
            raise

    async def pushed(self) -> AsyncIterator[str]:
        for stream in self._streams:
            async for text in stream.pushed():
                yield text
        self._ended = True

    def __iter__(self) -> Iterator[str]:
        for stream in self._streams:
            yield from stream
        self._ended = True

    def close(self) -> None:
        """Give the places back; what has not ended is cancelled, since nobody waits for it any more."""
        for stream in self._streams:
            stream.close()
        if not self._ended:
            self._ended = True
            try:
                asyncio.get_running_loop().run_in_executor(None, self.cancel)
            except RuntimeError:  # no loop: a thread of its own
                self.cancel()

    def cancel(self) -> None:
        for id in self._ids:
            with contextlib.suppress(ServiceError):
                self.services.generations.cancel(self.viewer, id)

    def made(self, make: Callable[[], Response], dialect: Dialect | None) -> Response:
        """What `make` answers, or the refusal that it comes to."""
        set_language(self._language)
        try:
            return make()
        except Exception as error:
            known = from_failure(error)
            if known is None:
                logger.exception("an answer could not be made")
            refused = problem(known or ServiceError("internal"), dialect)
            if refused.status_code != 503:  # OpenAI's clients ask again after 409 and 500: but it was drawn, and ended
                refused.headers["x-should-retry"] = "false"
            return refused


class AnswerLater:
    """The answer in one piece (`demo.web.bridge.Later`)."""

    def __init__(self, waiting: Followed, make: Callable[[], Response], dialect: Dialect | None) -> None:
        self._waiting, self._make, self._dialect = waiting, make, dialect

    async def ended(self, gone: Callable[[], bool]) -> bool:
        async for _ in self._waiting.pushed():
            if gone():
                return False
        return True

    def answer(self) -> Response:
        return self._waiting.made(self._make, self._dialect)

    def block(self) -> Response:
        """The answer, waited for in this thread."""
        try:
            for _ in self._waiting:
                pass
            return self.answer()
        finally:
            self.close()

    def close(self) -> None:
        self._waiting.close()


class EventsThenAnswer:
    """The answer as events (`demo.web.bridge.Push`): those of the wording, then what `last` gives."""

    def __init__(self, waiting: Followed, last: Callable[[], str]) -> None:
        self._waiting, self._last = waiting, last

    async def pushed(self) -> AsyncIterator[str]:
        async for text in self._waiting.pushed():
            yield text
        yield await asyncio.get_running_loop().run_in_executor(None, self._last)

    def __iter__(self) -> Iterator[str]:
        yield from self._waiting
        yield self._last()

    def close(self) -> None:
        self._waiting.close()


def answer_later(generation_ids: Sequence[str], make: Callable[[], Response], dialect: Dialect | None) -> Response:
    """The response of a view whose jobs have to end first; `make` runs outside of the request."""
    later = AnswerLater(Followed(generation_ids, Silence()), make, dialect)
    if (left := request.environ.get(LATER)) is None:
        return later.block()
    left.append(later)
    return Response(status=200)


def events_later(waiting: Followed, last: Callable[[], str]) -> Response:
    """The same as server-sent events."""
    stream = EventsThenAnswer(waiting, last)
    pushed = request.environ.get(PUSH)
    if pushed is not None:
        pushed.append(stream)
    headers = {"X-Accel-Buffering": "no", "Cache-Control": "no-store"}
    response = Response(iter(()) if pushed is not None else iter(stream), mimetype="text/event-stream", headers=headers)
    if pushed is None:
        response.call_on_close(stream.close)
    return response
