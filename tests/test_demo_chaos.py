"""Kills at every stage of a job, and a disk that is full at any write: ten of each, hundreds in `make test-long`."""

from __future__ import annotations

import contextlib
import os
import random
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Person, Studio, open_studio
from demo_people import check_promises, start_people
from demo_server import PATIENCE, Server

from demo.ops.upkeep import remove_strays
from demo.studio.verifying import problems

pytestmark = pytest.mark.timeout(1200)
STAGES = ("accept", "answer", "claim", "step", "file", "rename", "commit", "end", "index")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def test_promises_hold_when_processes_die_at_every_stage(server: Server) -> None:
    kill_at_every_stage(server, times=10)


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_promises_hold_when_processes_die_five_hundred_times_at_every_stage(server: Server) -> None:
    kill_at_every_stage(server, times=500)


def kill_at_every_stage(server: Server, times: int) -> None:
    """Processes kill themselves at stages in turn while people draw and delete; afterwards every promise is checked.

    A process reads which stage is next from a file, and notes its death there: see demo_fakes.py.
    """
    kills = server.folder / "kills"
    kills.touch()
    server.environment |= {"FAKE_STEP_SECONDS": "0.01", "RATE_WRITES": "100000/minute", "FAKE_KILLS": str(kills),
                           "FAKE_STAGES": ",".join(STAGES), "FAKE_MOST_KILLS": str(times)}  # fmt: skip
    server.start()
    stop = threading.Event()
    people, threads = start_people(server, stop)
    deadline = time.monotonic() + PATIENCE + 30 * times
    try:
        while len(kills.read_text().split()) < times:
            assert time.monotonic() < deadline, kills.read_text()
            time.sleep(0.1)
    finally:
        stop.set()
    check_promises(server, people, threads)
    print(f"{times} kills, by stage: {dict(Counter(kills.read_text().split()))}")


def test_a_disk_full_at_any_write_loses_and_leaves_nothing(tmp_path: Path) -> None:
    fill_the_disk(tmp_path, times=10)


@pytest.mark.slow
@pytest.mark.timeout(2 * 3600)
def test_a_disk_full_at_any_of_three_hundred_writes_loses_and_leaves_nothing(tmp_path: Path) -> None:
    fill_the_disk(tmp_path, times=300)


def fill_the_disk(tmp_path: Path, times: int) -> None:
    """A file system with a random number of bytes left while a picture is asked for, drawn, uploaded, or deleted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("needs the right to mount a file system")
    try:
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("demo.store.space.SPARE_BYTES", 0)
            studio = open_studio(tmp_path, data_dir=disk / "data", step_seconds=0.0)
            live_on_a_full_disk(studio, disk, times)
            studio.close()
    finally:
        subprocess.run(["umount", "-l", disk], check=False)


def live_on_a_full_disk(studio: Studio, disk: Path, times: int) -> None:
    chance, person, ballast = random.Random(5), studio.person(), disk / "ballast"
    kept = {person.finished("코트 0", n=1)["id"]}
    outcomes = Counter[str]()
    for turn in range(times):
        leave(ballast, disk, chance.choice((0, 4096, chance.randrange(200_000))))
        outcomes[act(person, turn, kept, chance)] += 1
        ballast.unlink()
        studio.services.reserve.fill()
        for id in kept:
            assert person.until_end(id)["status"] in ("succeeded", "failed"), "a promise that was lost"
    remove_strays(studio.services.storage, studio.services, older_than=0)
    studio.services.deletion.sweep()
    assert problems(studio.services) == []
    assert person.finished("끝", n=1)["status"] == "succeeded"
    print(f"{times} full disks: {dict(outcomes)}")


def leave(ballast: Path, disk: Path, free: int) -> None:
    """Fill the disk but for so many bytes."""
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        left = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - free
        if left > 0:
            os.posix_fallocate(file.fileno(), 0, left)


def act(person: Person, turn: int, kept: set[str], chance: random.Random) -> str:
    """Draw or delete, and say what came of it: no answer but those that the disk explains."""
    if turn % 3 == 2 and len(kept) > 1:
        id = chance.choice(sorted(kept))
        reply = person.call("DELETE", f"/generations/{id}")
        assert reply.status_code == 200, reply.text
        kept.discard(id)
        return "deleted"
    reply = person.post("/generations", {"prompt": f"코트 {turn}", "n": 1 + turn % 3})
    assert reply.status_code in (202, 507, 503), reply.text
    if reply.status_code != 202:
        return "refused"
    kept.add(reply.json["id"])
    return "accepted"
