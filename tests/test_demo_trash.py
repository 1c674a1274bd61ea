"""The trash (TRASH_DAYS): what lies in it is seen by nobody anywhere else, comes back whole, and goes for good."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import Person, Studio, open_studio
from sqlalchemy import func, select, update
from test_demo_closet import like, make, put, within
from test_demo_privacy import png
from test_demo_singles import ids_of, seen

from demo.ops.upkeep import once
from demo.store.settings import SettingsError
from demo.store.tables import Generation, Image
from demo.studio.verifying import problems


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("trash"), step_seconds=0.0, trash_days=7)
    yield studio
    assert problems(studio.services) == []
    studio.close()


@pytest.fixture
def owner(studio: Studio) -> Person:
    return studio.person()


@pytest.fixture
def other(studio: Studio) -> Person:
    return studio.person()


def away(person: Person, ids: list[str]) -> object:
    return person.post("/trash", {"images": ids})


def trash(person: Person) -> list[str]:
    return [one["id"] for one in person.get("/trash").json["items"]]


def listed(person: Person, path: str) -> list[str]:
    return [one["id"] for one in person.get(path).json["items"]]


def test_what_is_put_away_is_hidden_everywhere_at_once_and_comes_back(owner: Person, other: Person) -> None:
    done = owner.finished("빨간 배자", n=2, visibility="public")
    ids = ids_of(done)
    collection = make(other, "배자")
    put(other, collection, ids)
    like(other, ids[0])
    assert away(owner, ids).json == {"changed": 2}
    for person in (owner, other):
        assert person.get(f"/generations/{done['id']}").status_code == 404
        for path in (
            f"/images/{ids[0]}",
            f"/images/{ids[0]}?size=thumbnail",
            f"/images/{ids[0]}/info",
            f"//p/{ids[0]}",
        ):
            assert person.get(path).status_code == 404, path
        assert not set(ids) & set(listed(person, "/pictures") + listed(person, "/pictures?place=gallery"))
        for path in ("/generations", "/gallery"):
            assert done["id"] not in listed(person, path)
        for scope in ("all", "mine", "public"):
            results = person.get(f"/search?q=빨간 배자&scope={scope}").json["results"]
            assert done["id"] not in [one["generation_id"] for one in results]
    assert within(other, collection) == [] and other.get("/closet").json["liked"] == 0
    assert set(trash(owner)) == set(ids) and trash(other) == []
    assert owner.get(f"/trash/{ids[0]}").mimetype == "image/webp" and other.get(f"/trash/{ids[0]}").status_code == 404
    assert other.post("/trash/restore", {"images": ids}).status_code == 404
    assert owner.post("/trash/restore", {"images": ids}).json == {"changed": 2}
    assert trash(owner) == [] and seen(owner, done) == ids and other.get("/closet").json["liked"] == 1
    found = owner.get("/search?q=빨간 배자&scope=mine").json["results"]
    assert done["id"] in [one["generation_id"] for one in found]


def test_one_of_a_set_is_put_away_and_the_set_stays_with_the_others(owner: Person, other: Person) -> None:
    done = owner.finished("노란 배자", n=3)
    ids = ids_of(done)
    owner.post("/images/visibility", {"images": ids[:1], "visibility": "public"})
    away(owner, ids[:1])
    assert seen(owner, done) == ids[1:] and seen(other, done) == []
    assert done["id"] not in listed(other, "/gallery")
    owner.post("/images/delete", {"images": ids[1:]})
    assert owner.get(f"/generations/{done['id']}").status_code == 404 and trash(owner) == ids[:1]
    owner.post("/trash/restore", {"images": ids[:1]})
    assert seen(owner, done) == ids[:1] and seen(other, done) == []


def test_the_trash_is_emptied_for_good_and_deleting_goes_past_it(owner: Person) -> None:
    done = owner.finished("초록 배자", n=2)
    photo = owner.upload(png()).json["id"]
    away(owner, [*ids_of(done), photo])
    assert owner.get("/images").json["items"] == []
    assert owner.post("/images/delete", {"images": [photo]}).status_code == 404
    receipt = owner.post("/trash/delete", {"images": trash(owner)}).json
    assert (receipt["generations"], receipt["images"], receipt["files_left"]) == (1, 3, 0)
    assert trash(owner) == [] and owner.get("/me").json["images"] == 0
    gone = owner.finished("남색 배자", n=1)
    owner.call("DELETE", f"/generations/{gone['id']}")
    assert trash(owner) == []


def test_forgetting_and_exporting_know_the_trash(studio: Studio, owner: Person) -> None:
    done = owner.finished("흰 배자", n=1)
    away(owner, ids_of(done))
    assert owner.get("/me").json["images"] == 1 and done["id"].encode() in owner.get("/me/export").data
    receipt = owner.call("DELETE", "/me").json
    assert receipt["images"] == 1 and receipt["files_left"] == 0
    with studio.services.database.read() as session:
        assert session.get(Generation, done["id"]) is None


def test_after_its_days_what_lies_in_the_trash_is_deleted(studio: Studio, owner: Person) -> None:
    old, new = ids_of(owner.finished("회색 배자", n=2))
    away(owner, [old, new])
    with studio.services.database.write() as session:
        session.execute(update(Image).where(Image.id == old).values(trashed_at=time.time() - 8 * 86400))
    once(studio.services)
    assert trash(owner) == [new]
    with studio.services.database.read() as session:
        assert session.scalar(select(func.count()).where(Image.id == old)) == 0


def test_pages_of_the_trash(owner: Person) -> None:
    ids = ids_of(owner.finished("갈색 배자", n=3))
    for id in ids:
        away(owner, [id])
    first = owner.get("/trash?limit=2").json
    rest = owner.get(f"/trash?limit=2&cursor={first['next_cursor']}").json
    assert [one["id"] for one in first["items"] + rest["items"]] == ids[::-1] and rest["next_cursor"] is None


def test_without_the_setting_there_is_no_trash(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, step_seconds=0.0)
    try:
        person = studio.person()
        reply = away(person, ids_of(person.finished("검은 배자", n=1)))
        assert reply.status_code == 409 and reply.json["error"]["code"] == "trash_off"
        assert person.get("/about").json["trash_days"] == 0
    finally:
        studio.close()
    with pytest.raises(SettingsError, match="TRASH_DAYS"):
        studio.settings.__class__(trash_days=-1)
