"""Captions say what the scene shows, nothing else, in many shapes and with particles that agree."""

import itertools
import re
import unicodedata
from collections import Counter

import pytest

from fashion.caption_noise import NOISES
from fashion.captions import Caption, caption, shapes
from fashion.captions_english import estimated_tokens
from fashion.lexicon import COLOR_BY_ID, GARMENT_BY_ID
from fashion.scene import Garment, Scene, sample_scene, scenes
from fashion.vocabulary import known_words
from hangul.particles import PAIRS, fitting

SCENES = list(scenes(77, 250, split="any"))
DRESS = Scene((Garment("dress", "red", "checkered", "cotton", "short", "knee", "round", ("ribbon",)),))
OUTFIT = Scene(
    (
        Garment("bucket_hat", "pink", material="cotton"),
        Garment("jacket", "orange", "stripes", "leather"),
        Garment("bag", "navy", material="fur"),
    ),
    layout="figure",
    background="park",
    style="ink_wash",
)


def mentioned(spoken: Caption) -> Counter:
    """The words that the caption claims to name, as (field, id)."""
    words = [("background", spoken.background), ("style", spoken.style)]
    for mention in spoken.mentions:
        for field, value in mention.items():
            if field == "details":
                words += [("detail", detail) for detail in value]
            else:
                words.append(("garment" if field == "kind" else field, value))
    return Counter((field, id) for field, id in words if id)


def test_there_are_many_shapes():
    assert len(shapes("ko")) >= 15
    assert len(shapes("en")) >= 10


@pytest.mark.parametrize("language", ["ko", "en"])
@pytest.mark.parametrize("short", [False, True])
def test_a_reader_finds_exactly_what_the_caption_claims_to_mention(language, short):
    for seed, scene in enumerate(SCENES):
        spoken = caption(scene, language, seed, short)
        found = Counter((span.field, span.id) for span in known_words(spoken.text))
        if spoken.shape == "hashtags":  # written without blanks: a reader may cut #갈색갓 elsewhere
            continue
        assert found == mentioned(spoken), spoken.text


@pytest.mark.parametrize("language", ["ko", "en"])
def test_a_full_caption_names_everything_that_distinguishes_the_scene(language):
    for seed, scene in enumerate(SCENES):
        spoken = caption(scene, language, seed)
        for garment, mention in zip(scene.garments, spoken.mentions, strict=True):
            kind = GARMENT_BY_ID[garment.kind]
            expected = {"kind", "color"} | ({"pattern"} if garment.pattern != "solid" else set())
            for field, choices in (("material", kind.materials), ("sleeve", kind.sleeves), ("hem", kind.hems),
                                   ("neckline", kind.necklines)):  # fmt: skip
                expected |= {field} if len(choices) > 1 else set()
            expected |= {"details"} if garment.details else set()
            assert expected <= set(mention) <= expected | {"pattern"}
            assert all(getattr(garment, field) == value for field, value in mention.items())
        assert spoken.background == scene.background or (spoken.background is None and scene.background == "white")
        assert spoken.style == scene.style or (spoken.style is None and scene.style == "flat")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_shape_can_be_asked_for_and_speaks_of_the_scene(language):
    spoken = set()
    for scene, shape in itertools.product((DRESS, OUTFIT), shapes(language)):
        try:
            spoken.add(caption(scene, language, 3, shape=shape).shape)
        except ValueError as error:
            assert "does not fit" in str(error)
    assert spoken == set(shapes(language))


def test_particles_agree_in_every_korean_caption():
    forms = {form: pair for pair in PAIRS[:5] for form in pair[:2]}
    for seed, scene in enumerate(SCENES):
        spoken = caption(scene, "ko", seed)
        places = {span.end: span for span in known_words(spoken.text)}
        for end, span in places.items():
            written = re.match(r"(?:을|를|은|는|으로|로|과|와)(?= )", spoken.text[end:])
            if written and span.text[-1] not in "이가":
                assert written[0] == fitting(span.text, forms[written[0]][0]), spoken.text


def test_sentences_of_one_caption_end_in_one_register():
    texts = [caption(scene, "ko", seed, shape="described").text for seed, scene in enumerate(SCENES)]
    formal, plain = re.compile("니다"), re.compile("예요|이에요|있어요")
    assert any(formal.search(text) for text in texts) and any(plain.search(text) for text in texts)
    assert not [text for text in texts if formal.search(text) and plain.search(text)]


def test_clothes_are_put_on_with_their_own_verbs():
    texts = [caption(OUTFIT, "ko", seed, shape="noun").text for seed in range(40)]
    assert all(re.search(r"(버킷햇|벙거지 모자|버킷 모자|벙거지)를? ?을? ?(쓰고|쓴)", text) for text in texts)
    assert all(re.search(r"(가방|핸드백|손가방)을 (들고|든)", text) for text in texts)
    english = [caption(OUTFIT, "en", seed, shape="noun").text for seed in range(20)]
    assert all(re.search(r"carrying an? .*bag", text) for text in english)


def test_word_order_and_words_vary():
    assert len({caption(DRESS, "ko", seed).text for seed in range(100)}) > 95
    assert len({caption(DRESS, "en", seed).text for seed in range(100)}) > 90


def test_the_same_arguments_give_the_same_caption():
    for scene in SCENES[:20]:
        assert caption(scene, "ko", 5, noise="jamo") == caption(scene, "ko", 5, noise="jamo")


def test_short_captions_are_shorter_but_name_every_garment():
    full = sum(len(caption(scene, "en", 1).text) for scene in SCENES)
    short = [caption(scene, "en", 1, short=True) for scene in SCENES]
    assert sum(len(c.text) for c in short) < 0.65 * full
    assert all("kind" in mention for c in short for mention in c.mentions)


def test_english_fits_the_text_encoder():
    weights = [estimated_tokens(caption(sample_scene(i, count=3), "en", i).text) for i in range(400)]
    assert max(weights) <= 62


def test_noise_of_real_typing():
    clean = caption(DRESS, "ko", 4, shape="polite_request").text
    assert caption(DRESS, "ko", 4, shape="polite_request", noise="no_spaces").text == clean.replace(" ", "")
    assert caption(DRESS, "ko", 4, shape="polite_request", noise="nfd").text == unicodedata.normalize("NFD", clean)
    typo = caption(DRESS, "ko", 4, shape="polite_request", noise="jamo").text
    assert sum(a != b for a, b in zip(typo, clean, strict=True)) == 1
    assert caption(DRESS, "ko", 4, shape="polite_request", noise="ending").text.split()[:2] == clean.split()[:2]
    assert clean in caption(DRESS, "ko", 4, shape="polite_request", noise="emoji").text
    mixed = [caption(DRESS, "ko", seed, noise="konglish").text for seed in range(20)]
    assert any(re.search("[a-z]{3}", text) for text in mixed)


def test_synonyms_are_said_instead_of_standard_names_and_all_else_stays():
    for seed in range(20):
        plain, other = (caption(DRESS, "ko", seed, shape="polite_request", noise=n).text for n in (None, "synonyms"))
        kind, color = GARMENT_BY_ID[DRESS.garments[0].kind], COLOR_BY_ID[DRESS.garments[0].color]
        assert any(name in other for name in kind.ko[1:]) and kind.ko[0] not in other
        assert any(name in other for name in color.modifiers[1:])
        assert plain.split()[-1] == other.split()[-1]


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("language", ["ko", "en"])
def test_every_noise_leaves_a_caption(noise, language):
    assert all(caption(scene, language, 1, noise=noise).text.strip() for scene in SCENES[:50])


def test_several_noises_at_once():
    text = caption(DRESS, "ko", 1, noise=("no_spaces", "nfd")).text
    assert " " not in text and not unicodedata.is_normalized("NFC", text)


def test_what_is_not_allowed_is_named():
    with pytest.raises(ValueError, match="ko or en"):
        caption(DRESS, "fr")
    with pytest.raises(ValueError, match="no_spaces"):
        caption(DRESS, "ko", noise="typo")
    with pytest.raises(ValueError, match="does not fit"):
        caption(DRESS, "ko", shape="slots")
