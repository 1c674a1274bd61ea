"""Take the README's two screenshots: a prompt that was just drawn, and the viewer (both stages where there are two).

In: a running studio (`--url`), or none: then one is started here on a free port with the checkpoint of the settings and
an empty data folder. Out: studio.webp (light) and viewer.webp (dark), 1440 x 900, under docs/images.

    python -m benchmarks.screenshots [--states FOLDER]

`--states` takes every state of the page instead, at 1440, 768 and 360 px, light and dark, for somebody to look at.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "파란 두루마기를 입은 사람"
SIZE = {"width": 1440, "height": 900}
WIDTHS = {1440: 900, 768: 1024, 360: 740}
READY_SECONDS = 180
DRAWN_MS = 300_000
FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.screenshots", description=__doc__)
    parser.add_argument("--url", help="a studio that already runs; none: start one")
    parser.add_argument("--prompt", default=PROMPT, help="what to draw")
    parser.add_argument("--seed", default="7", help="with which seed")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "images", help="where to put them")
    parser.add_argument("--states", type=Path, metavar="FOLDER", help="every state at every width, into this folder")
    parser.add_argument("--only", nargs="+", choices=list(STATES), default=list(STATES), help="of them, only these")
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("screenshots need Chromium: apt-get install chromium fonts-noto-cjk")
    (asked.states or asked.out).mkdir(parents=True, exist_ok=True)
    with nullcontext(asked.url) if asked.url else studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        if asked.states:
            take_states(browser, url, asked)
        else:
            for path in (take_studio(browser, url, asked), take_viewer(browser, url, asked)):
                print(f"{path} ({path.stat().st_size / 1000:.0f} kB)")
        browser.close()
    return 0


def take_studio(browser: Browser, url: str, asked: argparse.Namespace) -> Path:
    """The page after one drawing, as a person sees it at a desk."""
    page = drawn(browser, url, asked, "light")
    return save(page, asked.out / "studio.webp")


def take_viewer(browser: Browser, url: str, asked: argparse.Namespace) -> Path:
    """One picture looked at closely; where a refiner drew it, its sketch on the left of the slider."""
    page = drawn(browser, url, asked, "dark")
    page.locator(".generation .tile").first.click()
    page.locator("#viewer .panel").wait_for()
    if page.locator("#viewer [data-key=compare]").count():
        page.locator("#viewer [data-key=compare]").click()
        page.locator("#viewer .before").evaluate("img => img.decode()")
    page.wait_for_timeout(500)
    return save(page, asked.out / "viewer.webp")


def take_states(browser: Browser, url: str, asked: argparse.Namespace) -> None:
    """Every state of the page, each at every width, light and dark."""
    for name in asked.only:
        page = browser.new_context(viewport=SIZE, locale="ko-KR", reduced_motion="reduce").new_page()
        page.set_default_timeout(DRAWN_MS)
        page.goto(url)
        page.wait_for_selector("#similar img")
        STATES[name](page, asked)
        for width, height in WIDTHS.items():
            page.set_viewport_size({"width": width, "height": height})
            # as drawing does
            page.evaluate("document.querySelector('.generation')?.scrollIntoView({block: 'nearest'})")
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                page.wait_for_timeout(300)
                page.screenshot(path=asked.states / f"{name}-{width}-{scheme}.png")
        if page.locator("[data-key=cancel]:visible").count():
            page.locator("[data-key=cancel]:visible").first.click()
            page.wait_for_timeout(500)
        page.context.close()
        print(name, flush=True)


def type_prompt(page: Page, asked: argparse.Namespace) -> None:
    page.click("#notice-ok")
    page.fill("#prompt", "빨간 우주선과 체크무늬 ")
    page.locator("#prompt").press_sequentially("원ㅍ")
    page.wait_for_selector("#chips .offer")
    page.wait_for_timeout(1000)


def wait_in_line(page: Page, asked: argparse.Namespace) -> None:
    """Two long drawings: one is drawn, the other waits above it."""
    draw_long(page, asked)
    ask(page, "노란 버킷햇과 청바지")
    page.wait_for_selector(".generation[data-status=queued]")


def draw_long(page: Page, asked: argparse.Namespace) -> None:
    page.click("#notice-ok")
    page.click("#more summary")
    page.fill("#steps", "50")
    page.click("#more summary")
    ask(page, asked.prompt)
    page.wait_for_selector("[data-status=running] [data-state=preview]", timeout=DRAWN_MS)


def draw_through(page: Page, asked: argparse.Namespace) -> None:
    page.click("#notice-ok")
    ask(page, asked.prompt)
    page.wait_for_selector(".generation[data-status=succeeded]", timeout=DRAWN_MS)
    wait_for_pictures(page)


def fail(page: Page, asked: argparse.Namespace) -> None:
    """The server's own answer, ended as one that could not be drawn."""

    def spoil(route: Route) -> None:
        answer = route.fetch()
        error = {"code": "worker_died", "message": ""}
        route.fulfill(response=answer, json=answer.json() | {"status": "failed", "error": error})

    page.click("#notice-ok")
    page.route("**/api/v1/generations", spoil)
    ask(page, asked.prompt)
    page.wait_for_selector(".generation[data-status=failed]")


def lose(page: Page, asked: argparse.Namespace) -> None:
    """The line to the server breaks, and a prompt is sent nevertheless."""
    page.click("#notice-ok")
    page.context.set_offline(True)
    ask(page, asked.prompt)
    page.wait_for_selector("#connection:visible")


def set_out(page: Page, asked: argparse.Namespace) -> None:
    page.click("#notice-ok")
    page.click("#more summary")


def go_through(page: Page, asked: argparse.Namespace) -> None:
    """One's own pictures after three drawings."""
    for prompt in ("분홍 저고리에 남색 한복 치마", "하늘색 물방울무늬 블라우스"):
        ask(page, prompt)
        page.wait_for_selector(".generation[data-status=succeeded]", timeout=DRAWN_MS)
        page.reload()
    draw_through(page, asked)
    page.click("[data-place=mine]")
    page.wait_for_selector("#mine-list .piece")


def search_own(page: Page, asked: argparse.Namespace) -> None:
    go_through(page, asked)
    page.fill("#mine-search", "a blue coat")
    page.wait_for_timeout(1500)


def look(page: Page, asked: argparse.Namespace) -> None:
    draw_through(page, asked)
    page.locator(".generation .tile").first.click()
    page.wait_for_selector("#viewer .panel")
    page.locator("#viewer .picture img").first.evaluate("img => img.decode()")


def compare(page: Page, asked: argparse.Namespace) -> None:
    look(page, asked)
    if page.locator("#viewer [data-key=compare]").count():
        page.locator("#viewer [data-key=compare]").click()
        page.locator("#viewer .before").evaluate("img => img.decode()")


def delete(page: Page, asked: argparse.Namespace) -> None:
    draw_through(page, asked)
    page.locator(".generation [data-key='do.delete']").click()
    page.wait_for_selector(".toast")


def enter_place(place: str, ready: str) -> Callable[[Page, argparse.Namespace], None]:
    def enter(page: Page, asked: argparse.Namespace) -> None:
        page.click(f"[data-place={place}]")
        page.wait_for_selector(ready)
        page.wait_for_timeout(500)

    return enter


def open_offers(page: Page, asked: argparse.Namespace) -> None:
    """What can stand in the place of the first word that can be changed."""
    look(page, asked)
    page.locator("#viewer .word").first.click()
    page.wait_for_timeout(800)


def edit(page: Page, asked: argparse.Namespace) -> None:
    """An edit beside what it was made from, with the tree below."""
    open_offers(page, asked)
    page.locator("#viewer .offer").nth(2).click()
    page.wait_for_selector("#viewer [data-key=undo]", timeout=DRAWN_MS)
    page.wait_for_timeout(800)


def write_fields(page: Page, asked: argparse.Namespace) -> None:
    """Name, colour and style in place of a sentence, one of them missing."""
    page.click("#way-fields")
    page.fill("#fields [name=title]", "원피스")
    page.click("#fields .primary")


def dress(page: Page, asked: argparse.Namespace) -> None:
    """Nine patterns, one of them on a dress."""
    enter_place("fabric", "#fabric .target")(page, asked)
    page.click("#fabric [data-key=make]")
    page.wait_for_selector("#fabric .swatch:nth-child(9)", timeout=DRAWN_MS)
    page.click(".target[data-key=dress]")
    page.wait_for_timeout(1500)


STATES: dict[str, Callable[[Page, argparse.Namespace], None]] = {
    "empty": lambda page, asked: None, "typing": type_prompt, "waiting": wait_in_line, "drawing": draw_long,
    "finished": draw_through, "failed": fail, "offline": lose, "settings": set_out, "history": go_through,
    "search": search_own, "viewer": look, "compare": compare, "offers": open_offers, "edited": edit,
    "fields": write_fields, "deleted": delete, "fabric": dress,
    "gallery": enter_place("gallery", "#gallery-list .piece"), "mine-empty": enter_place("mine", "#mine-list .empty"),
    "me": enter_place("me", "#me-figures:not(:empty)"),
}  # fmt: skip


def wait_for_pictures(page: Page) -> None:
    """Until every picture in sight is there; asked from here, for the page's policy forbids a waiting script."""
    while not page.evaluate(
        "[...document.querySelectorAll('.generation img, .strip img')].every((i) => i.naturalWidth)"
    ):
        page.wait_for_timeout(100)


def ask(page: Page, prompt: str) -> None:
    page.fill("#prompt", prompt)
    page.press("#prompt", "Enter")


def drawn(browser: Browser, url: str, asked: argparse.Namespace, scheme: str) -> Page:
    """A page with the prompt drawn and every picture there."""
    page = browser.new_context(viewport=SIZE, locale="ko-KR", color_scheme=scheme).new_page()
    page.goto(url)
    page.click("#notice-ok")
    page.click("#more summary")
    page.fill("#seed", asked.seed)
    page.click("#more summary")
    page.fill("#prompt", asked.prompt)
    page.press("#prompt", "Enter")
    page.wait_for_selector(".generation[data-status=succeeded], .generation[data-status=failed]", timeout=DRAWN_MS)
    if page.locator(".generation").get_attribute("data-status") == "failed":
        raise SystemExit(f"the drawing failed: {page.locator('.generation-foot').inner_text()}")
    wait_for_pictures(page)
    page.evaluate("document.activeElement.blur()")
    page.evaluate("scrollTo(0, 0)")  # drawing brought the card into sight
    page.wait_for_timeout(1000)
    return page


def save(page: Page, path: Path) -> Path:
    """Write what the page shows as WebP: a third of a PNG, and no edge suffers."""
    Image.open(io.BytesIO(page.screenshot())).save(path, quality=92, method=6)
    return path


@contextmanager
def studio(checkout: Path = ROOT) -> Iterator[str]:
    """The studio of a checkout, by itself on a free port, ended afterwards; it draws with the weights of this one.

    Raises SystemExit when it does not get ready.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryDirectory() as data:
        env = os.environ | {"PORT": str(port), "DATA_DIR": data, "PYTHONPATH": str(checkout)}
        if checkout != ROOT:
            env |= {"CHECKPOINT": str(ROOT / "checkpoints"), "ENCODER": str(ROOT / "checkpoints" / "korean")}
        process = subprocess.Popen([sys.executable, "-m", "demo", "serve"], env=env, cwd=checkout)
        try:
            wait_ready(url)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)


def wait_ready(url: str) -> None:
    """Wait until pictures can be drawn. Raises SystemExit with what is missing."""
    deadline, missing = time.monotonic() + READY_SECONDS, "no answer"
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(url + "api/v1/about", timeout=5) as answer:
                about = json.load(answer)
            if about["ready"]:
                return
            missing = about["missing"]
        except OSError:
            pass
        time.sleep(0.5)
    raise SystemExit(f"the studio did not get ready in {READY_SECONDS} s: {missing}")


if __name__ == "__main__":
    sys.exit(main())
