"""When something is missing, full, locked or read-only: a clear refusal, and recovery by itself."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path
from unittest.mock import Mock

import pytest
from demo_client import open_studio, wait_for
from demo_fakes import fake_services
from sqlalchemy.exc import OperationalError

from demo.store.database import HEAD, Database, open_database
from demo.store.settings import Settings, SettingsError, settings_table
from demo.store.storage import Storage
from demo.store.tables import Base
from demo.web.app import create_app


def test_without_a_checkpoint_the_service_says_so(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, checkpoint=str(tmp_path / "nowhere"))
    person = studio.person()
    reply = person.post("/generations", {"prompt": "원피스"})
    assert reply.status_code == 503 and reply.json["error"]["code"] == "checkpoint_missing"
    assert "nowhere" in reply.json["detail"] and str(tmp_path) not in reply.text
    ready = person.get("//readyz")
    assert ready.status_code == 503 and "checkpoint_missing" in [one["code"] for one in ready.json["missing"]]
    assert person.get("//healthz").status_code == 200 and person.get("//").status_code == 200
    assert person.get("/about").json["missing"][0]["code"] == "checkpoint_missing"
    studio.close()


def test_without_an_encoder_the_service_says_so_and_still_shows_and_deletes(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    id = person.finished("원피스", n=1)["id"]
    studio.close()
    made = Settings(**vars(studio.settings) | {"encoder": str(tmp_path / "gone")})
    services = fake_services(made)
    studio.app, studio.services = create_app(made, services), services
    services.warm_up().join()
    reply = studio.person().post("/generations", {"prompt": "원피스"})
    assert reply.status_code == 503 and reply.json["error"]["code"] == "encoder_missing"
    assert studio.person().get("/search?q=a").json["error"]["code"] == "encoder_missing"
    again = studio.person()
    again.client._cookies = person.client._cookies
    assert again.get(f"/generations/{id}").json["status"] == "succeeded"
    assert again.call("DELETE", f"/generations/{id}").json["files_left"] == 0
    services.close()


def test_a_deletion_that_is_committed_is_answered_whatever_fails_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_studio(tmp_path)
    person, deletion = studio.person(), studio.services.deletion
    ids = [person.finished(prompt, n=1)["id"] for prompt in ("원피스", "코트")]
    with monkeypatch.context() as broken:
        broken.setattr(type(studio.services.searcher.index), "removed", Mock(side_effect=RuntimeError("a broken file")))
        receipts = []
        for id in ids:
            reply = person.call("DELETE", f"/generations/{id}")
            assert reply.status_code == 200 and reply.json["generations"] == 1 and not reply.json["complete"]
            receipts.append(reply.json["receipt"])
        assert person.get(f"/receipts/{receipts[0]}").json["complete"] is False
    with monkeypatch.context() as broken:  # one that cannot be ended keeps no other waiting
        ended = deletion._complete
        broken.setattr(deletion, "_complete", lambda id: 1 / 0 if id == receipts[0] else ended(id))
        studio.services.searcher.index.rebuild()
        deletion.sweep()
    assert person.get(f"/receipts/{receipts[1]}").json["complete"]
    assert person.get(f"/receipts/{receipts[0]}").json["complete"]
    studio.close()


def test_a_checkpoint_that_comes_later_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.worker.loop

    monkeypatch.setattr(demo.worker.loop, "OPEN_AGAIN_SECONDS", 0.05)
    studio = open_studio(tmp_path, worker=False)
    manifest = Path(studio.settings.checkpoint) / "manifest.json"
    manifest.unlink()
    studio.start_worker()
    wait_for(lambda: studio.services.readiness.checkpoint_problem())
    manifest.write_text("{}")
    wait_for(lambda: studio.services.readiness.report()["ready"])
    studio.close()


def test_a_full_disk_refuses_and_recovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Storage, "write", full)
        assert person.finished("원피스", n=1)["error"]["code"] == "disk_full"
        assert person.upload(_png()).status_code == 507
        patched.setattr(Storage, "check", full)
        ready = person.get("//readyz").json
        assert not ready["ready"] and ready["missing"][0]["code"] == "disk_full"
    assert person.finished("원피스", n=1)["status"] == "succeeded"
    assert person.get("//readyz").status_code == 200
    studio.close()


def test_max_disk_bounds_what_is_kept(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, max_disk=4000)  # one picture takes about 2,500
    person = studio.person()
    first = person.finished("원피스", n=1)
    wait_for(lambda: studio.services.readiness.used_bytes() > 1)
    reply = person.post("/generations", {"prompt": "코트"})
    assert reply.status_code == 507 and reply.json["error"]["code"] == "disk_full" and reply.headers["Retry-After"]
    person.call("DELETE", f"/generations/{first['id']}")
    wait_for(lambda: studio.services.readiness.used_bytes() == 0)
    assert person.finished("코트", n=1)["status"] == "succeeded"
    studio.close()


def test_retention_deletes_what_is_old(tmp_path: Path) -> None:
    from sqlalchemy import update

    from demo.ops.upkeep import once
    from demo.store.tables import Generation, Image

    studio = open_studio(tmp_path, retention_days=30)
    person = studio.person()
    old, new = person.finished("원피스", n=1)["id"], person.finished("코트", n=1)["id"]
    upload = person.upload(_png()).json["id"]
    with studio.services.database.write() as session:
        session.execute(update(Generation).where(Generation.id == old).values(created_at=1.0))
        session.execute(update(Image).where(Image.id == upload).values(created_at=1.0))
    once(studio.services)
    assert person.get(f"/generations/{old}").status_code == 404
    assert person.get(f"/images/{upload}").status_code == 404
    assert person.get(f"/generations/{new}").status_code == 200
    assert len(list(studio.services.storage.found())) == 3
    studio.close()


def test_a_locked_database_is_a_short_503(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import demo.store.database

    monkeypatch.setattr(demo.store.database, "BUSY_MILLISECONDS", 50)
    studio = open_studio(tmp_path, worker=False)
    person = studio.person()
    lock = sqlite3.connect(studio.settings.data_dir / "studio.sqlite", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    reply = person.post("/generations", {"prompt": "원피스"})
    assert reply.status_code == 503 and reply.json["error"]["code"] == "database_busy" and reply.headers["Retry-After"]
    lock.execute("ROLLBACK")
    lock.close()
    assert person.post("/generations", {"prompt": "원피스"}).status_code == 202
    studio.close()


def test_a_deletion_that_is_committed_is_answered_though_the_database_is_busy_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    done, deletion = person.finished("코트", n=1), studio.services.deletion
    busy = OperationalError("BEGIN IMMEDIATE", None, sqlite3.OperationalError("database is locked"))
    with monkeypatch.context() as patched:
        patched.setattr(deletion, "_complete", Mock(side_effect=busy))
        reply = person.call("DELETE", f"/generations/{done['id']}")
    assert reply.status_code == 200 and not reply.json["complete"], reply.text
    assert person.get(f"/generations/{done['id']}").status_code == 404
    deletion.sweep()
    assert person.get(reply.json["url"].removeprefix("/api/v1")).json["files_left"] == 0
    studio.close()


def test_migrations_make_the_tables_of_the_models(tmp_path: Path) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    database = open_database(Settings(data_dir=tmp_path))
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    assert database.revision() == HEAD
    database.close()
    again = Database(Settings(data_dir=tmp_path).sqlalchemy_url)
    with again.engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA secure_delete").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
    again.close()


def test_it_refuses_to_listen_to_everybody_by_accident() -> None:
    with pytest.raises(SettingsError, match="ACCESS=token"):
        Settings(host="0.0.0.0").check_listening()
    Settings(host="0.0.0.0", access="token").check_listening()
    Settings(host="::1").check_listening()
    for wrong in ({"PORT": "x"}, {"ACCESS": "all"}, {"QUEUE": "0"}, {"RETENTION_DAYS": "-1"}, {"SECURE_COOKIES": "2"}):
        with pytest.raises(SettingsError, match=next(iter(wrong))):
            Settings.from_env(wrong)
    assert Settings.from_env({"MAX_DISK": "20GB"}).max_disk == 20 * 2**30
    assert "RETENTION_DAYS" in settings_table()


def test_with_token_access_only_people_with_a_code_or_token_come_in(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, access="token")
    owners, owner_id = studio.services.owners, "a" * 32
    stranger, member, program = studio.person(), studio.person(), studio.person()
    for path in ("/generations", "/gallery", "/search?q=a", "/styles"):
        assert stranger.get(path).json["error"]["code"] == "token_required"
    assert stranger.post("/generations", {"prompt": "원피스"}).status_code == 401
    code, _ = owners.make_code(owner_id)
    assert member.post("/me/claim", {"code": code}).status_code == 200
    assert member.finished("원피스", n=1)["status"] == "succeeded"
    program.headers = {"Authorization": f"Bearer {owners.make_token(owner_id, 'x')[1]}"}
    assert len(program.get("/generations").json["items"]) == 1
    stranger.headers = {"Authorization": "Bearer gr_wrong"}
    assert stranger.get("/gallery").json["error"]["code"] == "bad_token"
    studio.close()


def test_there_are_limits_per_person_and_for_newcomers(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False, rate_writes="3/minute", rate_newcomers="2/hour")
    person = studio.person()
    person.get("//")
    for _ in range(3):
        person.draw("원피스")
    reply = person.post("/generations", {"prompt": "원피스"})
    assert reply.status_code == 429 and reply.json["error"]["code"] == "rate_limited" and reply.headers["Retry-After"]
    assert person.get("/generations").status_code == 200
    studio.person().draw("코트")
    assert studio.person().post("/generations", {"prompt": "바지"}).json["error"]["code"] == "rate_limited"
    studio.close()


@pytest.mark.parametrize("proxies", [0, 1])
def test_behind_a_trusted_proxy_the_client_counts_and_without_one_nobody_is_believed(
    tmp_path: Path, proxies: int
) -> None:
    studio = open_studio(tmp_path, worker=False, proxies=proxies, rate_newcomers="1/hour", allowed_hosts="studio.kr")
    headers = {"X-Forwarded-Host": "studio.kr", "X-Forwarded-Proto": "https"}
    if not proxies:
        assert studio.person().get("//readyz", headers=headers).json["error"]["code"] == "bad_host"
        studio.close()
        return
    for address, status in (("203.0.113.1", 202), ("203.0.113.2", 202), ("203.0.113.1", 429)):
        own = headers | {"X-Forwarded-For": address, "Origin": "https://studio.kr"}
        reply = studio.person().post("/generations", {"prompt": "코트"}, headers=own)
        assert reply.status_code == status, address
    studio.close()


def test_a_second_server_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    from demo.ops.supervisor import hold

    settings = Settings(data_dir=tmp_path)
    with hold(settings, "serve"), pytest.raises(SettingsError, match="another serve process"):
        hold(settings, "serve")
    hold(settings, "serve").close()


def test_another_encoder_embeds_what_is_there_anew(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    id = person.finished("보라 저고리", n=1)["id"]
    studio.close()
    services = fake_services(studio.settings, "fake-2")
    studio.services, studio.app = services, create_app(studio.settings, services)
    services.warm_up().join()
    again = studio.person()
    again.client._cookies = person.client._cookies
    assert again.get("/search?q=보라 저고리").json["results"][0]["generation_id"] == id
    assert again.get("/search?q=보라 저고리&scope=mine").json["results"][0]["generation_id"] == id
    services.close()


def _png() -> bytes:
    import io

    from PIL import Image

    out = io.BytesIO()
    Image.new("RGB", (20, 20)).save(out, "PNG")
    return out.getvalue()


def test_every_setting_is_written_down() -> None:
    written = (Path(__file__).parent.parent / "docs" / "reference" / "service.md").read_text("utf-8")
    for line in settings_table().splitlines():
        assert f"`{line.split()[0]}`" in written, line
