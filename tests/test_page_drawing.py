"""While it draws: cancelling, reloading, a server that is killed and comes back, refused streams, failures."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from page_world import World, draw, drawn, expect, generations, open_world

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("drawing")) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def test_cancel_ends_it_and_says_so(world: World) -> None:
    page = world.person()
    with world.held("base"):
        card = draw(page, "빨간 원피스")
        expect(card).to_have_attribute("data-status", "running")
        card.get_by_role("button", name="멈추기").evaluate("button => { button.focus(); button.click(); }")
        expect(card).to_have_attribute("data-status", "cancelled")
    expect(card).to_be_focused()
    expect(card).to_contain_text("멈췄어요")
    expect(page.locator("#live")).to_contain_text("멈췄어요")
    assert generations(page)[0]["status"] == "cancelled"


def test_the_place_in_the_queue_is_told(world: World) -> None:
    first, second = world.person(), world.person()
    with world.held("base", "갓"):
        with world.held("base", "저고리"):
            draw(first, "하얀 저고리 하나")
            draw(first, "하얀 저고리 둘")
            card = draw(second, "검은 갓")
            expect(card.locator(".where")).to_contain_text(re.compile("앞에 1개 남았어요|다음 차례예요"))
        expect(card).to_have_attribute("data-status", "running")
        expect(card.locator(".where")).to_contain_text("단계")
    for page in (first, second):
        page.evaluate("fetch('/api/v1/me', {method: 'DELETE', headers: {'Content-Type': 'application/json'}})")


def test_a_reload_while_drawing_goes_on_where_it_was(world: World) -> None:
    page = world.person()
    with world.held("base"):
        card = draw(page, "초록 치마")
        expect(card.locator(".tile[data-state=preview]").first).to_be_visible()
        page.reload()
        card = page.locator(".generation").first
        expect(card).to_have_attribute("data-status", "running")
    expect(card).to_have_attribute("data-status", "succeeded")


def test_a_killed_server_is_waited_for_and_the_drawing_comes(world: World) -> None:
    page = world.person()
    with world.held("base"):
        card = draw(page, "보라 코트")
        expect(card).to_have_attribute("data-status", "running")
        world.server.kill()
        expect(page.locator("#connection")).to_contain_text("다시 연결하고 있어요")
        page.fill("#prompt", "회색 바지")
        page.press("#prompt", "Enter")
        expect(page.locator("#prompt-note")).to_contain_text("연결을 기다리고")
        world.server.start()
    expect(page.locator("#connection")).to_be_hidden()
    expect(page.locator(".generation")).to_have_count(2)
    for i in range(2):
        expect(page.locator(".generation").nth(i)).to_have_attribute("data-status", "succeeded")
    assert sorted(g["prompt"] for g in generations(page)) == ["보라 코트", "회색 바지"]
    assert page.errors == []


def test_where_streams_are_refused_polling_says_the_same(world: World) -> None:
    page = world.person()
    page.route("**/events", lambda route: route.fulfill(status=503, body="{}"))
    with world.held("base"):
        card = draw(page, "남색 두루마기")
        expect(card).to_have_attribute("data-status", "running")
        expect(card.locator(".where")).to_contain_text("단계")
    expect(card).to_have_attribute("data-status", "succeeded")


def test_a_failed_drawing_is_explained_and_can_be_tried_again(world: World) -> None:
    page = world.person()
    card = draw(page, "crash 원피스")
    expect(card).to_have_attribute("data-status", "failed")
    expect(card).to_contain_text("그리다가 문제가 생겼어요")
    card.get_by_role("button", name="다시 시도").click()
    expect(page.locator(".generation")).to_have_count(2)
    flagged = draw(page, "flag 원피스")
    expect(flagged).to_have_attribute("data-status", "failed")
    expect(flagged).to_contain_text("안전 검사")


def test_nothing_moves_when_pictures_arrive(world: World) -> None:
    page = world.person()
    drawn(page, "분홍 치마")
    page.wait_for_timeout(600)
    page.evaluate("""() => { window.shifts = [];
        const take = (list) => list.getEntries().forEach((e) => e.hadRecentInput || window.shifts.push(e.value));
        new PerformanceObserver(take).observe({type: 'layout-shift'}); }""")
    card = page.locator(".generation").first
    box = card.bounding_box()
    with world.held("base"):
        card.get_by_role("button", name="다른 그림으로 다시").click()
        second = page.locator(".generation").first
        expect(page.locator(".generation")).to_have_count(2)
        page.wait_for_timeout(700)
        page.evaluate("window.shifts.length = 0")
        before = second.bounding_box()
    expect(second).to_have_attribute("data-status", "succeeded")
    page.wait_for_timeout(500)
    assert second.bounding_box()["height"] == pytest.approx(before["height"], abs=1)
    assert box["height"] == pytest.approx(before["height"], abs=1)
    assert sum(page.evaluate("window.shifts")) < 0.01
