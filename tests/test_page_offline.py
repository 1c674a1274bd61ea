"""Without a connection: the page and one's own last drawings, nothing of others, and nothing that was deleted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from demo_client import wait_for
from page_world import World, drawn, expect, open_neighbourhood
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
PROMPTS = ("빨간 원피스", "파란 코트")


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with open_neighbourhood(tmp_path, ["초록 저고리"]) as world:
        yield world


def kept(page: Page, cache: str = "own") -> list[str]:
    """Addresses that a cache of this browser holds."""
    asked = "async (name) => (await (await caches.open(name)).keys()).map(({url}) => url.replace(location.origin, ''))"
    return page.evaluate(asked, cache)


def pictures(page: Page) -> list[str]:
    return sorted(address for address in kept(page) if "/images/" in address)


def person_who_drew(world: World) -> Page:
    """Somebody with two drawings, all of which this browser has kept; 8 pictures, each with its thumbnail."""
    page = world.person(service_workers="allow")
    for prompt in PROMPTS:
        drawn(page, prompt)
    wait_for(lambda: len(pictures(page)) == 16)
    wait_for(lambda: "/" in kept(page, "shell"))
    return page


def test_a_page_without_its_server_shows_ones_last_drawings_until_it_is_back(world: World) -> None:
    page = person_who_drew(world)
    world.server.kill()
    page.reload()
    expect(page.locator("#connection")).to_be_visible()
    expect(page.locator(".generation")).to_have_count(2)
    tiles = page.locator(".generation .tile img")
    wait_for(lambda: tiles.evaluate_all("all => all.length === 8 && all.every(img => img.naturalWidth > 0)"))
    page.locator(".generation .tile").first.click()
    expect(page.locator("#viewer .prompt")).to_have_text(PROMPTS[1])
    wait_for(lambda: page.locator("#viewer .picture img").first.evaluate("img => img.naturalWidth > 0"))
    assert page.errors == []
    world.server.start()
    expect(page.locator("#connection")).to_be_hidden()
    page.keyboard.press("Escape")
    drawn(page, "노란 한복 치마")


def test_nothing_of_others_is_kept_and_what_is_deleted_goes(world: World) -> None:
    page = person_who_drew(world)
    mine = page.evaluate("fetch('/api/v1/generations').then(r => r.json())")["items"]
    ids = {image["id"] for generation in mine for image in generation["images"]}
    assert all(address.split("/images/")[1].split("?")[0].split("/")[0] in ids for address in pictures(page))
    page.evaluate(f"fetch('/api/v1/generations/{mine[0]['id']}', {{method: 'DELETE'}})")
    page.reload()  # deleted elsewhere, as far as this page knows
    wait_for(lambda: len(pictures(page)) == 8)
    assert mine[0]["id"] not in "".join(kept(page))
    page.goto(f"{world.server.url}#/me")
    page.locator("#forget").click()
    page.get_by_role("button", name="모두 지우기", exact=True).click()
    wait_for(lambda: pictures(page) == [])
    assert mine[1]["id"] not in "".join(kept(page))
    assert page.evaluate("caches.match('/api/v1/generations').then(r => r.json())")["items"] == []
