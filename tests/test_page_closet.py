"""Hearts, the closet, choosing several pictures, one picture of a set, posts: in a real browser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_world import World, drawn, expect, generations, open_neighbourhood, until
from playwright.sync_api import Page
from test_page_own import close_toasts

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    prompts = ("빨간 체크무늬 원피스", "노란 저고리")
    with open_neighbourhood(tmp_path_factory.mktemp("closet"), prompts) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


@pytest.fixture
def page(world: World) -> Page:
    return world.person(permissions=["clipboard-read", "clipboard-write"])


def get(page: Page, path: str) -> dict:
    return page.evaluate("path => fetch('/api/v1' + path).then((r) => r.json())", path)


def choose(page: Page, place: str, *which: int) -> None:
    """Begin to choose in a place, and choose some of its pictures."""
    page.click(f"[data-place={place}]")
    page.locator(f"#{place}-tools [data-key=pick]").click()
    expect(page.locator(f"#{place}-list .pick").first).to_be_visible()
    for i in which:
        page.locator(f"#{place}-list .piece").nth(i).click()


def test_a_heart_is_pressed_in_the_viewer_and_the_picture_lies_in_the_closet(page: Page) -> None:
    page.click("[data-place=gallery]")
    page.locator("#gallery-list .piece").first.click()
    heart = page.locator("#viewer .heart-wide")
    expect(heart).to_have_attribute("aria-pressed", "false")
    with page.expect_response("**/like"):
        heart.click()
    expect(heart).to_have_attribute("aria-pressed", "true")
    expect(heart).to_contain_text("1")
    page.keyboard.press("Escape")
    page.click("[data-place=closet]")
    page.locator("#closet-shelves .piece", has_text="좋아요한 그림").click()
    expect(page.locator("#closet-list .piece")).to_have_count(1)
    with page.expect_response("**/like"):
        page.locator("#closet-list .heart").click()
    expect(page.locator("#closet-list .heart")).to_have_attribute("aria-pressed", "false")
    assert get(page, "/closet")["liked"] == 0
    assert page.errors == []


def test_a_collection_is_made_filled_renamed_and_deleted(page: Page) -> None:
    choose(page, "gallery", 0, 2)
    page.locator(".pick-bar [data-key=stow]").click()
    page.fill("#ask input", "가을 옷")
    page.keyboard.press("Enter")
    expect(page.locator(".toast").last).to_contain_text("‘가을 옷’에 담았어요.")
    expect(page.locator(".pick-bar")).to_have_count(0)
    page.get_by_role("button", name="보러 가기").click()
    expect(page.locator("#closet-title")).to_have_text("가을 옷")
    expect(page.locator("#closet-list .piece")).to_have_count(2)
    page.locator("[data-key=rename]").click()
    page.fill("#ask textarea", "겨울 옷")
    page.keyboard.press("Enter")
    expect(page.locator("#closet-title")).to_have_text("겨울 옷")
    page.fill("#closet-search", "기린")
    expect(page.locator("#closet-count")).to_contain_text("맞는 그림이 없어요")
    page.fill("#closet-search", "")
    expect(page.locator("#closet-list .piece")).to_have_count(2)
    page.locator("#closet-list .piece").first.click()
    expect(page.locator("#viewer .arrow.next")).to_be_visible()
    page.keyboard.press("ArrowRight")  # the next of the collection, not of the set
    expect(page.locator("#viewer .arrow.next")).to_be_hidden()
    page.keyboard.press("Escape")
    page.locator("#closet-acts [data-key=drop]").click()
    page.locator("#ask .danger").click()
    expect(page.locator("#closet-shelves .piece")).to_have_count(1)
    assert get(page, "/closet")["collections"] == [] and page.errors == []


def test_a_picture_is_taken_out_of_a_collection(page: Page) -> None:
    choose(page, "gallery", 0, 1)
    page.locator(".pick-bar [data-key=stow]").click()
    page.fill("#ask input", "봄")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="보러 가기").click()
    page.locator("#closet-tools [data-key=pick]").click()
    page.locator("#closet-list .piece").first.click()
    page.locator(".pick-bar [data-key=take_out]").click()
    expect(page.locator("#closet-list .piece")).to_have_count(1)
    assert get(page, "/closet")["collections"][0]["count"] == 1


def test_several_are_chosen_with_shift_downloaded_and_deleted_with_a_way_back(page: Page) -> None:
    drawn(page, "초록 두루마기")
    drawn(page, "회색 두루마기")
    choose(page, "mine", 1)
    expect(page.locator("#mine-list .piece")).to_have_count(8)
    page.locator("#mine-list .piece").nth(4).click(modifiers=["Shift"])
    expect(page.locator(".pick-bar p")).to_have_text("4장 선택")
    with page.expect_download() as got:
        page.locator(".pick-bar [data-key=zip]").click()
    names = zipfile.ZipFile(io.BytesIO(Path(got.value.path()).read_bytes())).namelist()
    assert got.value.suggested_filename == "그려줘.zip" and len(names) == 4 and "회색 두루마기 2" in names[0]
    page.locator(".pick-bar [data-key=delete]").click()
    expect(page.locator("#mine-list .piece")).to_have_count(2)
    expect(page.locator("#mine-list .badge")).to_have_text(["3"])  # of the other set one is left
    page.get_by_role("button", name="되돌리기").click()
    expect(page.locator("#mine-list .badge")).to_have_text(["4", "4"])
    choose(page, "mine", 0)
    page.locator(".pick-bar [data-key=delete]").click()
    close_toasts(page)
    assert [len(one["images"]) for one in generations(page)] == [3, 4]
    page.click("[data-place=draw]")
    expect(page.locator(".generation").first.locator(".tile")).to_have_count(3)
    assert page.errors == []


def test_a_long_press_begins_to_choose_on_a_phone(world: World) -> None:
    page = world.person(360, has_touch=True, is_mobile=True)
    page.goto(world.server.url + "#/gallery")
    page.locator("#gallery-list .piece").first.wait_for()
    touch = page.context.new_cdp_session(page)
    box = page.locator("#gallery-list .frame").first.bounding_box()
    point = {"x": box["x"] + 30, "y": box["y"] + 60}
    touch.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
    expect(page.locator(".pick-bar p")).to_have_text("1장 선택")
    touch.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    page.locator(".pick-bar [data-key=end]").tap()
    expect(page.locator(".pick-bar")).to_have_count(0)


def test_one_of_four_is_published_alone_and_the_others_can_go(page: Page, world: World) -> None:
    card = drawn(page, "자주색 당의")
    ids = [one["id"] for one in generations(page)[0]["images"]]
    card.locator(".tile").nth(2).click()
    page.get_by_role("button", name="이 그림만 공개").click()
    expect(page.get_by_role("button", name="이 그림만 나만 보기")).to_be_visible()
    other = world.person()
    other.click("[data-place=gallery]")
    seen = other.locator("#gallery-list li", has_text="자주색 당의")
    expect(seen).to_have_count(1)
    expect(seen).to_have_attribute("data-id", ids[2])
    page.locator("#viewer [data-key=keep_one]").click()
    expect(page.locator("#viewer .place")).to_have_count(0)
    close_toasts(page)
    assert [one["id"] for one in generations(page)[0]["images"]] == [ids[2]]
    assert page.errors == []


def test_a_picture_is_published_with_a_caption_and_its_page_is_shared(page: Page, world: World) -> None:
    drawn(page, "남색 당의").locator(".tile").first.click()
    page.locator("#viewer [data-key=post]").click()
    page.fill("#ask [name=caption]", "씨발")
    page.locator("#ask .primary").click()
    expect(page.locator("#ask .wrong")).to_contain_text("욕설")
    page.fill("#ask [name=caption]", "나들이에 입고 싶은 옷")
    page.fill("#ask [name=author]", "민지")
    page.locator("#ask .primary").click()
    expect(page.locator("#ask")).to_be_hidden()
    page.evaluate("Object.defineProperty(navigator, 'share', {value: undefined})")
    page.locator("#viewer [data-key=share]").click()
    until(page, f"navigator.clipboard.readText().then((text) => text.startsWith('{world.server.url}'))")
    link = page.evaluate("navigator.clipboard.readText()")
    friend = world.person()
    friend.goto(link)
    expect(friend.locator("h1")).to_have_text("나들이에 입고 싶은 옷")
    expect(friend.locator("main")).to_contain_text("민지")
    friend.get_by_role("link", name="이 문장으로 그려 보기").click()
    expect(friend.locator("#prompt")).to_have_value("남색 당의")
    page.locator("#viewer [data-key=post]").click()
    page.locator("#ask [data-key=take-back]").click()
    expect(page.locator("#viewer [data-key=share]")).to_have_count(0)
    assert friend.goto(link).status == 404 and page.errors == []


def test_keys_press_what_their_buttons_do_and_are_listed(page: Page) -> None:
    page.locator("#draw-title").click()
    page.keyboard.press("?")
    expect(page.locator("#ask")).to_contain_text("단축키")
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.locator("#gallery-list .piece").first.click()
    expect(page.locator("#viewer .heart-wide")).to_be_visible()
    page.keyboard.press("l")
    expect(page.locator("#viewer .heart-wide")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("l")
    expect(page.locator("#viewer .heart-wide")).to_have_attribute("aria-pressed", "false")
    page.keyboard.press("c")
    expect(page.locator(".toast").last).to_contain_text("그림을 복사했어요")
    kinds = "navigator.clipboard.read().then((all) => all[0].types)"
    assert "image/png" in page.evaluate(kinds)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#gallery-search")).to_be_focused()
    page.keyboard.type("gn")  # letters, where one writes
    expect(page.locator("#gallery-search")).to_have_value("gn")
    assert page.errors == []


def test_keys_work_while_hangul_is_on(page: Page) -> None:
    page.evaluate("""document.body.dispatchEvent(new KeyboardEvent('keydown',
        {key: 'ㅎ', code: 'KeyG', bubbles: true, cancelable: true}))""")
    expect(page.locator("#gallery-title")).to_be_visible()


def test_single_letters_can_be_turned_off(page: Page) -> None:
    page.locator("#draw-title").click()
    page.keyboard.press("?")
    page.locator("#ask [role=switch]").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("?")
    expect(page.locator("#ask")).to_be_visible()
    expect(page.locator("#draw-title")).to_be_visible()


def test_arrow_up_brings_earlier_prompts_and_arrow_down_what_was_written(page: Page) -> None:
    for prompt in ("첫 번째 모자", "두 번째 모자"):
        drawn(page, prompt)
    page.reload()
    page.fill("#prompt", "쓰던 글")
    page.press("#prompt", "Home")
    for prompt in ("두 번째 모자", "첫 번째 모자"):
        page.press("#prompt", "ArrowUp")
        expect(page.locator("#prompt")).to_have_value(prompt)
    page.press("#prompt", "ArrowUp")
    page.press("#prompt", "ArrowDown")
    expect(page.locator("#prompt")).to_have_value("두 번째 모자")
    page.press("#prompt", "ArrowDown")
    expect(page.locator("#prompt")).to_have_value("쓰던 글")


def test_any_two_pictures_are_compared(page: Page) -> None:
    choose(page, "gallery", 0, 5)
    page.locator(".pick-bar [data-key=compare]").click()
    slider = page.locator("#ask [type=range]")
    expect(slider).to_be_focused()
    page.keyboard.press("Home")
    assert page.locator("#ask .picture").evaluate("f => f.style.getPropertyValue('--cut')") == "0%"
    assert len(set(page.locator("#ask .picture img").evaluate_all("all => all.map((i) => i.src)"))) == 2


def test_pictures_are_sorted_and_filtered(page: Page) -> None:
    page.click("[data-place=gallery]")
    expect(page.locator("#gallery-list .piece")).not_to_have_count(0)
    page.locator("#gallery-tools summary").click()
    page.select_option("#gallery-tools [name=garment]", "저고리")
    expect(page.locator("#gallery-list .piece")).to_have_count(1)
    expect(page.locator("#gallery-tools .many")).to_have_text("1")
    page.select_option("#gallery-tools [name=color]", "빨간")
    expect(page.locator("#gallery-count")).to_contain_text("맞는 그림이 없어요")
    page.get_by_role("button", name="필터 초기화").click()
    expect(page.locator("#gallery-list .piece")).not_to_have_count(0)
    page.select_option("#gallery-tools .shelf-row select", "oldest")
    expect(page.locator("#gallery-list .title").first).to_have_text("빨간 체크무늬 원피스")
    page.select_option("#gallery-tools .shelf-row select", "liked")
    expect(page.locator("#gallery-list .badge")).to_have_count(0)  # single pictures
    assert page.errors == []
