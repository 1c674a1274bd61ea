"""How light, quick and still is the page? `python -m benchmarks.page [--url URL] [--times 9] [--beside ../old]`

In: a running studio (`--url`), or none: then one is started here with what the settings name. `--beside`: another
checkout (`git worktree add --detach ../old 7ede1c4`), measured before this one. Out: one table: bytes of
HTML, CSS and scripts on the wire, and requests before any picture; the first paint after the server's answer began, by
a browser that has never been here; layout shift while the page loads, while a prompt is typed, and while its pictures
come; the longest task and the longest time from a letter to the screen; what a person with eight drawings is sent.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks.screenshots import FLAGS, WIDTHS, ask, studio, wait_for_pictures

PROMPT = "파란 두루마기를 입은 사람과 빨간 체크무늬 원피스"
CARD = ":is(.generation, .sheet)"  # its name before the rooms, too
DRAWINGS = 8  # of the person who comes back, four pictures each
WATCH = """window.seen = {shift: 0, letters: [], tasks: [0]};
    const moved = (e) => { if (!e.hadRecentInput) seen.shift += e.value; };
    const watch = (type, take, more) => new PerformanceObserver((list) => list.getEntries().forEach(take))
        .observe({type, buffered: true, ...more});
    watch('layout-shift', moved); watch('longtask', (e) => seen.tasks.push(e.duration));
    watch('event', (e) => seen.letters.push(e.duration), {durationThreshold: 16});"""
PAINT = """() => { const [paint] = performance.getEntriesByName('first-contentful-paint');
    const [page] = performance.getEntriesByType('navigation');
    const own = performance.getEntriesByType('resource').filter((e) => /\\.(js|css)$/.test(e.name));
    return paint && {paint: paint.startTime - page.responseStart, requests: own.length + 1,
        bytes: [page, ...own].map((e) => e.encodedBodySize).reduce((a, b) => a + b)}; }"""
PICTURES = """() => performance.getEntriesByType('resource').filter((e) => e.name.includes('/images/'))
    .map((e) => e.encodedBodySize)"""
SETTLED = """() => { const strip = [...document.querySelectorAll('#similar img')];
    return document.querySelector('#feed').dataset.asked && strip.length && strip.every((i) => i.complete); }"""
Row = tuple[str, str, str]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.page", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--url", help="a studio that already runs; none: start one")
    parser.add_argument("--times", type=int, default=9, help="first paints at each width (default 9)")
    parser.add_argument("--beside", type=Path, metavar="CHECKOUT", help="measure this checkout too")
    asked = parser.parse_args(argv)
    chromium = shutil.which("chromium")
    if chromium is None:
        raise SystemExit("this needs Chromium: apt-get install chromium fonts-noto-cjk")
    there = measured(chromium, studio(asked.beside.resolve()), asked.times) if asked.beside else []
    here = measured(chromium, nullcontext(asked.url) if asked.url else studio(), asked.times)
    print(f"| measure | asked |{' there |' if there else ''} here |\n|---|---|{'---|' if there else ''}---|")
    for place, (name, goal, value) in enumerate(here):
        print("| " + " | ".join([name, goal, *([there[place][2]] if there else []), value]) + " |")
    return 0


def measured(chromium: str, studio_at: AbstractContextManager[str], times: int) -> list[Row]:
    """Every measure of one studio, in the order of the table."""
    rows: list[Row] = []
    with studio_at as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for width in WIDTHS:
            seen = [first_paint(browser, url, width) for _ in range(times)]
            if not rows:
                rows.append(("HTML, CSS and scripts on the wire", "≤ 120 kB", f"{seen[0]['bytes'] / 1000:.1f} kB"))
                rows.append(("requests for them", "", f"{seen[0]['requests']:.0f}"))
            paints = [one["paint"] for one in seen]
            name = f"first paint after the answer, {width} px: median / worst of {times}"
            rows.append((name, "≤ 300 ms", f"{np.median(paints):.0f} / {max(paints):.0f} ms"))
        rows += [while_it_loads(browser, url, width) for width in WIDTHS]
        rows += while_it_is_used(browser, url)
        rows.append(on_return(browser, url))
        browser.close()
    return rows


def first_paint(browser: Browser, url: str, width: int) -> dict[str, float]:
    """Milliseconds until somebody new sees something, and bytes sent for it."""
    page = newcomer(browser, width)
    page.goto(url)
    while not (seen := page.evaluate(PAINT)):
        page.wait_for_timeout(50)
    page.context.close()
    return seen


def while_it_loads(browser: Browser, url: str, width: int) -> Row:
    """How far things moved from the first paint until similar pictures and one's drawings are there."""
    page = newcomer(browser, width)
    page.goto(url)
    settle(page)
    shift = page.evaluate("seen.shift")
    page.context.close()
    return (f"layout shift while loading, {width} px", "≤ 0.02", f"{shift:.3f}")


def while_it_is_used(browser: Browser, url: str) -> list[Row]:
    """Type a prompt letter by letter, draw it, and see how long letters and tasks took and how far things moved."""
    page = newcomer(browser, 1440)
    page.goto(url)
    page.click("#notice-ok")
    settle(page)
    page.evaluate("seen.shift = 0; seen.tasks = [0]; seen.letters = []")
    page.locator("#prompt").press_sequentially(PROMPT, delay=120)
    page.wait_for_timeout(1000)
    typing = page.evaluate("seen")
    page.evaluate("seen.shift = 0; seen.tasks = [0]")
    ask(page, PROMPT)
    page.wait_for_selector(f"{CARD}[data-status=succeeded]", timeout=300_000)
    wait_for_pictures(page)
    drawing = page.evaluate("seen")
    page.context.close()
    return [
        (
            "from a letter to the screen while typing, longest",
            "≤ 200 ms",
            f"{max(typing['letters'] or [16]):.0f} ms",
        ),
        (
            "longest task while typing / drawing",
            "≤ 50 ms",
            f"{max(typing['tasks']):.0f} / {max(drawing['tasks']):.0f} ms",
        ),
        ("layout shift while typing", "≤ 0.02", f"{typing['shift']:.3f}"),
        ("layout shift from the prompt to its pictures", "≤ 0.02", f"{drawing['shift']:.3f}"),
    ]


def on_return(browser: Browser, url: str) -> Row:
    """Pictures sent to somebody who comes back to eight drawings of four."""
    page = newcomer(browser, 1440)
    page.goto(url)
    for number in range(DRAWINGS):
        ask(page, f"{PROMPT} {number}")
        page.wait_for_selector(f"{CARD}:nth-last-child({number + 1})", timeout=300_000)
        page.wait_for_selector(f"{CARD}:first-child[data-status=succeeded]", timeout=300_000)
    page.fill("#prompt", "")
    page.reload()
    settle(page)
    page.wait_for_timeout(1500)
    sizes = page.evaluate(PICTURES)
    page.context.close()
    return (f"pictures on return to {DRAWINGS} drawings", "≤ 400 kB", f"{sum(sizes) / 1000:.0f} kB in {len(sizes)}")


def settle(page: Page) -> None:
    """Until what the page asks for at first is there, and half a second more."""
    while not page.evaluate(SETTLED):
        page.wait_for_timeout(50)
    page.wait_for_timeout(500)


def newcomer(browser: Browser, width: int) -> Page:
    page = browser.new_context(viewport={"width": width, "height": WIDTHS[width]}, locale="ko-KR").new_page()
    page.add_init_script(WATCH)
    return page


if __name__ == "__main__":
    sys.exit(main())
