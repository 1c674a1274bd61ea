"""Real processes and real HTTP: the whole way, restarts, and `kill -9` at random moments."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_people import check_promises, start_people
from demo_server import PATIENCE, UNLIMITED, Client, Server, quote

from demo.ops.supervisor import listen
from demo.store.settings import Settings, SettingsError

pytestmark = pytest.mark.timeout(1200)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def test_the_whole_way_over_http(server: Server) -> None:
    server.start()
    person = Client(server.url)
    with server.held("base"):  # until a step is told: none is told any more once the drawing has ended
        with resting(server.children()["worker"]):  # until the events are listened for
            status, made = person.call("POST", "/generations", {"prompt": "분홍 버킷햇", "n": 2, "seed": 3})
            assert status == 202 and made["status"] == "queued"
            events = person.events(made["id"])
            kinds = [next(events)]
        kinds.append(next(events))
    kinds += events
    assert kinds[0] == "queued" and kinds[-3:] == ["image", "image", "done"] and "progress" in kinds
    assert person.call("GET", f"/search?k=3&q={quote('분홍 버킷 햇')}")[1]["results"][0]["prompt"] == "분홍 버킷햇"
    children = server.children()
    server.stop(signal.SIGINT)
    assert server.process.returncode == 0
    assert not any(Path(f"/proc/{pid}").exists() for pid in children.values())


def test_a_request_that_no_route_ever_sees_has_the_same_shape_of_error(server: Server) -> None:
    server.start()
    status, answer = Client(server.url).call("GET", f"/search?q={quote('가' * 1000)}")
    assert status == answer["status"] == 414 and answer["error"]["code"] == "too_large"
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"nonsense\r\n\r\n")
        answer = line.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in answer


def test_a_running_job_goes_on_after_a_restart(server: Server) -> None:
    server.start()
    person = Client(server.url)
    with server.held("base"):
        id = person.call("POST", "/generations", {"prompt": "코트", "n": 1, "seed": 5})[1]["id"]
        while person.call("GET", f"/generations/{id}")[1]["status"] == "queued":
            time.sleep(0.05)
        server.stop()
    server.start()
    done = person.until_end(id)
    assert done["status"] == "succeeded" and done["images"][0]["seed"] == 5


def test_children_end_with_a_killed_parent(server: Server) -> None:
    server.start()
    pids = [*server.children().values(), server.answering()]
    server.process.kill()
    server.process.wait()
    deadline = time.monotonic() + PATIENCE
    while any(_alive(pid) for pid in pids):
        assert time.monotonic() < deadline, [pid for pid in pids if _alive(pid)]
        time.sleep(0.05)
    server.start()


def test_a_new_parent_waits_for_children_that_have_not_seen_the_old_one_die(server: Server) -> None:
    """They hold its socket: those that were still loading when it was killed, for as long as they load."""
    server.start()
    pids = [server.children()["web"], server.answering()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    server.process.kill()
    server.process.wait()
    later = threading.Timer(3.0, lambda: [os.kill(pid, signal.SIGCONT) for pid in pids])
    later.start()
    try:
        server.start()
    finally:
        later.join()
    assert not any(_alive(pid) for pid in pids)


def test_a_port_that_somebody_else_holds_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        server = Server(tmp_path, PORT=str(other.getsockname()[1]))
        with pytest.raises(AssertionError, match="set HOST or PORT"):
            server.start()
        assert server.process.wait(PATIENCE) != 0
        monkeypatch.setattr(time, "sleep", lambda _seconds: pytest.fail("nobody is waited for"))
        with pytest.raises(SettingsError, match="set HOST or PORT"):
            listen(Settings(port=other.getsockname()[1], data_dir=tmp_path))


def test_more_streams_than_the_cap_are_told_to_poll(server: Server) -> None:
    server.environment["STREAMS"] = "2"
    server.start()
    person = Client(server.url)
    with resting(server.children()["worker"]):
        id = person.call("POST", "/generations", {"prompt": "코트"})[1]["id"]
        streams = [person.events(id) for _ in range(2)]
        for stream in streams:
            assert next(stream) == "queued"
        status, answer = person.call("GET", f"/generations/{id}/events")
    assert status == 503 and answer["error"]["code"] == "too_many_streams"
    assert [list(stream)[-1] for stream in streams] == ["done", "done"]
    status, _ = person.call("GET", f"/generations/{id}/events", Last_Event_ID="999999999")
    assert status == 204


def test_promises_hold_when_processes_are_killed_a_few_times(server: Server) -> None:
    kill_at_random_moments(server, times=6, seed=1)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_promises_hold_when_processes_are_killed_at_fifty_moments(server: Server) -> None:
    kill_at_random_moments(server, times=50, seed=2)


def kill_at_random_moments(server: Server, times: int, seed: int) -> None:
    """People go on drawing and deleting while processes are killed; afterwards every promise is checked."""
    server.environment |= UNLIMITED | {"FAKE_STEP_SECONDS": "0.03"}
    server.start()
    stop, chance = threading.Event(), random.Random(seed)
    people, threads = start_people(server, stop)
    try:
        for _ in range(times):
            if chance.random() < 0.7:  # the others meet what has not started yet; so people are answered in between
                server.wait_until_ready()
            time.sleep(chance.uniform(0.05, 1.2))
            _kill(server, chance.choice(("worker", "worker", "web", "answering", "all")))
    finally:
        stop.set()
    check_promises(server, people, threads)


@contextlib.contextmanager
def resting(pid: int) -> Iterator[None]:
    """A process that is stopped meanwhile: no job begins, however slow this machine is."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _kill(server: Server, kind: str) -> None:
    if kind == "all":
        server.process.kill()
        server.process.wait()
        server.start()
        return
    pid = server.answering() if kind == "answering" else server.children().get(kind)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
