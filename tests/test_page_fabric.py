"""The tab of fabric in a real browser: patterns made, one kept, tried on, a mask painted, results downloaded."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator

import numpy as np
import pytest
from page_world import World, drawn, expect, generations, open_world, until
from PIL import Image
from playwright.sync_api import Locator, Page
from test_page_looks import GIVEN, HANGUL, SEEN, check_looks

pytestmark = pytest.mark.browser
CANVAS = ".fabric-stage canvas"
READY = "!document.querySelector('.fabric-wear').hasAttribute('aria-busy')"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("fabric"), 0.01) as world:
        yield world


@pytest.fixture(autouse=True)
def _alone(world: World) -> Iterator[None]:
    yield
    world.leave()


def enter(page: Page) -> None:
    """Go to the tab, and wait until the first item can be dressed."""
    page.click("[data-place=fabric]")
    expect(page.locator("#fabric .target")).to_have_count(10)
    until(page, READY)


def make(page: Page, key: str = "make", count: int = 9) -> None:
    with page.expect_response(lambda answer: answer.url.endswith("/generations") and answer.request.method == "POST"):
        page.click(f"#fabric [data-key={key}]")
    expect(page.locator("#fabric .swatch")).to_have_count(count)
    expect(page.locator("#fabric-make ~ .group [data-key=make]")).to_have_attribute("aria-disabled", "false")


def make_blue(page: Page) -> None:
    """Nine prints of one palette: of a palette by chance some are hardly seen on white."""
    page.fill("#fabric-text", "파란 바탕에 흰 물방울")
    make(page)


def seen(page: Page) -> np.ndarray:
    """What the preview shows."""
    data = page.evaluate(f"document.querySelector('{CANVAS}').toDataURL()")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(data.split(",")[1]))).convert("RGB")).astype(int)


def slide(page: Page, name: str, value: float) -> None:
    page.evaluate(
        """([name, value]) => { const slider = document.querySelector(`#fabric-${name}`); slider.value = value;
           slider.dispatchEvent(new Event('input')); return new Promise((done) => requestAnimationFrame(() =>
           requestAnimationFrame(done))); }""",
        [name, value],
    )


def result(page: Page) -> np.ndarray:
    page.click("[data-key=apply]")
    shown = page.locator(".fabric-result img")
    expect(shown).to_be_visible()
    return picture(page, shown)


def picture(page: Page, shown: Locator) -> np.ndarray:
    body = page.request.get(page.url.split("#")[0].rstrip("/") + str(shown.get_attribute("src"))).body()
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB")).astype(int)


def photo(size: tuple[int, int] = (180, 240)) -> bytes:
    levels = np.full((size[1], size[0], 3), 250, np.uint8)
    levels[60:180, 40:140] = (150 + 40 * np.sin(np.linspace(0, 9, 100))).astype(np.uint8)[None, :, None]
    out = io.BytesIO()
    Image.fromarray(levels).save(out, "PNG")
    return out.getvalue()


def test_nine_patterns_by_a_kind_and_by_a_sentence_and_one_kept_while_the_others_are_shuffled(world: World) -> None:
    page = world.person()
    enter(page)
    page.click("#fabric [data-key=dots]")
    make(page)
    asked = generations(page)[0]
    assert asked["kind"] == "pattern" and asked["category"] == "dots" and asked["n"] == 9
    page.locator(".swatch").nth(4).click()
    kept = page.locator(".swatch").nth(4).get_attribute("data-key")
    page.click("[data-key=keep]")
    make(page, "shuffle")
    keys = [swatch.get_attribute("data-key") for swatch in page.locator(".swatch").all()]
    assert keys[0] == kept and len(set(keys)) == 9 and generations(page)[0]["n"] == 8
    page.fill("#fabric-text", "파란 바탕에 흰 물방울")
    page.press("#fabric-text", "Enter")
    until(page, "fetch('/api/v1/generations').then((r) => r.json()).then((g) => g.items.length === 3)")
    assert generations(page)[0]["palette"][0] == "#245cce"
    assert page.errors == []


@pytest.mark.parametrize("width", [1440, 360])
def test_the_preview_is_what_the_job_makes(world: World, width: int) -> None:
    page = world.person(width)
    enter(page)
    make_blue(page)
    page.click(".target[data-key=dress]")
    until(page, READY)
    for name, value in (("scale", 0.14), ("turn", 35), ("offset_x", 0.3), ("offset_y", -0.2)):
        slide(page, name, value)
    before = seen(page)
    made = result(page)
    assert before.shape == made.shape == (512, 512, 3)
    assert np.abs(before - made).mean() < 2
    asked = generations(page)[0]
    assert asked["item"] == "dress" and asked["turn"] == 35 and asked["scale"] == 0.14 and asked["mirror"] is False
    assert page.errors == []


def test_a_slider_answers_at_once_without_a_request(world: World) -> None:
    page = world.person()
    enter(page)
    make_blue(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    pictures = []
    for value in (0.1, 0.2, 0.3):
        slide(page, "scale", value)
        pictures.append(seen(page))
    assert np.abs(pictures[0] - pictures[1]).mean() > 1 and np.abs(pictures[1] - pictures[2]).mean() > 1
    assert [url for url in asked if "/api/" in url] == []


def test_a_finger_moves_the_pattern_and_a_brush_mends_the_garment_of_a_photo(world: World) -> None:
    page = world.person()
    enter(page)
    make_blue(page)
    page.set_input_files("[data-key=photo]", {"name": "a.png", "mimeType": "image/png", "buffer": photo()})
    expect(page.locator(".target")).to_have_count(11)
    until(page, f"{READY} && document.querySelector('{CANVAS}').width === 180")
    page.locator(CANVAS).scroll_into_view_if_needed()
    box = page.locator(CANVAS).bounding_box()

    def drag(start: tuple[float, float], end: tuple[float, float]) -> None:
        """From and to places of the photo, as shares."""
        page.mouse.move(box["x"] + start[0] * box["width"], box["y"] + start[1] * box["height"])
        page.mouse.down()
        page.mouse.move(box["x"] + end[0] * box["width"], box["y"] + end[1] * box["height"], steps=4)
        page.mouse.up()

    still = seen(page)
    drag((0.4, 0.5), (0.55, 0.6))
    assert np.abs(still - seen(page)).mean() > 1
    assert (seen(page)[:55] == still[:55]).all()
    page.locator(".fabric-brush [value=add]").check()
    drag((0.2, 0.08), (0.8, 0.08))
    assert np.abs(seen(page)[10:25, 60:120] - still[10:25, 60:120]).mean() > 10
    made = result(page)
    assert np.abs(made[12:22, 60:120] - 250).mean() > 10
    assert (made[225:] == 250).all()
    asked = generations(page)[0]
    assert asked["mask_image"] and asked["source_image"]
    page.click("[data-key=reset]")
    until(page, "!document.querySelector('[data-key=reset]')")
    assert page.errors == []


def test_a_tile_a_sheet_and_the_result_are_downloaded_as_png_and_jpg(world: World) -> None:
    page = world.person()
    enter(page)
    make(page)
    page.locator("[data-key=sheet]").select_option("512")
    for key, size, format in (("tile-png", 128, "PNG"), ("sheet-jpeg", 512, "JPEG")):
        with page.expect_download() as download:
            page.click(f"[data-key={key}]")
        with Image.open(download.value.path()) as file:
            assert file.size == (size, size) and file.format == format
    page.locator("[data-key=size]").select_option("1024")
    assert result(page).shape == (1024, 1024, 3)
    with page.expect_download() as download:
        page.click("[data-key=result-jpeg]")
    with Image.open(download.value.path()) as file:
        assert file.size == (1024, 1024) and b"compositeWithTrainedAlgorithmicMedia" in file.info["xmp"]


def test_a_drawn_picture_leads_to_the_tab_as_pattern_and_as_what_one_is_put_on(world: World) -> None:
    page = world.person()
    card = drawn(page, "빨간 원피스")
    card.locator(".tile").first.click()
    page.locator("#viewer [data-key=wear]").click()
    expect(page.locator("#fabric .swatch")).to_have_count(0)
    expect(page.locator(".fabric-keep")).to_be_visible()
    page.click("[data-place=draw]")
    card.locator(".tile").first.click()
    page.locator("#viewer [data-key=dress]").click()
    expect(page.locator(".target[aria-pressed=true]")).to_have_text("그린 그림")
    make(page)
    page.click("[data-key=apply]")  # the stand-in's drawings are of one colour
    expect(page.locator(".fabric-foot .wrong")).to_contain_text("그림이 비어 있어요. 옷이 보이는 그림을 골라 주세요.")
    asked = generations(page)[0]
    assert asked["kind"] == "apply" and asked["source_image"]
    page.click(".target[data-key=bag]")
    until(page, READY)
    result(page)
    page.click("[data-key=result]")
    expect(page.locator("#viewer [data-key=wear]")).to_have_count(0)
    expect(page.locator("#viewer .edit")).to_have_count(0)
    assert page.errors == []


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_tab_is_accessible_and_fits_every_width_light_and_dark(world: World, language: str) -> None:
    page = world.person(reduced_motion="reduce")
    if language == "en":
        page.click("#language")
        expect(page.locator("html")).to_have_attribute("lang", "en")
    enter(page)
    make(page)
    page.click("#fabric [data-key=add-color]")
    page.locator(".fabric-brush [value=erase]").check()
    result(page)
    check_looks(page)
    if language == "en":
        assert [text for text in page.evaluate(SEEN) if HANGUL.search(text) and text not in GIVEN] == []
