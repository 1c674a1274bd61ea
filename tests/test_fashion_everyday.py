"""Prompts as people type them: they say what their scene shows, in everyday shapes, and none that is measured by."""

import random
from collections import Counter

import pytest

from fashion.captions_everyday import Prompt, everyday, say
from fashion.scene import Garment, Scene, goes_without_saying, sample_scene
from fashion.vocabulary import known_words, unknown_words
from fashion.wordings import asks_the_same, is_kept_out
from ko_clip.drawn import DrawnCorpus
from ko_clip.recipe import CorpusRecipe


def prompts(count: int) -> list[tuple[Prompt, random.Random]]:
    found = []
    for i in range(count):
        rng = random.Random(i)
        if prompt := everyday(sample_scene(i), rng):
            found.append((prompt, rng))
    return found


@pytest.mark.parametrize("language", ["ko", "en"])
def test_none_of_the_measured_prompts_is_among_them(language):
    for prompt, rng in prompts(20_000):
        assert not is_kept_out(say(prompt, language, rng))
        assert not asks_the_same((g.kind, g.color, g.pattern) for g in prompt.content.scene.garments)


def test_none_of_the_measured_prompts_is_among_the_pairs_that_the_encoder_learns_from():
    recipe = CorpusRecipe(kind="drawn", seed=31, count=400_000, korean_share=0.65, short=0.6, noise=0.3, everyday=0.6)
    corpus = DrawnCorpus(recipe)
    assert not [text for text in (corpus.pair(i, i % 3)[0] for i in range(20_000)) if is_kept_out(text)]


def test_an_outfit_that_a_measured_prompt_asks_for_is_refused():
    outfit = (
        Garment("shirt", "white", material="cotton", sleeve="long"),
        Garment("trousers", "green", material="cotton"),
    )
    scene = Scene(outfit, "figure")
    kept = [everyday(scene, random.Random(i)) for i in range(200)]
    assert None in kept  # wherever the outfit was not put together anew
    assert not any(prompt and set(prompt.content.scene.garments) == set(outfit) for prompt in kept)


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_garments_that_a_reader_finds_are_those_of_the_scene(language):
    missed, count = Counter(), 0
    for prompt, rng in prompts(1500):
        text = say(prompt, language, rng)
        kinds = {span.id for span in known_words(text) if span.field == "garment"}
        asked = {garment.kind for garment in prompt.content.scene.garments}
        count += len(asked)
        missed.update(asked - kinds)
    for kind in (
        "hanbok_skirt",
        "jeogori",
        "knit",
        "t_shirt",
    ):  # 치마 beside 저고리, 한복, 니트, 반팔: read by what is beside them
        missed.pop(kind, None)
    assert sum(missed.values()) < 0.01 * count, missed


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_reader_of_the_studio_knows_their_words(language):
    texts = [say(prompt, language, rng) for prompt, rng in prompts(1500)]
    strange = [text for text in texts if unknown_words(text)]
    assert len(strange) < 0.05 * len(texts), strange[:20]


def test_a_bare_noun_stands_for_its_usual_colour():
    jeans = Garment("jeans", "blue", material="denim")
    assert goes_without_saying(jeans)
    assert not goes_without_saying(Garment("jeans", "black", material="denim"))
    assert goes_without_saying(Garment("skirt", "blue", material="denim", hem="knee"), ("material",))
    scene = Scene((jeans,))
    texts = set()
    for i in range(300):
        rng = random.Random(i)
        prompt = everyday(scene, rng)
        assert prompt is not None
        if "color" in prompt.content.fields[0]:
            texts.add(say(prompt, "ko", rng))
    assert any("파란" not in text and "청바지" in text for text in texts)
    assert any("파란" in text for text in texts)


def test_the_same_prompt_is_worded_in_many_ways():
    rng = random.Random(5)
    prompt = next(p for p, _ in prompts(50) if len(p.content.scene.garments) == 2)
    assert len({say(prompt, "ko", rng) for _ in range(100)}) > 60
    assert len({say(prompt, "en", rng) for _ in range(100)}) > 50
