"""What benchmarks.wording counts as right, and what it compares the seeds of a short prompt with."""

import numpy as np
from PIL import Image

from benchmarks.wording import SHORT, any_scene, judged, pixel_distance, share
from fashion.scorer import Detection
from fashion.wordings import wordings

MASK = np.ones((32, 32), bool)


def seen(kind: str, color: str, pattern: str = "solid", hem: str | None = None) -> Detection:
    return Detection(kind, color, pattern, None, hem, MASK, 1.0)


def wording(prompt: str):
    return next(one for one in wordings() if one.prompt == prompt)


def test_every_garment_must_be_there_in_its_colour():
    asked = wording("흰 셔츠에 초록 바지")
    both = [seen("shirt", "white"), seen("trousers", "green")]
    assert judged(asked, both, "white", "flat")["everything"]
    assert not judged(asked, both[:1], "white", "flat")["garments"]
    assert not judged(asked, [both[0], seen("trousers", "white")], "white", "flat")["garments"]


def test_a_print_that_nobody_asked_for_is_told_apart():
    right = judged(
        wording("흰 셔츠에 초록 바지"), [seen("shirt", "white", "dots"), seen("trousers", "green")], "white", "flat"
    )
    assert right["garments"] and not right["no print unasked"] and not right["everything"]
    asked = judged(wording("꽃무늬 원피스"), [seen("dress", "red", "floral")], "white", "flat")
    assert asked["everything"]


def test_background_and_style_count_where_they_are_said():
    asked, found = wording("회색 코트 공원에서 수채화로"), [seen("coat", "gray")]
    assert judged(asked, found, "park", "watercolor")["everything"]
    assert not judged(asked, found, "street", "watercolor")["background"]
    assert "style" not in judged(wording("빨간 원피스"), [seen("dress", "red")], "park", "pixel")


def test_shares_are_means_over_prompts():
    right = [{"garments": True}, {"garments": False}, {"garments": True}, {"garments": True}]
    assert share(right, "garments", 2)[0] == 75.0
    assert share(right, "style", 2)[3] == 0


def test_any_scene_shows_what_the_prompt_names_and_varies_the_rest():
    for prompt in SHORT:
        scenes = [any_scene(prompt, seed) for seed in range(60)]
        assert len({scene.garments[0].combination for scene in scenes}) == 1
        assert len({(scene.background, scene.style, scene.layout) for scene in scenes}) > 10


def test_the_distance_of_pictures_is_in_levels():
    black, white = (Image.new("RGB", (128, 128), (level,) * 3) for level in (0, 255))
    assert pixel_distance([black, white]) == 255.0
    assert pixel_distance([black, black]) == 0.0
