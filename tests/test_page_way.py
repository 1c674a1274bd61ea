"""The whole way of a new person, in Korean: from the empty page to a downloaded picture that a search finds again."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from page_world import World, draw, drawn, expect, generations, open_world, share
from PIL import Image

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("way")) as world:
        yield world


def test_a_new_person_draws_downloads_and_finds_the_picture_again(world: World) -> None:
    neighbour = world.person()
    share(neighbour)
    drawn(neighbour, "빨간 체크무늬 치마")

    page = world.person()
    expect(page.locator("#notice")).to_contain_text("생성형 AI")
    page.click("#notice-ok")
    expect(page.locator("#notice")).to_be_hidden()
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#shapes")).to_be_hidden()  # the checkpoint draws squares alone

    page.keyboard.type("빨간 체크무늬 원")
    expect(page.locator("#similar-title")).to_have_text("비슷한 그림")
    expect(page.locator("#similar")).to_contain_text("빨간 체크무늬 치마")
    page.locator("#chips .offer", has_text="원피스").first.click()  # not the word that always stands there
    expect(page.locator("#prompt")).to_have_value("빨간 체크무늬 원피스")
    expect(page.locator("#meter")).to_be_visible()

    card = page.locator(".generation").first
    with world.held("refiner"):
        with world.held("base"):
            page.press("#prompt", "Enter")
            expect(card.locator(".tile")).to_have_count(4)
            expect(card.locator("[data-stage=base]")).to_have_attribute("data-at", "now")
            expect(card.locator("[data-stage=base]")).to_have_text("밑그림")
            expect(card.locator(".tile[data-state=preview]")).to_have_count(4)
        expect(card.locator("[data-stage=refiner]")).to_have_attribute("data-at", "now")
        expect(card.locator("[data-stage=refiner]")).to_have_text("다듬기")
    expect(card).to_have_attribute("data-status", "succeeded")
    expect(page.locator("#live")).to_contain_text("다 그렸어요")
    alt = card.locator("img").nth(1).get_attribute("alt")
    assert "빨간 체크무늬 원피스" in alt and "2번째" in alt

    card.locator(".tile").first.click()
    viewer = page.locator("#viewer")
    expect(viewer).to_contain_text("AI 생성")
    with page.expect_download() as got:
        viewer.locator("[data-key=png]").click()
    picture = Image.open(BytesIO(Path(got.value.path()).read_bytes()))
    assert picture.format == "PNG" and picture.size == (128, 128)
    assert "빨간 체크무늬 원피스" in str(picture.text)
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(card.locator(".tile").first).to_be_focused()

    page.click("[data-place=mine]")
    page.locator("#mine-search").press_sequentially("체크 원피스", delay=30)
    expect(page.locator("#mine-count")).to_contain_text("관련도순")
    first = page.locator("#mine-list .piece").first
    expect(first).to_contain_text("빨간 체크무늬 원피스")
    first.click()
    expect(viewer.locator(".prompt")).to_have_text("빨간 체크무늬 원피스")
    assert page.errors == []


def test_with_the_keyboard_alone_a_picture_is_drawn_and_looked_at(world: World) -> None:
    page = world.person()
    page.keyboard.press("Tab")
    expect(page.locator(".skip").first).to_be_focused()
    for _ in range(40):
        if page.evaluate("document.activeElement.id") == "prompt":
            break
        page.keyboard.press("Tab")
    page.keyboard.type("노란 줄무늬 셔")
    expect(page.locator("#chips .offer").first).to_contain_text("셔츠")  # no earlier syllable's
    page.keyboard.press("ArrowDown")
    expect(page.locator("#chips button").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#prompt")).to_be_focused()
    assert page.input_value("#prompt").startswith("노란 줄무늬 셔츠")
    page.keyboard.press("Enter")
    tile = page.locator(".generation .tile").first
    expect(tile).to_be_enabled()
    tile.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#viewer .place")).to_have_text("1 / 4")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#viewer .place")).to_have_text("2 / 4")
    assert page.evaluate("document.querySelector('#viewer').contains(document.activeElement)")
    page.keyboard.press("Escape")
    expect(tile).to_be_focused()


def test_several_drawings_at_a_time_all_finish(world: World) -> None:
    page = world.person()
    for i in range(4):
        page.fill("#prompt", f"하얀 저고리 {i}")
        page.press("#prompt", "Enter")
        expect(page.locator(".generation")).to_have_count(i + 1)
    for i in range(4):
        expect(page.locator(".generation").nth(i)).to_have_attribute("data-status", "succeeded")
    assert [g["prompt"] for g in generations(page)] == [f"하얀 저고리 {i}" for i in (3, 2, 1, 0)]


def test_leaving_and_coming_back_loses_nothing(world: World) -> None:
    page = world.person()
    with world.held("refiner"):
        draw(page, "분홍 두루마기")
        page.fill("#prompt", "아직 다 쓰지 못한 문장")
        page.reload()
        expect(page.locator("#prompt")).to_have_value("아직 다 쓰지 못한 문장")
        card = page.locator(".generation").first
        expect(card).to_contain_text("분홍 두루마기")
        expect(card).to_have_attribute("data-status", "running")
        expect(card.locator("progress")).to_be_visible()
    expect(card).to_have_attribute("data-status", "succeeded")
    assert len(generations(page)) == 1


def test_a_pattern_waits_in_the_queue_before_it_is_made(world: World) -> None:
    page = world.person()
    with world.held("base"):
        draw(page, "먼저 온 치마")
        expect(page.locator("[data-stage=base]")).to_have_attribute("data-at", "now")
        body = {"kind": "pattern", "category": "dots", "n": 1}
        assert page.request.post(f"{world.server.url}/api/v1/generations", data=body).status == 202
        page.reload()
        waiting = page.locator(".generation", has=page.locator("[data-stage=pattern]"))
        expect(waiting.locator("[data-stage=queued]")).to_have_attribute("data-at", "now")
        expect(waiting.locator("[data-stage=pattern]")).to_have_attribute("data-at", "later")
    expect(page.locator(".generation[data-status=succeeded]")).to_have_count(2)
