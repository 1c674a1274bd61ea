"""Words are swapped whole, and the particle after them agrees with the new word."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hangul.analyser import content_words, morphemes
from hangul.particles import attach
from hangul.replacing import replace_word, replace_words

NOUNS = ("원피스", "코트", "재킷", "치마", "버킷햇", "두루마기", "양말", "갓", "비니", "조끼")


@pytest.mark.parametrize(
    ("text", "old", "new", "expected"),
    [
        ("원피스를 입은 사람", "원피스", "치마", "치마를 입은 사람"),
        ("코트를 그려줘", "코트", "재킷", "재킷을 그려줘"),
        ("재킷으로 그려줘", "재킷", "양말", "양말로 그려줘"),
        ("재킷으로부터", "재킷", "코트", "코트로부터"),
        ("빨간 원피스예요", "원피스", "재킷", "빨간 재킷이에요"),
        ("재킷이었어요", "재킷", "코트", "코트였어요"),
        ("빨간원피스를입은사람", "원피스", "재킷", "빨간재킷을입은사람"),
        ("버킷햇을(를) 쓴", "버킷햇", "비니", "비니를 쓴"),
        ("🎨 흰 저고리와 갓", "저고리", "꽃신", "🎨 흰 꽃신과 갓"),
        ("원피스들을", "원피스", "재킷", "재킷들을"),
        ("흰 배경에 원피스만", "흰 배경", "공원", "공원에 원피스만"),
        ("흰 버킷햇과 갓", "버킷햇", "원피스", "흰 원피스와 갓"),
        ("도트는 싫어", "도트", "단색", "단색은 싫어"),
        ("자주가 좋아", "자주", "남색", "남색이 좋아"),
    ],
)
def test_the_particle_follows_the_new_word(text, old, new, expected):
    assert replace_word(text, old, new) == expected


def test_several_words_at_once():
    changed = replace_words("빨간 원피스를 입은 고양이", {"빨간": "파란", "원피스": "코트"})
    assert changed == "파란 코트를 입은 고양이"


@pytest.mark.parametrize(
    ("text", "old"),
    [
        ("고양이가 있다", "고양"),
        ("티셔츠를 입고", "티"),
        ("코트디부아르", "코트"),
        ("그린다면", "면"),
        ("입은 옷", "입"),
    ],
)
def test_part_of_a_word_is_no_word(text, old):
    assert replace_word(text, old, "개") == text


def test_decomposed_text_is_understood():
    assert replace_word(unicodedata.normalize("NFD", "원피스를"), "원피스", "재킷") == "재킷을"


def test_an_empty_key_is_refused():
    with pytest.raises(ValueError, match="at least one letter"):
        replace_words("원피스", {"": "재킷"})


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(NOUNS), st.sampled_from(NOUNS), st.sampled_from(["을", "은", "과", "이랑", "으로", "이에요"]))
def test_replacing_gives_what_attaching_gives(old, new, particle):
    text = f"흰 {attach(old, particle)}"
    assert replace_word(text, old, new) == f"흰 {attach(new, particle)}"


def test_the_analyser_wants_nfc_and_gives_dictionary_forms():
    with pytest.raises(ValueError, match="NFC"):
        morphemes(unicodedata.normalize("NFD", "원피스"))
    assert content_words("빨간 원피스를 입은 고양이") == ["빨갛다", "원피스", "입다", "고양이"]


@pytest.mark.parametrize(
    ("text", "replacements"),
    [
        ("차콜 코트를 입은", {"차": "커피"}), ("스키니진을 입은", {"진": "치마"}), ("스키니진", {"스키니": "와이드"}),
        ("코튼 셔츠", {"코트": "재킷"}), ("민소매 블라우스", {"소매": "단추"}), ("청바지", {"바지": "치마"}),
        ("체크무늬 원피스", {"무늬": "모자", "체크": "도트"}), ("버킷햇", {"버킷": "가방"}), ("후드티", {"티": "코트"}),
        ("꽃무늬원피스를", {"꽃": "별"}), ("털모자", {"모자": "가방", "털": "면"}), ("운동화", {"운동": "수영"}),
    ],
)  # fmt: skip
def test_a_part_of_an_unbroken_word_is_never_replaced(text, replacements):
    assert replace_words(text, replacements) == text


def test_words_that_stand_together_are_replaced_where_each_is_named_as_one():
    assert replace_words("체크무늬원피스를", {"체크무늬": "물방울무늬", "원피스": "재킷"}) == "물방울무늬재킷을"
    assert replace_words("빨간원피스들과", {"원피스": "재킷"}) == "빨간재킷들과"
