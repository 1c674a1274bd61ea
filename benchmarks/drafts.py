"""How long after the last key does a draft stand beside the prompt? `python -m benchmarks.drafts [--prompts 20]`

In: a studio with the checkpoint that ships (started here, or `--url`) and Chromium. Prompts are typed key by key, 60 ms
apart; nobody else draws. Out: one table, from the last key to the picture on the screen (the rest of 250 ms, the
request, the base stage, WebP there and back), and the same without the page, from POST to bytes.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
import urllib.request
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks.screenshots import FLAGS, studio

GARMENTS = ("원피스", "저고리", "코트", "티셔츠", "치마")
COLOURS = ("빨간", "파란", "노란", "하얀")
PAUSE_MS = 60
WATCH = """() => { window.draft = {};
    document.querySelector('#prompt').addEventListener('input', () => window.draft = {key: performance.now()});
    new MutationObserver(() => { const key = window.draft.key;
        requestAnimationFrame(() => window.draft = {key, shown: performance.now()}); })
        .observe(document.querySelector('.draft img'), {attributes: true, attributeFilter: ['src']}); }"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.drafts", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--url", help="a studio that already runs; none: start one")
    parser.add_argument("--prompts", type=int, default=20)
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("this needs Chromium: apt-get install chromium fonts-noto-cjk")
    prompts = [f"{COLOURS[i % 4]} {GARMENTS[i % 5]}" for i in range(asked.prompts)]
    with nullcontext(asked.url) if asked.url else studio() as url, sync_playwright() as playwright:
        posted = [post(url, prompt) for prompt in ["하얀 신발", *prompts]][1:]  # the first one warms up
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(locale="ko-KR")
        page.goto(url)
        page.wait_for_selector("#drafts", state="attached")
        page.evaluate(WATCH)
        shown = [typed(page, prompt) for prompt in prompts]
        browser.close()
    print("| measure | asked | here |\n|---|---|---|")
    print(f"| last key to picture, p50 / p95 of {len(shown)} | ≤ 600 / 1,000 ms | {both(shown)} |")
    print(f"| POST /api/v1/drafts to its bytes, p50 / p95 | | {both(posted)} |")
    return 0


def typed(page: Page, prompt: str) -> float:
    """Milliseconds from the last key of a prompt to the frame that shows its draft."""
    page.fill("#prompt", "")
    page.locator("#prompt").press_sequentially(prompt, delay=PAUSE_MS)
    while not (milliseconds := page.evaluate("window.draft.shown ? window.draft.shown - window.draft.key : 0")):
        page.wait_for_timeout(20)
    return float(milliseconds)


def post(url: str, prompt: str) -> float:
    """Milliseconds of one draft without a page; one that is given up is asked for again, as the page does."""
    body = json.dumps({"prompt": prompt}).encode()
    request = urllib.request.Request(f"{url.rstrip('/')}/api/v1/drafts", body, {"Content-Type": "application/json"})
    started = time.perf_counter()
    while True:
        with urllib.request.urlopen(request, timeout=60) as reply:
            if reply.status == 200 and reply.read():
                return 1000 * (time.perf_counter() - started)


def both(milliseconds: Sequence[float]) -> str:
    return "{:.0f} / {:.0f} ms".format(*np.percentile(milliseconds, [50, 95]))


if __name__ == "__main__":
    raise SystemExit(main())
