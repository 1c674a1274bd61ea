"""Slow clients cost no thread: whoever behaves well is answered as ever, and the slow ones are let go."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_server import PATIENCE, Client, Server

from benchmarks.service_slow import KINDS, answer_seconds, attacked
from demo.web.bridge import HEAVY_WRITERS, READERS, WRITERS
from demo.web.connections import BODY, BUSY, HEAD, IDLE, ConnectionLimits, Connections

pytestmark = pytest.mark.timeout(600)
THREADS = READERS + WRITERS + HEAVY_WRITERS + 10
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("slow"), CONNECTIONS_PER_ADDRESS="0", LOG_LEVEL="WARNING")
    server.start()
    yield server
    server.stop()


def test_ten_slow_connections_of_each_kind_keep_nobody_waiting(server: Server) -> None:
    keeps_answering(server, 10)


@pytest.mark.slow
def test_five_hundred_slow_connections_keep_nobody_waiting(server: Server) -> None:
    keeps_answering(server, -(-500 // len(KINDS)))


def keeps_answering(server: Server, each: int) -> None:
    """The median answer takes less than twice its time, and none fails; the process has as many threads as ever."""
    ratios = []
    for _ in range(10):  # others use the machine too: the best of a few looks
        alone = answer_seconds(server.port, 100)
        with attacked(server.port, each, 300):
            beside = answer_seconds(server.port, 100)
            assert count_threads(server) <= THREADS
        assert max(beside) < 60
        ratios.append(float(np.median(beside) / np.median(alone)))
        milliseconds = [np.median(alone) * 1000, np.median(beside) * 1000, np.percentile(beside, 99) * 1000]
        print(
            each * len(KINDS),
            "slow connections: alone {:.1f} ms, beside {:.1f} ms, p99 {:.0f} ms".format(*milliseconds),
        )
        if ratios[-1] < 2:
            break
    assert min(ratios) < 2


def count_threads(server: Server) -> int:
    return len(list(Path(f"/proc/{server.answering()}/task").iterdir()))


def test_a_head_that_drips_is_cut_at_its_deadline(server: Server) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port))) as line:
        line.sendall(HEALTH)
        started = time.monotonic()
        line.settimeout(0.5)
        while not ended(line):
            with contextlib.suppress(OSError):
                line.sendall(b"X-A: b\r\n")
            assert time.monotonic() - started < 60
    assert time.monotonic() - started >= ConnectionLimits().head_seconds - 1


def ended(line: socket.socket) -> bool:
    try:
        return line.recv(1000) == b""
    except TimeoutError:
        return False
    except OSError:
        return True


def test_a_kept_connection_answers_one_request_after_another(server: Server) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)) as line:
        answers = line.makefile("rb")
        for _ in range(3):
            line.sendall(HEALTH + b"\r\n")
            assert status_of(answers) == 200
        line.sendall((HEALTH + b"\r\n") * 5)  # at once: answered in order
        assert [status_of(answers) for _ in range(5)] == [200] * 5


def status_of(answers: object) -> int:
    status, length = int(answers.readline().split()[1]), 0
    while (text := answers.readline().strip()) != b"":
        if text.lower().startswith(b"content-length:"):
            length = int(text.split(b":")[1])
    answers.read(length)
    return status


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 414),
        (HEALTH + b"X: y\r\n" * 100 + b"\r\n", 431),
        (HEALTH + b"X: " + b"y" * 70_000 + b"\r\n\r\n", 431),
        (HEALTH + b"X: " + b"y" * 400_000, 431),
        (b"nonsense\r\n\r\n", 400),
        (b"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
         b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n", 400),
        (b"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 400000\r\n\r\n", 413),
        (b"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
         b"Content-Length: 400000\r\nExpect: 100-continue\r\n\r\n", 413),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nSCRIPT_NAME: /evil\r\n\r\n", 200),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nScript-Name: /evil\r\n\r\n", 200),
        (b"TRACE /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", 405),
    ],
)  # fmt: skip
def test_what_is_not_a_good_request_gets_a_clear_answer(server: Server, sent: bytes, status: int) -> None:
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)) as line:
        with contextlib.suppress(ConnectionError):  # it may answer and close before all was sent
            line.sendall(sent)
        answer = line.recv(65536)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode()), answer[:200]
    assert status == 200 or b"application/problem+json" in answer
    assert status != 405 or b"allow: " in answer.lower()


def test_a_body_in_chunks_is_read(server: Server) -> None:
    body = '{"prompt": "분홍 버킷햇", "n": 1}'.encode()
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(body[i : i + 7]), body[i : i + 7]) for i in range(0, len(body), 7))
    head = b"POST /api/v1/generations HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    with contextlib.closing(socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)) as line:
        line.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n")
        assert line.recv(65536).startswith(b"HTTP/1.1 202 ")


def test_streams_end_and_the_server_stops_within_seconds_beside_slow_clients(tmp_path: Path) -> None:
    server = Server(tmp_path, CONNECTIONS_PER_ADDRESS="0", LOG_LEVEL="WARNING")
    server.start()
    person = Client(server.url)
    with server.held("base"):
        id = person.call("POST", "/generations", {"prompt": "코트"})[1]["id"]
        stream = person.events(id)
        assert next(stream) == "queued"
        pid = server.answering()
        with attacked(server.port, 5, 100):
            started = time.monotonic()
            server.process.terminate()
            assert "done" not in list(stream)
            while Path(f"/proc/{pid}").exists():
                assert time.monotonic() - started < PATIENCE
                time.sleep(0.05)
    print(f"the web process ended {time.monotonic() - started:.1f} s after it was told to")
    server.stop()


class Line:
    """A connection as `Connections` sees one."""

    def __init__(self, address: str, phase: str = IDLE) -> None:
        self.address, self.phase, self.since, self.aborted = address, phase, time.monotonic(), False
        self.reply_held = self.body_held = 0

    def abort(self) -> None:
        self.aborted = True

    def too_slow(self, _now: float, _limits: ConnectionLimits) -> bool:
        return False


def test_one_address_has_a_bound_and_its_oldest_waiting_connection_makes_room() -> None:
    connections = Connections(ConnectionLimits(per_address=3))
    lines = [Line("a", phase) for phase in (BUSY, HEAD, BODY)]
    assert all(connections.admit(line) for line in [*lines, Line("b")])
    assert connections.admit(Line("a", BUSY)) and lines[1].aborted and not lines[2].aborted
    assert connections.admit(Line("a", BUSY)) and lines[2].aborted
    assert not connections.admit(Line("a"))  # all that are left are being answered
    connections.leave(lines[0])
    assert connections.admit(Line("a"))


def test_what_clients_have_not_read_is_bounded_and_the_slowest_one_ends() -> None:
    connections = Connections(ConnectionLimits(replies_held=100, bodies_held=100))
    lines = [Line(str(i), BUSY) for i in range(4)]
    for i, line in enumerate(lines):
        connections.admit(line)
        line.reply_held, line.since = 40, float(i)
    connections.sweep(0.0)
    assert [line.aborted for line in lines] == [True, True, False, False]
