"""Pictures: the viewer, comparing both stages, downloads, links that draw the same, variations, uploads."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from page_world import World, draw, drawn, expect, generations, open_world, until
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import Page

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with open_world(tmp_path_factory.mktemp("pictures"), 0.02) as world:
        yield world


@pytest.fixture(scope="module")
def page(world: World) -> Page:
    page = world.person(permissions=["clipboard-read", "clipboard-write"])
    drawn(page, "파란 줄무늬 셔츠")
    drawn(page, "노란 꽃무늬 치마")
    return page


@pytest.fixture
def viewer(page: Page, world: World) -> object:
    page.goto(world.server.url)
    page.reload()
    page.locator(".generation .tile:enabled").first.click()
    expect(page.locator("#viewer .panel")).to_be_visible()
    return page.locator("#viewer")


def png(size: tuple[int, int] = (320, 200), color: str = "#4a7") -> bytes:
    data = io.BytesIO()
    Image.new("RGB", size, color).save(data, "PNG")
    return data.getvalue()


def photo() -> bytes:
    """A JPEG as a phone takes it: lying on its side, with a note in EXIF that says so."""
    data, exif = io.BytesIO(), Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (640, 480), "#a63").save(data, "JPEG", exif=exif)
    return data.getvalue()


def test_arrows_walk_through_the_pictures_and_on_to_the_next_drawing(page: Page, viewer: object) -> None:
    expect(viewer.locator(".arrow.prev")).to_be_hidden()
    for place in ("2 / 4", "3 / 4", "4 / 4"):
        page.keyboard.press("ArrowRight")
        expect(viewer.locator(".place")).to_have_text(place)
    page.keyboard.press("ArrowRight")
    expect(viewer.locator(".prompt")).to_have_text("파란 줄무늬 셔츠")
    viewer.locator(".arrow.prev").click()
    expect(viewer.locator(".place")).to_have_text("4 / 4")


def test_back_closes_the_viewer_and_the_address_opens_it(page: Page, viewer: object) -> None:
    address = page.url
    assert "look=" in address
    page.keyboard.press("Escape")
    expect(viewer).to_be_hidden()
    expect(page).not_to_have_url(re.compile("look="))  # the way back is taken after the viewer has closed
    page.goto(address)
    expect(viewer).to_be_visible()
    page.go_back()
    expect(viewer).to_be_hidden()


def test_both_stages_lie_under_a_slider(page: Page, viewer: object) -> None:
    viewer.get_by_role("button", name="밑그림과 비교").click()
    slider = viewer.get_by_role("slider", name="밑그림과 다듬은 그림 사이")
    slider.focus()
    page.keyboard.press("Home")
    assert viewer.locator(".picture").evaluate("f => f.style.getPropertyValue('--cut')") == "0%"
    page.keyboard.press("End")
    assert viewer.locator(".picture").evaluate("f => f.style.getPropertyValue('--cut')") == "100%"
    loaded = "img => img.complete && img.naturalWidth"
    until(page, f"({loaded})(document.querySelector('#viewer .before')) === 64")
    viewer.get_by_role("button", name="밑그림과 비교").click()
    expect(viewer.locator(".before")).to_have_count(0)


@pytest.mark.parametrize(("key", "kind"), [("png", "PNG"), ("jpeg", "JPEG"), ("webp", "WEBP")])
def test_a_picture_downloads_in_each_format(page: Page, viewer: object, key: str, kind: str) -> None:
    with page.expect_download() as got:
        viewer.locator(f"[data-key={key}]").click()
    with Image.open(got.value.path()) as picture:
        assert picture.format == kind


def test_the_prompt_stays_out_of_the_file_if_one_likes(page: Page, viewer: object) -> None:
    viewer.locator("[data-key=bare]").check()
    with page.expect_download() as got:
        viewer.locator("[data-key=png]").click()
    data = Path(got.value.path()).read_bytes()
    assert "노란 꽃무늬".encode() not in data and b"trainedAlgorithmicMedia" in data


def test_a_link_fills_the_page_to_draw_the_same_and_no_server_sees_it(page: Page, viewer: object, world: World) -> None:
    picture = generations(page)[0]["images"][0]
    viewer.get_by_role("button", name="링크 복사").click()
    until(page, "navigator.clipboard.readText().then((text) => text.includes('#draw?'))")
    link = page.evaluate("navigator.clipboard.readText()")
    assert "#draw?" in link and "?" not in link.split("#")[0]
    other = world.person()
    seen: list[str] = []
    other.on("request", lambda request: seen.append(request.url))
    other.goto(link)
    other.reload()
    expect(other.locator("#prompt")).to_have_value("노란 꽃무늬 치마")
    expect(other.locator("#seed")).to_have_value(str(picture["seed"]))
    requested = [url.split("#")[0] for url in seen]  # a fragment never leaves the browser
    assert "#draw" not in other.url
    assert not [url for url in requested if "%EB%85%B8" in url and "/search?" not in url and "/suggest?" not in url]
    other.press("#prompt", "Enter")
    expect(other.locator(".generation")).to_have_attribute("data-status", "succeeded")
    again = generations(other)[0]
    assert again["n"] == 1 and again["seed"] == picture["seed"]
    pixels = "url => fetch(url).then((r) => r.arrayBuffer()).then((b) => [...new Uint8Array(b)])"
    same = [Image.open(io.BytesIO(bytes(p.evaluate(pixels, i["url"])))).convert("RGB").tobytes()
            for p, i in ((page, picture), (other, again["images"][0]))]  # fmt: skip
    assert same[0] == same[1]


def test_one_click_gives_variations(page: Page, viewer: object) -> None:
    source = generations(page)[0]["images"][0]["id"]
    count = page.locator(".generation").count()
    viewer.get_by_role("button", name="비슷한 그림 4장 더").click()
    expect(viewer).to_be_hidden()
    expect(page.locator(".generation")).to_have_count(count + 1)
    expect(page.locator(".generation").first).to_have_attribute("data-status", "succeeded")
    made = generations(page)[0]
    assert made["source_image"] == source and made["n"] == 4 and 0 < made["strength"] < 1


def test_an_upload_is_what_the_drawing_starts_from(page: Page) -> None:
    page.set_input_files("#upload", {"name": "my.png", "mimeType": "image/png", "buffer": png()})
    expect(page.locator("#source img")).to_be_visible()
    page.locator("#source input[type=range]").fill("0.35")
    expect(page.locator("#source output")).to_have_text("35%")
    draw(page, "초록 치마")
    made = generations(page)[0]
    assert made["strength"] == 0.35 and made["source_image"]
    page.get_by_role("button", name="시작 그림 빼기").click()
    expect(page.locator("#source")).to_be_hidden()


def test_a_picture_of_another_program_fills_in_its_settings_and_says_what_is_left_out(page: Page) -> None:
    info, out = PngInfo(), io.BytesIO()
    text = "빨간 저고리\nNegative prompt: 모자\nSteps: 12, Sampler: Euler, CFG scale: 7, Seed: 321"
    info.add_text("parameters", text)
    Image.new("RGB", (80, 80), "red").save(out, "PNG", pnginfo=info)
    before = page.locator("#prompt").input_value()
    page.set_input_files("#upload", {"name": "a.png", "mimeType": "image/png", "buffer": out.getvalue()})
    expect(page.locator("#prompt")).to_have_value("빨간 저고리")
    expect(page.locator("[name=seed]")).to_have_value("321")
    expect(page.locator("[name=negative_prompt]")).to_have_value("모자")
    expect(page.locator("[name=steps]")).to_have_value("12")
    told = page.locator(".toast", has_text="A1111")
    expect(told).to_contain_text("뺀 것: CFG scale, Sampler")
    told.get_by_role("button", name="되돌리기").click()
    expect(page.locator("#prompt")).to_have_value(before)
    page.get_by_role("button", name="시작 그림 빼기").click()


def test_a_picture_can_be_dropped_and_pasted(page: Page) -> None:
    transfer = """(kind) => { const data = new DataTransfer();
        data.items.add(new File([Uint8Array.from(window.bytes)], 'a.png', {type: 'image/png'}));
        const event = kind === 'paste' ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true})
            : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true});
        document.querySelector('#prompt').dispatchEvent(event); }"""
    page.evaluate("bytes => { window.bytes = bytes; }", list(png((80, 80))))
    page.evaluate(transfer, "dragenter")
    expect(page.locator("#drop")).to_be_visible()
    for kind in ("drop", "paste"):
        page.evaluate(transfer, kind)
        expect(page.locator("#source img")).to_be_visible()
        expect(page.locator("#drop")).to_be_hidden()
        page.get_by_role("button", name="시작 그림 빼기").click()


def test_a_phone_offers_its_camera_and_a_desk_does_not(world: World) -> None:
    phone = world.person(360, has_touch=True, is_mobile=True)
    camera = phone.locator("#camera")
    assert camera.get_attribute("capture") == "environment" and camera.get_attribute("accept") == "image/*"
    expect(phone.locator(".tool", has=camera)).to_be_visible()
    expect(world.person().locator(".tool.only-touch")).to_be_hidden()
    phone.set_input_files("#camera", {"name": "image.jpg", "mimeType": "image/jpeg", "buffer": photo()})
    expect(phone.locator("#source img")).to_be_visible()
    box = phone.locator("#source img").evaluate("img => img.decode().then(() => [img.naturalWidth, img.naturalHeight])")
    assert box[0] < box[1], "a photo that lies on its side is shown upright"


def test_a_photo_that_is_too_large_is_made_smaller_before_it_is_sent(page: Page) -> None:
    with page.expect_response("**/api/v1/images") as answer:
        page.set_input_files("#upload", {"name": "my.png", "mimeType": "image/png", "buffer": png((6000, 4500))})
    kept = answer.value.json()
    assert answer.value.status == 201 and (kept["width"], kept["height"]) == (1024, 768)
    expect(page.locator("#source img")).to_be_visible()
    page.get_by_role("button", name="시작 그림 빼기").click()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"not a picture at all", "그림으로 열 수 없어요"),
        (png()[:90], "그림으로 열 수 없어요"),
        (b"\x89PNG" + b"0" * (10 * 2**20), "10 MB 이하"),  # a picture of that size is made smaller
    ],
    ids=["text", "cut off", "too large"],
)
def test_a_bad_file_is_refused_with_what_to_do(page: Page, data: bytes, message: str) -> None:
    page.set_input_files("#upload", {"name": "my.png", "mimeType": "image/png", "buffer": data})
    expect(page.locator("#toasts .toast").last).to_contain_text(message)
    expect(page.locator("#source")).to_be_hidden()


def test_a_swipe_goes_to_the_next_picture(world: World) -> None:
    page = world.person(360, has_touch=True, is_mobile=True)
    drawn(page, "하얀 저고리")
    page.locator(".generation .tile").first.tap()
    expect(page.locator("#viewer .place")).to_have_text(re.compile("1 / 4"))
    touch = page.context.new_cdp_session(page)
    for kind, x in (("touchStart", 280), ("touchMove", 200), ("touchMove", 90), ("touchEnd", None)):
        points = [] if x is None else [{"x": x, "y": 200}]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    expect(page.locator("#viewer .place")).to_have_text("2 / 4")
