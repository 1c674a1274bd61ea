"""What strangers see before they ask for anything: public pictures that somebody else liked, or the admin approved."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("first_page"), step_seconds=0.0)
    yield studio
    studio.close()


def first_page(person: Person) -> list[str]:
    return [one["id"] for one in person.get("/gallery?first=true").json["items"]]


def admin(studio: Studio) -> Person:
    person = studio.person()
    token = (studio.settings.data_dir / "admin_token").read_text().strip()
    person.headers["Authorization"] = f"Bearer {token}"
    return person


def test_a_new_public_picture_waits_for_somebody_elses_like(studio: Studio) -> None:
    owner, other, stranger = studio.person(), studio.person(), studio.person()
    made = owner.finished("빨간 원피스", n=2, visibility="public")
    picture = made["images"][1]["id"]
    assert made["id"] in [one["id"] for one in stranger.get("/gallery").json["items"]]
    owner.call("PUT", f"/images/{picture}/like")
    assert made["id"] not in first_page(stranger), "one's own like brings nothing there"
    other.call("PUT", f"/images/{picture}/like")
    assert made["id"] in first_page(stranger)
    other.call("DELETE", f"/images/{picture}/like")
    assert made["id"] not in first_page(stranger)


def test_the_admin_approves_without_a_like_and_takes_it_back(studio: Studio) -> None:
    owner, boss = studio.person(), admin(studio)
    made = owner.finished("파란 치마", n=1, visibility="public")
    path = f"/admin/generations/{made['id']}"
    assert owner.post(f"{path}/approve", {"approved": True}).status_code in (401, 403)
    assert boss.post(f"{path}/approve", {"approved": True}).json == {"id": made["id"], "approved": True}
    assert made["id"] in first_page(studio.person())
    boss.post(f"{path}/hide", {"hidden": True})
    assert made["id"] not in first_page(studio.person()), "what is hidden stays hidden"
    boss.post(f"{path}/hide", {"hidden": False})
    boss.post(f"{path}/approve", {"approved": False})
    assert made["id"] not in first_page(studio.person())
    private = owner.finished("초록 치마", n=1)
    assert boss.post(f"/admin/generations/{private['id']}/approve", {"approved": True}).status_code == 404


def test_the_setting_lets_every_public_picture_in(tmp_path: object) -> None:
    studio = open_studio(tmp_path, step_seconds=0.0, first_page_likes=0)  # type: ignore[arg-type]
    try:
        made = studio.person().finished("노란 저고리", n=1, visibility="public")
        assert first_page(studio.person()) == [made["id"]]
    finally:
        studio.close()
