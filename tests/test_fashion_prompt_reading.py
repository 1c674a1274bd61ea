"""Prompt reading: typos in words of the lexicon are corrected, general words become definite."""

import unicodedata

import pytest

from fashion.captions import caption
from fashion.prompt_reading import read_prompt, readings
from fashion.real_words import real_words
from fashion.scene import scenes
from fashion.segmentation import typo_targets
from fashion.typo_correction import REAL_WORDS, corrections, typos_of
from fashion.vocabulary import known_words, unknown_words


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        ("빨간 채크 원피스를 그려 주세요", "빨간 체크 원피스를 그려 주세요"),
        ("긴 소메 파란 블라우스", "긴 소매 파란 블라우스"),
        ("빨간채크무늬원피스그려줘", "빨간체크무늬원피스그려줘"),
        (unicodedata.normalize("NFD", "노란 버킷헷"), "노란 버킷햇"),
    ],
)
def test_one_wrong_jamo_is_corrected(typed, corrected):
    assert read_prompt(typed) == corrected
    assert not unknown_words(typed)


@pytest.mark.parametrize(
    "text",
    ["토끼를 안은 소녀", "노트를 든 화가", "가지와 도끼", "모란 치마", "하연이의 원피스", "찐 빨강", "red dres", ""],
)
def test_words_of_their_own_stay(text):
    assert read_prompt(text) == text
    assert readings(text) == []


@pytest.mark.parametrize("text", ["a pink crop top", "a vest on top of a shirt", "a red cap on top", "top of a hill"])
def test_a_top_that_is_no_garment_or_a_kind_of_its_own_stays(text):
    assert read_prompt(text) == text


def test_a_typo_has_its_place_and_its_correction():
    text = "파란 채크무늬 코트"
    (span,) = readings(text)
    assert (text[span.start : span.end], span.replacement) == ("채크무늬", "체크무늬")
    assert [span.id for span in known_words(text)] == ["blue", "checkered", "coat"]


@pytest.mark.parametrize(
    ("typed", "corrected"),
    [
        ("분홍 모자와 주황색 재킷", "분홍 버킷햇과 주황색 재킷"),
        ("빨간 모자를 쓰고 검은 신발을 신은 사람", "빨간 버킷햇을 쓰고 검은 운동화를 신은 사람"),
        ("고운 한복", "고운 저고리와 한복 치마"),
        ("a red hat, please", "a red bucket hat, please"),
        ("a white top and black bottoms", "a white t-shirt and black trousers"),
        ("striped tops", "striped t-shirt"),
        ("파란모자그려줘", "파란버킷햇그려줘"),
    ],
)
def test_a_general_word_is_read_as_a_kind_that_can_be_drawn(typed, corrected):
    assert read_prompt(typed) == corrected
    assert all(typed[one.start : one.end] == one.text for one in readings(typed))


@pytest.mark.parametrize(
    "text",
    ["모자 달린 재킷", "비니 같은 모자", "벙거지 모자", "야구 모자를 쓴 사람", "한복 치마와 꽃신", "모자이크 무늬"],
)
def test_a_general_word_stays_where_the_prompt_says_which(text):
    assert read_prompt(text) == text


def test_a_typo_is_not_made_of_the_end_of_one_word_and_the_next():
    """더한 옷차림 holds 한 옷, one key beside 한옥; a word typed with a blank inside may still have one."""
    assert read_prompt("후디를 더한 옷차림") == "후디를 더한 옷차림"
    assert read_prompt("한 옷 앞마당에서 입은 후디") == "한 옥 앞마당에서 입은 후디"


def test_captions_with_one_wrong_jamo_say_again_what_they_said():
    """Clean captions stay; of those with a typo anywhere, particles included, nearly all name the same things."""
    equal = [0, 0]
    for seed, scene in enumerate(scenes(55, 300, "held_out")):
        clean = caption(scene, "ko", seed=seed).text
        mistyped = caption(scene, "ko", seed=seed, noise="jamo").text
        assert read_prompt(clean) == clean
        equal[_named(read_prompt(mistyped)) == _named(clean)] += 1
    assert equal[True] >= 0.94 * sum(equal), equal


def _named(text):
    return [(span.field, span.id) for span in known_words(text)]


def test_what_two_words_could_have_meant_is_left_alone():
    assert corrections(["밤색"])["잠색"] == "밤색"
    assert "잠색" not in corrections(["밤색", "담색"])
    assert "맘색" in corrections(["밤색", "담색"])
    assert "맘색" not in corrections(["밤색"], taken=["맘색"])


def test_the_list_of_real_words_is_what_the_analyser_says_today():
    corrected, taken = typo_targets()
    candidates = {typed for form in corrected for typed in typos_of(form)} - set(taken)
    assert REAL_WORDS.read_text(encoding="utf-8").split() == real_words(candidates)
