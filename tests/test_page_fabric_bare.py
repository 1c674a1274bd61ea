"""The tab of fabric where no weights are: it says so, and what a person brings and paints is enough."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import World, expect, generations, open_world
from test_page_fabric import CANVAS, enter, photo, result

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("bare"), 0.01, FAKE_TEXTILE="0") as world:
        yield world


def test_the_tab_says_so_and_a_pattern_of_ones_own_is_put_on_what_is_painted(world: World) -> None:
    page = world.person()
    enter(page)
    expect(page.locator(".fabric-make .note")).to_contain_text("무늬를 만들 수 없어요")
    expect(page.locator("[data-key=make]")).to_have_count(0)
    page.set_input_files("[data-key=bring]", {"name": "a.png", "mimeType": "image/png", "buffer": photo((160, 240))})
    expect(page.locator(".swatch")).to_have_count(1)
    page.set_input_files("[data-key=photo]", {"name": "b.png", "mimeType": "image/png", "buffer": photo()})
    expect(page.locator(".fabric-brush .note")).to_contain_text("붓으로 칠해 주세요")
    expect(page.locator("[data-key=apply]")).to_have_attribute("aria-disabled", "true")
    page.locator(CANVAS).scroll_into_view_if_needed()
    box = page.locator(CANVAS).bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 3, steps=3)
    page.mouse.up()
    expect(page.locator("[data-key=apply]")).to_have_attribute("aria-disabled", "false")
    result(page)
    asked = generations(page)[0]
    assert asked["mask_image"] and asked["prompt"] == "내 무늬, 내 사진"
    assert page.errors == []
