"""A draft beside the prompt: after a rest, of whole syllables, replaced, kept nowhere, switched off by a person."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import WIDTHS, World, expect, open_world, violations
from playwright.sync_api import Page

pytestmark = pytest.mark.browser
SHOWN = "#composer .draft img"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("drafts"), 0.01, DRAFTS="on") as world:
        yield world


@pytest.fixture
def page(world: World) -> Iterator[Page]:
    page = world.person()
    expect(page.locator("#drafts")).to_have_count(1)  # the module has come
    page.drafts = []
    page.on("request", lambda r: r.url.endswith("/drafts") and page.drafts.append(r.post_data_json["prompt"]))
    yield page
    assert page.errors == []
    world.leave()


def test_a_draft_comes_when_the_typing_rests_and_is_replaced(page: Page) -> None:
    page.fill("#prompt", "빨간 원피스")
    expect(page.locator(SHOWN)).to_have_attribute("alt", "미리 보기: 빨간 원피스")
    first = page.locator(SHOWN).get_attribute("src")
    page.locator("#prompt").press_sequentially(" 밀짚모자")
    expect(page.locator(SHOWN)).to_have_attribute("alt", "미리 보기: 빨간 원피스 밀짚모자")
    assert page.locator(SHOWN).get_attribute("src") != first
    assert page.evaluate("document.activeElement.id") == "prompt", "the focus stays with the writing"
    assert len(page.locator(".generation").all()) == 0
    page.fill("#prompt", "")
    expect(page.locator("#composer .draft")).to_be_hidden()


def test_a_syllable_that_is_only_begun_is_not_drawn(page: Page) -> None:
    page.focus("#prompt")
    input = page.context.new_cdp_session(page)
    page.keyboard.insert_text("빨간 ")
    for step in ("ㅊ", "치", "침"):
        input.send("Input.imeSetComposition", {"text": step, "selectionStart": 1, "selectionEnd": 1})
        page.wait_for_timeout(700)
    expect(page.locator(SHOWN)).to_have_attribute("alt", "미리 보기: 빨간 침")
    assert page.drafts[-1] == "빨간 침" and not any("ㅊ" in prompt for prompt in page.drafts)
    assert page.input_value("#prompt") == "빨간 침", "composition goes on undisturbed"


def test_drafts_are_switched_off_by_a_person_and_stay_off(page: Page) -> None:
    page.click("#more summary")
    page.uncheck("#drafts")
    page.fill("#prompt", "파란 코트")
    page.wait_for_timeout(800)
    assert page.drafts == []
    page.reload()
    expect(page.locator("#drafts")).not_to_be_checked()
    page.click("#more summary")
    page.check("#drafts")
    expect(page.locator(SHOWN)).to_have_attribute("alt", "미리 보기: 파란 코트")


def test_a_drawing_that_is_asked_for_is_not_drafted_again(page: Page) -> None:
    page.evaluate(
        """(text) => { const prompt = document.querySelector('#prompt'); prompt.value = text;
        prompt.dispatchEvent(new InputEvent('input', {bubbles: true}));
        document.querySelector('#composer').requestSubmit(); }""",
        "노란 저고리",
    )  # by its clock: from here it takes seconds
    expect(page.locator(".generation")).to_have_count(1)
    page.wait_for_timeout(800)
    assert page.drafts == []
    expect(page.locator(".generation").first).to_have_attribute("data-status", "succeeded")


@pytest.mark.parametrize("width", WIDTHS)
def test_a_draft_is_accessible_and_fits_beside_the_prompt(page: Page, width: int) -> None:
    page.set_viewport_size({"width": width, "height": WIDTHS[width]})
    page.fill("#prompt", "빨간 체크무늬 원피스에 흰 운동화")
    expect(page.locator(SHOWN)).to_be_visible()
    box, prompt = (page.locator(each).bounding_box() for each in (SHOWN, "#prompt"))
    assert box["x"] >= prompt["x"] + prompt["width"] - 1 and box["x"] + box["width"] <= width
    assert violations(page) == []
