"""A damaged, deleted or replaced database is noticed: 503 with the cure, never a 202, never a crash loop; and back."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Person, Studio, open_studio, wait_for
from demo_fakes import fake_services
from demo_server import Client, Server
from sqlalchemy import text

from demo.ops.backup import back_up, restore, verify
from demo.ops.upkeep import every_hour
from demo.store.database import HEAD, Database, open_database
from demo.store.errors import ServiceError, from_failure
from demo.store.settings import Settings, SettingsError
from demo.store.tables import Generation


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    studio = open_studio(tmp_path, worker=False)
    yield studio
    studio.close()


@pytest.fixture
def drawn(tmp_path: Path) -> Studio:
    """A studio that was closed, with three generations."""
    studio = open_studio(tmp_path)
    person = studio.person()
    for i in range(3):
        assert person.finished(f"코트 {i}", n=1)["status"] == "succeeded"
    studio.close()
    return studio


def assert_refused(person: Person) -> None:
    for reply in (person.post("/generations", {"prompt": "코트"}), person.post("/generations", {"prompt": "모자"})):
        assert reply.status_code == 503 and reply.json["error"]["code"] == "database_damaged", reply.text
    ready = person.get("//readyz")
    assert ready.status_code == 503 and "database_damaged" in [one["code"] for one in ready.json["missing"]]
    assert person.get("//healthz").status_code == 200


def test_a_database_deleted_while_running_answers_503(studio: Studio) -> None:
    """Everything written to it would be lost, and SQLite itself says nothing."""
    person = studio.person()
    person.draw("코트")
    (studio.settings.data_dir / "studio.sqlite").unlink()
    assert_refused(person)


def test_a_database_replaced_while_running_answers_503_and_the_process_ends(studio: Studio) -> None:
    person, path = studio.person(), studio.settings.data_dir / "studio.sqlite"
    person.draw("코트")
    assert not studio.services.database.replaced()
    path.rename(path.with_name("aside"))
    Database(f"sqlite:///{path}").revision()
    assert studio.services.database.replaced()
    assert_refused(person)


@pytest.mark.parametrize("table", ["generations", "receipts", "prompt_vectors", "notes", "counters"])
def test_a_table_that_was_lost_while_running_is_noticed(studio: Studio, table: str) -> None:
    with sqlite3.connect(studio.settings.data_dir / "studio.sqlite") as connection:
        connection.execute(f"ALTER TABLE {table} RENAME TO gone")
    ready = studio.person().get("//readyz")
    assert ready.status_code == 503
    studio.services.searcher.close()


def test_damage_that_the_check_finds_is_refused_with_from_then_on(studio: Studio) -> None:
    person, path = studio.person(), studio.settings.data_dir / "studio.sqlite"
    for i in range(20):
        person.draw(f"코트 {i}")
    studio.services.database.checkpoint()
    with path.open("r+b") as file:
        for page in range(20, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\x0d" + bytes(200))
    every_hour_quietly(studio)
    assert studio.services.database.damage
    reply = person.post("/generations", {"prompt": "모자"})
    assert reply.status_code == 503 and reply.json["error"]["code"] == "database_damaged"


def every_hour_quietly(studio: Studio) -> None:
    try:
        every_hour(studio.services)
    except Exception as error:
        known = from_failure(error)
        assert known is not None and known.code == "database_damaged", error


def damage_at_rest(drawn: Studio, folder: Path, times: int) -> int:
    """Damage a copy in a random way and open it: a ServiceError, or a database that answers; returns how many opened.

    SQLite keeps no checksums: a flipped bit inside a row is not always noticed, and then is what the row says.
    """
    sound, chance, opened = drawn.settings.data_dir / "studio.sqlite", random.Random(3), 0
    for turn in range(times):
        data = folder / f"damage-{turn}"
        data.mkdir()
        content = bytearray(sound.read_bytes())
        way = turn % 4
        if way == 0:
            content = content[: chance.randrange(1, len(content))]
        elif way == 1:
            start = chance.randrange(len(content))
            content[start : start + 4096] = chance.randbytes(len(content[start : start + 4096]))
        elif way == 2:
            content[: chance.randrange(1, 200)] = b""
        else:
            for _ in range(50):
                content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
        (data / "studio.sqlite").write_bytes(content)
        try:
            database = open_database(Settings(data_dir=data))
        except ServiceError as error:
            assert error.code == "database_damaged", error.code
        except Exception as error:
            assert from_failure(error) is not None, error
        else:
            opened += 1
            for act in (database.problem, database.touch, lambda made=database: read_all(made)):
                try:
                    act()
                except Exception as error:
                    known = from_failure(error)
                    assert known is not None or isinstance(error, ValueError | TypeError | LookupError), error
            database.close()
        shutil.rmtree(data)
    return opened


def read_all(database: Database) -> None:
    with database.read() as session:
        for row in session.query(Generation):
            assert row.id


def test_databases_damaged_at_rest_are_refused_by_name(drawn: Studio, tmp_path: Path) -> None:
    assert damage_at_rest(drawn, tmp_path, times=12) < 12


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_five_hundred_databases_damaged_at_rest_are_refused_by_name(drawn: Studio, tmp_path: Path) -> None:
    opened = damage_at_rest(drawn, tmp_path, times=500)
    print(f"500 damaged databases: {500 - opened} refused when opened, {opened} opened and answered")


@pytest.mark.timeout(900)
def test_a_server_over_a_damaged_database_says_the_cure_and_comes_back_by_itself(tmp_path: Path) -> None:
    server = Server(tmp_path)
    server.start()
    person = Client(server.url)
    id = person.call("POST", "/generations", {"prompt": "코트", "n": 1})[1]["id"]
    assert person.until_end(id)["status"] == "succeeded"
    server.stop()
    path = tmp_path / "data" / "studio.sqlite"
    sound = path.read_bytes()
    path.write_bytes(b"not a database at all" + sound[21:])
    server.process = subprocess.Popen(server.command, env=server.environment, start_new_session=True,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # fmt: skip
    try:
        wait_for(lambda: answers(person), 240)
        before = server.children()
        for _ in range(3):
            status, answer = person.call("GET", "//readyz")
            assert status == 503 and answer["missing"][0]["code"] == "database_damaged"
            status, answer = person.call("POST", "/generations", {"prompt": "모자"}, Accept_Language="en")
            assert status == 503 and answer["error"]["code"] == "database_damaged" and "restore" in answer["detail"]
            time.sleep(3)
        assert server.children() == before and set(before) == {"web", "worker"}, "a crash loop"
        path.write_bytes(sound)
        wait_for(lambda: answers(person) and person.patiently("GET", f"/generations/{id}")[0] == 200, 240)
        again = person.patiently("POST", "/generations", {"prompt": "모자", "n": 1})[1]["id"]
        assert person.until_end(again)["status"] == "succeeded"
    finally:
        server.stop()


def answers(person: Client) -> bool:
    try:
        return person.call("GET", "//healthz")[0] == 200
    except OSError:
        return False


# Backups


def test_a_backup_made_while_people_draw_and_delete_is_restored_whole(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    kept = [person.finished(f"코트 {i}", n=2)["id"] for i in range(3)]
    gone = person.finished("비밀", n=1)["id"]
    person.draw("기다리는 중", n=1)
    person.call("DELETE", f"/generations/{gone}")
    made = back_up(studio.settings, studio.services.database, studio.services.storage, tmp_path / "backup")
    assert made.missing == [] and made.pictures >= 3 * 2 * 3
    late = person.finished("나중", n=1)["id"]
    with pytest.raises(FileExistsError):
        back_up(studio.settings, studio.services.database, studio.services.storage, tmp_path / "backup")
    studio.close()
    shutil.rmtree(studio.settings.data_dir)
    restored = restore(studio.settings, tmp_path / "backup")
    assert restored.pictures == made.pictures
    again = open_studio(tmp_path)
    again_person = again.person()
    again_person.client._cookies = person.client._cookies
    for id in kept:
        answer = again_person.get(f"/generations/{id}").json
        assert answer["status"] == "succeeded"
        assert all(again_person.get(f"/images/{one['id']}").status_code == 200 for one in answer["images"])
    assert [again_person.get(f"/generations/{id}").status_code for id in (gone, late)] == [404, 404]
    assert again_person.get("/search?q=코트 1").json["results"]
    assert all((path.stat().st_mode & 0o077) == 0 for path in (tmp_path / "backup").rglob("*"))
    again.close()


def test_a_damaged_backup_is_refused_and_the_data_stay(drawn: Studio, tmp_path: Path) -> None:
    services = fake_services(drawn.settings)
    back_up(drawn.settings, services.database, services.storage, tmp_path / "backup")
    services.close()
    before = (drawn.settings.data_dir / "studio.sqlite").read_bytes()
    for path in [tmp_path / "backup" / "database.sqlite", *sorted((tmp_path / "backup" / "files").rglob("*.png"))[:2]]:
        content = path.read_bytes()
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        with pytest.raises(ValueError, match="use another backup"):
            restore(drawn.settings, tmp_path / "backup")
        path.write_bytes(content)
    assert verify(tmp_path / "backup").missing == []
    assert (drawn.settings.data_dir / "studio.sqlite").read_bytes() == before
    with pytest.raises(ValueError, match="not a backup"):
        restore(drawn.settings, tmp_path)


def test_a_backup_is_not_restored_under_a_running_server_or_over_anothers_pictures(
    drawn: Studio, tmp_path: Path
) -> None:
    from demo.ops.supervisor import hold

    services = fake_services(drawn.settings)
    back_up(drawn.settings, services.database, services.storage, tmp_path / "backup")
    services.close()
    with hold(drawn.settings, "serve"), pytest.raises(SettingsError, match="stop it"):
        restore(drawn.settings, tmp_path / "backup")
    other = Settings(data_dir=tmp_path / "other", starter="")
    fake_services(other).close()
    with pytest.raises(ValueError, match="another installation"):
        restore(other, tmp_path / "backup")


def test_the_documented_commands_back_up_and_restore(drawn: Studio, tmp_path: Path) -> None:
    environment = {"DATA_DIR": str(drawn.settings.data_dir), "STARTER": "", "PATH": "/usr/bin:/bin"}
    root = Path(__file__).parent.parent

    def demo(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "demo", *arguments]
        return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)

    made = demo("backup", "-o", str(tmp_path / "backup"))
    assert made.returncode == 0 and "3 pictures" not in made.stderr, made.stderr
    (drawn.settings.data_dir / "studio.sqlite").write_bytes(b"damaged")
    broken = demo("verify")
    assert broken.returncode != 0 and "Traceback" not in broken.stderr, broken.stderr
    back = demo("restore", str(tmp_path / "backup"))
    assert back.returncode == 0, back.stderr
    assert demo("restore", str(tmp_path / "nowhere")).returncode == 2
    aside = list((drawn.settings.data_dir / "backups").glob("*-before-restore/studio.sqlite"))
    assert [path.read_bytes() for path in aside] == [b"damaged"]


def test_a_database_is_kept_before_it_is_migrated_and_those_who_waited_keep_their_order(tmp_path: Path) -> None:
    from alembic import command
    from alembic.config import Config

    from demo.queue.jobs import queue_order
    from demo.store.database import MIGRATIONS

    (tmp_path / "data").mkdir(mode=0o700)
    settings = Settings(data_dir=tmp_path / "data", starter="")
    old, config = Database(settings.sqlalchemy_url), Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with old.engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0002")
        connection.execute(text("INSERT INTO owners (id, created_at, served_at, member) VALUES ('a', 1, 1.7e9, 0)"))
        for i in (3, 1, 0, 2):
            connection.execute(text(
                "INSERT INTO generations (id, owner_id, created_at, status, prompt, prompt_key, negative_prompt, n,"
                " seed, refine, style_weight, visibility, hidden, shape, encoder_id, index_id, warnings, timings,"
                f" attempt) VALUES ('job{i}', 'a', {1000 + i}, 'queued', '코트', '코트', '', 1, 7, 1, 1.0,"
                " 'private', 0,"
                f" '()', 'e', 'i{i}', '[]', '{{}}', 0)"))  # fmt: skip
        connection.execute(
            text(
                "INSERT INTO workers (name, incarnation, state, detail, heartbeat)"
                " VALUES ('worker-1', 'w', 'x', '{}', 1)"
            )
        )
        connection.commit()
    old.close()
    database = open_database(settings)
    assert database.revision() == HEAD
    with database.read() as session:
        assert [job.id for job in queue_order(session)] == ["job0", "job1", "job2", "job3"]
    (kept,) = (settings.data_dir / "backups").glob(f"*-before-{HEAD}/studio.sqlite")
    copy = Database(f"sqlite:///{kept}")
    assert copy.revision() == "0002" and copy.problem() is None
    copy.close()
    database.close()
