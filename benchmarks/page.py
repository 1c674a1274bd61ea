"""How quick is the page? `python -m benchmarks.page [--url URL] [--times 9]`

In: a running studio (`--url`), or none: then one is started here with what the settings name. Out: one table: bytes of
HTML, CSS and scripts before any picture; the first paint after the server's answer began, by a browser that has never
been here; the longest time from a letter to what it changes on the screen while a prompt is typed; how far things
moved while pictures came.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.screenshots import FLAGS, WIDTHS, ask, studio, wait_for_pictures

PROMPT = "파란 두루마기를 입은 사람과 빨간 체크무늬 원피스"
WATCH = """() => { window.seen = {shift: 0, letters: []};
    const moved = (e) => { if (!e.hadRecentInput) seen.shift += e.value; };
    new PerformanceObserver((list) => list.getEntries().forEach(moved))
        .observe({type: 'layout-shift', buffered: true});
    new PerformanceObserver((list) => list.getEntries().forEach((e) => seen.letters.push(e.duration)))
        .observe({type: 'event', durationThreshold: 16}); }"""
PAINT = """() => { const [paint] = performance.getEntriesByName('first-contentful-paint');
    const [page] = performance.getEntriesByType('navigation');
    const own = performance.getEntriesByType('resource').filter((e) => /\\.(js|css)$/.test(e.name));
    return paint && {paint: paint.startTime - page.responseStart, bytes: [page, ...own].map((e) => e.decodedBodySize)
        .reduce((a, b) => a + b)}; }"""


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.page", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--url", help="a studio that already runs; none: start one")
    parser.add_argument("--times", type=int, default=9, help="first paints at each width (default 9)")
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("this needs Chromium: apt-get install chromium fonts-noto-cjk")
    rows: list[tuple[str, str, str]] = []
    with nullcontext(asked.url) if asked.url else studio() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for width in WIDTHS:
            seen = [first_paint(browser, url, width) for _ in range(asked.times)]
            if not rows:
                rows.append(("HTML, CSS and scripts", "≤ 120 kB", f"{seen[0]['bytes'] / 1000:.1f} kB"))
            paints = [one["paint"] for one in seen]
            name = f"first paint after the answer, {width} px: median / worst of {asked.times}"
            rows.append((name, "≤ 300 ms", f"{np.median(paints):.0f} / {max(paints):.0f} ms"))
        rows += while_it_is_used(browser, url)
        browser.close()
    print("| measure | asked | here |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    return 0


def first_paint(browser: Browser, url: str, width: int) -> dict[str, float]:
    """Milliseconds until somebody new sees something, and bytes sent for it."""
    page = newcomer(browser, width)
    page.goto(url)
    while not (seen := page.evaluate(PAINT)):
        page.wait_for_timeout(50)
    page.context.close()
    return seen


def while_it_is_used(browser: Browser, url: str) -> list[tuple[str, str, str]]:
    """Type a prompt letter by letter, draw it, and see how long letters took and how far things moved."""
    page = newcomer(browser, 1440)
    page.goto(url)
    page.click("#notice-ok")
    page.evaluate(WATCH)
    page.locator("#prompt").press_sequentially(PROMPT, delay=120)
    page.wait_for_timeout(1000)
    letters = page.evaluate("seen.letters")
    page.evaluate("seen.shift = 0")
    ask(page, PROMPT)
    page.wait_for_selector(".sheet[data-status=succeeded]", timeout=300_000)
    wait_for_pictures(page)
    shift = page.evaluate("seen.shift")
    page.context.close()
    return [
        ("from a letter to the screen while typing, longest", "≤ 200 ms", f"{max(letters, default=16):.0f} ms"),
        ("layout shift from the prompt to its pictures", "< 0.1", f"{shift:.3f}"),
    ]


def newcomer(browser: Browser, width: int) -> Page:
    return browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, locale="ko-KR").new_page()


if __name__ == "__main__":
    sys.exit(main())
