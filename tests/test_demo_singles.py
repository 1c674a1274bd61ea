"""Single pictures of a set: published, taken back, deleted, downloaded together, said something of."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from urllib.parse import unquote

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image
from test_demo_privacy import png

from demo.studio.verifying import problems


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("singles"), step_seconds=0.0)
    yield studio
    assert problems(studio.services) == []
    studio.close()


@pytest.fixture
def owner(studio: Studio) -> Person:
    return studio.person()


@pytest.fixture
def other(studio: Studio) -> Person:
    return studio.person()


def ids_of(generation: dict) -> list[str]:
    return [image["id"] for image in generation["images"]]


def show(person: Person, ids: list[str], visibility: str = "public") -> object:
    return person.post("/images/visibility", {"images": ids, "visibility": visibility})


def seen(person: Person, generation: dict) -> list[str]:
    """The ids of a generation's pictures that somebody is shown; none where they are not shown it."""
    reply = person.get(f"/generations/{generation['id']}")
    return ids_of(reply.json) if reply.status_code == 200 else []


def test_one_picture_of_four_is_published_and_the_others_stay_private(owner: Person, other: Person) -> None:
    done = owner.finished("빨간 저고리", n=4)
    ids = ids_of(done)
    assert show(owner, ids[1:2]).json == {"changed": 1}
    assert seen(other, done) == ids[1:2] and seen(owner, done) == ids
    assert [other.get(f"/images/{id}").status_code for id in ids] == [404, 200, 404, 404]
    assert [other.get(f"/images/{id}?size=thumbnail").status_code for id in ids] == [404, 200, 404, 404]
    assert [image["withheld"] for image in owner.get(f"/generations/{done['id']}").json["images"]] == [
        True,
        False,
        True,
        True,
    ]
    found = other.get("/search?q=빨간 저고리").json["results"]
    assert [ids_of(one) for one in found if one["generation_id"] == done["id"]] == [ids[1:2]]
    assert [ids_of(one) for one in other.get("/gallery").json["items"] if one["id"] == done["id"]] == [ids[1:2]]
    assert owner.get(f"/images/{ids[1]}/info").json["visibility"] == "public"
    assert owner.get(f"/images/{ids[0]}/info").json["visibility"] == "private"


def test_the_last_public_picture_takes_its_set_back_with_it(owner: Person, other: Person) -> None:
    done = owner.finished("노란 저고리", n=3)
    ids = ids_of(done)
    show(owner, ids[:2])
    show(owner, ids[:1], "private")
    assert seen(other, done) == ids[1:2]
    show(owner, ids[1:2], "private")
    assert seen(other, done) == []
    assert owner.get(f"/generations/{done['id']}").json["visibility"] == "private"
    assert all(one["generation_id"] != done["id"] for one in other.get("/search?q=노란 저고리").json["results"])


def test_publishing_a_whole_set_shows_what_was_withheld(owner: Person, other: Person) -> None:
    done = owner.finished("초록 저고리", n=3)
    ids = ids_of(done)
    show(owner, ids[2:])
    owner.call("PATCH", f"/generations/{done['id']}", {"visibility": "public"})
    assert seen(other, done) == ids
    show(owner, ids[:1], "private")
    assert seen(other, done) == ids[1:]


def test_deleting_the_last_public_picture_shows_no_empty_set(owner: Person, other: Person) -> None:
    done = owner.finished("남색 저고리", n=3)
    ids = ids_of(done)
    show(owner, ids[:1])
    owner.call("DELETE", f"/images/{ids[0]}")
    assert seen(other, done) == [] and seen(owner, done) == ids[1:]
    assert all(one["id"] != done["id"] for one in other.get("/gallery").json["items"])
    assert all(one["generation_id"] != done["id"] for one in other.get("/search?q=남색 저고리").json["results"])


def test_several_pictures_are_deleted_together_all_or_none(owner: Person, other: Person) -> None:
    first, second = owner.finished("회색 저고리", n=2), owner.finished("흰 저고리", n=3)
    theirs = other.finished("검은 저고리", n=1)
    refused = owner.post("/images/delete", {"images": [*ids_of(first), *ids_of(theirs)]})
    assert refused.status_code == 404 and seen(owner, first) == ids_of(first)
    receipt = owner.post("/images/delete", {"images": [*ids_of(first), ids_of(second)[1]]}).json
    assert (receipt["generations"], receipt["images"], receipt["files_left"]) == (1, 3, 0)
    assert owner.get(f"/generations/{first['id']}").status_code == 404
    assert seen(owner, second) == [ids_of(second)[0], ids_of(second)[2]]
    assert owner.post("/images/delete", {"images": []}).status_code == 422


def test_an_upload_is_never_published(owner: Person) -> None:
    photo = owner.upload(png()).json["id"]
    drawn = ids_of(owner.finished("분홍 저고리", n=1))
    reply = show(owner, [*drawn, photo])
    assert reply.status_code == 422 and reply.json["error"]["code"] == "upload_private"
    assert owner.get(f"/images/{drawn[0]}/info").json["visibility"] == "private"
    assert owner.call("PUT", f"/images/{photo}/post", {"caption": "x"}).json["error"]["code"] == "upload_private"


def test_selected_pictures_come_as_one_zip_with_korean_names(owner: Person, other: Person) -> None:
    done = owner.finished('빨간 "체크무늬"/원피스', n=3)
    ids = ids_of(done)
    reply = owner.post("/images/zip", {"images": [ids[2], ids[0]]})
    archive = zipfile.ZipFile(io.BytesIO(reply.data))
    assert archive.namelist() == ["001 빨간 체크무늬 원피스 3.png", "002 빨간 체크무늬 원피스 1.png"]
    assert archive.testzip() is None
    assert archive.read(archive.namelist()[1]) == owner.get(f"/images/{ids[0]}?download=1").data
    assert other.post("/images/zip", {"images": ids[:1]}).status_code == 404


def test_a_download_is_named_by_its_prompt_unless_that_stays_out(owner: Person) -> None:
    id = ids_of(owner.finished("하늘색 치마:\n" + "긴 문장 " * 30, n=1))[0]
    named = owner.get(f"/images/{id}?download=1&format=webp").headers["Content-Disposition"]
    title = unquote(named.split("filename*=UTF-8''")[1])
    assert title.startswith("하늘색 치마 긴 문장") and title.endswith(" 1.webp") and len(title) < 60
    assert named.isascii() and 'filename="geuryeojwo-' in named
    bare = owner.get(f"/images/{id}?download=1&metadata=none").headers["Content-Disposition"]
    assert "UTF-8" not in bare and "%" not in bare


def test_a_download_comes_at_twice_the_size_with_its_recipe(owner: Person) -> None:
    id = ids_of(owner.finished("하늘색 조끼", n=1))[0]
    once, twice = (Image.open(io.BytesIO(owner.get(f"/images/{id}?download=1&scale={n}").data)) for n in (1, 2))
    assert twice.size == (2 * once.width, 2 * once.height) and twice.text["recipe"] == once.text["recipe"]
    assert owner.get(f"/images/{id}?scale=3").status_code == 422


def test_a_post_says_what_its_owner_wrote_and_can_be_taken_back(owner: Person, other: Person) -> None:
    done = owner.finished("자주색 배자", n=2)
    id = ids_of(done)[1]
    assert other.get(f"/images/{id}/post").status_code == 404
    made = owner.call("PUT", f"/images/{id}/post", {"caption": "할머니의 배자", "author": "민지"}).json
    assert (made["caption"], made["author"], made["url"], made["mine"]) == ("할머니의 배자", "민지", f"/p/{id}", True)
    assert other.get(f"/images/{id}/post").json["mine"] is False
    assert seen(other, done) == [id]
    again = owner.call("PUT", f"/images/{id}/post", {"caption": "배자", "author": ""}).json
    assert (again["caption"], again["author"]) == ("배자", "") and again["created_at"] == made["created_at"]
    assert other.call("DELETE", f"/images/{id}/post").status_code == 404
    assert owner.call("DELETE", f"/images/{id}/post").status_code == 204
    assert other.get(f"/images/{id}/post").status_code == 404 and seen(other, done) == []
    show(owner, [id])
    assert other.get(f"/images/{id}/post").json["caption"] == ""


@pytest.mark.parametrize("field", ["caption", "author"])
def test_what_is_said_of_a_public_picture_follows_the_rules_for_public_texts(
    owner: Person, other: Person, field: str
) -> None:
    id = ids_of(owner.finished("갈색 배자", n=1))[0]
    reply = owner.call("PUT", f"/images/{id}/post", {field: "씨발"})
    assert reply.status_code == 422 and reply.json["error"]["code"] == "publishing_rejected"
    assert reply.json["error"]["field"] == field
    assert other.get(f"/images/{id}").status_code == 404
