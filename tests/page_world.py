"""What the page's tests stand on: the real service as its own process over stand-in models, and real Chromium.

The service is `demo_fakes.py serve` (real HTTP, database, worker process; only the models are stand-ins). Chromium is
the system's; where it is absent the tests skip, unless REQUIRE_BROWSER is set.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.base import AXE_SCRIPT
from demo_fakes import model_folders
from demo_holds import FOLDER, held
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
WIDTHS = {1440: 900, 768: 1024, 360: 740}
FAKES = Path(__file__).with_name("demo_fakes.py")
PATIENCE = 60_000  # milliseconds: a busy machine is no failure
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
expect.set_options(timeout=PATIENCE)


class Server:
    """The service in a folder, started and killed as often as a test likes; same port, same data."""

    def __init__(self, folder: Path, step_seconds: float, settings: dict[str, str]) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        refines = settings.get("FAKE_REFINES") != "0"
        folders = {name.upper(): value for name, value in model_folders(folder, refines).items()}
        self.holds = folder / "holds"
        self.holds.mkdir()
        self.env = os.environ | folders | {
            "PYTHONPATH": str(FAKES.parent.parent), "PORT": str(self.port), "DATA_DIR": str(folder / "data"),
            "STARTER": "", "OMP_NUM_THREADS": "1", "FAKE_STEP_SECONDS": str(step_seconds),
            FOLDER: str(self.holds), "RATE_NEWCOMERS": "10000/hour",
            "DRAFTS": "off",  # a fake draft of 'die' would end the worker before anybody pressed Enter
        } | settings  # fmt: skip
        self._log = (folder / "server.log").open("ab")
        self._process: subprocess.Popen | None = None

    def start(self) -> None:
        """Start, and wait until pictures can be drawn."""
        self._process = subprocess.Popen(
            [sys.executable, str(FAKES), "serve"], env=self.env, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 3 * PATIENCE / 1000
        while not self._ready():
            assert time.monotonic() < deadline and self._process.poll() is None, "the service did not start"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it as a power cut would: no goodbye; its children follow."""
        assert self._process
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        if self._process and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(PATIENCE / 1000)
        self._log.close()

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(self.url + "readyz", timeout=2) as answer:
                return json.load(answer)["ready"]
        except (OSError, ValueError):
            return False


class World:
    """A server and a browser; every person is a browser context of their own."""

    def __init__(self, server: Server, browser: Browser) -> None:
        self.server, self.browser, self._people = server, browser, []

    def person(self, width: int = 1440, path: str = "", **options: object) -> Page:
        """A new person with the page open in front of them, whichever place of it they are led to.

        Errors in scripts fail the test that asks for `errors`.
        """
        context = self._context({"viewport": {"width": width, "height": WIDTHS[width]}} | options)
        page = context.new_page()
        page.set_default_timeout(2 * PATIENCE)
        page.errors = []
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.goto(self.server.url + path)
        expect(page.locator("#kinds button")).not_to_have_count(0)  # the page's scripts have run
        return page

    def held(self, stage: str, prompt: str = "") -> AbstractContextManager[None]:
        """Have drawings stand still meanwhile, their last step of `stage` told: all, or those with `prompt` in theirs.

        What a test expects to see on the way is held: nothing else makes a drawing slow enough for a busy machine.
        """
        return held(self.server.holds, stage, prompt)

    def leave(self) -> None:
        for context in self._people:
            context.close()
        self._people.clear()

    def _context(self, options: dict[str, object]) -> BrowserContext:
        usual = {"locale": "ko-KR", "accept_downloads": True, "service_workers": "block"}  # routes do not see theirs
        context = self.browser.new_context(**(usual | options))
        self._people.append(context)
        return context


@contextmanager
def open_world(folder: Path, step_seconds: float = 0.0, **settings: str) -> Iterator[World]:
    """A running service in `folder` and a browser; settings are environment variables of the service."""
    binary = shutil.which("chromium")
    if binary is None:
        if os.environ.get("REQUIRE_BROWSER"):
            pytest.fail("Chromium is required here and is not installed")
        pytest.skip("needs Chromium: apt-get install chromium")
    server = Server(folder, step_seconds, settings)
    try:
        server.start()
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=binary, args=FLAGS)
            world = World(server, browser)
            yield world
            world.leave()
            browser.close()
    finally:
        server.stop()


@contextmanager
def open_neighbourhood(folder: Path, prompts: Sequence[str], **settings: str) -> Iterator[World]:
    """A world in which somebody else has drawn these prompts for everyone to see."""
    with open_world(folder, 0.01, **settings) as world:
        neighbour = world.person()
        share(neighbour)
        for prompt in prompts:
            drawn(neighbour, prompt)
        world.leave()
        yield world


def violations(page: Page) -> list[tuple[str, str]]:
    """What axe finds in the page as it is now, from the top: rule and element."""
    page.evaluate("scrollTo(0, 0)")  # what lies under the bar at the top is scrolled there, not covered
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE_SCRIPT)
    found = page.evaluate("(runOnly) => axe.run({runOnly, resultTypes: ['violations']})", RULES)["violations"]
    return [(each["id"], each["nodes"][0]["html"][:160]) for each in found]


def draw(page: Page, prompt: str) -> object:
    """Type a prompt, press Enter, and give the card that comes."""
    before = page.locator(".generation").count()
    page.fill("#prompt", prompt)
    page.press("#prompt", "Enter")
    expect(page.locator(".generation")).to_have_count(before + 1)
    return page.locator(".generation").first


def drawn(page: Page, prompt: str) -> object:
    """Draw, and wait until it is finished."""
    card = draw(page, prompt)
    expect(card).to_have_attribute("data-status", "succeeded")
    return card


def until(page: Page, script: str) -> None:
    """Wait until a script says yes; asked from here, for the page's policy forbids a script that asks again."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(script):
        assert time.monotonic() < deadline, script
        page.wait_for_timeout(50)


def share(page: Page) -> None:
    """Have what is drawn from now on shown to everyone."""
    if page.locator("#more").get_attribute("open") is None:
        page.click("#more summary")
    page.check("input[name=visibility][value=public]")
    page.click("#more summary")


def generations(page: Page) -> list[dict]:
    """What the server holds for this person, newest first."""
    return page.evaluate("fetch('/api/v1/generations?limit=100').then((r) => r.json())")["items"]
