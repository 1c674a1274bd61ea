"""Particles agree with what is read aloud at the end of the word."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangul.particles import PAIRS, attach, fitting


@pytest.mark.parametrize(
    ("word", "particle", "expected"),
    [
        ("코트", "을", "코트를"), ("재킷", "를", "재킷을"), ("갓", "은/는", "갓은"), ("치마", "이", "치마가"),
        ("서울", "으로", "서울로"), ("부츠", "으로", "부츠로"), ("재킷", "로", "재킷으로"), ("양말", "과", "양말과"),
        ("양말", "을", "양말을"), ("조끼", "이에요", "조끼예요"), ("갓", "예요", "갓이에요"), ("민지", "아", "민지야"),
        ("비니", "이랑", "비니랑"), ("갓", "랑", "갓이랑"), ("한복", "이란", "한복이란"),
    ],
)  # fmt: skip
def test_a_syllable_decides_by_its_final(word, particle, expected):
    assert attach(word, particle) == expected


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("1", "1로"), ("2", "2로"), ("3", "3으로"), ("6", "6으로"), ("7", "7로"), ("8", "8로"), ("0", "0으로"),
        ("10", "10으로"), ("100", "100으로"), ("1,000", "1,000으로"), ("20000", "20000으로"),
        ("1000000000000", "1000000000000로"), ("1.50", "1.50으로"), ("3.1", "3.1로"), ("102", "102로"),
    ],
)  # fmt: skip
def test_digits_by_their_reading(number, expected):
    assert attach(number, "로") == expected


@pytest.mark.parametrize(
    ("word", "expected"), [("PDF", "PDF를"), ("xl", "xl을"), ("LG", "LG를"), ("M", "M을"), ("Ｎ", "Ｎ을"), ("R", "R을")]
)
def test_latin_by_letter_names(word, expected):
    assert attach(word, "를") == expected


def test_rieul_of_a_letter_name_takes_ro():
    assert attach("URL", "으로") == "URL로"
    assert attach("M", "으로") == "M으로"


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("원피스(빨강)", "원피스(빨강)를"), ("재킷 [새것]", "재킷 [새것]을"), ("“치마”", "“치마”를"),
        ("『춘향전』", "『춘향전』을"),
        ("원피스 👗", "원피스 👗를"), ("재킷👩\u200d🎨!", "재킷👩\u200d🎨!을"),
        ("(갓)", "(갓)을"), ("재킷)", "재킷)을"),
        ("50%", "50%를"), ("ㄱ", "ㄱ을"), ("ㅏ", "ㅏ를"),
    ],
)  # fmt: skip
def test_brackets_quotes_and_emoji_are_looked_through(word, expected):
    assert attach(word, "을") == expected


def test_both_forms_where_nobody_can_know():
    assert attach("漢", "을") == "漢을(를)"
    assert attach("👗", "으로") == "👗(으)로"
    assert attach("", "은") == "은(는)"


def test_there_are_fourteen_pairs_and_each_form_names_its_pair():
    assert len(PAIRS) == 14
    for consonant, vowel, unknown in PAIRS:
        assert {fitting("갓", name) for name in (consonant, vowel, unknown)} == {consonant}
        assert {fitting("코트", name) for name in (consonant, vowel, unknown)} == {vowel}


def test_an_unknown_particle_is_refused_with_those_there_are():
    with pytest.raises(ValueError, match="을/를"):
        attach("코트", "에게")


@given(st.text(), st.sampled_from([pair[0] for pair in PAIRS]))
def test_any_text_gets_a_form_of_its_pair(text, particle):
    pair = next(p for p in PAIRS if p[0] == particle)
    assert fitting(text, particle) in pair


@given(st.text(st.characters(min_codepoint=0xAC00, max_codepoint=0xD7A3), min_size=1))
def test_nfd_and_nfc_get_the_same_form(word):
    assert fitting(unicodedata.normalize("NFD", word), "을") == fitting(word, "을")
