"""People at the studio: one who draws over a kept connection, and many who post, poll and hold event streams.

In: the port of a studio that runs. Out: rows of `python -m benchmarks.service`.
"""

from __future__ import annotations

import argparse
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Browser:
    """One person over one kept connection."""

    port: int
    cookie: str = ""
    line: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict, float]:
        """(status, JSON, seconds); a line that broke counts as status 0.

        A kept line that the server closed meanwhile is opened again, as browsers do.
        """
        headers = {"Cookie": self.cookie} if self.cookie else {}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        started, kept = time.perf_counter(), self.line is not None
        try:
            reply = self._asked(method, path, data, headers)
        except (OSError, http.client.HTTPException) as error:
            self.line = None
            if kept and isinstance(error, ConnectionError):
                return self.call(method, path, body)
            return 0, {}, time.perf_counter() - started
        if (given := reply.headers.get("Set-Cookie")) is not None:
            self.cookie = given.split(";")[0]
        return reply.status, json.loads(reply.text or b"{}"), time.perf_counter() - started

    def _asked(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> http.client.HTTPResponse:
        self.line = self.line or http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        self.line.request(method, path, data, headers)
        reply = self.line.getresponse()
        reply.text = reply.read()
        return reply

    def draw(self, prompt: str, **more: object) -> dict:
        """Ask for pictures and wait for them. Raises RuntimeError."""
        status, answer, _ = self.call("POST", "/api/v1/generations", {"prompt": prompt} | more)
        while status in (200, 202) and answer["status"] in ("queued", "running"):
            time.sleep(0.05)
            status, answer, _ = self.call("GET", f"/api/v1/generations/{answer['id']}")
        if answer.get("status") != "succeeded":
            raise RuntimeError(f"{status}: {answer}")
        return answer


@dataclass
class Load:
    """What many people at once met."""

    statuses: Counter = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)
    polled: list[float] = field(default_factory=list)
    refused: int = 0  # streams
    finished: int = 0
    events: int = 0


def run_load(arguments: argparse.Namespace, load: Load) -> None:
    """Let clients post and poll and others hold streams, for `arguments.seconds`."""
    deadline = time.monotonic() + arguments.seconds
    kinds = [(_post_and_poll, i) for i in range(arguments.clients)] + [(_stream, i) for i in range(arguments.streams)]
    threads = [threading.Thread(target=kind, args=(arguments.port, i, load, deadline)) for kind, i in kinds]
    np.random.default_rng(7).shuffle(threads)
    for thread in threads:
        thread.start()
        time.sleep(arguments.arrive / len(threads))
    for thread in threads:
        thread.join()


def load_rows(arguments: argparse.Namespace) -> list[tuple[str, str, str]]:
    """What clients who post and poll meet while others hold streams."""
    load = Load()
    run_load(arguments, load)
    bad = sum(count for status, count in load.statuses.items() if status >= 500 or status == 0)
    came = f"who come within {arguments.arrive:g} s" if arguments.arrive else "who come at once"
    title = f"{arguments.clients} clients and {arguments.streams} streams {came}, {arguments.seconds} s"
    statuses = ", ".join(f"{status}: {count}" for status, count in sorted(load.statuses.items()))
    return [
        (f"{title}: 202 p50 / p99", "p99 < 300 ms", _milliseconds(load.accepted)),
        (f"{title}: polls p50 / p99", "stated", _milliseconds(load.polled)),
        (f"{title}: streams refused", "0", str(load.refused)),
        (f"{title}: 5xx and broken lines", "0", f"{bad} ({statuses})"),
        (f"{title}: generations finished, events received", "stated", f"{load.finished}, {load.events}"),
    ]


def _milliseconds(seconds: Sequence[float]) -> str:
    p50, p99 = np.percentile(seconds or [float("nan")], (50, 99)) * 1000
    return f"{p50:.0f} / {p99:.0f} ms of {len(seconds)}"


def _post_and_poll(port: int, number: int, load: Load, deadline: float) -> None:
    person, i = Browser(port), 0
    while time.monotonic() < deadline:
        i += 1
        status, answer, took = person.call("POST", "/api/v1/generations", {"prompt": f"초록 치마 {number} {i}", "n": 1})
        load.statuses[status] += 1
        if status != 202:
            time.sleep(2.0)
            continue
        load.accepted.append(took)
        while time.monotonic() < deadline and answer.get("status") in ("queued", "running"):
            time.sleep(1.0)
            status, answer, took = person.call("GET", f"/api/v1/generations/{answer['id']}")
            load.statuses[status] += 1
            load.polled.append(took)
        load.finished += answer.get("status") == "succeeded"


def _stream(port: int, number: int, load: Load, deadline: float) -> None:
    person = Browser(port)
    while time.monotonic() < deadline:
        status, answer, took = person.call("POST", "/api/v1/generations", {"prompt": f"남색 모자 {number}", "n": 1})
        load.statuses[status] += 1
        if status != 202:
            time.sleep(2.0)
            continue
        load.accepted.append(took)
        line = http.client.HTTPConnection("127.0.0.1", port, timeout=15)
        try:
            line.request("GET", answer["links"]["events"], headers={"Cookie": person.cookie})
            reply = line.getresponse()
            load.statuses[reply.status] += 1
            load.refused += reply.status != 200
            while time.monotonic() < deadline and (text := reply.readline()):
                load.events += text.startswith(b"event:")
        except OSError:
            load.statuses[0] += 1
        finally:
            line.close()
