"""From uvicorn to Flask: bodies are read and replies written by the event loop, only answering takes a thread.

A request reaches a thread when its body has come whole (on disk beyond 64 KiB), and leaves it before its reply is
sent. Event streams are handed over by the view in the environ and pushed by the loop. Known bridges (a2wsgi, asgiref)
let a thread wait for body or client, so that as many slow clients as there are threads stop the service.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import io
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Protocol
from urllib.parse import unquote_to_bytes

from demo.web.connections import Connection
from demo.web.streams import LATER, PUSH

Environ = dict[str, object]
Application = Callable[[Environ, Callable], Iterable[bytes]]
IN_MEMORY = 64 * 1024  # of a body; the rest of it lies on disk
PIECE = 64 * 1024  # given to the connection at once
TAKEN = 2**20  # of a reply taken from the application before some of it is sent
# Few read, and each write in flight takes the turn of one of them, down to two: threads share one interpreter, a poll
# that waits asks less often, and who draws waits for the 202. (Down to one: polls p99 were 0.24 of commit 7ede1c4's in
# place of 0.08, `benchmarks.service_beside`.) Many write, since what they wait for (the disk, the encoder, the order of
# the queue) is done for all at once.
READERS, LEAST_READERS, WRITERS, HEAVY_WRITERS = 4, 2, 24, 3
HEAVY = 2**20  # bytes that a path allows for a body: what is done with so many takes long
READING = ("GET", "HEAD", "OPTIONS")


class Push(Protocol):
    """A stream that the loop sends: texts as they come, closed at its end whatever happens."""

    def pushed(self) -> AsyncIterator[str]: ...

    def close(self) -> None: ...


class Answered(Protocol):
    """Status, headers (over those of the view) and body of an answer that was waited for."""

    @property
    def status_code(self) -> int: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def data(self) -> bytes: ...


class Later(Protocol):
    """An answer that is there once jobs have ended: no thread waits for them."""

    async def ended(self, gone: Callable[[], bool]) -> bool:
        """Wait; False where the client is `gone`, as it is asked at each sign of life."""
        ...

    def answer(self) -> Answered: ...

    def close(self) -> None: ...


class Reply:
    """What the application answers: status, headers, and its body piece by piece."""

    def __init__(self, application: Application, environ: Environ) -> None:
        self.status, self.headers = 500, list[tuple[bytes, bytes]]()
        self._body = application(environ, self._start)
        self._pieces = iter(self._body)
        self.more = True

    def _start(self, status: str, headers: list[tuple[str, str]], _error: object = None) -> None:
        self.status = int(status.split(" ", 1)[0])
        self.headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]

    def take(self) -> bytes:
        """The next megabyte or what is left; closes the body at its end."""
        taken: list[bytes] = []
        size = 0
        try:
            while size < TAKEN:
                piece = next(self._pieces)
                taken.append(piece)
                size += len(piece)
        except StopIteration:
            self.close()
        return taken[0] if len(taken) == 1 else b"".join(taken)

    def replaced_by(self, answer: Answered) -> bytes:
        """Answer something else, under the headers that the view gave; returns the body."""
        self.close()
        self.status = answer.status_code
        own = {name.lower().encode("latin-1"): value.encode("latin-1") for name, value in answer.headers.items()}
        own[b"content-length"] = str(len(answer.data)).encode()
        self.headers = [pair for pair in self.headers if pair[0] not in own] + list(own.items())
        return answer.data

    def close(self) -> None:
        self.more = False
        if (close := getattr(self._body, "close", None)) is not None:
            close()


class Turns:
    """Who may be answered at once; used by the event loop alone. Writes always may, reads in the order they came."""

    def __init__(self, readers: int) -> None:
        self._readers, self._reading, self._writing = readers, 0, 0
        self._waiting = deque[asyncio.Future[None]]()

    @contextlib.asynccontextmanager
    async def take(self, reads: bool) -> AsyncIterator[None]:
        """Hold a turn for the body of `async with`."""
        if not reads:
            self._writing += 1
        elif self._waiting or not self._free():
            await self._wait()
        else:
            self._reading += 1
        try:
            yield
        finally:
            self._leave(reads)

    def _free(self) -> bool:
        return self._reading < max(LEAST_READERS, self._readers - self._writing)

    async def _wait(self) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # it had just been given
                self._leave(reads=True)
            raise

    def _leave(self, reads: bool) -> None:
        if reads:
            self._reading -= 1
        else:
            self._writing -= 1
        while self._waiting and self._free():
            turn = self._waiting.popleft()
            if not turn.done():
                self._reading += 1
                turn.set_result(None)


class Bridge:
    """The ASGI application around a WSGI one. `body_limit(path)` gives the bytes that are read of a body."""

    def __init__(self, application: Application, body_limit: Callable[[str], int], folder: Path) -> None:
        self._application, self._body_limit, self._folder = application, body_limit, folder
        self._readers = ThreadPoolExecutor(READERS, "reader")  # so that who only asks never waits behind who draws
        self._writers = ThreadPoolExecutor(WRITERS, "writer")
        self._heavy = ThreadPoolExecutor(HEAVY_WRITERS, "heavy")  # nor who writes behind a queue of uploads
        self._turns = Turns(READERS)

    def close(self, seconds: float) -> bool:
        """Take no more requests; False where one still runs after so many seconds."""
        deadline, threads = time.monotonic() + seconds, list[threading.Thread]()
        for pool in (self._readers, self._writers, self._heavy):
            threads += pool._threads
            pool.shutdown(wait=False, cancel_futures=True)
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        connection: Connection = scope["extensions"]["studio"]["connection"]
        environ = _environ(scope)
        with tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(self._folder)) as body:
            whole = await self._read(environ, body, receive, connection)
            connection.body_held = 0
            if whole is None:
                return
            if not whole and scope["method"] not in READING and _expects(scope):
                send = _closing(send)  # it was not told to go on, so its body may or may not come
            environ["wsgi.input"] = body
            await self._answer(environ, scope, send, connection)

    async def _read(self, environ: Environ, body: IO[bytes], receive: Callable, connection: Connection) -> bool | None:
        """Collect the body; False where it is longer than allowed (Flask sees the length, and refuses), None: gone."""
        limit, length = self._body_limit(str(environ["PATH_INFO"])), 0
        if int(str(environ.get("CONTENT_LENGTH") or 0)) > limit:
            return False
        if "CONTENT_LENGTH" not in environ and "HTTP_TRANSFER_ENCODING" not in environ:
            return True
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            piece = message["body"]
            body.write(piece)
            length += len(piece)
            connection.body_held = length if length > IN_MEMORY else 0
            if length > limit or not message["more_body"]:
                break
        environ["CONTENT_LENGTH"] = str(length)
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        body.seek(0)
        return length <= limit

    def _pool(self, path: str, method: str) -> ThreadPoolExecutor:
        if method in READING:
            return self._readers
        return self._heavy if self._body_limit(path) >= HEAVY else self._writers

    async def _answer(self, environ: Environ, scope: dict, send: Callable, connection: Connection) -> None:
        pool = self._pool(str(environ["PATH_INFO"]), scope["method"])
        in_thread = functools.partial(asyncio.get_running_loop().run_in_executor, pool)
        environ[PUSH], environ[LATER] = pushed, later = list[Push](), list[Later]()
        try:
            async with self._turns.take(reads=scope["method"] in READING):
                reply, first = await in_thread(_begin, self._application, environ)
            if later and reply.status == 200:
                if not await later[0].ended(lambda: connection.gone):
                    return
                first = reply.replaced_by(await in_thread(later[0].answer))
            await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
            if pushed and reply.status == 200 and scope["method"] != "HEAD":
                await _push(pushed[0], send, connection)
            else:
                await _send_all(reply, first, send, connection, in_thread)
        finally:
            for stream in pushed:
                stream.close()
            for answer in later:
                answer.close()


def _begin(application: Application, environ: Environ) -> tuple[Reply, bytes]:
    reply = Reply(application, environ)
    return reply, reply.take()


async def _send_all(
    reply: Reply, piece: bytes, send: Callable, connection: Connection, in_thread: Callable[..., Awaitable]
) -> None:
    """Send a body in pieces, each when the client has read enough of those before it."""
    try:
        while True:
            connection.reply_held = len(piece)
            for start in range(0, len(piece), PIECE):
                part = piece[start : start + PIECE]
                last = not reply.more and start + PIECE >= len(piece)
                connection.count_sent(len(part))
                await send({"type": "http.response.body", "body": part, "more_body": not last})
                if last or connection.gone:
                    return
            if not reply.more:
                await send({"type": "http.response.body"})
                return
            piece = await in_thread(reply.take)
    finally:
        connection.reply_held = 0
        if reply.more:
            await in_thread(reply.close)


async def _push(stream: Push, send: Callable, connection: Connection) -> None:
    async for text in stream.pushed():
        if connection.gone:
            return
        data = text.encode()
        connection.count_sent(len(data))
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body"})


def _environ(scope: dict) -> Environ:
    """PEP 3333's environ. Headers whose name holds `_` are dropped: they could pass for others (SCRIPT_NAME)."""
    server, client = scope["server"] or ("", 0), scope["client"] or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": server[0],
        "SERVER_PORT": str(server[1]),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": client[0],
        "REMOTE_PORT": str(client[1]),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BytesIO(),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        if b"_" in name:
            continue
        key = name.decode("latin-1").upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        text = value.decode("latin-1")
        environ[key] = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{text}" if key in environ else text
    return environ


def _expects(scope: dict) -> bool:
    return any(name == b"expect" for name, _ in scope["headers"])


def _closing(send: Callable) -> Callable:
    async def send_and_close(message: dict) -> None:
        if message["type"] == "http.response.start":
            message["headers"].append((b"connection", b"close"))
        await send(message)

    return send_and_close
