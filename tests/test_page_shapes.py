"""The page where the checkpoint draws other shapes than squares, and where it does not."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest
from page_world import World, drawn, expect, generations, open_world, until
from playwright.sync_api import Route

pytestmark = pytest.mark.browser
SHOTS = os.environ.get("SHOTS")  # a folder for screenshots


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("shapes"), 0.02, FAKE_SHAPES="any") as world:
        yield world


@pytest.mark.parametrize("width", [1440, 360])
def test_an_upright_picture_is_chosen_drawn_shown_whole_and_drawn_again(world: World, width: int) -> None:
    page = world.person(width)
    if width < 1080:
        page.click("#more summary")
    expect(page.locator("#shapes")).to_be_visible()
    page.check("#shapes input[value=portrait]")
    card = drawn(page, "빨간 원피스")
    made = generations(page)[0]
    assert (made["width"], made["height"]) == (48, 80)
    assert made["images"][0]["height"] > made["images"][0]["width"]
    box = card.locator(".tile").first.bounding_box()
    assert box["height"] / box["width"] == pytest.approx(80 / 48, rel=0.02)
    if SHOTS:
        page.screenshot(path=f"{SHOTS}/shapes-{width}.png", full_page=True)
    page.reload()
    expect(page.locator("#shapes input[value=portrait]")).to_be_checked()  # of the draft
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.errors == []
    world.leave()


def test_a_variation_begins_in_the_shape_of_its_picture_and_a_square_can_be_chosen(world: World) -> None:
    page = world.person()
    page.check("#shapes input[value=portrait]")
    card = drawn(page, "빨간 원피스")
    page.check("#shapes input[value=landscape]")  # something else meanwhile
    card.locator(".tile").first.click()
    page.locator("#viewer").get_by_role("button", name="이 그림으로 시작").click()
    expect(page.locator("#shapes input[value=portrait]")).to_be_checked()
    page.check("#shapes input[value=square]")
    drawn(page, "파란 원피스")
    made = generations(page)[0]
    assert made["kind"] == "vary" and made["width"] is None
    assert made["images"][0]["width"] == made["images"][0]["height"]
    world.leave()


def test_a_link_chooses_the_shape_of_its_picture(world: World) -> None:
    page = world.person(path="#draw?prompt=코트&width=80&height=48")
    expect(page.locator("#shapes input[value=landscape]")).to_be_checked()
    page.click("#more summary")
    page.click("#reset")
    expect(page.locator("#shapes input[value=square]")).to_be_checked()
    world.leave()


def test_a_page_opened_before_a_worker_is_ready_offers_shapes_and_styles_once_one_is(world: World) -> None:
    page = world.person(path="#draw?prompt=코트&style=watercolor")
    expect(page.locator("#shapes")).to_be_visible()

    def not_yet(route: Route) -> None:
        told = route.fetch()
        given = told.json()
        if "styles" in given:
            given["styles"] = [style for style in given["styles"] if style["kind"] == "prompt"]
        else:
            given |= {"checkpoint": {"loaded": False}, "shapes": [], "defaults": {}}
        route.fulfill(response=told, json=given)

    page.route(re.compile("/api/v1/(models|styles)$"), not_yet)
    page.reload()
    expect(page.locator("#styles input[value=watercolor]")).to_be_checked()
    expect(page.locator("#styles input[value=minhwa]")).to_have_count(0)
    expect(page.locator("#shapes")).to_be_hidden()
    page.check("#styles input[value=ink_wash]")
    page.unroute_all()
    expect(page.locator("#shapes input")).to_have_count(3)
    expect(page.locator("#styles input[value=minhwa]")).to_have_count(1)
    expect(page.locator("#styles input[value=ink_wash]")).to_be_checked()
    page.route(re.compile("/api/v1/(models|styles)$"), not_yet)
    page.reload()
    expect(page.locator("#styles input[value=ink_wash]")).to_be_checked()  # of the draft
    page.check("#styles input[value='']")
    page.unroute_all()
    expect(page.locator("#styles input[value=minhwa]")).to_have_count(1)
    expect(page.locator("#styles input[value='']")).to_be_checked()  # what was chosen last
    assert page.errors == []
    world.leave()


def test_a_picture_fills_the_screen_by_its_button_and_by_a_key(world: World) -> None:
    page = world.person()
    drawn(page, "빨간 원피스").locator(".tile").first.click()
    full = "document.fullscreenElement?.matches('#viewer .picture') ?? false"
    page.locator("#viewer [data-key=full]").click()
    until(page, full)
    page.evaluate("document.exitFullscreen()")
    until(page, "document.fullscreenElement === null")
    page.keyboard.press("f")
    until(page, full)
    shown = page.locator("#viewer .picture img").first.bounding_box()
    width, height = page.evaluate("[innerWidth, innerHeight]")
    assert shown["width"] <= width and shown["height"] <= height
    assert max(shown["width"] / width, shown["height"] / height) > 0.9
    world.leave()
