"""Workers by leases alone: any number, none with a fixed name; whoever hangs, dies or is late loses its jobs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Studio, open_studio, wait_for
from demo_fakes import FakePipeline, fake_worker
from demo_server import Client, Server
from sqlalchemy import select

from demo.queue.identity import is_dead, machine, new_identity
from demo.queue.jobs import JobQueue
from demo.queue.leases import LONGEST_LOOK, Leases, Marks
from demo.store.tables import Event, Generation, Image, WorkerRow
from demo.studio.readiness import SILENT_SECONDS

DAY = 86_400.0


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(tmp_path, worker=False)
    yield studio
    studio.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path)
    yield server
    server.stop()


def test_no_two_workers_have_one_name_and_a_dead_process_of_this_machine_is_known() -> None:
    assert len({new_identity() for _ in range(100)}) == 100
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    assert is_dead(f"{machine()}:{child.pid}:abc") and not is_dead(f"{machine()}:{os.getpid()}:abc")
    assert not is_dead(f"another-host-0123:{child.pid}:abc"), "of another machine nothing is known"
    assert not is_dead("worker-1:0123456789ab"), "as earlier versions named theirs"


def test_a_mark_is_old_by_the_looks_of_one_steady_clock() -> None:
    now = [0.0]
    marks = Marks(lambda: now[0])
    assert marks.look({"a": 1, "b": 1}) == {"a": 0.0, "b": 0.0}
    now[0] = 2.0
    assert marks.look({"a": 1, "b": 2}) == {"a": 2.0, "b": 0.0}
    now[0] = 1000.0  # whoever looks was stopped itself: others may have been well meanwhile
    assert marks.look({"a": 1, "b": 2}) == {"a": 2.0 + LONGEST_LOOK, "b": LONGEST_LOOK}
    assert marks.look({"c": 1}) == {"c": 0.0}


@pytest.mark.parametrize("jump", [-DAY, DAY])
def test_a_clock_that_jumps_takes_no_job_from_a_worker_that_lives(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    studio.person().draw("코트", n=1)
    queue, now, real = JobQueue(studio.services.database, studio.settings, "host:1:a"), [0.0], time.time
    claimed = queue.claim()
    leases = Leases(studio.services.database, studio.settings.lease_seconds, lambda: now[0])
    for turn in range(40):
        if turn == 20:
            monkeypatch.setattr(time, "time", lambda: real() + jump)
        now[0] += 2.0
        queue.renew(claimed)
        assert leases.take_back() == 0
    for _ in range(14):
        now[0] += 2.0
        assert leases.take_back() == 0
    now[0] += 2.0
    assert leases.take_back() == 1


def test_a_job_of_a_process_that_died_here_waits_again_at_once(studio: Studio) -> None:
    person = studio.person()
    id = person.draw("코트", n=1)["id"]
    child = subprocess.Popen([sys.executable, "-c", "pass"])
    child.wait()
    JobQueue(studio.services.database, studio.settings, f"{machine()}:{child.pid}:x").claim()
    assert studio.services.leases.take_back() == 1
    assert person.get(f"/generations/{id}").json["status"] == "queued"


def test_two_workers_share_one_queue_and_draw_everything_once(studio: Studio) -> None:
    people = [studio.person() for _ in range(6)]
    ids = [(person, person.draw(f"코트 {i}", n=1)["id"]) for i, person in enumerate(people) for _ in range(2)]
    workers = [fake_worker(studio.settings, FakePipeline(0.01)) for _ in range(3)]
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for person, id in ids:
        assert person.until_end(id)["status"] == "succeeded"
    with studio.services.database.read() as session:
        assert len(list(session.scalars(select(WorkerRow)))) == 3
        assert len(list(session.scalars(select(Image)))) == len(ids)
        ends = list(session.scalars(select(Event.generation_id).where(Event.kind == "done")))
    assert sorted(ends) == sorted(id for _, id in ids)
    for worker, thread in zip(workers, threads, strict=True):
        worker.stop()
        thread.join(60)
        worker.close()
    with studio.services.database.read() as session:
        assert list(session.scalars(select(WorkerRow))) == [], "who ends takes its row along"


def test_a_ready_worker_counts_beside_one_that_has_no_checkpoint(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.studio.readiness.HEARD_SECONDS", -1.0)  # ask the database every time

    def put(name: str, state: str, detail: dict, moment: float) -> None:
        with studio.services.database.write() as session:
            session.merge(WorkerRow(name=name, state=state, detail=detail, heartbeat=moment))

    readiness, missing = studio.services.readiness, {"code": "checkpoint_missing", "message": "none"}
    put("a:1:x", "missing", missing, time.time() + 1)
    assert readiness.checkpoint_problem() == "none"
    put("b:1:x", "ready", {"styles": []}, time.time())
    assert readiness.checkpoint_problem() is None and readiness.worker().state == "ready"
    put("b:1:x", "ready", {"styles": []}, time.time() - DAY)  # another host, with another clock: it has just spoken
    assert readiness.worker().state == "ready"
    with studio.services.database.write() as session:
        session.query(WorkerRow).delete()
    put("c:1:x", "ready", {}, time.time() - 2 * SILENT_SECONDS)
    assert readiness.worker() is None, "a row of long ago that nobody changes"


def test_a_worker_is_seen_at_once_however_recently_nobody_was_there(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.studio.readiness.HEARD_SECONDS", 1e9)
    readiness = studio.services.readiness
    for state in ("nobody", "starting", "ready"):
        if state != "nobody":
            with studio.services.database.write() as session:
                session.merge(WorkerRow(name="a:1:x", state=state, detail={}, heartbeat=time.time()))
        worker = readiness.worker()
        assert (worker.state if worker is not None else "nobody") == state


def test_a_late_result_is_refused_and_the_job_drawn_once(studio: Studio) -> None:
    """Stopped for longer than its lease: another worker draws the job, the first one wakes and ends it in vain."""
    person = studio.person()
    id = person.draw("코트", n=1)["id"]
    pipeline, gate, entered = FakePipeline(0), threading.Event(), threading.Event()
    draw = pipeline.draw

    def slow(*arguments: object, **options: object) -> object:
        made = draw(*arguments, **options)
        entered.set()
        assert gate.wait(60)
        return made

    pipeline.draw = slow
    late = fake_worker(studio.settings, pipeline)
    late._open()
    thread = threading.Thread(target=late.work_once, daemon=True)
    thread.start()
    assert entered.wait(60)
    now = [0.0]
    leases = Leases(studio.services.database, studio.settings.lease_seconds, lambda: now[0])
    for _ in range(16):
        taken = leases.take_back()
        now[0] += 2.0
    assert taken == 1
    quick = fake_worker(studio.settings, FakePipeline(0))
    quick._open()
    assert quick.work_once()
    gate.set()
    thread.join(60)
    assert person.get(f"/generations/{id}").json["status"] == "succeeded"
    with studio.services.database.read() as session:
        assert session.get_one(Generation, id).attempt == 2 and len(list(session.scalars(select(Image)))) == 1
    assert len(list(studio.services.storage.found())) == 3
    for worker in (late, quick):
        worker.close()


def test_a_run_without_a_step_for_too_long_loses_its_lease(studio: Studio, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.worker.loop

    monkeypatch.setattr(demo.worker.loop, "STALL_SECONDS", 0.0)
    monkeypatch.setattr(demo.worker.loop, "BEAT_SECONDS", 0.02)
    studio.person().draw("코트", n=1)
    worker = fake_worker(studio.settings, FakePipeline(0))
    worker._running = worker._queue.claim()
    with studio.services.database.read() as session:
        before = session.scalar(select(Generation.lease_until))
    beat = threading.Thread(target=worker._keep_beating, daemon=True)
    beat.start()
    time.sleep(0.5)
    worker.stop()
    beat.join(30)
    with studio.services.database.read() as session:
        assert session.scalar(select(Generation.lease_until)) == before
    worker.close()


@pytest.mark.timeout(900)
def test_a_hung_worker_loses_its_job_and_is_replaced(server: Server) -> None:
    """Stopped by SIGSTOP for good: the web process takes its job back, the parent kills it and starts another."""
    server.environment |= {"LEASE_SECONDS": "4", "FAKE_HUNG_SECONDS": "25"}
    server.start()
    person = Client(server.url)
    with server.held("base"):
        id = person.call("POST", "/generations", {"prompt": "코트", "n": 1, "seed": 5})[1]["id"]
        wait_for(lambda: person.call("GET", f"/generations/{id}")[1]["status"] == "running", 120)
        hung = server.children()["worker"]
        os.kill(hung, signal.SIGSTOP)
    wait_for(lambda: person.call("GET", f"/generations/{id}")[1]["status"] == "queued", 120)
    wait_for(lambda: server.children().get("worker") not in (hung, None), 240)
    done = person.until_end(id)
    assert done["status"] == "succeeded" and done["images"][0]["seed"] == 5


@pytest.mark.timeout(900)
def test_a_second_worker_process_goes_on_while_the_first_hangs(server: Server) -> None:
    server.environment |= {"LEASE_SECONDS": "4", "FAKE_STEP_SECONDS": "0.3"}
    server.start()
    command = [*server.command[:-1], "worker"]
    with (server.folder / "log").open("ab") as log:
        second = subprocess.Popen(command, env=server.environment, stdout=log, stderr=log)
    try:
        person = Client(server.url)
        hung = server.children()["worker"]
        os.kill(hung, signal.SIGSTOP)
        ids = [person.call("POST", "/generations", {"prompt": f"코트 {i}", "n": 1})[1]["id"] for i in range(3)]
        for id in ids:
            assert person.until_end(id)["status"] == "succeeded"
        os.kill(hung, signal.SIGCONT)
    finally:
        second.terminate()
        assert second.wait(60) == 0
