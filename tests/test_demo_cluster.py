"""Beyond one machine: PostgreSQL for the rows, Redis for rates and wake signals, workers that meet in the database."""

from __future__ import annotations

import json
import os
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from demo_client import Studio, open_studio
from demo_fakes import FakePipeline, fake_services, fake_worker, model_folders
from PIL import Image as Picture

from demo.store.database import HEAD, open_database
from demo.store.settings import Settings, SettingsError
from demo.store.tables import Event, Generation, Image
from testing.cluster_servers import RedisServer


@pytest.fixture
def postgres() -> Iterator[str]:
    """The address of an empty database: a schema that goes with the test."""
    pytest.importorskip("psycopg")
    if not (address := os.environ.get("TEST_POSTGRES")):
        pytest.skip("TEST_POSTGRES names no database")
    name, owner = f"demo_{uuid.uuid4().hex[:8]}", sa.create_engine(address)
    with owner.begin() as connection:
        connection.execute(sa.text(f"CREATE SCHEMA {name}"))
    url = sa.make_url(address).update_query_dict({"options": f"-csearch_path={name}"})
    yield url.render_as_string(hide_password=False)
    with owner.begin() as connection:
        connection.execute(sa.text(f"DROP SCHEMA {name} CASCADE"))
    owner.dispose()


@pytest.fixture
def redis_url() -> Iterator[str]:
    server = RedisServer()
    server.start()
    yield server.url
    server.close()


def test_ten_processes_may_migrate_postgresql_at_once(postgres: str, tmp_path: Path) -> None:
    failures: list[BaseException] = []

    def migrate(number: int) -> None:
        try:
            folder = tmp_path / str(number)  # hosts that share no folder
            database = open_database(Settings(data_dir=folder, database_url=postgres))
            assert database.revision() == HEAD
            database.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=migrate, args=(number,)) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert failures == []


def test_workers_on_postgresql_draw_everything_once(postgres: str, tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, database_url=postgres)
    people = [studio.person() for _ in range(4)]
    ids = [(person, person.draw(f"코트 {i}", n=1)["id"]) for i, person in enumerate(people) for _ in range(3)]
    workers = [fake_worker(studio.settings, FakePipeline(0.005)) for _ in range(3)]
    threads = [threading.Thread(target=worker.run, daemon=True) for worker in workers]
    for thread in threads:
        thread.start()
    for person, id in ids:
        assert person.until_end(id)["status"] == "succeeded"
    assert people[0].call("DELETE", f"/generations/{ids[0][1]}").status_code == 200
    for worker, thread in zip(workers, threads, strict=True):
        worker.stop()
        thread.join(60)
        worker.close()
    with studio.services.database.read() as session:
        images = list(session.scalars(sa.select(Image)))
        assert len(images) == len(ids) - 1 and studio.services.space.used_bytes() == sum(row.bytes for row in images)
        ends = list(session.scalars(sa.select(Event.generation_id).where(Event.kind == "done")))
        assert len(ends) == len(set(ends)) == len(ids) - 1
        assert set(session.scalars(sa.select(Generation.attempt))) == {1}
    assert people[0].get("//readyz").json["checks"]["database"] == "ok"
    studio.close()


def test_rates_may_be_counted_in_redis(redis_url: str, tmp_path: Path) -> None:
    """Two web processes count together."""
    one = open_studio(tmp_path / "a", worker=False, rate_storage=redis_url, rate_newcomers="3/hour")
    two = open_studio(tmp_path / "b", worker=False, rate_storage=redis_url, rate_newcomers="3/hour")
    statuses = [draw(studio) for studio in (one, two, one, two, one)]
    assert statuses == [202, 202, 202, 429, 429]
    one.close()
    two.close()


def draw(studio: Studio) -> int:
    return studio.person().post("/generations", {"prompt": "코트"}).status_code


def test_the_share_of_an_address_is_checked() -> None:
    with pytest.raises(SettingsError, match="ADDRESS_SHARE"):
        Settings(address_share=0.0)


def test_hosts_that_start_at_once_bring_one_starter_gallery(postgres: str, tmp_path: Path) -> None:
    gallery = tmp_path / "starter"
    gallery.mkdir()
    write_gallery(gallery, "빨간 치마")
    shared = {"database_url": postgres, "storage_url": str(tmp_path / "files"), "starter": str(gallery)}
    for name in ("빨간 치마", "파란 코트"):  # at first, and when the files have changed
        write_gallery(gallery, name)
        hosts = [Settings(data_dir=tmp_path / f"host {i}", **model_folders(tmp_path), **shared) for i in range(3)]
        everything = [fake_services(settings) for settings in hosts]
        threads = [services.warm_up() for services in everything]
        for thread in threads:
            thread.join(120)
        with everything[0].database.read() as session:
            prompts = sorted(session.scalars(sa.select(Generation.prompt)))
        assert prompts == [f"{name} {i}" for i in range(5)]
        assert len(list((tmp_path / "files").rglob("*.final.webp"))) == 5, "no file without a row"
        for services in everything:
            services.close()


def write_gallery(folder: Path, name: str) -> None:
    entries = []
    for i in range(5):
        Picture.new("RGB", (64, 64), (40 * i, 0, 0)).save(folder / f"{i}.webp")
        entries.append({"prompt": f"{name} {i}", "seed": i, "file": f"{i}.webp", "recipe": {"seed": i}})
    (folder / "gallery.json").write_text(json.dumps({"entries": entries}), "utf-8")
