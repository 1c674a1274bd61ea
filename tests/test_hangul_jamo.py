"""Jamo: apart and together, prefixes in composition, typos."""

import random
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hangul import jamo

SYLLABLES = st.integers(0xAC00, 0xD7A3).map(chr)


@given(SYLLABLES)
def test_apart_and_together_is_the_same_syllable(syllable):
    assert jamo.join(*jamo.split(syllable)) == syllable


@given(st.text(SYLLABLES, min_size=1), st.data())
def test_every_start_of_a_word_is_its_prefix(word, data):
    keys = jamo.keys(word)
    cut = data.draw(st.integers(0, len(word)))
    assert jamo.is_prefix(word[:cut], word)
    assert jamo.is_prefix(keys[:cut], word)
    assert jamo.is_prefix(jamo.initials(word)[:cut], word)


@given(SYLLABLES, st.integers())
def test_a_typo_changes_one_jamo(syllable, seed):
    wrong = jamo.random_typo(syllable, random.Random(seed))
    assert sum(a != b for a, b in zip(jamo.split(wrong), jamo.split(syllable), strict=True)) == 1


@pytest.mark.parametrize("typed", ["ㅃ", "빠", "빨", "빨ㄱ", "빨가", "빨간", "ㅃㄱ"])
def test_every_stage_of_typing_is_a_prefix(typed):
    assert jamo.is_prefix(typed, "빨간")


def test_a_final_that_will_move_on_is_a_prefix():
    assert jamo.is_prefix("갑", "가방")
    assert jamo.is_prefix("도", "돼지") is True  # ㄷㅗ, then ㅐ on the same syllable
    assert not jamo.is_prefix("갑", "간장")


def test_decomposed_text_is_understood():
    assert jamo.keys(unicodedata.normalize("NFD", "과")) == "ㄱㅗㅏ"
    assert jamo.initials(unicodedata.normalize("NFD", "빨간 옷")) == "ㅃㄱ ㅇ"


def test_what_is_no_syllable_is_refused():
    with pytest.raises(ValueError, match="not one Hangul syllable"):
        jamo.split("a")
    with pytest.raises(ValueError, match="do not make a syllable"):
        jamo.join("ㅏ", "ㄱ")
