"""Room on the disk: it is counted, its limit holds, and a full disk can be freed."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

import pytest
from demo_client import Studio, open_studio, wait_for
from demo_fakes import fake_services
from sqlalchemy import select

from demo.ops.upkeep import Calendar, every_hour
from demo.store.settings import Settings
from demo.store.space import Reserve, Space, kept_bytes
from demo.store.storage import Storage
from demo.store.tables import Image


def test_the_bytes_of_pictures_are_counted_with_their_rows(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    ids = [person.finished(f"코트 {i}", n=2)["id"] for i in range(2)]
    person.call("DELETE", f"/generations/{ids[0]}")
    with studio.services.database.read() as session:
        assert kept_bytes(session) == sum(session.scalars(select(Image.bytes))) > 0
    every_hour(studio.services)
    assert studio.services.readiness.used_bytes() > 0
    studio.close()


def test_max_disk_holds_in_the_commit_too(tmp_path: Path) -> None:
    """Jobs that were accepted while there was room: what is kept never exceeds the limit."""
    studio = open_studio(tmp_path, worker=False, max_disk=20_000)
    ids = [studio.person().draw(f"코트 {i}", n=2)["id"] for i in range(8)]
    studio.start_worker()
    with studio.services.database.read() as session:
        assert session is not None
    person = studio.person()
    wait_for(lambda: not waiting(studio), 60)
    with studio.services.database.read() as session:
        used = sum(session.scalars(select(Image.bytes)))
    on_disk = sum(path.stat().st_size for path in (studio.settings.data_dir / "files").glob("??/*"))
    assert 0 < used == on_disk <= 20_000
    assert person.post("/generations", {"prompt": "치마"}).status_code == 507
    assert len(ids) == 8
    studio.close()


def test_a_job_that_would_not_fit_beside_those_that_wait_is_refused(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=True)
    person = studio.person()
    assert person.finished("코트", n=1)["status"] == "succeeded"
    one = studio.services.readiness.used_bytes()
    studio.close()
    tight = open_studio(tmp_path, worker=False, max_disk=4 * one + one // 2)
    person = tight.person()
    assert [person.post("/generations", {"prompt": "코트", "n": 1}).status_code for _ in range(5)] == [202] * 3 + [
        507
    ] * 2
    tight.close()


def test_a_job_is_refused_where_the_disk_has_too_little_room_to_draw_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 30 MB free it was accepted, and failed: the worker wants 50."""
    studio = open_studio(tmp_path)
    person = studio.person()
    monkeypatch.setattr(Storage, "free_bytes", lambda _self: 30 * 2**20)
    refused = person.post("/generations", {"prompt": "코트"})
    assert refused.status_code == 507 and refused.json["error"]["code"] == "disk_full"
    assert "disk_full" in [one["code"] for one in person.get("//readyz").json["missing"]]
    assert person.upload(b"\x89PNG").status_code in (422, 507)
    studio.close()


def test_at_no_bytes_free_a_deletion_works_and_frees_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a file system of 40 MB that is filled to the last byte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    if os.system(f"mount -t tmpfs -o size=40m tmpfs {disk} 2>/dev/null") != 0:
        pytest.skip("needs the right to mount a file system")
    try:
        monkeypatch.setattr("demo.store.space.SPARE_BYTES", 0)
        studio = open_studio(tmp_path, data_dir=disk / "data")
        fill_and_delete(studio, disk)
        studio.close()
    finally:
        os.system(f"umount -l {disk}")


def fill_and_delete(studio: Studio, disk: Path) -> None:
    person = studio.person()
    ids = [person.finished(f"코트 {i}", n=2)["id"] for i in range(5)]
    studio.services.reserve.fill()
    assert (studio.settings.data_dir / "reserve").stat().st_size == 16 * 2**20
    studio.worker.stop()
    studio.thread.join(60)
    with (disk / "ballast").open("wb", buffering=0) as file:
        for size in (2**16, 1):
            with contextlib.suppress(OSError):
                while file.write(bytes(size)):
                    pass
    assert os.statvfs(disk).f_bavail == 0
    for id in ids:
        reply = person.call("DELETE", f"/generations/{id}")
        assert reply.status_code == 200 and reply.json["files_left"] == 0, reply.text
    assert os.statvfs(disk).f_bavail > 0
    assert not list((studio.settings.data_dir / "files").glob("??/*"))


def test_the_reserve_is_filled_where_there_is_room_and_let_go_once(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path, 2**20)
    assert not reserve.release()
    reserve.fill()
    reserve.fill()
    assert (tmp_path / "reserve").stat().st_blocks * 512 >= 2**20
    assert (tmp_path / "reserve").stat().st_mode & 0o077 == 0
    assert reserve.release() and not reserve.release()


def test_a_clock_that_has_jumped_deletes_nothing_by_date_for_a_day(monkeypatch: pytest.MonkeyPatch) -> None:
    real, steady = time.time, time.monotonic
    calendar = Calendar()
    assert calendar.trusted()
    monkeypatch.setattr(time, "time", lambda: real() + 400 * 86_400)
    assert not calendar.trusted() and not calendar.trusted()
    monkeypatch.setattr(time, "monotonic", lambda: steady() + 90_000)
    monkeypatch.setattr(time, "time", lambda: real() + 400 * 86_400 + 90_000)
    assert calendar.trusted()


def waiting(studio: Studio) -> int:
    from demo.store.tables import Generation

    with studio.services.database.read() as session:
        return len(list(session.scalars(select(Generation.id).where(Generation.status.in_(("queued", "running"))))))


def test_space_counts_what_is_there(tmp_path: Path) -> None:
    services = fake_services(Settings(data_dir=tmp_path, starter=""))
    space = Space(services.settings, services.database, services.storage)
    assert space.used_bytes() == 0 and space.has_spare()
    services.close()
