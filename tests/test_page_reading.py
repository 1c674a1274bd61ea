"""What is said of a prompt before it is drawn, and that no word, however long, breaks the page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from page_world import WIDTHS, World, drawn, expect, generations, open_world

pytestmark = pytest.mark.browser
UNBROKEN = "가나다라마바사아자차카타파하" * 5
STICKS_OUT = """() => [...document.querySelectorAll('main *, dialog[open] *, .toast *')]
    .filter((e) => e.checkVisibility({visibilityProperty: true}) && !e.closest('.sr, .strip, .kinds, .chips, .crop'))
    .filter((e) => e.getBoundingClientRect().right > innerWidth + 1).map((e) => e.outerHTML.slice(0, 100))"""
OVERLAPS = """() => { const button = document.querySelector('#submit').getBoundingClientRect();
    const top = document.elementFromPoint(button.x + button.width / 2, button.y + button.height / 2);
    return top?.id !== 'submit' && top?.outerHTML.slice(0, 100); }"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("reading"), 0.02) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def fits(page: object, where: str) -> None:
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(100)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, (where, width)
        assert page.evaluate(STICKS_OUT) == [], (where, width)


def test_no_word_however_long_widens_the_page(world: World) -> None:
    page = world.person(reduced_motion="reduce")
    page.click("#more summary")
    page.fill("[name=negative_prompt]", UNBROKEN)
    page.fill("#seed", "1" * 60)
    for letters in (20, 23, 34, 70):
        page.fill("#prompt", UNBROKEN[:letters])
        page.evaluate("scrollTo(0, 0)")
        fits(page, f"{letters} letters")
        assert page.evaluate(OVERLAPS) is False
    expect(page.locator("#prompt-note")).to_contain_text("아직 못 그려요")
    fits(page, "the line under the prompt")
    page.fill("#seed", "")
    drawn(page, UNBROKEN)
    fits(page, "a drawing")
    page.locator(".generation .tile").first.click()
    page.locator("#viewer summary").click()
    fits(page, "the viewer")
    page.keyboard.press("Escape")
    page.set_viewport_size({"width": 1440, "height": 900})
    for place in ("mine", "gallery"):
        page.click(f"[data-place={place}]")
        page.fill(f"#{place}-search", UNBROKEN)
        page.wait_for_timeout(400)
        fits(page, place)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click("[data-place=me]")
    page.fill("[name=code]", UNBROKEN[:40])
    fits(page, "my data")
    page.set_viewport_size({"width": 1440, "height": 900})
    page.click("[data-place=draw]")
    page.click("#way-fields")
    for name in ("title", "color", "style"):
        page.fill(f"#fields [name={name}]", UNBROKEN)
    fits(page, "name, colour and style")
    assert page.errors == []


def test_what_lies_outside_its_world_is_said_before_drawing_with_two_examples(world: World) -> None:
    page = world.person()
    note = page.locator("#prompt-note")
    page.fill("#prompt", "우주를 나는 고래")
    expect(note).to_contain_text("‘우주’, ‘고래’는 아직 못 그려요")
    expect(note).to_have_attribute("data-kind", "heed")
    expect(note.locator("button")).to_have_count(2)
    for prompt in ("ㅋㅋㅋㅋ", "1+1=?", "예쁜 옷"):
        page.fill("#prompt", prompt)
        expect(note).to_contain_text("옷이나 한복이 없는 문장이에요")
    page.fill("#prompt", "노란 리본")
    expect(note.locator("button")).to_have_text(["노란 원피스", "노란 저고리"])
    box, button = note.bounding_box(), page.locator("#submit").bounding_box()
    assert 0 <= box["y"] - (button["y"] + button["height"]) < 40, "beside the button"
    note.locator("button").first.click()
    expect(page.locator("#prompt")).to_have_value("노란 원피스")
    expect(page.locator("#prompt")).to_be_focused()
    expect(note).to_have_text("")
    assert generations(page) == []


def test_an_unknown_word_does_not_hide_what_is_read_otherwise(world: World) -> None:
    page = world.person()
    page.fill("#prompt", "분홍 채크무늬 모자와 우주선")
    note = page.locator("#prompt-note")
    expect(note).to_contain_text("‘우주선’은 아직 못 그려요")
    expect(note).to_contain_text("‘채크무늬’는 ‘체크무늬’로, ‘모자’는 ‘버킷햇’으로 그릴게요")


def test_what_a_prompt_does_not_want_is_said_to_be_left_out(world: World) -> None:
    page = world.person()
    page.fill("#prompt", "빨간 원피스, 모자 없이")
    note = page.locator("#prompt-note")
    expect(note).to_have_text("‘모자’는 빼고 그릴게요.")
    page.fill("#prompt", "줄무늬 말고 ㅃㅏㄹㄱㅏㄴ 셔츠")
    expect(note).to_contain_text("‘줄무늬’는 빼고 그릴게요")
    expect(note).to_contain_text("‘ㅃㅏㄹㄱㅏㄴ’은 ‘빨간’으로 그릴게요")
    assert "아직 못" not in note.inner_text()


def test_a_finished_drawing_still_says_what_was_not_drawn(world: World) -> None:
    page = world.person()
    card = drawn(page, "빨간 원피스와 우주선")
    expect(card.locator(".heed")).to_contain_text("우주선")
    page.reload()
    expect(page.locator(".generation .heed")).to_contain_text("우주선")
    expect(drawn(page, "빨간 원피스").locator(".heed")).to_have_count(0)


def test_after_the_helpline_nobody_is_told_to_put_it_differently(world: World) -> None:
    page = world.person()
    page.fill("#prompt", "자살하고 싶다")
    note = page.locator("#prompt-note")
    expect(note).to_contain_text("109")
    assert note.inner_text().endswith("혼자 견디지 않아도 괜찮아요.")
    page.press("#prompt", "Enter")
    page.wait_for_timeout(500)
    expect(note).to_contain_text("109")
    assert "바꿔" not in note.inner_text() and "다른" not in note.inner_text()
    for harmless in ("누드 스타킹", "어린이 속옷", "여권사진용 셔츠"):
        page.fill("#prompt", harmless)
        page.wait_for_timeout(900)
        assert "수 없어요" not in note.inner_text(), harmless
