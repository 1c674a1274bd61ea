"""Likes and the closet: what one may see can be liked and collected, and nothing else."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio
from test_demo_singles import ids_of, show

from demo.studio import closet


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("closet"), step_seconds=0.0)
    yield studio
    studio.close()


@pytest.fixture
def owner(studio: Studio) -> Person:
    return studio.person()


@pytest.fixture
def other(studio: Studio) -> Person:
    return studio.person()


def like(person: Person, id: str, liked: bool = True) -> object:
    return person.call("PUT" if liked else "DELETE", f"/images/{id}/like")


def make(person: Person, name: str) -> str:
    reply = person.post("/closet", {"name": name})
    assert reply.status_code == 201, reply.text
    return reply.json["id"]


def put(person: Person, collection: str, ids: list[str], **more: str) -> object:
    return person.post(f"/closet/{collection}/pictures", {"images": ids} | more)


def within(person: Person, collection: str) -> list[str]:
    reply = person.get(f"/pictures?place=closet&collection={collection}")
    return [one["id"] for one in reply.json["items"]]


def names(person: Person) -> list[str]:
    return [one["name"] for one in person.get("/closet").json["collections"]]


def test_a_picture_is_liked_once_by_each_person_and_no_longer(owner: Person, other: Person) -> None:
    id = ids_of(owner.finished("빨간 치마", n=1, visibility="public"))[0]
    assert like(owner, id).json == {"liked": True, "likes": 1}
    assert like(other, id).json == like(other, id).json == {"liked": True, "likes": 2}
    assert owner.get(f"/images/{id}/info").json["liked"] and owner.get(f"/images/{id}/info").json["likes"] == 2
    assert [one["id"] for one in other.get("/pictures?place=liked").json["items"]] == [id]
    assert like(other, id, False).json == like(other, id, False).json == {"liked": False, "likes": 1}
    assert not other.get(f"/images/{id}/info").json["liked"]
    assert other.get("/closet").json["liked"] == 0


def test_what_its_owner_takes_back_leaves_other_peoples_closets(owner: Person, other: Person) -> None:
    ids = ids_of(owner.finished("노란 치마", n=2, visibility="public"))
    collection = make(other, "치마")
    put(other, collection, ids)
    like(other, ids[0])
    show(owner, ids[:1], "private")
    assert within(other, collection) == ids[1:] and other.get("/closet").json["liked"] == 0
    assert other.get("/pictures?place=liked").json["items"] == []
    assert other.get("/closet").json["collections"][0]["count"] == 1
    assert like(other, ids[0], False).status_code == 404
    show(owner, ids[:1])
    assert within(other, collection) == ids and other.get("/closet").json["liked"] == 1
    owner.post("/images/delete", {"images": ids[:1]})
    assert within(other, collection) == ids[1:] and other.get("/closet").json["liked"] == 0


def test_nobody_likes_or_collects_what_they_cannot_see(owner: Person, other: Person) -> None:
    id = ids_of(owner.finished("초록 치마", n=1))[0]
    collection = make(other, "남의 것")
    assert like(other, id).status_code == put(other, collection, [id]).status_code == 404
    assert within(other, collection) == []


def test_a_picture_lies_in_several_collections_is_copied_moved_and_taken_out(owner: Person) -> None:
    ids = ids_of(owner.finished("남색 치마", n=3))
    first, second = make(owner, "봄"), make(owner, "가을")
    assert put(owner, first, ids).json == {"added": 3}
    assert put(owner, first, ids[:2]).json == {"added": 0}
    assert put(owner, second, ids[:1]).json == {"added": 1}
    assert set(owner.get(f"/images/{ids[0]}/info").json["collections"]) == {first, second}
    assert put(owner, second, ids[1:2], source=first).json == {"added": 1}
    assert within(owner, first) == [ids[0], ids[2]] and within(owner, second) == [ids[1], ids[0]]
    assert owner.post(f"/closet/{first}/remove", {"images": ids}).json == {"removed": 2}
    assert within(owner, first) == [] and len(owner.get("/pictures").json["items"]) == 3


def test_collections_have_names_covers_and_an_order(owner: Person) -> None:
    ids = ids_of(owner.finished("하늘색 치마", n=2))
    first, second, third = (make(owner, name) for name in ("하나", "둘", "셋"))
    assert names(owner) == ["하나", "둘", "셋"]
    assert owner.call("PATCH", f"/closet/{third}", {"place": 0, "name": " 셋째  것 "}).json["name"] == "셋째 것"
    assert names(owner) == ["셋째 것", "하나", "둘"]
    put(owner, first, ids)
    assert owner.get("/closet").json["collections"][1]["cover"]["id"] == ids[0]
    assert owner.call("PATCH", f"/closet/{first}", {"cover": ids[1]}).json["cover"]["id"] == ids[1]
    assert owner.call("PATCH", f"/closet/{second}", {"cover": ids[1]}).status_code == 404
    owner.post(f"/closet/{first}/remove", {"images": ids[1:]})
    assert owner.get("/closet").json["collections"][1]["cover"]["id"] == ids[0]
    assert owner.call("DELETE", f"/closet/{first}").status_code == 204
    assert names(owner) == ["셋째 것", "둘"] and owner.get(f"/images/{ids[0]}").status_code == 200
    assert owner.call("PATCH", f"/closet/{second}", {"name": "\u200b"}).json["error"]["field"] == "name"


def test_a_closet_is_nobody_elses(owner: Person, other: Person) -> None:
    collection = make(owner, "비밀")
    assert other.get("/closet").json == {"collections": [], "liked": 0}
    for method, path, body in (
        ("GET", f"/pictures?place=closet&collection={collection}", None),
        ("PATCH", f"/closet/{collection}", {"name": "내 것"}),
        ("DELETE", f"/closet/{collection}", None),
        ("POST", f"/closet/{collection}/remove", {"images": ["0" * 32]}),
    ):
        assert other.call(method, path, body).status_code == 404, path
    mine = make(other, "내 것")
    shared = ids_of(owner.finished("분홍 치마", n=1, visibility="public"))
    assert put(other, mine, shared, source=collection).status_code == 404 and within(other, mine) == []
    assert names(owner) == ["비밀"]


def test_a_closet_has_a_limit_that_is_said(owner: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closet, "MOST_COLLECTIONS", 1)
    monkeypatch.setattr(closet, "MOST_ITEMS", 2)
    ids = ids_of(owner.finished("보라 치마", n=3))
    collection = make(owner, "하나뿐")
    refused = owner.post("/closet", {"name": "둘"})
    assert refused.status_code == 422 and refused.json["error"]["code"] == "closet_full"
    assert put(owner, collection, ids).json["error"]["code"] == "closet_full"
    put(owner, collection, ids[:2])
    assert put(owner, collection, ids[:2]).json == {"added": 0}


def test_closets_move_with_their_owner_and_what_both_like_is_liked_once(owner: Person, other: Person) -> None:
    ids = ids_of(owner.finished("검은 치마", n=2, visibility="public"))
    like(owner, ids[0])
    like(other, ids[0])
    like(other, ids[1])
    put(other, make(other, "옮긴 것"), ids[:1])
    other.post("/me/claim", {"code": owner.post("/me/code").json["code"]})
    assert names(owner) == names(other) == ["옮긴 것"]
    assert {one["id"]: one["likes"] for one in owner.get("/pictures?place=liked").json["items"]} == dict.fromkeys(
        ids, 1
    )


def test_an_export_holds_the_closet(owner: Person) -> None:
    ids = ids_of(owner.finished("흰 치마", n=2))
    like(owner, ids[1])
    put(owner, make(owner, "흰 것"), ids[:1])
    owner.call("PUT", f"/images/{ids[0]}/post", {"caption": "치마", "author": "민지"})
    held = json.loads(zipfile.ZipFile(io.BytesIO(owner.get("/me/export").data)).read("closet.json"))
    assert held["liked"] == ids[1:] and held["collections"] == [{"name": "흰 것", "pictures": ids[:1]}]
    assert held["posts"] == [{"picture": ids[0], "caption": "치마", "author": "민지"}]
