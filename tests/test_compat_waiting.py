"""Clients that wait for their pictures in one request: no thread waits with them, and who hangs up cancels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from demo_client import open_studio, wait_for
from flask import Response

import demo.web.streams
from demo.web.bridge import HEAVY_WRITERS, WRITERS, Bridge
from demo.web.streams import LATER


class Connection:
    body_held = reply_held = 0
    gone = False

    def count_sent(self, bytes: int) -> None:
        pass


class Held:
    """An answer that is there when `released` says so."""

    def __init__(self, released: asyncio.Event) -> None:
        self._released, self.closed = released, False

    async def ended(self, gone: Callable[[], bool]) -> bool:
        await self._released.wait()
        return not gone()

    def answer(self) -> Response:
        return Response("drawn", status=201, mimetype="text/plain")

    def close(self) -> None:
        self.closed = True


async def ask(bridge: Bridge, path: str) -> tuple[int, bytes]:
    """One POST through the bridge: status and body."""
    sent = []

    async def send(message: dict) -> None:
        sent.append(message)

    scope = {"method": "POST", "raw_path": path.encode(), "query_string": b"", "server": None, "client": None,
             "http_version": "1.1", "scheme": "http", "headers": [],
             "extensions": {"studio": {"connection": Connection()}}}  # fmt: skip
    await bridge(scope, send, send)
    return sent[0]["status"], b"".join(message.get("body", b"") for message in sent)


def test_more_clients_wait_than_there_are_threads_and_others_are_answered(tmp_path: Path) -> None:
    async def scene() -> None:
        released, held = asyncio.Event(), []

        def application(environ: dict, start: Callable) -> list[bytes]:
            start("200 OK", [("Content-Type", "application/json")])
            if environ["PATH_INFO"] == "/wait":
                held.append(Held(released))
                environ[LATER].append(held[-1])
            return [b"at once"]

        bridge = Bridge(application, lambda _path: 1024, tmp_path)
        count = 2 * (WRITERS + HEAVY_WRITERS)
        waiting = [asyncio.create_task(ask(bridge, "/wait")) for _ in range(count)]
        while len(held) < count:
            await asyncio.sleep(0.01)
        assert await ask(bridge, "/other") == (200, b"at once")
        assert not any(task.done() for task in waiting)
        released.set()
        assert await asyncio.gather(*waiting) == [(201, b"drawn")] * count
        assert all(one.closed for one in held)
        bridge.close(1.0)

    asyncio.run(asyncio.wait_for(scene(), 120))


def test_who_hangs_up_cancels_what_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo.web.streams, "HEARTBEAT", 0.05)
    studio = open_studio(tmp_path)
    gate, left = studio.pipeline.gate(), []
    person = studio.person()
    reply = person.post("//v1/images/generations", {"prompt": "코트"}, environ_overrides={LATER: left})
    assert reply.status_code == 200 and len(left) == 1

    async def hang_up() -> None:
        assert await left[0].ended(lambda: True) is False
        left[0].close()

    asyncio.run(hang_up())
    wait_for(lambda: person.get("/generations").json["items"][0]["status"] == "cancelled")
    gate.set()
    ended = left[0].answer()
    assert ended.status_code == 409 and ended.headers["x-should-retry"] == "false"
    studio.close()
