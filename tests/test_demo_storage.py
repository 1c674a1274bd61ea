"""Files: only what the studio made is touched, on a folder and on S3."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Studio, open_studio
from demo_fakes import fake_services
from sqlalchemy import select

from demo.ops.upkeep import every_hour, remove_strays
from demo.store.settings import Settings
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


class open_again:
    """A studio over services that are opened anew."""

    def __init__(self, studio: Studio) -> None:
        self._folder = studio.settings.data_dir.parent

    def __enter__(self) -> Studio:
        self._studio = open_studio(self._folder)
        return self._studio

    def __exit__(self, *_: object) -> None:
        self._studio.close()
