"""Where the keeper asks for codes (ACCESS=token): a newcomer is told so in plain words, and a code lets them in."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from page_world import drawn, expect, open_world

pytestmark = pytest.mark.browser


def test_a_newcomer_is_led_to_the_code_and_let_in(tmp_path: Path) -> None:
    with open_world(tmp_path, 0.02, ACCESS="token") as world:
        page = world.person()
        expect(page.locator("#claim")).to_be_visible()
        expect(page.locator(".toast")).to_have_count(1)
        expect(page.locator(".toast")).to_contain_text("초대받은 사람만")
        command = [sys.executable, "-m", "demo", "code"]
        code = subprocess.run(command, env=world.server.env, capture_output=True, text=True, check=True).stdout
        page.fill("[name=code]", re.findall("[A-Z0-9-]{19}", code)[-1])
        with page.expect_navigation():  # let in, the page opens anew
            page.press("[name=code]", "Enter")
        expect(page.locator("#me-figures")).to_contain_text("그림과 사진 0장")
        page.click("[data-place=draw]")
        drawn(page, "초대받은 치마")
        assert page.errors == []
