"""What a prompt does not want leaves it for the negative prompt; loose letters are put together; words stay whole."""

from __future__ import annotations

import pytest

from diffusion.reading import read_shots
from diffusion.request import Shot
from fashion.negation import negative_words, unwanted, wanted
from fashion.reader import FashionReader
from fashion.vocabulary import unknown_words
from hangul.jamo import loose_runs


@pytest.mark.parametrize(
    ("prompt", "left", "negative"),
    [
        ("줄무늬 말고 체크무늬 셔츠", "체크무늬 셔츠", "줄무늬"),
        ("줄무늬 빼고 셔츠", "셔츠", "줄무늬"),
        ("빨간색이 아닌 코트", "코트", "빨간색"),
        ("리본 없는 원피스", "원피스", "리본"),
        ("빨간 원피스, 빨간 모자와 가방은 빼고", "빨간 원피스", "빨간 모자와 가방"),
        ("모자 말고 비니", "비니", ""),
        ("a dress without ribbons", "a dress", "ribbons"),
        ("no hat, red dress", "red dress", "hat"),
        ("a coat with no pockets", "a coat", "pockets"),
        ("a red dress without a blue hat or bag", "a red dress", "blue hat or bag"),
        ("red coat no stripes, a beanie", "red coat, a beanie", "stripes"),
        ("소매 없는 원피스", "소매 없는 원피스", ""),
        ("배경 없이 빨간 코트", "배경 없이 빨간 코트", ""),
        ("빨간 원피스", "빨간 원피스", ""),
        ("모자 없이", "모자 없이", "모자"),
        ("모자 안 쓴 사람, 셔츠", "사람, 셔츠", "모자"),
        ("모자를 쓰지 않은 사람, 셔츠", "사람, 셔츠", "모자"),
        ("양말은 신지 말고 운동화", "운동화", "양말"),
        ("주머니 안 달린 재킷", "재킷", "주머니"),
        ("체크 말구 줄무늬 치마", "줄무늬 치마", "체크"),
        ("치마 대신 바지", "바지", ""),
        ("모자는 싫어요, 원피스", "원피스", "모자"),
        ("단추 빼 주세요, 셔츠", "셔츠", "단추"),
        ("안경 없이 셔츠", "셔츠", "안경"),
        ("우주선 없이 빨간 원피스", "빨간 원피스", "우주선"),
        ("red dress with no belt", "red dress", "belt"),
        ("sneakers but no socks", "sneakers", "socks"),
        ("끝없이 긴 치마", "끝없이 긴 치마", ""),
        ("상관 없이 원피스", "상관 없이 원피스", ""),
        ("no idea, a red dress", "no idea, a red dress", ""),
        ("치마 안에 바지", "치마 안에 바지", ""),
    ],
)
def test_what_is_not_wanted_leaves_the_prompt_for_the_negative_prompt(prompt: str, left: str, negative: str) -> None:
    assert (wanted(prompt), negative_words(prompt)) == (left, negative)
    for one in unwanted(prompt):
        assert one.words in prompt[one.start : one.end]


def test_the_reader_draws_without_what_is_not_wanted_and_joins_it_to_the_negative_prompt() -> None:
    reader = FashionReader(completes=False)  # what is left open is not the matter here
    [shot] = read_shots([Shot(prompt="빨간 원피스, 모자 없이", seed=1, negative_prompt="줄무늬")], reader)
    assert shot.drawn_prompt == "빨간 원피스" and shot.drawn_negative == "줄무늬, 모자"
    assert reader.readings("빨간 원피스, 모자 없이") == [] and reader.unknown_words("줄무늬 말고 체크무늬 셔츠") == []
    assert "버킷햇" not in reader.read("모자 없이") and reader.unwanted("모자 없이") == "모자"
    assert reader.read("빨간 모자") == "빨간 버킷햇"


def test_loose_letters_are_put_together_and_it_is_told() -> None:
    reader = FashionReader()
    assert reader.read("ㅃㅏㄹㄱㅏㄴ 원피스") == "빨간 원피스"
    [reading] = reader.readings("ㅃㅏㄹㄱㅏㄴ 원피스")
    assert (reading.text, reading.replacement, reading.start, reading.end) == ("ㅃㅏㄹㄱㅏㄴ", "빨간", 0, 6)
    assert reader.read("ㅂㅏㄹㄱㅏㄴ 원피스") == "빨간 원피스", "발간 is a word, and was not meant"
    assert reader.unknown_words("ㄱㅗㄹㅐ와 원피스") == [("ㄱㅗㄹㅐ", 0, 4)]
    assert reader.read("ㅋㅋㅋ 빨간 원피스 ㅠㅠ") == "ㅋㅋㅋ 빨간 원피스 ㅠㅠ"
    assert reader.unknown_words("ㄱㅗㄹㅐ와 원피스")[0] == ("ㄱㅗㄹㅐ", 0, 4)
    made = {
        "ㅎㅏㄴㅂㅗㄱ": "한복",
        "ㄱㅗㅏㅈㅏ": "과자",
        "ㅇㅓㅂㅅㄴㅡㄴ": "없는",
        "ㄷㅏㄹㄱ": "닭",
        "ㅇㅘㄴㅍㅣ": "완피",
    }
    assert {typed: loose_runs(typed)[0][2] for typed in made} == made
    assert [loose_runs(typed) for typed in ("ㅋㅋㅋㅋ", "ㅠㅠ", "ㄱㄱ", "ㅗㅏ", "빨ㄱ", "ㅏ")] == [[]] * 6


def test_a_word_that_is_left_out_is_not_called_unknown_too() -> None:
    for prompt in ("안경 없이 셔츠", "red dress with no belt", "양말은 신지 말고 운동화"):
        assert FashionReader().unknown_words(prompt) == [], prompt


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("김정은", ["김정은"]),
        ("독도", ["독도"]),
        ("닮은 사람", ["닮은"]),
        ("고래는", ["고래"]),
        ("고양이를", ["고양이"]),
    ],
)
def test_an_unknown_word_is_named_whole(prompt: str, unknown: list[str]) -> None:
    assert [span.text for span in unknown_words(prompt)] == unknown
