"""Editing on the page: click a word, choose another, compare, undo; uploads, fields, tree, refusals in plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from page_world import World, drawn, expect, generations, open_world, until
from playwright.sync_api import Locator, Page
from test_page_pictures import png

pytestmark = pytest.mark.browser
PROMPT = "빨간 체크무늬 원피스를 입은 사람, 공원, 수채화"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("editing")) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def looking(world: World, width: int = 1440) -> Page:
    """Somebody who looks at a new picture of PROMPT, whose words have come."""
    page = world.person(width)
    drawn(page, PROMPT)
    page.locator(".generation .tile").first.click()
    expect(word(page, "빨간")).to_be_visible()
    return page


def word(page: Page, text: str) -> Locator:
    return page.locator("#viewer .word", has_text=re.compile(f"^{re.escape(text)}$"))


def choose(page: Page, old: str, new: str) -> None:
    """Click a word, choose another, and wait until the edit is looked at."""
    word(page, old).click()
    page.locator("#viewer .offer", has_text=re.compile(f"^{re.escape(new)}$")).click()
    expect(word(page, new)).to_be_visible()


def test_a_word_is_clicked_another_chosen_compared_and_taken_back(world: World) -> None:
    page = looking(world)
    viewer = page.locator("#viewer")
    choose(page, "빨간", "파란")
    expect(viewer.locator(".prompt")).to_have_text(PROMPT.replace("빨간", "파란"))
    source = generations(page)[1]["images"][0]
    assert generations(page)[0]["source_image"] == source["id"]
    expect(viewer.locator(".before")).to_have_attribute("src", source["url"])
    slider = viewer.get_by_role("slider", name="고치기 전과 고친 그림 사이")
    slider.focus()
    page.keyboard.press("Home")
    assert viewer.locator(".picture").evaluate("f => f.style.getPropertyValue('--cut')") == "0%"
    choose(page, "원피스", "코트")
    expect(viewer.locator(".prompt")).to_have_text("파란 체크무늬 코트를 입은 사람, 공원, 수채화")
    for before in (PROMPT.replace("빨간", "파란"), PROMPT):
        viewer.get_by_role("button", name="고치기 전으로").click()
        expect(viewer.locator(".prompt")).to_have_text(before)
    expect(viewer.get_by_role("button", name="고치기 전으로")).to_have_count(0)
    expect(viewer.locator(".before")).to_have_count(0)
    assert page.errors == []


def test_four_variants_are_compared_with_what_they_were_made_from(world: World) -> None:
    page = looking(world)
    page.locator("#viewer input[name=variants][value='4']").check()
    choose(page, "공원", "거리")
    expect(page.locator("#viewer .place")).to_have_text("1 / 4")
    page.locator("#viewer .arrow.next").click()
    expect(page.locator("#viewer .place")).to_have_text("2 / 4")
    expect(page.locator("#viewer .before")).to_have_attribute("src", generations(page)[1]["images"][0]["url"])


def test_every_offer_has_a_picture_or_a_colour_that_is_fetched_only_then(world: World) -> None:
    page = world.person()
    sheets: list[str] = []
    page.on("request", lambda request: "word_pictures" in request.url and sheets.append(request.url))
    scripts = "performance.getEntriesByType('resource').map((e) => e.name.split('/').pop())"
    drawn(page, PROMPT)
    assert not {"edit.js", "fields.js", "lineage.js"} & set(page.evaluate(scripts))
    page.locator(".generation .tile").first.click()
    word(page, "빨간").click()
    expect(page.locator("#viewer .offer").first).to_be_focused()
    assert sheets == []
    colours = page.locator("#viewer .cell").evaluate_all("all => all.map((e) => e.style.backgroundColor)")
    assert len(colours) == 15 and all(colours)
    word(page, "체크무늬").click()
    places = page.locator("#viewer .cell").evaluate_all("all => all.map((e) => e.style.backgroundPosition)")
    assert len(set(places)) == len(places) == 12
    page.wait_for_timeout(300)
    assert len(sheets) == 1


def test_the_keyboard_alone_edits_and_escape_leaves_the_offers_first(world: World) -> None:
    page = looking(world)
    word(page, "빨간").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .offer").first).to_be_focused()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .offer").nth(1)).to_be_focused()
    page.keyboard.press("Escape")
    expect(word(page, "빨간")).to_be_focused()
    expect(page.locator("#viewer")).to_be_visible()
    page.keyboard.press("Enter")
    page.keyboard.press("End")
    last = page.locator("#viewer .offer").last.inner_text()
    page.keyboard.press("Enter")
    expect(word(page, last)).to_be_visible()
    expect(page.locator("#viewer [data-key=undo]")).to_be_focused()


def test_a_sentence_edits_too_and_the_same_field_values_are_told(world: World) -> None:
    page = looking(world)
    viewer = page.locator("#viewer")
    viewer.get_by_role("button", name="문장", exact=True).click()
    viewer.locator(".by-sentence textarea").fill(PROMPT.replace("원피스를", "코트를"))
    viewer.get_by_role("button", name="이렇게 고치기").click()
    expect(viewer.locator(".prompt")).to_have_text(PROMPT.replace("원피스를", "코트를"))
    viewer.get_by_role("button", name="항목", exact=True).click()
    assert [viewer.locator(f"[name={name}]").input_value() for name in ("title", "color", "style")] == [
        "코트", "빨간", "수채화",
    ]  # fmt: skip
    viewer.get_by_role("button", name="이렇게 고치기").click()
    expect(viewer.locator(".edit .wrong[role=alert]")).to_have_text(
        "바뀐 내용이 없어요. 단어를 고르거나 문장을 바꿔 주세요."
    )
    viewer.locator("[name=color]").fill("초록")
    viewer.get_by_role("button", name="이렇게 고치기").click()
    expect(viewer.locator(".prompt")).to_contain_text("초록 체크무늬 코트를")
    expect(viewer.locator("[name=color]")).to_have_value("초록")


def test_an_edit_is_seen_while_it_is_drawn(world: World) -> None:
    page = looking(world)
    viewer = page.locator("#viewer")
    viewer.get_by_role("button", name="문장", exact=True).click()
    viewer.locator(".by-sentence textarea").fill(PROMPT.replace("원피스를", "코트를"))
    with world.held("base"):
        viewer.get_by_role("button", name="이렇게 고치기").click()
        ahead = viewer.locator(".ahead img")
        expect(ahead).to_be_visible()
        assert "/preview" in ahead.get_attribute("src")
    expect(viewer.locator(".prompt")).to_contain_text("코트를")
    expect(viewer.locator(".ahead")).to_have_count(0)
    assert page.errors == []


def test_fields_draw_six_pictures_and_an_empty_one_is_named(world: World) -> None:
    page = world.person()
    page.click("#way-fields")
    form = page.locator("#fields")
    form.locator("[name=title]").fill("원피스")
    form.get_by_role("button", name="6장 그리기").click()
    expect(form.locator("[data-note=color]")).to_have_text("어떤 색인지 적어 주세요.")
    expect(form.locator("[name=color]")).to_be_focused()
    expect(form.locator("[name=color]")).to_have_attribute("aria-invalid", "true")
    assert generations(page) == []
    form.locator("[name=color]").fill("빨간")
    form.locator("[name=style]").fill("수채화")
    page.keyboard.press("Enter")
    expect(page.locator(".generation")).to_have_attribute("data-status", "succeeded")
    made = generations(page)[0]
    assert (made["kind"], len(made["images"]), made["style"]) == ("form", 6, "watercolor")
    expect(form.locator("[name=title]")).to_have_value("원피스")
    page.click("#way-sentence")
    expect(page.locator("#prompt")).to_be_visible()


def test_an_upload_is_edited_after_its_guess_is_accepted_or_corrected(world: World) -> None:
    page = world.person()
    page.set_input_files("#upload", {"name": "my.png", "mimeType": "image/png", "buffer": png((60, 80))})
    expect(page.locator("#source img")).to_be_visible()
    page.locator("#source").get_by_role("button", name="이 사진 고치기").click()
    viewer = page.locator("#viewer")
    expect(viewer.locator(".edit")).to_contain_text("알아보지 못했어요")
    viewer.locator(".by-sentence textarea").fill("빨간 원피스")
    viewer.get_by_role("button", name="맞아요, 고칠래요").click()
    expect(word(page, "빨간")).to_be_visible()
    choose(page, "빨간", "파란")
    expect(viewer.locator(".prompt")).to_have_text("파란 원피스")
    assert generations(page)[0]["source_prompt"] == "빨간 원피스"
    viewer.get_by_role("button", name="고치기 전으로").click()
    expect(viewer.locator(".prompt")).to_have_text("올린 사진")
    red = {"name": "red.png", "mimeType": "image/png", "buffer": png((60, 80), "#d22")}
    page.keyboard.press("Escape")
    with page.expect_response("**/api/v1/images"):
        page.set_input_files("#upload", red)
    page.click("[data-place=me]")
    page.locator("#photos").get_by_role("button", name=re.compile("이 사진 고치기")).first.click()
    expect(viewer.locator(".edit")).to_contain_text("이렇게 보여요")
    expect(viewer.locator(".by-sentence textarea")).to_have_value("빨간 원피스, 공원")
    viewer.get_by_role("button", name="맞아요, 고칠래요").click()
    word(page, "공원").click()
    expect(viewer.locator(".offer").first).to_be_visible()
    word(page, "+ 그림체").click()
    page.locator("#viewer .offer", has_text="수묵화").click()
    expect(viewer.locator(".prompt")).to_have_text("빨간 원피스, 공원, 수묵화")
    assert page.errors == []


def test_the_tree_leads_to_parents_and_children_and_says_what_is_gone(world: World) -> None:
    page = looking(world)
    choose(page, "빨간", "파란")
    choose(page, "원피스", "코트")
    tree = page.locator("#viewer .tree")
    expect(tree.locator(".relative")).to_have_count(3)
    expect(tree.locator("[aria-current]")).to_contain_text("파란 체크무늬 코트")
    tree.locator(".relative").first.click()
    expect(page.locator("#viewer .prompt")).to_have_text(PROMPT)
    expect(tree.locator(".relative")).to_have_count(2)
    tree.locator(".relative").last.click()
    expect(page.locator("#viewer .prompt")).to_have_text(PROMPT.replace("빨간", "파란"))
    expect(tree.locator(".relative")).to_have_count(3)
    first = generations(page)[2]["images"][0]
    address = page.url
    tree.locator(".relative").first.click()
    expect(page.locator("#viewer .prompt")).to_have_text(PROMPT)
    page.locator("#viewer [data-key=delete]").click()
    page.locator(".toast").get_by_role("button", name="알림 닫기").first.click()
    expect(page.locator(".toast")).to_contain_text(["이 그림에서 만든 그림 1장은 그대로 있어요."])
    until(page, f"fetch('{first['url']}').then((r) => r.status === 404)")
    page.goto(address)
    page.reload()
    expect(page.locator("#viewer .lineage")).to_contain_text("원본은 지워졌어요.")
    expect(page.locator("#viewer .relative")).to_have_count(2)


def test_a_refused_edit_says_what_to_do_and_nothing_waits(world: World) -> None:
    page = looking(world)
    page.keyboard.press("Escape")
    page.route("**/api/v1/generations", lambda route: route.fulfill(
        status=422, json={"error": {"code": "edit_unknown_word", "message": "-", "field": "replace"}}
    ) if route.request.method == "POST" else route.continue_())  # fmt: skip
    page.locator(".generation .tile").nth(1).click()
    word(page, "빨간").click()
    page.locator("#viewer .offer").first.click()
    expect(page.locator("#viewer .edit .wrong")).to_have_text(
        "이 그림의 문장에 없는 단어예요. 밑줄 친 단어 중에서 골라 주세요."
    )
    page.unroute_all(behavior="ignoreErrors")
    assert len(generations(page)) == 1
