"""Closet, filters, selection, post and keys at three widths, light and dark: axe finds nothing, nothing sticks out."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from page_world import World, drawn, expect, open_neighbourhood
from playwright.sync_api import Page
from test_page_closet import choose
from test_page_looks import HANGUL, SEEN, check_looks

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    prompts = ("red dress", "blue coat")
    with open_neighbourhood(tmp_path_factory.mktemp("closetlooks"), prompts) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def closet(page: Page) -> None:
    """Two collections: one with a cover, one empty."""
    page.evaluate("""async () => { const ask = (path, body) => fetch('/api/v1' + path, {method: 'POST',
        headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)}).then((r) => r.json());
        const {items} = await fetch('/api/v1/pictures?place=gallery').then((r) => r.json());
        await ask('/closet', {name: 'Winter'});
        const autumn = await ask('/closet', {name: 'Autumn'});
        await ask(`/closet/${autumn.id}/pictures`, {images: items.slice(0, 3).map((i) => i.id)}); }""")
    page.click("[data-place=closet]")
    expect(page.locator("#closet-shelves .piece")).to_have_count(3)


def collection(page: Page) -> None:
    closet(page)
    page.locator("#closet-shelves .piece", has_text="Autumn").click()
    expect(page.locator("#closet-list .piece")).to_have_count(3)
    page.locator("#closet-list .heart").first.click()


def empty(page: Page) -> None:
    closet(page)
    page.locator("#closet-shelves .piece", has_text="Winter").click()
    expect(page.locator("#closet-list .empty")).to_be_visible()


def filters(page: Page) -> None:
    page.click("[data-place=gallery]")
    expect(page.locator("#gallery-list .piece").first).to_be_visible()
    page.locator("#gallery-tools summary").click()


def picking(page: Page) -> None:
    drawn(page, "red dress")
    choose(page, "mine", 0, 2)


def stowing(page: Page) -> None:
    closet(page)
    choose(page, "gallery", 1)
    page.locator(".pick-bar [data-key=stow]").click()
    expect(page.locator("#ask .choose li")).to_have_count(2)


def comparing(page: Page) -> None:
    choose(page, "gallery", 0, 5)
    page.locator(".pick-bar [data-key=compare]").click()
    expect(page.locator("#ask .before")).to_be_visible()


def viewing(page: Page) -> None:
    drawn(page, "red dress").locator(".tile").first.click()
    expect(page.locator("#viewer .heart-wide")).to_be_visible()
    expect(page.locator("#viewer .word").first).to_be_visible()


def posting(page: Page) -> None:
    viewing(page)
    page.locator("#viewer [data-key=post]").click()
    expect(page.locator("#ask [name=caption]")).to_be_focused()


def keys(page: Page) -> None:
    page.locator("#draw-title").click()
    page.keyboard.press("?")
    expect(page.locator("#ask .keys")).to_be_visible()


def post(page: Page) -> None:
    found = page.evaluate("fetch('/api/v1/pictures?place=gallery').then((r) => r.json())")["items"]
    page.goto(f"/p/{found[0]['id']}")


def gone(page: Page) -> None:
    page.goto("/p/" + "0" * 32)


STATES: list[Callable[[Page], None]] = [
    closet, collection, empty, filters, picking, stowing, comparing, viewing, posting, keys, post, gone,
]  # fmt: skip


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_state_is_accessible_and_fits_every_width_light_and_dark(world: World, state: Callable) -> None:
    page = world.person(reduced_motion="reduce", base_url=world.server.url)
    state(page)
    check_looks(page)


def test_english_leaves_no_korean_in_the_closet(world: World) -> None:
    for state in STATES:
        page = world.person(base_url=world.server.url)
        page.click("#language")
        expect(page.locator("html")).to_have_attribute("lang", "en")
        state(page)
        assert [text for text in page.evaluate(SEEN) if HANGUL.search(text) and text != "수묵화"] == [], state.__name__
        world.leave()
