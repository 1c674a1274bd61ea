"""Lists of single pictures: sorted, filtered and searched, page by page."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote

import pytest
from demo_client import Person, Studio, open_studio
from sqlalchemy import delete, text
from test_demo_closet import like, make, put
from test_demo_privacy import png
from test_demo_singles import ids_of

from demo.store.tables import WordUse
from demo.studio.keyset import Key, read_place, write_place
from demo.studio.tagging import read_words

SETS = ("빨간 체크무늬 원피스", "파란 코트, 수채화", "a red dress, a park", "노란 저고리와 남색 치마")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("lists"), step_seconds=0.0)
    yield studio
    studio.close()


@pytest.fixture(scope="module")
def owner(studio: Studio) -> Person:
    person = studio.person()
    person.sets = [person.finished(prompt, n=3) for prompt in SETS]
    return person


def ids(reply: object) -> list[str]:
    assert reply.status_code == 200, reply.text
    return [one["id"] for one in reply.json["items"]]


def all_ids(person: Person, query: str, limit: int = 2) -> list[str]:
    """Every id of a list, page by page."""
    found, cursor = [], ""
    while True:
        reply = person.get(f"/pictures?{query}&limit={limit}{cursor}")
        found += ids(reply)
        if (following := reply.json["next_cursor"]) is None:
            return found
        cursor = f"&cursor={following}"


def test_the_newest_come_first_each_sets_pictures_in_their_order(owner: Person) -> None:
    newest = [id for one in reversed(owner.sets) for id in ids_of(one)]
    assert all_ids(owner, "place=mine") == all_ids(owner, "place=mine", 5) == newest
    assert owner.get("/pictures?limit=2").json["total"] == 12
    oldest = [id for one in owner.sets for id in ids_of(one)]
    assert all_ids(owner, "sort=oldest") == oldest


def test_what_comes_meanwhile_moves_nothing(studio: Studio) -> None:
    person = studio.person()
    person.finished("흰 셔츠", n=3)
    first = person.get("/pictures?limit=2")
    person.finished("검은 셔츠", n=2)
    rest = person.get(f"/pictures?limit=5&cursor={first.json['next_cursor']}")
    assert len(ids(rest)) == 1 and not set(ids(first)) & set(ids(rest))


def test_the_most_liked_come_first_then_the_newest(owner: Person) -> None:
    best = ids_of(owner.sets[0])[2]
    like(owner, best)
    newest = [id for id in all_ids(owner, "place=mine") if id != best]
    assert all_ids(owner, "sort=liked") == [best, *newest]
    like(owner, best, False)


def test_a_random_order_is_the_same_for_the_same_seed_and_loses_nothing(owner: Person) -> None:
    orders = [tuple(all_ids(owner, f"sort=random&seed={seed}", 5)) for seed in range(22)]
    assert all(sorted(order) == sorted(orders[0]) for order in orders) and len(set(orders)) == 22
    assert tuple(all_ids(owner, "sort=random&seed=7", 3)) == orders[7]
    assert owner.get("/pictures?sort=random&seed=22").status_code == 422


@pytest.mark.parametrize(
    ("query", "sets"),
    [
        ("garment=원피스", (0, 2)), ("garment=dress", (0, 2)), ("color=빨간", (0, 2)),
        ("color=blue&garment=코트", (1,)), ("style=수채화", (1,)), ("style=watercolor", (1,)),
        ("garment=저고리&color=남색", (3,)), ("garment=우주선", ()),
        ("source=drawn", (0, 1, 2, 3)), ("source=edited", ()), ("source=fabric", ()),
    ],
)  # fmt: skip
def test_pictures_are_filtered_by_their_words_and_where_they_come_from(
    owner: Person, query: str, sets: tuple[int, ...]
) -> None:
    wanted = [id for i in reversed(sets) for id in ids_of(owner.sets[i])]
    assert all_ids(owner, query) == wanted


def test_texts_from_before_are_read_once(studio: Studio, owner: Person) -> None:
    database, reader = studio.services.database, studio.services.lists._reader()
    while read_words(database, reader):
        pass
    with database.write() as session:
        session.execute(delete(WordUse))
    assert read_words(database, reader, 2) == 2
    assert len(all_ids(owner, "garment=원피스")) == 6
    assert read_words(database, reader) == 0


def test_edits_and_photos_are_sources_of_their_own(studio: Studio) -> None:
    person = studio.person()
    done = person.finished("빨간 원피스", n=1)
    edit = {"kind": "edit", "source_image": ids_of(done)[0], "replace": [{"from": "빨간", "to": "파란"}]}
    edited = person.until_end(person.post("/generations", edit).json["id"])
    photo = person.upload(png()).json["id"]
    assert all_ids(person, "source=edited") == ids_of(edited)
    assert all_ids(person, "source=drawn") == ids_of(done)
    assert all_ids(person, "source=photo") == [photo] and photo not in all_ids(person, "place=mine")
    collection = make(person, "사진도")
    put(person, collection, [photo, *ids_of(edited)])
    assert all_ids(person, f"place=closet&collection={collection}", 1) == [photo, *ids_of(edited)]
    assert person.get(f"/pictures?place=closet&collection={collection}").json["items"][0]["prompt"] == ""


def test_pictures_are_filtered_by_their_date(owner: Person) -> None:
    second = quote(owner.sets[1]["created_at"])
    assert all_ids(owner, f"until={second}") == ids_of(owner.sets[0])
    assert len(all_ids(owner, f"since={second}")) == 9
    assert owner.get("/pictures?since=gestern").status_code == 422


def test_a_search_finds_within_a_list_and_its_filters(owner: Person) -> None:
    found = all_ids(owner, "q=체크무늬 원피스")
    assert found[:3] == ids_of(owner.sets[0])
    assert set(all_ids(owner, "q=체크무늬 원피스&garment=코트")) <= set(ids_of(owner.sets[1]))
    assert all_ids(owner, "q=기린") == []
    collection = make(owner, "찾을 곳")
    put(owner, collection, [ids_of(owner.sets[0])[1]])
    assert all_ids(owner, f"place=closet&collection={collection}&q=체크무늬") == [ids_of(owner.sets[0])[1]]
    assert all_ids(owner, f"place=closet&collection={collection}&q=저고리") == []
    like(owner, ids_of(owner.sets[0])[2])
    assert all_ids(owner, "place=liked&q=체크무늬") == [ids_of(owner.sets[0])[2]]
    like(owner, ids_of(owner.sets[0])[2], False)
    assert all_ids(owner, "place=liked&q=체크무늬") == []


def test_the_gallery_lists_what_is_public_and_nothing_withheld(studio: Studio, owner: Person) -> None:
    neighbour = studio.person()
    shown = ids_of(neighbour.finished("주황 두루마기", n=3))
    neighbour.post("/images/visibility", {"images": shown[:2], "visibility": "public"})
    assert all_ids(owner, "place=gallery") == shown[:2]
    assert all_ids(owner, "place=gallery&q=주황 두루마기") == shown[:2]
    assert all_ids(owner, "place=gallery&garment=두루마기&q=주황") == shown[:2]
    assert not any(one["mine"] for one in owner.get("/pictures?place=gallery").json["items"])


@pytest.mark.parametrize(
    "cursor", ["x", "W10", write_place(["a", "b", 1]), write_place([1e300, "a", 1]), write_place([1])]
)
def test_a_cursor_that_is_none_of_this_list_is_refused(owner: Person, cursor: str) -> None:
    reply = owner.get(f"/pictures?cursor={cursor}")
    assert reply.status_code == 400 and reply.json["error"]["code"] == "bad_cursor"


def test_a_place_survives_being_written() -> None:
    keys = [Key(text("a")), Key(text("b"), True), Key(text("c"))]
    place = [1764400000.1234567, "0" * 32, 3]
    assert read_place(write_place(place), keys) == place
