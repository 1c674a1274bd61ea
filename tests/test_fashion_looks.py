"""Looks that the base never trains on: the same scene gives the same bytes, and another picture than any style."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion.drawing import draw, draw_masks
from fashion.lexicon import STYLES
from fashion.looks import LOOKS
from fashion.looks.__main__ import main
from fashion.scene import Garment, Scene

SCENE = Scene((Garment("dress", "red", "dots", "cotton", "short", "knee", "round"),))


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_is_drawn_at_any_size_and_always_alike(look: str) -> None:
    for size in (64, 128, 256):
        picture = LOOKS[look].draw(SCENE, size)
        assert picture.shape == (size, size, 3) and picture.dtype == np.uint8
        assert (LOOKS[look].draw(SCENE, size) == picture).all()


def test_a_look_is_none_of_the_styles_that_the_base_learns() -> None:
    plain = [draw(replace(SCENE, style=style.id), 128).astype(float) for style in STYLES]
    apart = max(np.abs(one - other).mean() for one in plain for other in plain)
    for look in LOOKS.values():
        picture = look.draw(SCENE, 128).astype(float)
        assert min(np.abs(picture - other).mean() for other in plain) > 1.5 * apart


@pytest.mark.parametrize("look", LOOKS)
def test_the_garment_keeps_its_colour_and_another_colour_is_another_picture(look: str) -> None:
    mask = draw_masks(SCENE, 128)[0]
    red, blue = (
        LOOKS[look].draw(replace(SCENE, garments=(replace(SCENE.garments[0], color=color),)), 128)[mask].mean(axis=0)
        for color in ("red", "blue")
    )
    assert red[0] > red[2] + 10 and blue[2] > blue[0]


def test_an_imagefolder_of_a_look_has_captions_in_both_languages(tmp_path: Path) -> None:
    main(["neon", str(tmp_path / "neon"), "--count", "3", "--size", "64"])
    rows = [json.loads(line) for line in (tmp_path / "neon" / "metadata.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == 3 and all(row["text"] and row["text_ko"] for row in rows)
    with Image.open(tmp_path / "neon" / rows[0]["file_name"]) as picture:
        assert picture.size == (64, 64)
