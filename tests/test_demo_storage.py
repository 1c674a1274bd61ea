"""Files: only what the studio made is touched, on a folder and on S3; room on the disk is counted and can be freed."""

from __future__ import annotations

import contextlib
import hashlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Studio, open_studio, wait_for
from demo_fakes import fake_services
from sqlalchemy import select

from demo.ops.upkeep import Calendar, every_hour, remove_strays
from demo.store.settings import Settings
from demo.store.space import Reserve, Space, kept_bytes
from demo.store.storage import Storage
from demo.store.tables import Image, new_id, new_picture_id, picture_prefix

FOREIGN = ("holiday.jpg", "ab/notes.txt", "ab/cd/deep.png", "0f/photo.final.png", "studio/other.png")


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The address of a bucket on a real S3 server of our own."""
    boto3 = pytest.importorskip("boto3")
    server = pytest.importorskip("moto.server").ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    before = {name: os.environ.get(name) for name in ("AWS_ENDPOINT_URL", *CREDENTIALS)}
    os.environ.update(CREDENTIALS | {"AWS_ENDPOINT_URL": endpoint})
    client = boto3.client("s3", endpoint_url=endpoint)
    client.create_bucket(Bucket="pictures")
    client.close()
    yield "s3://pictures"
    server.stop()
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})


CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A folder or an S3 prefix that is new."""
    if request.param == "folder":
        return str(tmp_path / "pictures")
    return f"{request.getfixturevalue('bucket')}/{new_id()}"


def test_files_are_written_read_listed_and_removed(place: str) -> None:
    storage, id = Storage(place), new_id()
    file = storage.write(id, "final", "image/png", b"a picture")
    assert storage.read(file) == b"a picture" and list(storage.found()) == [file["key"]] and storage.holds(file["key"])
    storage.remove(file["key"])
    assert list(storage.found()) == [] and not storage.holds(file["key"])
    storage.remove(file["key"])


def test_a_fresh_file_is_not_found_as_an_old_one(place: str) -> None:
    """S3 listings say LastModified where folders say mtime: taken for 1970, fresh pictures were swept away."""
    storage = Storage(place)
    file = storage.write(new_id(), "final", "image/png", b"fresh")
    assert list(storage.found(older_than=600.0)) == []
    assert list(storage.found(older_than=0.0)) == [file["key"]]


def test_foreign_files_are_neither_found_nor_touched(place: str) -> None:
    storage = Storage(place)
    for name in FOREIGN:
        storage.fs.makedirs(f"{storage.root}/{name}".rsplit("/", 1)[0], exist_ok=True)
        storage.fs.pipe_file(f"{storage.root}/{name}", b"not ours")
    file = storage.write(new_id(), "final", "image/png", b"ours")
    assert list(storage.found()) == [file["key"]]
    for name in FOREIGN:
        assert storage.fs.cat_file(f"{storage.root}/{name}") == b"not ours"


def test_the_quarantine_gives_back_what_a_row_names_and_is_emptied_days_later(place: str) -> None:
    storage = Storage(place)
    named, stray = (storage.write(new_id(), "final", "image/png", data) for data in (b"named", b"stray"))
    for file in (named, stray):
        storage.quarantine(file["key"])
    assert list(storage.found()) == []
    assert storage.read(named) == b"named" and list(storage.found()) == [named["key"]]
    assert storage.empty_quarantine(older_than=86_400.0) == 0
    assert storage.empty_quarantine(older_than=0.0) == 1
    with pytest.raises(FileNotFoundError):
        storage.read(stray)


def test_deleting_a_picture_takes_it_from_the_quarantine_too(place: str) -> None:
    storage = Storage(place)
    file = storage.write(new_id(), "final", "image/png", b"secret")
    storage.quarantine(file["key"])
    storage.remove(file["key"])
    assert storage.empty_quarantine(older_than=0.0) == 0


def test_a_studio_on_a_folder_with_other_files_leaves_them_alone(tmp_path: Path) -> None:
    """STORAGE_URL at a folder of photos: they were gone 42 s after the start."""
    photos = tmp_path / "photos"
    kept = {photos / name: name.encode() for name in (*FOREIGN, f"ab/{'ab' * 16}.final.png")}
    for path, data in kept.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    studio = open_studio(tmp_path, storage_url=str(photos))
    person = studio.person()
    assert person.finished("코트", n=1)["status"] == "succeeded"
    assert remove_strays(studio.services.storage, studio.services, older_than=0) == 0
    every_hour(studio.services)
    assert {path: path.read_bytes() for path in kept} == kept
    studio.close()


def test_a_studio_started_once_without_its_database_removes_no_picture(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    person = studio.person()
    ids = [person.finished(f"코트 {i}", n=1)["id"] for i in range(3)]
    studio.close()
    database, aside = studio.settings.data_dir / "studio.sqlite", tmp_path / "aside"
    aside.mkdir()
    for path in database.parent.glob("studio.sqlite*"):
        path.rename(aside / path.name)
    new = fake_services(studio.settings)
    assert remove_strays(new.storage, new, older_than=0) == 0
    new.close()
    other = Studio(studio.settings, studio.app, new, studio.pipeline)
    with open_again(other) as again:
        assert again.person().finished("모자", n=1)["status"] == "succeeded"
        assert remove_strays(again.services.storage, again.services, older_than=0) == 0
    for path in database.parent.glob("studio.sqlite*"):
        path.unlink()
    for path in aside.iterdir():
        path.rename(database.parent / path.name)
    services = fake_services(studio.settings)
    with services.database.read() as session:
        for files in session.scalars(select(Image.files)):
            for file in files.values():
                assert hashlib.sha256(services.storage.read(file)).hexdigest() == file["sha256"]
    assert len(ids) == 3
    services.close()


def test_deleting_a_generation_takes_what_killed_workers_left_of_it(tmp_path: Path) -> None:
    """No row names these files, and they would lie in the quarantine for days."""
    studio = open_studio(tmp_path)
    person = studio.person()
    id = person.finished("비밀", n=1)["id"]
    other = person.finished("코트", n=1)["id"]
    storage = studio.services.storage
    quarantined, fresh, kept = (
        storage.write(new_picture_id(one), "final", "image/png", b"x") for one in (id, id, other)
    )
    half = studio.settings.data_dir / "files" / fresh["key"][:2] / f".{fresh['key'][3:]}.0123abcd.part"
    half.write_bytes(b"half")
    storage.quarantine(quarantined["key"])
    deleted = person.call("DELETE", f"/generations/{id}").json
    assert deleted["files_left"] == 0
    left = [path.name for path in (studio.settings.data_dir / "files").rglob("*") if path.is_file()]
    assert not [name for name in left if picture_prefix(id) in name] and kept["key"][3:] in left
    studio.close()


def test_strays_of_a_killed_worker_go_to_the_quarantine(tmp_path: Path) -> None:
    studio = open_studio(tmp_path)
    assert studio.person().finished("코트", n=1)["status"] == "succeeded"
    stray = studio.services.storage.write(new_id(), "final", "image/png", b"half of a job")
    part = studio.settings.data_dir / "files" / stray["key"][:2] / f".{stray['key'][3:]}.0123abcd.part"
    part.write_bytes(b"half of a file")
    assert remove_strays(studio.services.storage, studio.services, older_than=0) == 2
    assert len(list(studio.services.storage.found())) == 3
    studio.close()


@pytest.mark.parametrize("name", ["100%25 ?x", "a::b", "한글 #1", "s3:x"])
def test_everything_lies_inside_a_data_folder_of_any_name(tmp_path: Path, name: str) -> None:
    studio = open_studio(tmp_path, data_dir=tmp_path / "x" / name)
    assert studio.person().finished("코트", n=1)["status"] == "succeeded"
    studio.services.searcher.index.rebuild()
    studio.close()
    inside = tmp_path / "x" / name
    assert {path.name for path in (tmp_path / "x").iterdir()} == {name}
    assert {"studio.sqlite", "files", "index"} <= {path.name for path in inside.iterdir()}
    assert len(list(inside.glob("files/??/*.png"))) >= 1


def test_new_and_existing_data_folders_are_for_their_user_alone(tmp_path: Path) -> None:
    old = tmp_path / "data"
    (old / "files" / "ab").mkdir(parents=True)
    (old / "files" / "ab" / "x.png").write_bytes(b"x")
    for path in (old, old / "files", old / "files" / "ab", old / "files" / "ab" / "x.png"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    services = fake_services(Settings(data_dir=old, starter=""))
    modes = {path: path.stat().st_mode & 0o777 for path in (old, old / "files", old / "files" / "ab" / "x.png")}
    assert list(modes.values()) == [0o700, 0o700, 0o600]
    services.close()
    services = fake_services(Settings(data_dir=tmp_path / "new", starter=""))
    file = services.storage.write(new_id(), "final", "image/png", b"x")
    assert (tmp_path / "new").stat().st_mode & 0o077 == 0
    assert (tmp_path / "new" / "files" / file["key"]).stat().st_mode & 0o077 == 0
    services.close()


# Room


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


class open_again:
    """A studio over services that are opened anew."""

    def __init__(self, studio: Studio) -> None:
        self._folder = studio.settings.data_dir.parent

    def __enter__(self) -> Studio:
        self._studio = open_studio(self._folder)
        return self._studio

    def __exit__(self, *_: object) -> None:
        self._studio.close()


def test_space_counts_what_is_there(tmp_path: Path) -> None:
    services = fake_services(Settings(data_dir=tmp_path, starter=""))
    space = Space(services.settings, services.database, services.storage)
    assert space.used_bytes() == 0 and space.has_spare()
    services.close()
