"""One's own pictures and photos: deleted one by one, published as what they are, cropped by hand, linked to."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator

import pytest
from page_world import World, drawn, expect, generations, open_world
from PIL import Image
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PIXELS = "url => fetch(url).then((r) => r.arrayBuffer()).then((b) => [...new Uint8Array(b)])"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("own"), 0.02) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


@pytest.fixture
def page(world: World) -> Page:
    return world.person(permissions=["clipboard-read", "clipboard-write"])


def bring(page: Page, picture: Image.Image) -> None:
    data = io.BytesIO()
    picture.save(data, "PNG")
    with page.expect_response("**/api/v1/images"):
        page.set_input_files("#upload", {"name": "my.png", "mimeType": "image/png", "buffer": data.getvalue()})
    expect(page.locator("#source img")).to_be_visible()


def uploads(page: Page) -> list[dict]:
    return page.evaluate("fetch('/api/v1/images').then((r) => r.json())")["items"]


def close_toasts(page: Page) -> None:
    """Close what is said, from the last on: each that goes moves those behind it."""
    for button in reversed(page.locator("#toasts").get_by_role("button", name="알림 닫기").all()):
        with contextlib.suppress(PlaywrightError):  # it went by itself
            button.click(timeout=2000)
    page.wait_for_timeout(400)


def test_photos_are_seen_and_deleted_one_by_one(page: Page) -> None:
    for colour in ("#a33", "#3a3"):
        bring(page, Image.new("RGB", (64, 64), colour))
    page.click("[data-place=me]")
    expect(page.locator("#photos li")).to_have_count(2)
    newest = uploads(page)[0]["id"]
    page.get_by_role("button", name="이 사진 지우기 (1)").click()
    expect(page.locator("#photos li")).to_have_count(1)
    page.get_by_role("button", name="되돌리기").click()
    expect(page.locator("#photos li")).to_have_count(2)
    assert len(uploads(page)) == 2
    page.get_by_role("button", name="이 사진 지우기 (1)").click()
    close_toasts(page)
    assert len(uploads(page)) == 1 and uploads(page)[0]["id"] != newest
    page.get_by_role("button", name="이 사진으로 시작 (1)").click()
    expect(page.locator("#draw-title")).to_be_visible()
    expect(page.locator("#source img")).to_be_visible()
    assert page.errors == []


def test_a_photo_that_is_deleted_is_no_longer_started_from(page: Page) -> None:
    bring(page, Image.new("RGB", (64, 64), "#a33"))
    page.click("[data-place=me]")
    page.get_by_role("button", name="이 사진 지우기 (1)").click()
    page.click("[data-place=draw]")
    expect(page.locator("#source")).to_be_hidden()


def test_the_viewer_deletes_the_one_picture_that_it_shows(page: Page) -> None:
    card = drawn(page, "초록 저고리")
    before = [one["id"] for one in generations(page)[0]["images"]]
    card.locator(".tile").nth(3).click()
    expect(page.locator("#viewer .place")).to_have_text("4 / 4")
    page.get_by_role("button", name="이 그림만 지우기").click()
    expect(page.locator("#viewer .place")).to_have_text("3 / 3")
    page.locator("#viewer").get_by_role("button", name="되돌리기").click()
    expect(page.locator("#viewer .place")).to_have_text("3 / 4")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#viewer .place")).to_have_text("2 / 4")
    page.get_by_role("button", name="이 그림만 지우기").click()
    expect(page.locator("#viewer .place")).to_have_text("2 / 3")
    close_toasts(page)
    page.keyboard.press("Escape")
    expect(card.locator(".tile")).to_have_count(3)
    assert [one["id"] for one in generations(page)[0]["images"]] == [before[0], *before[2:]]
    page.click("[data-place=mine]")
    expect(page.locator("#mine-list .badge")).to_have_text("3")
    assert page.errors == []


def test_the_last_picture_takes_its_drawing_with_it(page: Page) -> None:
    page.locator("#more summary").click()
    page.locator("[name=n][value='1']").check()
    card = drawn(page, "하나뿐인 저고리")
    card.locator(".tile").click()
    page.locator("#viewer").get_by_role("button", name="지우기", exact=True).click()
    expect(page.locator("#viewer")).to_be_hidden()
    close_toasts(page)
    assert generations(page) == []


def test_publishing_and_deleting_say_how_many_pictures_they_are_for(page: Page) -> None:
    card = drawn(page, "노란 배자")
    expect(card.get_by_role("button", name="4장 모두 지우기")).to_be_visible()
    card.locator(".tile").first.click()
    page.get_by_role("button", name="4장 모두 갤러리에 공개").click()
    page.get_by_role("button", name="4장 모두 나만 보기로 바꾸기").click()
    expect(page.get_by_role("button", name="4장 모두 갤러리에 공개")).to_be_visible()


def test_the_link_of_a_public_picture_leads_to_the_picture(page: Page, world: World) -> None:
    card = drawn(page, "자주색 두루마기")
    card.locator(".tile").nth(1).click()
    page.locator("#viewer [data-key=link]").click()
    expect(page.locator(".toast").last).to_contain_text("그림이 아니라 문장과 설정이 담긴 링크")
    assert "#draw?" in page.evaluate("navigator.clipboard.readText()")
    page.get_by_role("button", name="4장 모두 갤러리에 공개").click()
    expect(page.get_by_role("button", name="4장 모두 나만 보기로 바꾸기")).to_be_visible()
    page.locator("#viewer [data-key=link]").click()
    expect(page.locator(".toast").last).to_contain_text("누구나 이 그림을 볼 수 있어요")
    link = page.evaluate("navigator.clipboard.readText()")
    friend = world.person()
    friend.goto("about:blank")
    friend.goto(link)
    expect(friend.locator("#viewer .prompt")).to_have_text("자주색 두루마기")
    expect(friend.locator("#viewer .place")).to_have_text("2 / 4")


def test_taking_a_prompt_takes_no_seed_wherever_it_is_taken(page: Page) -> None:
    card = drawn(page, "회색 조끼")
    page.fill("#prompt", "")
    card.get_by_role("button", name="이 문장 가져오기").click()
    expect(page.locator("#prompt")).to_have_value("회색 조끼")
    expect(page.locator("#seed")).to_have_value("")
    page.fill("#prompt", "")
    card.locator(".tile").first.click()
    page.locator("#viewer").get_by_role("button", name="이 문장 가져오기").click()
    expect(page.locator("#prompt")).to_have_value("회색 조끼")
    expect(page.locator("#seed")).to_have_value("")


def test_a_style_is_called_by_its_name(page: Page) -> None:
    page.check("#styles input[value=ink_wash]")
    drawn(page, "검은 갓").locator(".tile").first.click()
    page.locator("#viewer summary").click()
    expect(page.locator("#viewer dl")).to_contain_text("수묵화")
    assert "ink_wash" not in page.locator("body").inner_text()


def test_a_photo_is_cropped_where_one_likes_and_not_unasked(page: Page) -> None:
    photo = Image.new("RGB", (300, 100), "#00f")
    photo.paste((255, 0, 0), (0, 0, 100, 100))
    bring(page, photo)
    expect(page.locator("#source")).to_contain_text("가운데 정사각형만 쓰여요")
    page.get_by_role("button", name="자르기").click()
    expect(page.locator("#ask .crop")).to_be_focused()
    for _ in range(60):
        page.keyboard.press("ArrowLeft")
    with page.expect_response("**/api/v1/images") as answer:
        page.get_by_role("button", name="이 부분으로 시작").click()
    kept = answer.value.json()
    assert kept["width"] == kept["height"] == 100
    cut = Image.open(io.BytesIO(bytes(page.evaluate(PIXELS, kept["url"])))).convert("RGB")
    assert cut.getpixel((5, 50)) == cut.getpixel((95, 50)) == (255, 0, 0)
    expect(page.locator("#source")).not_to_contain_text("정사각형")
    assert page.errors == []


def test_a_photo_is_dragged_and_enlarged_in_its_frame_and_can_stay_as_it_is(page: Page) -> None:
    photo = Image.new("RGB", (100, 300), "#00f")
    photo.paste((255, 0, 0), (0, 200, 100, 300))
    bring(page, photo)
    before = len(uploads(page))
    page.get_by_role("button", name="자르기").click()
    page.locator("#ask").get_by_role("button", name="취소").click()
    assert len(uploads(page)) == before
    expect(page.locator("#source")).to_contain_text("정사각형")
    page.get_by_role("button", name="자르기").click()
    page.locator("#ask input[type=range]").fill("2")
    box = page.locator("#ask .crop").bounding_box()
    for _ in range(4):
        page.mouse.move(box["x"] + 40, box["y"] + box["height"] - 10)
        page.mouse.down()
        page.mouse.move(box["x"] + 40, box["y"] + 10, steps=4)
        page.mouse.up()
    with page.expect_response("**/api/v1/images") as answer:
        page.get_by_role("button", name="이 부분으로 시작").click()
    kept = answer.value.json()
    assert kept["width"] == kept["height"] == 50
    cut = Image.open(io.BytesIO(bytes(page.evaluate(PIXELS, kept["url"])))).convert("RGB")
    assert cut.getpixel((25, 25)) == (255, 0, 0)
