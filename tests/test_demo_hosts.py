"""Many processes over one database: whose jobs a worker takes, request ids, readiness by role, rates of all."""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
from pathlib import Path

import pytest
from demo_client import Person, Studio, open_studio, wait_for
from demo_fakes import fake_services, fake_worker
from sqlalchemy.exc import DBAPIError

import demo.store.database
from demo.ops import supervisor
from demo.ops.commands import main
from demo.ops.logs import JsonLines
from demo.queue.jobs import lose
from demo.queue.weights import Weights
from demo.store import request_id
from demo.store.database import Database, open_database
from demo.store.installation import installation_id
from demo.store.settings import Settings, SettingsError
from demo.store.storage import Storage
from demo.store.tables import Generation, Owner, RateCount, WorkerRow, next_turn
from demo.studio.weights import weights_of
from demo.web.app import create_app
from demo.web.rates_sql import DatabaseCounters
from testing.cluster_servers import PostgresServer


def another_web(studio: Studio, **settings: object) -> Studio:
    """A second web process's application over the same database and files."""
    made = studio.settings.model_copy(update=settings)
    services = fake_services(made)
    app = create_app(made, services)
    services.warm_up().join()
    return Studio(made, app, services, studio.pipeline)


def test_a_worker_takes_only_jobs_of_its_weights(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"stages": {"base": {}}, "domain": "fashion", "trained": 2}')
    other = another_web(studio, checkpoint=str(tmp_path / "other"))
    mine, theirs = studio.person().draw("코트", n=1)["id"], other.person().draw("모자", n=1)["id"]
    first, second = fake_worker(studio.settings), fake_worker(other.settings)
    assert first._open() and second._open()
    assert first.work_once() and not first.work_once()
    assert states(studio, mine, theirs) == ["succeeded", "queued"]
    assert not first._queue.any_waits() and second.work_once()
    assert states(studio, mine, theirs) == ["succeeded", "succeeded"]
    for each in (first, second, other, studio):
        each.close()


def test_fabric_is_made_by_workers_with_its_weights_whatever_they_draw_with(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "generator.json").write_text(f'{{"trained": "{name}"}}')
    studio = open_studio(tmp_path, worker=False, textile=str(tmp_path / "one"))
    body = {"kind": "pattern", "category": "stripes", "n": 1}
    first, second = (studio.person().post("/generations", body).json["id"] for _ in range(2))
    drawn = studio.person().draw("코트", n=1)["id"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text('{"stages": {"base": {}}, "domain": "fashion", "trained": 2}')
    other_checkpoint = {"checkpoint": str(tmp_path / "other")}
    workers = [
        fake_worker(studio.settings.model_copy(update=update))
        for update in (other_checkpoint, {"textile": str(tmp_path / "two")}, {})
    ]
    assert all(worker._open() for worker in workers)
    assert workers[0].work_once() and not workers[0].work_once(), "both in one batch"
    assert states(studio, first, second, drawn) == ["succeeded", "succeeded", "queued"]
    third = studio.person().post("/generations", body).json["id"]
    assert workers[1].work_once() and not workers[1].work_once()
    assert states(studio, drawn, third) == ["succeeded", "queued"]
    workers[2]._weights.fabric = ""  # as where no runner of fabric could be opened
    assert not workers[2].work_once()
    for each in (*workers, studio):
        each.close()


def states(studio: Studio, *ids: str) -> list[str]:
    with studio.services.database.read() as session:
        return [session.get_one(Generation, id).status for id in ids]


def test_jobs_of_weights_that_no_worker_has_any_more_are_drawn_by_others_later(tmp_path: Path) -> None:
    studio, now = open_studio(tmp_path, worker=False), [0.0]
    id = studio.person().draw("코트", n=1)["id"]
    database = studio.services.database
    with database.write() as session:
        session.get_one(Generation, id).weights = "former"
        session.add(WorkerRow(name="a:1:b", state="ready", detail={"weights": "former"}, heartbeat=0.0))
    weights = Weights(database, "new", 30.0, lambda: now[0])
    for moment, taken in ((0, ("", "new")), (100, ("", "new"))):
        now[0] = moment
        assert weights.taken() == taken, "a worker has them"
    with database.write() as session:
        session.delete(session.get_one(WorkerRow, "a:1:b"))
    for moment, taken in ((106, ("", "new")), (120, ("", "new")), (140, ("", "new", "former"))):
        now[0] = moment
        assert weights.taken() == taken
    studio.close()


def test_weights_are_the_same_wherever_a_folder_lies_and_others_once_it_was_trained_anew(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name / "unet").mkdir(parents=True)
        (tmp_path / name / "model_index.json").write_text("{}")
        (tmp_path / name / "unet" / "model.safetensors").write_bytes(b"1234")
    assert weights_of(str(tmp_path / "a")) == weights_of(str(tmp_path / "b"))
    (tmp_path / "c" / "styles").mkdir(parents=True)
    for name in ("model_index.json", "unet/model.safetensors", "styles/lora.safetensors"):
        (tmp_path / "c" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "c" / name).write_bytes(b"{}" if name.endswith("json") else b"1234")
    assert weights_of(str(tmp_path / "c")) == weights_of(str(tmp_path / "a")), "a style changes no weights"
    (tmp_path / "b" / "model_index.json").write_text('{"trained": 2}')
    assert weights_of(str(tmp_path / "a")) != weights_of(str(tmp_path / "b"))
    assert weights_of("someone/model") == weights_of("someone/model") != weights_of("someone/other")
    below = tmp_path / "styles" / "d"  # where a folder lies says nothing of what is in it
    below.mkdir(parents=True)
    (below / "model_index.json").write_text("{}")
    before = weights_of(str(below))
    (below / "model.safetensors").write_bytes(b"1234")
    os.utime(below / "model_index.json", ns=(1, 1))
    assert weights_of(str(below)) != before


def test_a_request_id_goes_from_the_request_into_the_workers_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    studio = open_studio(tmp_path, worker=False)
    person = studio.person()
    reply = person.post("/generations", {"prompt": "코트", "n": 1}, headers={"X-Request-ID": "from-the-proxy.7"})
    assert reply.headers["X-Request-ID"] == "from-the-proxy.7"
    worker = fake_worker(studio.settings)
    assert worker._open()
    with caplog.at_level(logging.INFO, "demo.worker"):
        worker.work_once()
    begun = [record for record in caplog.records if "begins" in record.getMessage()]
    assert [record.request_id for record in begun] == ["from-the-proxy.7"]
    line = json.loads(JsonLines().format(begun[0]))
    assert line["request_id"] == "from-the-proxy.7" and line["job"] == reply.json["id"]
    assert "코트" not in line["message"]
    worker.close()
    studio.close()


@pytest.mark.parametrize("given", ["", "a b", "x" * 65, "한글", "a\nb"])
def test_a_request_id_that_is_none_is_replaced(given: str) -> None:
    assert request_id.begin(given) != given and len(request_id.current()) == 16
    request_id.set_current("")


def test_readiness_is_told_by_role(tmp_path: Path) -> None:
    """A web process without a worker can answer: a load balancer must not take it away."""
    studio = open_studio(tmp_path, worker=False)
    person = studio.person()
    told = {role: person.get(f"//readyz?role={role}").status_code for role in ("web", "worker")}
    assert told == {"web": 200, "worker": 503} and person.get("//readyz").status_code == 503
    assert set(person.get("//readyz?role=web").json["checks"]) == {"database", "storage", "encoder", "index"}
    assert person.get("//readyz?role=drummer").status_code == 422
    studio.start_worker()
    wait_for(lambda: person.get("//readyz?role=worker").status_code == 200)
    studio.close()


def test_two_web_processes_count_rates_together_in_the_database(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, rate_storage="database", rate_newcomers="3/hour")
    other = another_web(studio)
    assert [asked(each.person()) for each in (studio, other, studio, other)] == [202, 202, 202, 429]
    with studio.services.database.read() as session:
        keys = [row.key for row in session.query(RateCount)]
    assert keys and not any("127.0.0.1" in key or "LIMIT" in key for key in keys), "addresses are hashed"
    other.close()
    studio.close()


def asked(person: Person) -> int:
    return person.post("/generations", {"prompt": "코트"}).status_code


def test_counts_in_the_database_are_exact_end_and_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_studio(tmp_path, worker=False)
    counters = [DatabaseCounters(studio.services.database, b"key") for _ in range(2)]
    threads = [threading.Thread(target=lambda each=each: [each.incr("a", 600) for _ in range(50)]) for each in counters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters[0].get("a") == 100 and counters[0].check()
    assert counters[0].incr("b", -1) == 1 and counters[0].incr("b", 600) == 1, "one that has ended begins anew"
    assert counters[0].incr("gone", -1) == 1
    monkeypatch.setattr(counters[0], "_sweep_at", 0.0)
    counters[0].incr("b", 600)
    counters[1].clear("a")
    with studio.services.database.read() as session:
        assert session.query(RateCount).count() == 1
    assert counters[1].reset() == 1
    studio.close()


def test_rates_are_counted_where_the_settings_say() -> None:
    assert Settings().rates_url == ""
    assert Settings(database_url="postgresql+psycopg://x/y").rates_url == "database"
    assert Settings(database_url="postgresql+psycopg://x/y", queue_url="redis://x").rates_url == "redis://x"
    assert Settings(queue_url="redis://x", rate_storage="memcached://x").rates_url == "memcached://x"


def test_settings_of_the_queue_and_the_log_are_checked_and_the_former_name_is_read() -> None:
    assert Settings.from_env({"WAKE_URL": "redis://a"}).queue_url == "redis://a"
    assert Settings.from_env({"WAKE_URL": "redis://a", "QUEUE_URL": "redis://b"}).queue_url == "redis://b"
    with pytest.raises(SettingsError, match="QUEUE_URL=http://x"):
        Settings(queue_url="http://x")
    with pytest.raises(SettingsError, match="LOG_FORMAT"):
        Settings(log_format="xml")


def test_a_process_goes_on_over_a_database_that_a_newer_version_has_migrated(tmp_path: Path) -> None:
    """Versions one apart run side by side during an upgrade: the new one adds a table and a column with a default."""
    studio = open_studio(tmp_path, worker=False)
    with studio.services.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
        connection.exec_driver_sql("CREATE TABLE of_tomorrow (id INTEGER PRIMARY KEY)")
        connection.exec_driver_sql("ALTER TABLE generations ADD COLUMN tomorrow TEXT NOT NULL DEFAULT ''")
    older = another_web(studio)
    worker = fake_worker(studio.settings)
    id = older.person().draw("코트", n=1)["id"]
    assert worker._open() and worker.work_once() and states(studio, id) == ["succeeded"]
    assert older.services.database.revision() == "9999"
    for each in (worker, older, studio):
        each.close()


def test_serve_starts_as_many_processes_as_the_settings_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[list[str]] = []
    ended = threading.Event()

    def look(child: supervisor.Child) -> bool:
        if list(child.arguments) not in started or len(started) < 5:
            started.append(list(child.arguments))
        if len(started) >= 5:
            os.kill(os.getpid(), signal.SIGTERM)
            ended.set()
        return False

    monkeypatch.setattr(supervisor.Child, "look", look)
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    try:
        assert supervisor.serve(Settings(data_dir=tmp_path, port=0, web_processes=2, workers=3), ("studio",)) == 0
    finally:
        for number, handler in zip((signal.SIGTERM, signal.SIGINT), before, strict=True):
            signal.signal(number, handler)
    assert [words[1] for words in started[:5]] == ["web", "web", "worker", "worker", "worker"]


def test_the_probe_tells_whether_a_worker_is_ready_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = open_studio(tmp_path, worker=False)
    monkeypatch.setenv("DATA_DIR", str(studio.settings.data_dir))
    assert main(["ready"]) == 1 and "no worker" in capsys.readouterr().out
    worker = fake_worker(studio.settings)
    assert worker._open()
    assert main(["ready"]) == 0 and capsys.readouterr().out == "ready\n"
    worker.close()
    studio.close()


def test_processes_that_open_a_new_postgresql_at_once_agree_on_one_installation(tmp_path: Path) -> None:
    """Of two web processes of a first start one died: both wrote the installation's note."""
    server = PostgresServer()
    server.start()
    try:
        settings = Settings(data_dir=tmp_path, database_url=server.database("studio"))
        databases = [open_database(settings) for _ in range(8)]
        storage, barrier, found = Storage(tmp_path / "files"), threading.Barrier(8), []

        def ask(database: Database) -> None:
            barrier.wait()
            found.append(installation_id(database, storage))

        threads = [threading.Thread(target=ask, args=(database,)) for database in databases]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(found) == 8 and len(set(found)) == 1
        for database in databases:
            database.close()
    finally:
        server.close()


def test_a_process_that_hangs_in_a_transaction_keeps_nobody_waiting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PostgreSQL ends its session and so frees the turn of the queue; a job that it holds is passed over until then."""
    server = PostgresServer()
    server.start()
    try:
        monkeypatch.setattr(demo.store.database, "IDLE_IN_TRANSACTION_SECONDS", 2)
        settings = Settings(data_dir=tmp_path, database_url=server.database("studio"))
        hung, other = open_database(settings), open_database(settings)
        with other.write() as session:
            session.add(Owner(id="o", created_at=0.0, served_turn=0))
            session.flush()
            session.add(Generation(**running_job("job")))
        begun = []
        with pytest.raises(DBAPIError), hung.write() as session:
            session.get_one(Generation, "job", with_for_update=True)
            next_turn(session)
            with other.write() as beside:
                assert not lose(beside, "job", "gone:1:a", 1, 5.0), "it is passed over"
            with other.write() as beside:
                begun.append(next_turn(beside))
        assert begun, "the turn was had while the other hung"
        with other.write() as session:
            assert lose(session, "job", "gone:1:a", 1, 5.0)
        hung.close()
        other.close()
    finally:
        server.close()


def running_job(id: str) -> dict[str, object]:
    return {"id": id, "owner_id": "o", "created_at": 0.0, "status": "running", "kind": "draw", "prompt": "코트",
            "prompt_key": "코트", "n": 1, "seed": 1, "spec": {}, "visibility": "private", "hidden": False,
            "batch_key": "b", "encoder_id": "e", "index_id": "i", "attempt": 1, "worker": "gone:1:a",
            "lease_until": 5.0, "turn": 1, "timings": {}, "warnings": []}  # fmt: skip
