"""The page of a public picture: what a stranger and a link's preview are told, and that nothing else has one."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image
from test_demo_privacy import png
from test_demo_singles import ids_of


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("posts"), step_seconds=0.0)
    yield studio
    studio.close()


def page(person: Person, id: str) -> object:
    return person.get(f"//p/{id}")


def preview(text: str) -> dict[str, str]:
    """The Open Graph tags of a page."""
    return {
        name: html.unescape(value) for name, value in re.findall(r'<meta property="og:(\S+)" content="(.*?)">', text)
    }


def test_a_link_preview_shows_the_picture_and_what_was_said_of_it(studio: Studio) -> None:
    owner, stranger = studio.person(), studio.person()
    id = ids_of(owner.finished("빨간 & <노란> 저고리", n=1))[0]
    owner.call("PUT", f"/images/{id}/post", {"caption": '할머니의 "배자"', "author": "민지 <3"})
    reply = page(stranger, id)
    assert reply.status_code == 200 and reply.mimetype == "text/html"
    tags = preview(reply.text)
    assert tags["title"] == '할머니의 "배자"' and tags["url"] == f"http://localhost/p/{id}"
    assert tags["description"] == tags["image:alt"] == "AI가 그린 그림: 빨간 & <노란> 저고리"
    assert tags["image"].startswith("http://localhost/api/v1/images/")
    shown = Image.open(io.BytesIO(stranger.get("/" + tags["image"].removeprefix("http://localhost")).data))
    assert shown.format == "JPEG" and [str(side) for side in shown.size] == [tags["image:width"], tags["image:height"]]
    assert "<script" not in reply.text and "<노란>" not in reply.text and "민지 &lt;3" in reply.text
    assert "AI 생성" in reply.text


def test_a_public_picture_without_a_post_has_a_page_by_its_prompt_and_no_name(studio: Studio) -> None:
    owner = studio.person()
    id = ids_of(owner.finished("회색 배자 " + "아주 " * 60 + "긴 문장", n=1, visibility="public"))[0]
    tags = preview(page(studio.person(), id).text)
    assert tags["title"].startswith("회색 배자") and len(tags["title"]) <= 80 and tags["title"].endswith("…")


def test_what_is_not_public_has_no_page_whoever_asks(studio: Studio) -> None:
    owner, stranger, admin = studio.person(), studio.person(), studio.person()
    admin.headers = {"Authorization": f"Bearer {(studio.settings.data_dir / 'admin_token').read_text()}"}
    done = owner.finished("숨긴 자주색 배자", n=2)
    kept, shown = ids_of(done)
    photo = owner.upload(png()).json["id"]
    owner.post("/images/visibility", {"images": [shown], "visibility": "public"})
    nothing = page(stranger, "0" * 32)
    assert nothing.status_code == 404 and nothing.mimetype == "text/html"
    for person in (owner, stranger):
        for id in (kept, photo, "x" * 400, "..%2f"):
            assert page(person, id).status_code == 404
    assert page(stranger, kept).text == nothing.text and "og:" not in nothing.text
    assert page(stranger, shown).status_code == 200
    admin.post(f"/admin/generations/{done['id']}/hide", {"hidden": True})
    assert page(stranger, shown).status_code == 404
    admin.post(f"/admin/generations/{done['id']}/hide", {"hidden": False})
    owner.call("DELETE", f"/images/{shown}/post")
    assert page(stranger, shown).text == nothing.text


def test_an_invited_studio_shows_no_page_to_strangers(tmp_path: object) -> None:
    studio = open_studio(tmp_path, worker=False, access="token")
    try:
        assert page(studio.person(), "0" * 32).status_code == 401
    finally:
        studio.close()


def test_the_page_speaks_english_where_that_is_chosen(studio: Studio) -> None:
    owner, stranger = studio.person(), studio.person()
    id = ids_of(owner.finished("a red coat", n=1, visibility="public"))[0]
    stranger.client.set_cookie("lang", "en", domain="localhost")
    text = page(stranger, id).text
    assert '<html lang="en">' in text and not re.search("[가-힣]", re.sub(r"<(style|script).*?</\1>", "", text))
