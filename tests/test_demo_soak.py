"""A studio that is used for long holds no more memory, descriptors and threads than at first."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from demo_server import PATIENCE, UNLIMITED, Client, Server, quote

PEOPLE = 4
KEPT = 20  # generations that one keeps; older ones are deleted, so that data do not grow either
MEGABYTES = 40  # that a process may gain after its first third: allocators settle late
DESCRIPTORS, THREADS = 12, 4


class Held(NamedTuple):
    """What a process holds."""

    megabytes: float
    descriptors: int
    threads: int


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, LOG_LEVEL="WARNING", FAKE_STEP_SECONDS="0.01", **UNLIMITED)
    server.start()
    yield server
    server.stop()


@pytest.mark.timeout(900)
def test_half_a_minute_of_use_leaks_nothing(server: Server) -> None:
    use(server, seconds=30)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
@pytest.mark.parametrize("minutes", [10, 60])
def test_an_hour_of_use_leaks_nothing(server: Server, minutes: int) -> None:
    use(server, seconds=60 * minutes)


class Watched(Client):
    """A client that notes what the server could not do: (status, code) of every answer from 500 on."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.troubles = Counter[tuple[int, str]]()

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        status, answer = super().call(method, path, body, **headers)
        if status >= 500:
            self.troubles[status, (answer.get("error") or {}).get("code", "")] += 1
        return status, answer


def use(
    server: Server, seconds: float, people: int = PEOPLE, pause: float = 0.0,
    processes: Callable[[Server], Mapping[str, int]] | None = None,
) -> Counter[tuple[int, str]]:  # fmt: skip
    """People draw, follow, search and delete; the processes are looked at after a third and at the end.

    `pause`: how long each thinks at most before the next drawing. Returns the answers from 500 on, by status and code.
    """
    processes = processes or web_and_worker
    stop, done = threading.Event(), [0] * people
    failures: list[BaseException] = []
    clients = [Watched(server.url) for _ in range(people)]
    threads = [threading.Thread(target=live, args=(clients[i], i, pause, stop, done, failures)) for i in range(people)]
    for thread in threads:
        thread.start()
    try:
        stop.wait(seconds / 3)
        begun = {name: held(pid) for name, pid in processes(server).items()}
        stop.wait(seconds * 2 / 3)
    finally:
        stop.set()
    for thread in threads:
        thread.join(PATIENCE)
    time.sleep(1.0)  # connections are let go
    ended = {name: held(pid) for name, pid in processes(server).items()}
    for name, last in ended.items():
        print(f"{name}: {begun[name]} after {seconds / 3:.0f} s, {last} after {seconds:.0f} s, {sum(done)} generations")
    for name, last in ended.items():
        first = begun[name]
        assert last.megabytes <= first.megabytes + MEGABYTES
        assert last.descriptors <= first.descriptors + DESCRIPTORS
        assert last.threads <= first.threads + THREADS
    assert failures == [] and sum(done) > 0
    return sum((client.troubles for client in clients), Counter())


def live(
    person: Client, number: int, pause: float, stop: threading.Event, done: list[int], failures: list[BaseException]
) -> None:
    """One person: a job with its events, a search, a list, and the oldest one deleted."""
    chance, mine = random.Random(number), list[str]()
    try:
        while not stop.wait(chance.uniform(0, pause)):
            status, job = person.patiently(
                "POST", "/generations", {"prompt": f"코트 {number} {chance.random()}", "n": 1}
            )
            assert status == 202, job
            mine.append(job["id"])
            if chance.random() < 0.5:
                assert "done" in list(person.events(job["id"]))
            assert person.until_end(job["id"], every=max(0.05, pause / 8))["status"] == "succeeded"
            for path in (f"/search?q={quote('코트')}", "/generations?limit=10", f"/generations/{chance.choice(mine)}"):
                assert person.patiently("GET", path)[0] == 200
            if len(mine) > KEPT:
                assert person.patiently("DELETE", f"/generations/{mine.pop(0)}")[0] == 200
            done[number] += 1
    except BaseException as error:
        failures.append(error)


def web_and_worker(server: Server) -> dict[str, int]:
    return {"web": server.answering(), "worker": server.children()["worker"]}


def held(pid: int) -> Held:
    process = Path(f"/proc/{pid}")
    resident = next(line for line in (process / "status").read_text().splitlines() if line.startswith("VmRSS"))
    counts = (len(list((process / name).iterdir())) for name in ("fd", "task"))
    return Held(int(resident.split()[1]) / 1024, *counts)
