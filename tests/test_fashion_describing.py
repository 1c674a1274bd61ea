"""A sentence of what a picture shows: what the scorer saw is what can be changed in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion.describing import Describer, sentence
from fashion.drawing import draw
from fashion.lexicon import BACKGROUNDS, COLORS, GARMENTS, PATTERNS, STYLES
from fashion.replacing import editable_words
from fashion.scene import Scene, scenes
from fashion.scorer import Detection

SCORERS = Path(__file__).resolve().parent.parent / "checkpoints" / "scorers"


def seen(garment: str, color: str = "red", pattern: str = "solid", sure: float = 0.9) -> Detection:
    return Detection(garment, color, pattern, None, None, np.ones((32, 32), bool), sure)


def named(text: str) -> set[tuple[str, str]]:
    return {(each.field, each.id) for each in editable_words(text)}


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_word_of_a_sentence_is_read_back_as_it_was_seen(language: str) -> None:
    settings = [(place.id, style.id) for place in BACKGROUNDS for style in STYLES]
    for i, kind in enumerate(GARMENTS):
        color, (background, style) = COLORS[i % len(COLORS)].id, settings[i % len(settings)]
        pattern = "solid" if kind.solid_only else PATTERNS[i % len(PATTERNS)].id
        text = sentence([seen(kind.id, color, pattern)], background, style, language)
        wanted = {("garment", kind.id), ("color", color), ("background", background), ("style", style)}
        wanted |= {("pattern", pattern)} if pattern != "solid" else set()
        assert named(text) == wanted, text


def test_garments_are_named_from_head_to_foot_and_the_surest_three() -> None:
    found = [seen("sneakers", "blue"), seen("t_shirt", "white"), seen("bucket_hat"), seen("scarf", sure=0.1)]
    assert sentence(found, "park", "watercolor") == "빨간 버킷햇과 흰 티셔츠와 파란 운동화, 공원, 수채화"
    english = sentence(found, "park", "watercolor", "en")
    assert english.startswith("a red bucket hat and a white t-shirt and blue sneakers, ")
    assert sentence([], "park", "watercolor") == ""


def test_the_guess_names_the_garments_of_drawings() -> None:
    describer = Describer.load(SCORERS)
    asked: list[Scene] = list(scenes(93, 24, "any", 1))
    right = 0
    for scene in asked:
        words = named(describer.describe(Image.fromarray(draw(scene, 256)), "ko"))
        right += {("garment", scene.garments[0].kind), ("color", scene.garments[0].color)} <= words
    assert right >= 22, f"{right} of 24"
