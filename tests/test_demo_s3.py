"""Files on S3: a real server of moto's, and what goes wrong on the way to it: 503s, cut and slow answers, no bucket."""

from __future__ import annotations

import os
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import open_studio, wait_for
from faulty_way import FaultyWay

import demo.store.remote
import demo.worker.finishing
from demo.ops.upkeep import remove_strays
from demo.store.remote import StorageAway
from demo.store.settings import Settings, SettingsError
from demo.store.storage import Storage
from demo.store.tables import new_id
from demo.studio.verifying import problems
from testing.cluster_servers import S3Server


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Server]:
    server = S3Server()
    server.start()
    yield server
    server.close()


@pytest.fixture
def way(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyWay]:
    """The way to a new bucket `pictures`; its faults are asked for."""
    import boto3

    way = FaultyWay(s3.port)
    for name, value in (s3.CREDENTIALS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{way.port}"}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(demo.store.remote, "READ_SECONDS", 1.0)
    monkeypatch.setattr(demo.store.remote, "ATTEMPTS", 2)
    client = boto3.client("s3", endpoint_url=s3.endpoint)
    client.create_bucket(Bucket="pictures")
    yield way
    for each in client.list_objects_v2(Bucket="pictures").get("Contents", []) if has_bucket(client) else []:
        client.delete_object(Bucket="pictures", Key=each["Key"])
    client.close()
    way.close()


def has_bucket(client: object) -> bool:
    return any(each["Name"] == "pictures" for each in client.list_buckets()["Buckets"])


def delete_bucket(s3: S3Server) -> None:
    import boto3

    client = boto3.client("s3", endpoint_url=s3.endpoint)
    for each in client.list_objects_v2(Bucket="pictures").get("Contents", []):
        client.delete_object(Bucket="pictures", Key=each["Key"])
    client.delete_bucket(Bucket="pictures")
    client.close()


def test_a_store_opened_anew_is_reached_at_the_address_of_now(
    way: FaultyWay, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """fsspec gives back its last instance for the same options, and the address comes from the environment."""
    Storage("s3://pictures").check()
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3.endpoint)
    way.mode = "refuse"
    file = Storage("s3://pictures").write(new_id(), "final", "image/png", b"x")
    assert Storage("s3://pictures").read(file) == b"x"


@pytest.mark.parametrize("fault", ["refuse", "unavailable", "cut", "slow"])
def test_a_fault_on_the_way_is_one_clear_error_and_leaves_nothing_half_written(way: FaultyWay, fault: str) -> None:
    storage, data = Storage(f"s3://pictures/{new_id()}"), os.urandom(20_000)
    kept, other = (storage.write(new_id(), "final", "image/png", data) for _ in range(2))
    way.mode = fault
    for attempt in (lambda: storage.write(new_id(), "final", "image/png", data), lambda: storage.read(kept),
                    lambda: storage.remove(other["key"]), storage.check):  # fmt: skip
        with pytest.raises(StorageAway, match="pictures/.* cannot be reached"):
            attempt()
    way.mode = "pass"
    assert storage.read(kept) == data
    whole = {storage.fs.cat_file(f"{storage.root}/{key}") for key in storage.found()}
    assert whole == {data}  # what was done without an answer was done wholly: a stray, which upkeep sweeps away


def test_a_bucket_that_has_vanished_or_never_was_is_named_with_the_cure(way: FaultyWay, s3: S3Server) -> None:
    storage = Storage("s3://pictures")
    file = storage.write(new_id(), "final", "image/png", b"x")
    delete_bucket(s3)
    with pytest.raises(StorageAway, match="the bucket of pictures is not there: create it, or set STORAGE_URL"):
        storage.write(new_id(), "final", "image/png", b"x")
    with pytest.raises(OSError, match=r"bucket|not there"):
        storage.read(file)
    with pytest.raises(StorageAway, match="is not there"):
        Storage("s3://never-was").check()


def test_pictures_drawn_while_the_store_is_away_wait_and_are_stored_once(
    way: FaultyWay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo.worker.finishing, "AGAIN_SECONDS", 0.2)
    studio = open_studio(tmp_path, storage_url="s3://pictures")
    person = studio.person()
    first = person.finished("코트", n=1)
    image = first["images"][0]["id"]
    way.mode = "unavailable"
    id = person.draw("모자", n=2)["id"]
    wait_for(lambda: person.get(f"/images/{image}").status_code == 503)
    assert person.get("//readyz?role=web").status_code == 503
    assert person.get(f"/generations/{id}").json["status"] in ("queued", "running")
    way.mode = "pass"
    assert person.until_end(id)["status"] == "succeeded"
    assert person.get(f"/images/{image}").status_code == 200
    assert problems(studio.services) == [] and remove_strays(studio.services.storage, studio.services, 0) == 0
    studio.close()


def test_a_deletion_while_the_store_is_away_is_ended_once_it_is_back(way: FaultyWay, tmp_path: Path) -> None:
    studio = open_studio(tmp_path, storage_url="s3://pictures")
    person = studio.person()
    id = person.finished("코트", n=1)["id"]
    way.mode = "refuse"
    reply = person.call("DELETE", f"/generations/{id}")
    assert reply.status_code in (200, 202) and not reply.json["complete"]
    way.mode = "pass"
    studio.services.deletion.sweep()
    assert list(studio.services.storage.found()) == []
    studio.close()


def test_links_into_the_store_are_given_for_thumbnails_and_for_ones_own_pictures(
    way: FaultyWay, tmp_path: Path
) -> None:
    studio = open_studio(tmp_path, storage_url="s3://pictures", storage_reads="presigned")
    person = studio.person()
    image = person.finished("코트", n=1, visibility="public")["images"][0]["id"]
    small = person.get(f"/images/{image}?size=thumbnail", headers={"Sec-Fetch-Site": "same-origin"})
    assert small.status_code == 302 and small.headers["Cache-Control"] == "private, no-store"
    with urllib.request.urlopen(small.headers["Location"]) as reply:
        assert reply.read(4) == b"RIFF"
    whole = person.get(f"/images/{image}")
    assert whole.status_code == 302 and "X-Amz-Expires" in whole.headers["Location"].replace("Expires", "X-Amz-Expires")
    stranger = studio.person()
    assert stranger.get(f"/images/{image}").status_code == 200, "what strangers see holds no recipe"
    assert person.get(f"/images/{image}", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 200
    assert person.get(f"/images/{image}?format=webp").status_code == 200
    policy = person.get("//healthz").headers["Content-Security-Policy"]
    assert f"img-src 'self' blob: data: http://127.0.0.1:{way.port};" in policy
    studio.close()


def test_reads_are_proxied_by_default_and_the_setting_is_checked(tmp_path: Path) -> None:
    assert Settings().storage_reads == "proxied"
    with pytest.raises(SettingsError, match="STORAGE_READS"):
        Settings(storage_reads="direct")
