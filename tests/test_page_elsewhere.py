"""Two tabs, two places, a line that breaks: what happens elsewhere shows here, and nobody is moved or misled."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import World, draw, drawn, expect, open_world
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("elsewhere")) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def second_tab(page: Page, world: World) -> Page:
    tab = page.context.new_page()
    tab.goto(world.server.url)
    expect(tab.locator("#kinds button")).not_to_have_count(0)
    return tab


def return_to(page: Page) -> None:
    """As a browser does when its window is looked at again."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def test_what_one_tab_draws_and_deletes_shows_on_the_other_ones_wall(world: World) -> None:
    first = world.person()
    drawn(first, "먼저 그린 저고리")
    second = second_tab(first, world)
    expect(second.locator(".generation")).to_have_count(1)
    drawn(second, "둘째 탭의 두루마기")
    expect(first.locator(".generation")).to_have_count(2)
    expect(first.locator(".generation").first).to_contain_text("둘째 탭의 두루마기")
    expect(first.locator(".generation").first).to_have_attribute("data-status", "succeeded")
    second.locator(".generation").first.get_by_role("button", name="4장 모두 지우기").click()
    second.locator("#toasts").get_by_role("button", name="알림 닫기").click()
    expect(first.locator(".generation")).to_have_count(1)


def test_what_is_forgotten_elsewhere_leaves_this_wall_and_it_is_said(world: World) -> None:
    here, there = world.person(), world.person()
    drawn(here, "함께 쓰는 치마")
    here.click("[data-place=me]")
    expect(here.locator("main")).to_contain_text("한쪽에서 지우면 다른 쪽에서도 지워져요")
    here.click("#code-make")
    there.click("[data-place=me]")
    there.fill("[name=code]", here.locator("#code output").inner_text())
    there.press("[name=code]", "Enter")
    expect(there.locator("#toasts")).to_contain_text("연결했어요")
    there.click("#forget")
    expect(there.locator("#ask")).to_contain_text("연결한 다른 기기에서도 사라져요")
    there.locator("#ask").get_by_role("button", name="모두 지우기").click()
    expect(there.locator("#forgotten")).to_contain_text("지웠어요")
    here.click("[data-place=draw]")
    return_to(here)
    expect(here.locator(".generation")).to_have_count(0)
    expect(here.locator("#toasts")).to_contain_text("다른 곳에서 지운 그림")


def test_a_prompt_that_waited_for_the_line_moves_nobody_and_leaves_no_message(world: World) -> None:
    page = world.person()
    page.context.set_offline(True)
    page.fill("#prompt", "빨간 치마와 조끼")
    page.press("#prompt", "Enter")
    expect(page.locator("#prompt-note")).to_contain_text("연결을 기다리고 있어요")
    band = page.locator("#connection")
    expect(band).to_contain_text("다시 연결하고 있어요")
    assert "서버" not in band.inner_text(), "nobody knows what a server does that cannot be reached"
    page.click("[data-place=gallery]")
    page.context.set_offline(False)
    expect(band).to_be_hidden()
    page.wait_for_timeout(1500)
    expect(page.locator("#gallery-title")).to_be_visible()
    page.click("[data-place=draw]")
    expect(page.locator(".generation")).to_have_attribute("data-status", "succeeded")
    expect(page.locator("#prompt-note")).to_have_text("")


def test_a_failed_line_in_the_middle_of_a_drawing_keeps_the_place(world: World) -> None:
    page = world.person()
    with world.held("base"):
        draw(page, "초록 두루마기")
        page.click("[data-place=me]")
        page.context.set_offline(True)
        page.evaluate("fetch('/healthz').catch(() => {})")
        page.wait_for_timeout(500)
        page.context.set_offline(False)
        page.wait_for_timeout(1500)
        expect(page.locator("#me-title")).to_be_visible()
