"""Cleaning and search keys: what cannot be seen goes, emoji sequences stay, doing it twice changes nothing."""

import unicodedata

from hypothesis import example, given
from hypothesis import strategies as st

from hangul.normalize import clean, search_key

ODD = st.sampled_from(
    "가나각힣ㄱㅏㅋㅎaA1 \u1100\u1161\u11a8\u200b\u200d\ufe0f\u202e\u3164\u00ad👩🎨🏽🏴#\u20e3©↔\u0338\n\u00a0ﬀ①㎏"
)
TEXTS = st.one_of(st.text(), st.text(ODD))


@given(TEXTS)
@example("1\u200d\ufe0f\u20e3")
@example("👩\u200b\u200d🎨\ufe0f\ufe0f")
@example("\u1100\u200b\u1161")
def test_cleaning_twice_changes_nothing(text):
    assert clean(clean(text)) == clean(text)


@given(TEXTS)
def test_nfc_and_nfd_clean_to_the_same(text):
    assert clean(unicodedata.normalize("NFD", text)) == clean(unicodedata.normalize("NFC", text)) == clean(text)


@given(TEXTS)
@example("ⓀⅧ ㅋㅋ ﬃ")
def test_a_search_key_is_its_own_key(text):
    assert search_key(search_key(text)) == search_key(text)


@given(TEXTS)
def test_nfc_and_nfd_have_the_same_key(text):
    assert search_key(unicodedata.normalize("NFD", text)) == search_key(unicodedata.normalize("NFC", text))


def test_zero_width_and_bidi_controls_go():
    assert clean("빨간\u200b 원\u202e피스\ufeff\u3164") == "빨간 원피스"


def test_emoji_sequences_stay_whole():
    england = "🏴\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    sequences = f"👩\u200d🎨 ❤\ufe0f 👍🏽 {england} 1\ufe0f\u20e3 🇰🇷"
    assert clean(sequences) == sequences


def test_joiners_outside_emoji_go():
    assert clean("원\u200d피\ufe0f스") == "원피스"


def test_blanks_become_single_and_ends_are_trimmed():
    assert clean(" 빨간\u00a0\u3000원피스\n ") == "빨간 원피스"


def test_laughter_stays_laughter_in_text_and_key():
    assert clean("원피스ㅋㅋ") == "원피스ㅋㅋ"
    assert search_key("원피스ㅋㅋ!") == "원피스ㅋㅋ"


def test_keys_forget_case_width_punctuation_and_emoji():
    assert search_key("Ｖ넥 「원피스」, RED! 👗") == search_key("v넥 원피스 red")


def test_keys_can_forget_blanks():
    assert search_key("빨간 원피스", spaces=False) == search_key("빨간원피스", spaces=False)
