"""Web, worker, Redis, PostgreSQL and S3 are killed, emptied or away while people draw: ten times, or two hundred."""

from __future__ import annotations

import contextlib
import http.client
import os
import random
import signal
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from demo_people import Busy, check_promises, join, start_people
from demo_server import HERE, PATIENCE, UNLIMITED, Server
from faulty_way import FaultyWay
from test_demo_soak import use

from testing.cluster_servers import PostgresServer, RedisServer, S3Server

pytestmark = pytest.mark.timeout(1800)
FAULTS = ("web", "worker", "redis killed", "redis emptied", "postgres restarted", "s3 away", "redis away")


class Cluster:
    """Two web processes and two workers over Redis, PostgreSQL with pgvector, and S3."""

    def __init__(self, folder: Path) -> None:
        self.redis, self.postgres, self.s3 = RedisServer(), PostgresServer(), S3Server()
        for server in (self.redis, self.postgres, self.s3):
            server.start()
        self.way = FaultyWay(self.s3.port)
        os.environ.update(self.s3.CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.way.port}"})
        make_bucket(self.s3)
        self.studio = Server(
            folder, DATABASE_URL=self.postgres.database("studio"), INDEX_URL="pgvector", QUEUE_URL=self.redis.url,
            STORAGE_URL="s3://pictures", WEB_PROCESSES="2", WORKERS="2", FAKE_STEP_SECONDS="0.01", **UNLIMITED,
        )  # fmt: skip

    def fault(self, name: str, away: float) -> None:
        """Let one thing go wrong; it is well again when this returns."""
        if name in ("web", "worker"):
            with contextlib.suppress(ProcessLookupError, IndexError):
                os.kill(random.choice(self.processes(name)), signal.SIGKILL)
        elif name == "redis emptied":
            self.redis.command(b"FLUSHALL")
        elif name == "postgres restarted":
            self.postgres.restart()
        elif name == "s3 away":
            self.way.mode = "refuse"
            time.sleep(away)
            self.way.mode = "pass"
        else:
            self.redis.kill()
            time.sleep(away if name == "redis away" else 0.0)
            self.redis.start()

    def processes(self, name: str) -> list[int]:
        """Process ids of the studio's web or worker processes."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, IndexError, ValueError):
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.studio.process.pid and str(HERE / "demo_fakes.py") in words and words[2] == name:
                    found.append(int(entry.name))
        return found

    def close(self) -> None:
        self.studio.stop(signal.SIGKILL)
        for server in (self.redis, self.postgres, self.s3, self.way):
            server.close()


def make_bucket(s3: S3Server) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3.endpoint)
    client.create_bucket(Bucket="pictures")
    client.close()


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name in (*S3Server.CREDENTIALS, "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, "")  # put back at the end
    cluster = Cluster(tmp_path)
    yield cluster
    cluster.close()


def test_promises_hold_when_ten_things_go_wrong(cluster: Cluster) -> None:
    let_things_go_wrong(cluster, times=10, away=3.0)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_promises_hold_when_two_hundred_things_go_wrong(cluster: Cluster) -> None:
    let_things_go_wrong(cluster, times=200, away=60.0)


def let_things_go_wrong(cluster: Cluster, times: int, away: float) -> None:
    """One after another, in an order of chance; minutes without Redis or S3 come a few times only."""
    chance, done = random.Random(34), Counter[str]()
    cluster.studio.start()
    stop = threading.Event()
    people, threads = start_people(cluster.studio, stop)
    listener = Listener(people[0], stop)
    listener.start()
    long_ones = max(1, times // 40)
    try:
        for turn in range(times):
            time.sleep(chance.uniform(0.2, 1.5))
            name = FAULTS[turn % len(FAULTS)] if turn < len(FAULTS) else chance.choice(FAULTS[:6])
            cluster.fault(name, away if done[name] < long_ones else 2.0)
            done[name] += 1
    finally:
        stop.set()
    join(threads)
    listener.check()
    check_promises(cluster.studio, people, threads)
    print(f"{times} faults: {dict(done)}; {sum(len(person.promised) for person in people)} jobs kept")


class Listener:
    """Follows the events of one person's jobs, on whatever process answers, and goes on behind the last one it had."""

    def __init__(self, person: Busy, stop: threading.Event) -> None:
        self._person, self._stop = person, stop
        self._deadline = float("inf")  # until everything was drawn: on a slow machine the last jobs wait for long
        self.heard: dict[str, list[tuple[int, str]]] = {}
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _follow(self) -> None:
        while not self._stop.is_set():
            waiting = [id for id in list(self._person.promised) if id not in self.heard]
            if not waiting:
                time.sleep(0.05)
                continue
            self._to_the_end(waiting[-1])

    def _to_the_end(self, id: str) -> None:
        heard = self.heard.setdefault(id, [])
        while time.monotonic() < self._deadline:
            try:
                for number, kind in self._events(id, heard[-1][0] if heard else 0):
                    if number > 0:
                        heard.append((number, kind))
            except urllib.error.HTTPError as error:
                if error.code == 404 and id not in self._person.promised:  # deleted by the person
                    del self.heard[id]
                    return
            except (OSError, http.client.HTTPException, ValueError):
                pass
            else:
                if heard and heard[-1][1] in ("done", "failed", "cancelled"):
                    return
            time.sleep(0.05)

    def _events(self, id: str, last: int) -> Iterator[tuple[int, str]]:
        url = f"{self._person.client.url}/api/v1/generations/{id}/events"
        request = urllib.request.Request(url, headers={"Last-Event-ID": str(last)})
        with self._person.client._open.open(request, timeout=30) as reply:
            number = 0
            for raw in reply:
                line = raw.decode().strip()
                if line.startswith("id: "):
                    number = int(line.removeprefix("id: "))
                elif line.startswith("event: "):
                    yield number, line.removeprefix("event: ")

    def check(self) -> None:
        """Numbers never go back, every stream that was followed came to an end, and no picture's event is missing."""
        for id in list(self._person.promised):
            self._person.client.until_end(id)
        self._deadline = time.monotonic() + PATIENCE
        self._thread.join(PATIENCE + 60)
        assert not self._thread.is_alive()
        for heard in self.heard.values():
            numbers = [number for number, _ in heard]
            kinds = [kind for _, kind in heard]
            assert numbers == sorted(numbers) and kinds[-1] in ("done", "failed", "cancelled"), heard
            assert kinds[-1] != "done" or "image" in kinds, heard


@pytest.mark.parametrize("name", ["web", pytest.param("worker", marks=pytest.mark.slow)])
def test_a_rolling_restart_loses_no_job_and_no_stream(cluster: Cluster, name: str) -> None:
    """Every process of a kind ends in turn (SIGTERM), as an upgrade does it; another takes over."""
    cluster.studio.environment["FAKE_STEP_SECONDS"] = "0.05"
    cluster.studio.start()
    stop = threading.Event()
    people, threads = start_people(cluster.studio, stop, count=2)
    listener = Listener(people[0], stop)
    listener.start()
    wait(lambda: len(listener.heard) >= 2)
    for pid in cluster.processes(name):
        os.kill(pid, signal.SIGTERM)
        wait(lambda pid=pid: pid not in cluster.processes(name) and len(cluster.processes(name)) == 2)
        heard = len(listener.heard)
        wait(lambda heard=heard: len(listener.heard) > heard + 1)
    stop.set()
    join(threads)
    listener.check()
    for person in people:
        for id in person.promised:
            assert person.client.until_end(id)["status"] == "succeeded"
    check_promises(cluster.studio, people, threads)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_an_hour_of_fifty_people_leaks_nothing(cluster: Cluster) -> None:
    soak(cluster, seconds=3600, people=50, pause=60.0)


def test_half_a_minute_of_eight_people_leaks_nothing(cluster: Cluster) -> None:
    soak(cluster, seconds=30, people=8, pause=4.0)


def soak(cluster: Cluster, seconds: float, people: int, pause: float) -> None:
    """Memory, descriptors and threads of every process stay as they were; nothing but a stated 503 is answered."""

    def processes(_: Server) -> dict[str, int]:
        return {
            f"{name} {place}": pid
            for name in ("web", "worker")
            for place, pid in enumerate(sorted(cluster.processes(name)))
        }

    cluster.studio.start()
    wait(lambda: len(processes(cluster.studio)) == 4)
    troubles = use(cluster.studio, seconds, people, pause, processes)
    print(f"answers from 500 on: {dict(troubles)}")
    assert all(status == 503 and code for status, code in troubles), troubles


def wait(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.05)
