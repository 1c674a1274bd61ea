"""HTTP connections that cost no thread while they are slow, and that end when they are too slow.

uvicorn parses HTTP with llhttp, but times nothing except an idle connection (github.com/Kludex/uvicorn/issues/157):
`Connection` adds deadlines for head, body and reply, `Connections` looks at all of them once a second and bounds how
many there are. A drip of bytes buys no time: the head has one deadline, body and reply must go at a least rate.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from dataclasses import dataclass

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from demo.web.problems import unread

logger = logging.getLogger(__name__)
REQUEST_LINE, HEADER_FIELDS, HEAD_BYTES = 8190, 64, 32 * 1024
SWALLOWED = 16 * 2**20  # bytes of a refused body that are read and dropped
IDLE, HEAD, BODY, BUSY = "idle", "head", "body", "busy"


@dataclass(frozen=True)
class ConnectionLimits:
    """How slow a client may be (seconds, bytes) and how many connections there may be."""

    connections: int = 1024
    per_address: int = 256  # 0: not bounded (behind a proxy, which is one address)
    idle_seconds: float = 15.0
    head_seconds: float = 10.0
    body_seconds: float = 20.0  # to begin with; every `rate` bytes that come buy one second more
    reply_seconds: float = 20.0  # the same for what goes out
    rate: int = 4 * 1024  # bytes a second
    replies_held: int = 128 * 2**20  # bytes of replies that clients have not read yet; beyond it the slowest one ends
    bodies_held: int = 512 * 2**20  # bytes of bodies that have not come whole, on disk; beyond it the slowest one ends


class Connections:
    """All connections of the server: counted by address, ended when they are too slow."""

    def __init__(self, limits: ConnectionLimits) -> None:
        self.limits = limits
        self._open: dict[Connection, None] = {}  # oldest first
        self._by_address: Counter[str] = Counter()

    def admit(self, new: Connection) -> bool:
        """Take a connection in; one that waits for its client makes room for it. False when there is no room."""
        limits = self.limits
        full = limits.per_address and self._by_address[new.address] >= limits.per_address
        if full and not self._end_oldest(new.address):
            return False
        if len(self._open) >= limits.connections and not self._end_oldest(None):
            return False
        self._open[new] = None
        self._by_address[new.address] += 1
        return True

    def leave(self, old: Connection) -> None:
        if old in self._open:
            del self._open[old]
            self._by_address[old.address] -= 1
            if not self._by_address[old.address]:
                del self._by_address[old.address]

    def __len__(self) -> int:
        return len(self._open)

    def end_all(self) -> None:
        for connection in list(self._open):
            connection.abort()

    def sweep(self, now: float) -> None:
        """End what has run out of time, and what holds most of a budget that is used up."""
        for connection in list(self._open):
            if connection.too_slow(now, self.limits):
                connection.abort()
        self._keep_to(self.limits.replies_held, "reply_held")
        self._keep_to(self.limits.bodies_held, "body_held")

    async def watch(self) -> None:
        """Sweep once a second until cancelled."""
        while True:
            await asyncio.sleep(1.0)
            self.sweep(time.monotonic())

    def _keep_to(self, most: int, held: str) -> None:
        holders = [one for one in self._open if getattr(one, held)]
        total = sum(getattr(one, held) for one in holders)
        for connection in sorted(holders, key=lambda one: one.since):
            if total <= most:
                return
            total -= getattr(connection, held)
            connection.abort()

    def _end_oldest(self, address: str | None) -> bool:
        for connection in self._open:
            if connection.phase != BUSY and address in (None, connection.address):
                self.leave(connection)
                connection.abort()
                return True
        return False


class Connection(HttpToolsProtocol):
    """uvicorn's connection, with a phase, deadlines and our shape of error."""

    server_connections: Connections  # set on the subclass that `demo.web.server` makes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.address = self.client[0] if self.client else ""
        self.reply_held = self.body_held = self.sent = 0
        self._refusal, self._head_bytes, self._header_bytes, self._swallowed = 400, 0, 0, 0
        self._body_open = False
        self._sending_since: tuple[float, int] | None = None  # when a reply began to wait, bytes that waited then
        self._enter(HEAD, self.server_connections.limits.head_seconds)
        self.admitted = self.server_connections.admit(self)
        if not self.admitted:
            self._refusal = 429
            self.send_400_response("too many connections")

    def connection_lost(self, exc: Exception | None) -> None:
        self.server_connections.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if not self.admitted or self.transport.is_closing():
            return
        if self.phase == IDLE:
            self._enter(HEAD, self.server_connections.limits.head_seconds)
        if self.phase == HEAD:
            self._head_bytes += len(data)
            # what came with the head in one piece (up to 256 KiB) may be body: only a head that goes on is too long
            if self._head_bytes - len(data) > HEAD_BYTES:
                self._refusal = 431
                self.send_400_response("head too long")
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["extensions"] = {"studio": {"connection": self}}
        self._header_bytes = 0
        if self.phase == IDLE:
            self._enter(HEAD, self.server_connections.limits.head_seconds)

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > REQUEST_LINE:
            self._refuse(414)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if len(self.headers) >= HEADER_FIELDS or self._header_bytes > HEAD_BYTES:
            self._refuse(431)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._head_bytes = self._swallowed = 0
        self._body_open = True
        self._enter(BODY, self.server_connections.limits.body_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._deadline += len(body) / self.server_connections.limits.rate
        if self.cycle.response_complete:  # refused before it came: read past it, so that the answer can be read
            self._swallowed += len(body)
            if self._swallowed > SWALLOWED:
                self.abort()
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._body_open = False
        self._wait()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._unset_keepalive_if_required()  # ours is the deadline of IDLE
        if not self._body_open:
            self._wait()

    def _wait(self) -> None:
        """A body has come whole or a reply is made: wait for the next request, or for the application."""
        if self.cycle.response_complete:
            self._enter(IDLE, self.server_connections.limits.idle_seconds)
        else:
            self._enter(BUSY, 0.0)

    def send_400_response(self, msg: str) -> None:
        """Answer what no application sees, in the shape of every other error."""
        if not self.transport.is_closing():
            self.transport.write(unread(self._refusal))
            self.transport.close()

    def too_slow(self, now: float, limits: ConnectionLimits) -> bool:
        """Whether the deadline of this phase has passed, or a reply goes out more slowly than `rate`."""
        waiting = self.transport.get_write_buffer_size()
        if not waiting:
            self._sending_since = None
            return self.phase != BUSY and now > self._deadline
        if self._sending_since is None:
            self._sending_since = (now + limits.reply_seconds, self.sent - waiting)
        ends, gone_then = self._sending_since
        return now > ends + (self.sent - waiting - gone_then) / limits.rate

    def count_sent(self, bytes: int) -> None:
        """Note that so many bytes were given to the transport."""
        self.sent += bytes

    def abort(self) -> None:
        """End the connection now, whatever still waits to be sent."""
        self.transport.abort()

    @property
    def gone(self) -> bool:
        return self.transport.is_closing()

    def _enter(self, phase: str, seconds: float) -> None:
        self.phase, self.since = phase, time.monotonic()
        self._deadline = self.since + seconds

    def _refuse(self, status: int) -> None:
        self._refusal = status
        raise ValueError(status)  # llhttp stops; data_received answers
