"""How heavy, how still and how near: bytes on return, layout shift while loading, Tabs to the first picture, search."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import WIDTHS, World, expect, open_neighbourhood, until
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SHIFTS = """() => { window.shifts = []; new PerformanceObserver((list) => list.getEntries()
    .forEach((e) => e.hadRecentInput || window.shifts.push(e.value)))
    .observe({type: 'layout-shift', buffered: true}); }"""
SETTLED = "[...document.querySelectorAll('#similar img')].length > 0 && document.querySelector('#feed').dataset.asked"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    prompts = ("빨간 체크무늬 원피스", "노란 저고리", "검은 갓")
    with open_neighbourhood(tmp_path_factory.mktemp("weight"), prompts, FIRST_PAGE_LIKES="0") as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


@pytest.fixture(scope="module")
def cookies(world: World) -> dict:
    """Of somebody with eight drawings, who has read the notice."""
    page = world.person()
    page.click("#notice-ok")
    page.evaluate("""async () => { const headers = {'Content-Type': 'application/json'};
        for (let i = 0; i < 8; i += 1) await fetch('/api/v1/generations', {method: 'POST', headers,
            body: JSON.stringify({prompt: `하늘색 치마 ${i}`, n: i < 6 ? 8 : 4})}); }""")
    until(page, "fetch('/api/v1/me').then((r) => r.json()).then((me) => me.active === 0)")
    return page.context.storage_state()


@pytest.fixture
def owner(world: World, cookies: dict) -> Page:
    return world.person(storage_state=cookies)


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_jumps_while_the_page_loads(owner: Page, width: int) -> None:
    owner.set_viewport_size({"width": width, "height": WIDTHS[width]})
    owner.route("**/api/v1/**", lambda route: (owner.wait_for_timeout(150), route.continue_()))  # a line of its own
    owner.reload()
    owner.evaluate(SHIFTS)
    until(owner, SETTLED)
    owner.wait_for_timeout(700)
    owner.unroute_all(behavior="ignoreErrors")
    assert sum(owner.evaluate("window.shifts")) <= 0.02


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_jumps_while_a_prompt_is_read(owner: Page, width: int) -> None:
    owner.set_viewport_size({"width": width, "height": WIDTHS[width]})
    owner.reload()
    until(owner, SETTLED)
    owner.evaluate(SHIFTS)
    owner.evaluate("window.shifts.length = 0")
    for prompt in ("빨간 원피스", "분홍 채크무늬 모자", "빨간 원피스와 우주선"):
        owner.fill("#prompt", prompt)
        owner.wait_for_timeout(1500)
    assert sum(owner.evaluate("window.shifts")) <= 0.02


def test_a_return_with_eight_drawings_weighs_little(owner: Page) -> None:
    """Fakes draw flat pictures: what counts is how many are asked for, and in which form."""
    asked: list[str] = []
    owner.on("request", lambda request: "/api/v1/images/" in request.url and asked.append(request.url))
    owner.reload()
    expect(owner.locator(".generation")).to_have_count(8)
    until(owner, SETTLED)
    owner.wait_for_timeout(800)
    assert asked and all("format=webp" in url or "size=thumbnail" in url for url in asked)
    assert len(asked) < 56, "what is far below is not asked for yet"


def test_the_first_picture_is_few_tabs_away_and_headings_lead_to_every_drawing(owner: Page) -> None:
    owner.reload()
    until(owner, SETTLED)
    tabs = 0
    while not owner.evaluate("Boolean(document.activeElement.closest('.tile'))"):
        owner.keyboard.press("Tab")
        tabs += 1
        assert tabs <= 30
    outline = "[...document.querySelectorAll('main h1, main h2, main h3')].filter((e) => e.checkVisibility())"
    assert owner.evaluate(f"{outline}.map((e) => e.localName).join('')") == "h1h2h2" + "h3" * 8
    owner.reload()
    until(owner, SETTLED)
    owner.keyboard.press("Tab")
    owner.keyboard.press("Tab")
    expect(owner.locator(".skip").nth(1)).to_be_focused()
    owner.keyboard.press("Enter")
    expect(owner.locator("#feed-title")).to_be_focused()
    owner.keyboard.press("Tab")
    assert owner.evaluate("Boolean(document.activeElement.closest('.tile'))")
    assert "#feed" not in owner.url


def test_skipping_to_the_content_stays_in_its_place(world: World) -> None:
    page = world.person()
    page.click("[data-place=gallery]")
    page.locator(".skip").first.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    expect(page.locator("#gallery-title")).to_be_visible()


def test_arrows_walk_along_words_kinds_and_similar_pictures(owner: Page) -> None:
    owner.reload()
    until(owner, SETTLED)
    for place, thing in (("#kinds", "#kinds button"), ("#chips", "#chips button"), ("#similar", "#similar .piece")):
        things = owner.locator(thing)
        things.first.focus()
        owner.keyboard.press("ArrowRight")
        expect(things.nth(1)).to_be_focused()
        assert owner.locator(f"{place} a[tabindex='0'], {place} button[tabindex='0']").count() <= 4
        owner.keyboard.press("End")
        expect(things.last).to_be_focused()
        owner.keyboard.press("Home")
        expect(things.first).to_be_focused()


def test_search_shows_what_matches_marks_it_and_says_when_nothing_does(world: World) -> None:
    page = world.person()
    page.click("[data-place=gallery]")
    expect(page.locator("#gallery-list .piece")).to_have_count(3)
    page.fill("#gallery-search", "체크무늬 원피스를")
    expect(page.locator("#gallery-list .piece")).to_have_count(1)
    expect(page.locator("#gallery-list mark")).to_have_text(["체크무늬", "원피스"])
    page.fill("#gallery-search", "기린")
    expect(page.locator("#gallery-count")).to_contain_text("맞는 그림이 없어요")
    expect(page.locator("#gallery-list .piece")).to_have_count(0)
    page.fill("#gallery-search", "(저고리")
    expect(page.locator("#gallery-list mark")).to_have_count(0)
    page.fill("#gallery-search", "")
    expect(page.locator("#gallery-list .piece")).to_have_count(3)
    expect(page.locator("#gallery-list mark")).to_have_count(0)
    assert page.errors == []
