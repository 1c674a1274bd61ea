"""Take the README's two screenshots: a prompt that was just drawn, and the viewer (both stages where there are two).

In: a running studio (`--url`), or none: then one is started here on a free port with the checkpoint of the settings and
an empty data folder. Out: studio.webp (light) and viewer.webp (dark), 1440 x 900, under docs/images.
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
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PROMPT = "파란 두루마기를 입은 사람"
SIZE = {"width": 1440, "height": 900}
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
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("screenshots need Chromium: apt-get install chromium fonts-noto-cjk")
    asked.out.mkdir(parents=True, exist_ok=True)
    with nullcontext(asked.url) if asked.url else studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
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
    page.locator(".sheet .tile").first.click()
    page.locator("#viewer .panel").wait_for()
    if page.locator("#viewer [data-key=compare]").count():
        page.locator("#viewer [data-key=compare]").click()
        page.locator("#viewer .before").evaluate("img => img.decode()")
    page.wait_for_timeout(500)
    return save(page, asked.out / "viewer.webp")


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
    page.wait_for_selector(".sheet[data-status=succeeded], .sheet[data-status=failed]", timeout=DRAWN_MS)
    if page.locator(".sheet").get_attribute("data-status") == "failed":
        raise SystemExit(f"the drawing failed: {page.locator('.sheet-foot').inner_text()}")
    page.wait_for_function("[...document.querySelectorAll('.sheet img, .strip img')].every((i) => i.naturalWidth)")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(1000)
    return page


def save(page: Page, path: Path) -> Path:
    """Write what the page shows as WebP: a third of a PNG, and no edge suffers."""
    Image.open(io.BytesIO(page.screenshot())).save(path, quality=92, method=6)
    return path


@contextmanager
def studio() -> Iterator[str]:
    """A studio of its own on a free port, ended afterwards. Raises SystemExit when it does not get ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryDirectory() as data:
        env = os.environ | {"PORT": str(port), "DATA_DIR": data}
        process = subprocess.Popen([sys.executable, "-m", "demo", "serve"], env=env, cwd=ROOT)
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
