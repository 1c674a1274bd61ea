"""Slow clients of six kinds against the studio, and how a well-behaved one fares meanwhile.

    python -m benchmarks.service_slow [--each 83] [--seconds 30] [--fakes]

Prints a table: seconds of an answer over a new connection (p50 / p99), alone and beside `each` × 6 slow connections
that come again as soon as they are closed.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence

import numpy as np

HEAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"
POST = (
    b"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n"
)
LARGE = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
DRIP_SECONDS = 1.0
Line = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def half_head(line: Line) -> None:
    line[1].write(HEAD)
    await line[0].read(1)


async def half_body(line: Line) -> None:
    line[1].write(POST + b'{"prompt": "' + b"a" * 50_000)
    await line[0].read(1)


async def unread_reply(line: Line) -> None:
    line[1].write(LARGE * 4)
    while not line[1].is_closing():  # the reader takes its limit, and then nothing more
        await asyncio.sleep(DRIP_SECONDS)


async def drip_head(line: Line) -> None:
    await _drip(line, HEAD + b"X-Filler: " + b"a" * 10_000)


async def drip_body(line: Line) -> None:
    await _drip(line, POST + b'{"prompt": "' + b"a" * 10_000, len(POST))


async def idle(line: Line) -> None:
    line[1].write(HEAD + b"\r\n")
    while await line[0].read(1000):
        pass


KINDS: tuple[Callable[[Line], Awaitable[None]], ...] = (half_head, half_body, unread_reply, drip_head, drip_body, idle)


async def _drip(line: Line, data: bytes, at_once: int = 0) -> None:
    line[1].write(data[:at_once])
    for i in range(at_once, len(data)):
        line[1].write(data[i : i + 1])
        await line[1].drain()
        await asyncio.sleep(DRIP_SECONDS)


async def attack(port: int, each: int, seconds: float) -> None:
    """Hold `each` connections of every kind; one that the server closes comes again."""
    deadline = time.monotonic() + seconds
    tasks = [asyncio.create_task(_persist(port, kind, deadline)) for kind in KINDS for _ in range(each)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _persist(port: int, kind: Callable[[Line], Awaitable[None]], deadline: float) -> None:
    while time.monotonic() < deadline:
        writer = None
        try:
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            plain.setblocking(False)
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=plain, limit=2048)
            await kind((reader, writer))
        except OSError:
            await asyncio.sleep(0.2)
        finally:
            if writer is not None:
                writer.close()


@contextlib.contextmanager
def attacked(port: int, each: int, seconds: float) -> Iterator[None]:
    """Slow clients in a process of their own for the time of the block."""
    command = [sys.executable, "-m", "benchmarks.service_slow", "--attack", str(port), "--each", str(each)]
    process = subprocess.Popen([*command, "--seconds", str(seconds)])
    try:
        time.sleep(3.0)  # they are all there
        yield
    finally:
        process.kill()
        process.wait()


def answer_seconds(port: int, times: int, path: str = "/api/v1/about", pause: float = 0.02) -> list[float]:
    """Seconds from opening a connection to the whole answer; one that fails counts as 60."""
    taken = []
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode()
    for _ in range(times):
        started = time.perf_counter()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
                line.sendall(request)
                answer = b"".join(iter(lambda: line.recv(65536), b""))
            taken.append(time.perf_counter() - started if answer.startswith(b"HTTP/1.1 200") else 60.0)
        except OSError:
            taken.append(60.0)
        time.sleep(pause)
    return taken


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    if arguments.attack:
        asyncio.run(attack(arguments.attack, arguments.each, arguments.seconds))
        return 0
    times = int(arguments.seconds / 0.05)
    alone = answer_seconds(arguments.port, times)
    with attacked(arguments.port, arguments.each, arguments.seconds * 4):
        beside = answer_seconds(arguments.port, times)
    print("| a well-behaved client, new connection | p50 | p99 |\n|---|---|---|")
    for name, taken in (("alone", alone), (f"beside {arguments.each * len(KINDS)} slow connections", beside)):
        p50, p99 = np.percentile(taken, (50, 99)) * 1000
        print(f"| {name} | {p50:.1f} ms | {p99:.1f} ms |")
    print(json.dumps({"ratio_p50": float(np.median(beside) / np.median(alone))}), file=sys.stderr)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.service_slow", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--port", type=int, default=5000, help="port of a studio that runs (default 5000)")
    parser.add_argument("--each", type=int, default=83, help="slow connections of each of six kinds (default 83)")
    parser.add_argument("--seconds", type=float, default=30, help="length of each measurement (default 30)")
    parser.add_argument("--attack", type=int, metavar="PORT", help="only be slow at this port")
    return parser


if __name__ == "__main__":
    sys.exit(main())
