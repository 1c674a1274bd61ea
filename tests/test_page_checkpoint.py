"""The page speaks of a second stage where the checkpoint has one, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest
from page_world import draw, expect, generations, open_world

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("refines", [True, False])
def test_refining_is_offered_shown_and_told_only_where_it_can_be_done(tmp_path: Path, refines: bool) -> None:
    stages = ["대기", "밑그림", "다듬기"][: 2 + refines]
    with open_world(tmp_path, FAKE_REFINES=str(int(refines))) as world:
        page = world.person(path="#draw?prompt=빨간 코트&n=1&refine=true&refine_strength=0.5")
        page.click("#more summary")
        expect(page.locator("[data-slide=steps]")).to_be_visible()
        assert page.locator("input[name=refine]").count() == refines
        expect(page.locator("[data-slide=refine_strength]")).to_be_visible(visible=refines)
        with world.held("base"):
            card = draw(page, "빨간 코트")
            expect(card.locator(".stages li")).to_have_text(stages)
        expect(card).to_have_attribute("data-status", "succeeded")
        assert generations(page)[0]["refine"] is refines and generations(page)[0]["warnings"] == []
        card.locator(".tile").first.click()
        page.locator("#viewer .facts-more summary").click()
        expect(page.locator("#viewer [data-key=compare]")).to_have_count(int(refines))
        text = page.locator("body").inner_text()
        assert ("다듬" in text) is refines and page.errors == []
