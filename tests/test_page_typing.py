"""Typing: Hangul in composition, Enter, double submit, the limit, words, and what is said when a prompt is refused."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from page_world import World, draw, expect, generations, open_world
from playwright.sync_api import Page

pytestmark = pytest.mark.browser

KEYDOWN = """([key, code, composing]) => document.querySelector('#prompt').dispatchEvent(new KeyboardEvent(
  'keydown', {key, keyCode: code, which: code, isComposing: composing, bubbles: true, cancelable: true}))"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("typing"), 0.02) as world:
        yield world


@pytest.fixture
def page(world: World) -> Page:
    page = world.person()
    page.posts = []
    page.on("request", lambda r: r.method == "POST" and r.url.endswith("/generations") and page.posts.append(r))
    return page


def test_enter_while_chrome_composes_hangul_draws_nothing(page: Page) -> None:
    page.focus("#prompt")
    input = page.context.new_cdp_session(page)
    for step in ("ㅇ", "오", "옷"):
        input.send("Input.imeSetComposition", {"text": step, "selectionStart": len(step), "selectionEnd": len(step)})
    input.send("Input.dispatchKeyEvent", {"type": "keyDown", "key": "Process", "windowsVirtualKeyCode": 229})
    page.evaluate(KEYDOWN, ["Enter", 229, True])  # the first of the two that Chrome sends
    page.wait_for_timeout(400)
    assert page.posts == []
    input.send("Input.insertText", {"text": "옷"})
    assert page.input_value("#prompt") == "옷"
    page.evaluate(KEYDOWN, ["Enter", 13, False])  # the second one: the syllable is finished
    expect(page.locator(".generation")).to_have_count(1)
    assert len(page.posts) == 1 and page.posts[0].post_data_json["prompt"] == "옷"


def test_enter_after_safaris_compositionend_draws_nothing(page: Page) -> None:
    page.fill("#prompt", "저고리")
    page.eval_on_selector("#prompt", "p => p.dispatchEvent(new CompositionEvent('compositionend', {data: '리'}))")
    page.evaluate(KEYDOWN, ["Enter", 229, False])
    page.wait_for_timeout(400)
    assert page.posts == []
    page.press("#prompt", "Enter")
    expect(page.locator(".generation")).to_have_count(1)
    assert len(page.posts) == 1


def test_suggestions_and_similar_come_while_a_syllable_is_composed(page: Page) -> None:
    page.focus("#prompt")
    input = page.context.new_cdp_session(page)
    page.keyboard.insert_text("하얀 ")
    for step in ("ㅇ", "워", "원"):
        input.send("Input.imeSetComposition", {"text": step, "selectionStart": 1, "selectionEnd": 1})
    expect(page.locator("#chips .offer", has_text="원피스").first).to_be_visible()
    page.locator("#chips .offer", has_text="원피스").first.click()
    expect(page.locator("#prompt")).to_have_value("하얀 원피스")


def test_a_double_enter_draws_once(page: Page) -> None:
    page.fill("#prompt", "파란 코트")
    # By the page's own clock: on a busy machine a press from here may come seconds later, and then it means again.
    page.evaluate(f"() => {{ const press = {KEYDOWN}; for (const wait of [0, 0, 150, 300]) "
                  "setTimeout(() => press(['Enter', 13, false]), wait); }")  # fmt: skip
    page.wait_for_timeout(900)
    expect(page.locator(".generation")).to_have_count(1)
    assert len(generations(page)) == 1


def test_a_slow_answer_is_not_asked_for_twice(page: Page) -> None:
    page.route("**/api/v1/generations", lambda route: (time.sleep(0.3), route.continue_()))
    page.fill("#prompt", "파란 코트")
    page.evaluate(f"() => {{ const press = {KEYDOWN}; press(['Enter', 13, false]); "
                  "document.querySelector('#submit').click(); press(['Enter', 13, false]); }")  # fmt: skip
    expect(page.locator(".generation")).to_have_count(1)
    page.unroute("**/api/v1/generations")
    assert len(generations(page)) == 1


def test_shift_enter_starts_a_line_and_does_not_draw(page: Page) -> None:
    page.fill("#prompt", "노란 모자")
    page.press("#prompt", "Shift+Enter")
    page.keyboard.type("배경은 궁궐")
    assert page.input_value("#prompt") == "노란 모자\n배경은 궁궐"
    assert page.posts == []


def test_decomposed_hangul_is_sent_composed(page: Page) -> None:
    page.fill("#prompt", "한복")  # as macOS gives file names
    page.press("#prompt", "Enter")
    expect(page.locator(".generation .prompt")).to_have_text("한복")
    assert page.posts[0].post_data_json["prompt"] == "한복"


def test_words_that_cannot_be_drawn_are_named_but_not_while_they_are_being_typed(page: Page) -> None:
    note = page.locator("#prompt-note")
    page.fill("#prompt", "빨간 우주선과 원")
    expect(note).to_contain_text("우주선")
    expect(note).not_to_contain_text("‘원’")
    page.fill("#prompt", "빨간 원피스")
    expect(note).to_have_text("")


def test_what_is_read_otherwise_than_typed_is_said(page: Page) -> None:
    page.fill("#prompt", "분홍 채크무늬 모자")
    expect(page.locator("#prompt-note")).to_contain_text("‘채크무늬’는 ‘체크무늬’로, ‘모자’는 ‘버킷햇’으로 그릴게요")
    expect(page.locator("#prompt")).to_have_value("분홍 채크무늬 모자")


def test_the_meter_shows_how_much_of_the_limit_is_used(page: Page) -> None:
    expect(page.locator("#meter")).to_be_hidden()
    page.fill("#prompt", "빨간 원피스")
    expect(page.locator("#meter")).to_be_visible()
    used, most = page.locator("#meter-text").inner_text().split("/")
    assert 0 < int(used) < int(most)
    page.fill("#prompt", "빨간 원피스 " * 60)
    expect(page.locator("#meter")).to_have_attribute("data-full", "over")
    expect(page.locator("#prompt-note")).to_contain_text("뒷부분")


def test_a_very_long_prompt_still_finds_similar_ones_and_completes(page: Page) -> None:
    draw(page, "하얀 저고리")
    expect(page.locator(".generation")).to_have_attribute("data-status", "succeeded")
    long = "하얀 저고리를 입은 사람과 " * 130
    page.fill("#prompt", long + "원ㅍ")
    expect(page.locator("#similar")).to_contain_text("하얀 저고리")
    expect(page.locator("#similar-title")).to_have_text("비슷한 그림")
    page.locator("#chips .offer", has_text="원피스").first.click()
    expect(page.locator("#prompt")).to_have_value(long + "원피스")


def test_an_empty_prompt_is_answered_with_what_to_do(page: Page) -> None:
    page.click("#submit")
    expect(page.locator("#prompt-note")).to_contain_text("먼저 적어 주세요")
    expect(page.locator("#prompt")).to_be_focused()
    assert page.posts == []


def test_a_rejected_prompt_says_so_and_stays_for_mending(page: Page) -> None:
    page.fill("#prompt", "벌거벗은 사람")
    page.press("#prompt", "Enter")
    expect(page.locator("#prompt-note")).to_contain_text("노골적인 성적 표현은 그려 드릴 수 없어요")
    expect(page.locator("#prompt")).to_have_value("벌거벗은 사람")
    expect(page.locator(".generation")).to_have_count(0)


def test_a_full_queue_is_explained_and_the_prompt_stays(page: Page) -> None:
    full = '{"error": {"code": "queue_full", "message": "full"}}'
    page.route(
        "**/api/v1/generations",
        lambda route: route.fulfill(status=429, body=full, headers={"Retry-After": "20"}),
    )
    page.fill("#prompt", "빨간 원피스")
    page.press("#prompt", "Enter")
    expect(page.locator("#prompt-note")).to_contain_text("20초쯤 뒤에")
    expect(page.locator("#prompt")).to_have_value("빨간 원피스")
    page.unroute("**/api/v1/generations")
    draw(page, "빨간 원피스")


def test_settings_travel_with_the_request_and_untouched_ones_do_not(page: Page) -> None:
    page.click("#more summary")
    page.fill("#seed", "77")
    page.fill("#guidance_scale", "6")
    page.fill("[name=negative_prompt]", "줄무늬")
    page.locator("[name=n][value='1']").check()
    draw(page, "초록 치마")
    body = page.posts[0].post_data_json
    assert body["seed"] == 77 and body["guidance_scale"] == 6 and body["negative_prompt"] == "줄무늬" and body["n"] == 1
    assert "steps" not in body and "style_weight" not in body and body["visibility"] == "private"


def test_a_second_style_is_drawn_beside_the_first_with_a_strength_of_its_own(page: Page) -> None:
    page.click("#more summary")
    beside = page.locator("#beside")
    page.locator("#styles label", has_text="minhwa").click()
    expect(beside.get_by_text("minhwa")).to_be_hidden()  # the same twice is one style
    expect(page.locator("#beside-strength")).to_be_hidden()
    beside.get_by_text("수묵화").click()
    page.fill("#beside_weight", "0.6")
    expect(page.locator("#beside-strength output")).to_have_text("0.6")
    page.reload()  # the draft keeps both
    page.click("#more summary")
    expect(page.locator("#beside-strength output")).to_have_text("0.6")
    draw(page, "초록 치마")
    body = page.posts[-1].post_data_json
    assert body["style"] == "minhwa" and body["styles"] == [{"name": "수묵화", "weight": 0.6}]
    page.locator("#styles label", has_text="수묵화").last.click()  # chosen first, it is no longer the second
    expect(page.locator("#beside-strength")).to_be_hidden()
    draw(page, "파란 치마")
    assert "styles" not in page.posts[-1].post_data_json
    page.click("#reset")
    expect(page.locator("#styles input[value='']")).to_be_checked()


def test_an_offer_that_comes_late_finishes_the_word_and_no_other(page: Page) -> None:
    page.focus("#prompt")
    page.keyboard.type("빨간 체크무늬 원")
    offer = page.locator("#chips .offer", has_text="원피스").first
    expect(offer).to_be_visible()
    page.route("**/suggest?*", lambda route: route.abort())  # what follows is answered by nobody
    page.keyboard.type("피")
    offer.click()
    expect(page.locator("#prompt")).to_have_value("빨간 체크무늬 원피스")

    page.unroute("**/suggest?*")
    page.fill("#prompt", "파란 원")
    expect(offer).to_be_visible()
    page.route("**/suggest?*", lambda route: route.abort())
    page.keyboard.type("단 코트")
    offer.click()
    expect(page.locator("#prompt")).to_have_value("파란 원단 코트")


def test_a_word_of_the_row_finishes_the_same_word_that_was_begun(page: Page) -> None:
    page.route("**/suggest?*", lambda route: route.abort())
    page.focus("#prompt")
    page.keyboard.type("빨간 원")
    page.locator("#chips .chip", has_text="원피스").first.click()
    expect(page.locator("#prompt")).to_have_value("빨간 원피스")
    page.keyboard.type(" 검은")
    page.locator("#chips .chip", has_text="코트").first.click()
    expect(page.locator("#prompt")).to_have_value("빨간 원피스 검은 코트")
