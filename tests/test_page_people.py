"""One's own things: privacy between two people, sharing, reporting, deleting with undo, forgetting, moving."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_world import World, drawn, expect, generations, open_world, share

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("people"), 0.02) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def test_two_people_never_see_each_others_private_things(world: World) -> None:
    anna, bora = world.person(), world.person()
    drawn(anna, "안나의 비밀 두루마기")
    drawn(bora, "보라의 비밀 저고리")
    secret = generations(anna)[0]
    bora.fill("#prompt", "안나의 비밀 두루마기")
    bora.wait_for_timeout(700)
    expect(bora.locator("#similar")).not_to_contain_text("안나의 비밀")
    for place in ("mine", "gallery"):
        bora.click(f"[data-place={place}]")
        bora.fill(f"#{place}-search", "안나의 비밀")
        bora.wait_for_timeout(500)
        expect(bora.locator(f"#{place}-list")).not_to_contain_text("안나의")
    bora.goto("about:blank")  # so that the link opens a page of its own, as from a letter
    bora.goto(f"{world.server.url}#/?look={secret['id']}.0")
    expect(bora.locator("#toasts")).to_contain_text("찾는 그림이 없어요")
    expect(bora.locator("#viewer")).to_be_hidden()
    status = bora.evaluate("url => fetch(url).then((r) => r.status)", secret["images"][0]["url"])
    assert status == 404


def test_a_shared_picture_is_in_the_gallery_until_it_is_taken_back(world: World) -> None:
    anna, bora = world.person(), world.person()
    drawn(anna, "공개할 노란 한복")
    anna.locator(".generation .tile").first.click()
    anna.get_by_role("button", name="갤러리에 공개").click()
    expect(anna.locator("#toasts")).to_contain_text("누구나 볼 수 있어요")
    bora.click("[data-place=gallery]")
    expect(bora.locator("#gallery-list")).to_contain_text("공개할 노란 한복")
    anna.get_by_role("button", name="나만 보기로").click()
    expect(anna.get_by_role("button", name="갤러리에 공개")).to_be_visible()
    bora.reload()
    expect(bora.locator("#gallery-list .empty")).to_be_visible()


def test_another_ones_public_picture_can_be_used_and_reported_but_not_deleted(world: World) -> None:
    anna, bora = world.person(), world.person()
    share(anna)
    drawn(anna, "초록 배자 입은 사람")
    bora.fill("#prompt", "초록 배자")
    card = bora.locator("#similar .past").first
    expect(card).to_contain_text("초록 배자 입은 사람")
    card.get_by_role("button", name="이 문장 가져오기").click()
    expect(bora.locator("#prompt")).to_have_value("초록 배자 입은 사람")
    card.get_by_role("button", name="이 그림으로 시작").click()
    expect(bora.locator("#source img")).to_be_visible()
    bora.get_by_role("button", name="시작 그림 빼기").click()
    card.locator(".piece").click()
    viewer = bora.locator("#viewer")
    expect(viewer).to_contain_text("공개 그림")
    expect(viewer.get_by_role("button", name="지우기")).to_have_count(0)
    viewer.get_by_role("button", name="신고").click()
    bora.fill("#ask textarea", "저작권 문제")
    bora.click("#ask button[value=yes]")
    expect(bora.locator("#toasts")).to_contain_text("고마워요")


def test_a_similar_picture_is_drawn_again_with_everything_it_was_drawn_with(world: World) -> None:
    anna, bora = world.person(), world.person()
    share(anna)
    anna.click("#more summary")
    anna.fill("#seed", "5")
    anna.fill("[name=negative_prompt]", "줄무늬")
    drawn(anna, "자주색 마고자")
    bora.fill("#prompt", "자주색 마고자")
    card = bora.locator("#similar .past").first
    expect(card).to_contain_text("자주색 마고자")
    card.get_by_role("button", name="같은 시드로 다시").click()
    expect(bora.locator(".generation")).to_have_attribute("data-status", "succeeded")
    made = generations(bora)[0]
    assert made["seed"] == 5 and made["negative_prompt"] == "줄무늬" and made["visibility"] == "private"


def test_delete_can_be_undone_and_without_undo_is_final(world: World) -> None:
    page = world.person()
    card = drawn(page, "지울 빨간 치마")
    card.get_by_role("button", name="지우기").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".generation")).to_have_count(0)
    expect(page.locator("#prompt")).to_be_focused()
    page.get_by_role("button", name="되돌리기").click()
    expect(page.locator(".generation")).to_have_count(1)
    page.wait_for_timeout(300)
    assert len(generations(page)) == 1
    page.locator(".generation").get_by_role("button", name="지우기").click()
    page.locator("#toasts").get_by_role("button", name="알림 닫기").last.click()
    expect(page.locator(".generation")).to_have_count(0)
    page.wait_for_timeout(500)
    assert generations(page) == []
    page.fill("#prompt", "지울 빨간 치마")
    page.wait_for_timeout(700)
    expect(page.locator("#similar")).not_to_contain_text("지울")


def test_leaving_before_the_undo_ends_still_deletes(world: World) -> None:
    page = world.person()
    card = drawn(page, "곧 지울 치마")
    card.get_by_role("button", name="지우기").click()
    page.reload()
    page.wait_for_timeout(800)
    assert generations(page) == []


def test_everything_of_mine_is_deleted_after_a_question(world: World) -> None:
    page = world.person()
    drawn(page, "모두 지울 그림")
    page.click("[data-place=me]")
    expect(page.locator("#me-figures")).to_contain_text("그림과 사진 4장")
    page.click("#forget")
    page.get_by_role("button", name="취소").click()
    assert len(generations(page)) == 1
    page.click("#forget")
    page.locator("#ask").get_by_role("button", name="모두 지우기").click()
    expect(page.locator("#forgotten")).to_contain_text("지웠어요")
    assert generations(page) == []
    page.click("[data-place=draw]")
    expect(page.locator(".generation")).to_have_count(0)


def test_a_code_moves_ones_pictures_to_another_browser(world: World) -> None:
    old, new = world.person(), world.person()
    drawn(old, "옮길 하늘색 저고리")
    old.click("[data-place=me]")
    old.click("#code-make")
    code = old.locator("#code output").inner_text()
    new.click("[data-place=me]")
    new.fill("[name=code]", "AAAA-AAAA-AAAA-AAAA")
    new.press("[name=code]", "Enter")
    expect(new.locator("#toasts")).to_contain_text("없는 코드")
    new.fill("[name=code]", code.lower())
    new.press("[name=code]", "Enter")
    expect(new.locator("#toasts")).to_contain_text("연결했어요")
    new.click("[data-place=mine]")
    expect(new.locator("#mine-list")).to_contain_text("옮길 하늘색 저고리")


def test_everything_can_be_taken_along(world: World) -> None:
    page = world.person()
    drawn(page, "가져갈 그림")
    page.click("[data-place=me]")
    with page.expect_download() as got:
        page.get_by_role("link", name="모두 내려받기").click()
    names = zipfile.ZipFile(io.BytesIO(Path(got.value.path()).read_bytes())).namelist()
    assert "generations.jsonl" in names and sum(name.endswith(".png") for name in names) >= 4


def test_a_drawing_that_ends_while_one_looks_at_the_history_appears_there(world: World) -> None:
    page = world.person()
    drawn(page, "먼저 그린 치마")
    page.click("[data-place=mine]")
    expect(page.locator("#mine-list .piece")).to_have_count(1)
    page.locator("#mine-list .piece").focus()
    page.route("**/events", lambda route: route.fulfill(status=503, body="{}"))  # found out by asking
    with world.held("refiner"):
        page.evaluate("""() => { location.hash = '#/'; document.querySelector('#prompt').value = '나중에 그린 코트';
            document.querySelector('#composer').requestSubmit(); }""")
        expect(page.locator(".generation")).to_have_count(2)
        page.click("[data-place=mine]")
        expect(page.locator("#mine-list .piece")).to_have_count(1)
    expect(page.locator("#mine-list .piece")).to_have_count(2)
    expect(page.locator("#mine-list .piece").first).to_contain_text("나중에 그린 코트")


def test_history_is_found_in_the_other_place_after_many_drawings(world: World) -> None:
    page = world.person()
    page.evaluate("""async () => { const headers = {'Content-Type': 'application/json'};
        for (let i = 0; i < 40; i += 1) await fetch('/api/v1/generations',
            {method: 'POST', headers, body: JSON.stringify({prompt: `셔츠 ${i}`, n: 1, refine: false})}); }""")
    unfinished = """() => fetch('/api/v1/generations?limit=100').then((r) => r.json())
        .then((page) => page.items.filter((one) => one.status !== 'succeeded').length)"""
    while page.evaluate(unfinished):  # pytest's own limit ends a wait that never comes to an end
        page.wait_for_timeout(200)
    page.click("[data-place=mine]")
    expect(page.locator("#mine-list .day")).to_have_text("오늘")
    while page.locator("#mine-list .piece").count() < 40:
        page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
        page.wait_for_timeout(200)
    expect(page.locator("#mine-list .piece")).to_have_count(40)
    expect(page.locator("#mine-more")).to_be_hidden()
