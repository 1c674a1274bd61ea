"""One process that answers HTTP on an inherited socket: uvicorn's loop, `Connection`s with deadlines, Flask in threads.

Ends within GRACE_SECONDS of SIGTERM or SIGINT: event streams end, requests that run are finished, the rest is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import uvicorn

from demo.store.settings import Settings
from demo.web.bridge import Application, Bridge
from demo.web.connections import Connection, ConnectionLimits, Connections

logger = logging.getLogger(__name__)
GRACE_SECONDS = 2
THREADS_SECONDS = 0.5
DESCRIPTORS = 8192
UNSENT = 64 * 1024  # bytes of a reply in the kernel that are not on their way yet


def run(
    application: Application, listener: socket.socket, limits: ConnectionLimits, body_limit: Callable[[str], int],
    folder: Path, stopping: Callable[[], None],
) -> bool:  # fmt: skip
    """Serve until told to stop; `stopping` is called first of all then, and must not block. False: a request hangs.

    `folder` holds bodies while they come (files without a name); `body_limit(path)`: bytes that are read of a body.
    """
    _allow_many_descriptors()
    if hasattr(socket, "TCP_NOTSENT_LOWAT"):  # connections inherit it: the kernel takes no megabytes that nobody reads
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT)
    connections = Connections(limits)
    bridge = Bridge(application, body_limit, folder)
    protocol = type("StudioConnection", (Connection,), {"server_connections": connections})
    config = uvicorn.Config(
        bridge, http=protocol, ws="none", lifespan="off", interface="asgi3", log_config=None, access_log=False,
        proxy_headers=False, server_header=False, timeout_graceful_shutdown=GRACE_SECONDS,
    )  # fmt: skip
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)  # its warnings are about clients, one line a request
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again at its end
    try:
        _Server(config, connections, stopping).run(sockets=[listener])
    finally:
        ended = bridge.close(THREADS_SECONDS)
    return ended


def limits_of(settings: Settings) -> ConnectionLimits:
    """The bounds of connections that the settings ask for; behind a proxy all come from one address."""
    per_address = 0 if settings.proxies else settings.connections_per_address
    return ConnectionLimits(connections=settings.connections, per_address=per_address)


class _Server(uvicorn.Server):
    """uvicorn's server, which watches its connections and ends its streams before it waits for them."""

    def __init__(self, config: uvicorn.Config, connections: Connections, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._connections, self._stopping = connections, stopping

    async def main_loop(self) -> None:
        watching = asyncio.create_task(self._connections.watch())
        try:
            await super().main_loop()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._stopping()
        await super().shutdown(sockets)
        self._connections.end_all()


def _allow_many_descriptors() -> None:
    """Every connection is a descriptor: take as many as the system allows without asking."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            logger.debug("%d descriptors may be open (%d before), process %d", wanted, soft, os.getpid())
