"""Known words, unknown words, completion."""

import time
import unicodedata

import pytest

from fashion.lexicon import WORDS, forms
from fashion.suggestions import suggest
from fashion.vocabulary import known_words, unknown_words


def known(text):
    return [(span.field, span.id) for span in known_words(text)]


@pytest.mark.parametrize(
    "text",
    ["빨간 체크무늬 원피스를 그려 주세요", "빨간체크원피스그려줘", "red checkered dress please", "레드 plaid 드레스!"],
)
def test_known_words_in_any_spacing_and_language(text):
    assert known(text) == [("color", "red"), ("pattern", "checkered"), ("garment", "dress")]
    assert unknown_words(text) == []


def test_places_point_into_the_text():
    text = "귀여운 고양이가 빨간 원피스를 입고"
    assert [text[span.start : span.end] for span in known_words(text)] == ["빨간", "원피스"]
    assert [text[span.start : span.end] for span in unknown_words(text)] == ["고양이"]


def test_decomposed_text_is_read_in_nfc():
    assert known(unicodedata.normalize("NFD", "빨간 원피스")) == [("color", "red"), ("garment", "dress")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("용을 탄 기사와 초록색 두루마기", ["용", "기사"]),
        ("우주선을 타고 있는 강아지가 흰 티를 입고 있어요", ["우주선", "강아지"]),
        ("코트디부아르의 축구", ["코트디부아르", "축구"]),
        ("red dress in cyberpunk style", ["cyberpunk"]),
    ],
)
def test_unknown_words_without_their_particles(text, expected):
    assert [span.text for span in unknown_words(text)] == expected


@pytest.mark.parametrize(
    "text", ["예쁜 한복", "오늘 입을 옷 추천해줘", "연필로 그린 재킷", "a girl with a red hat", "옷과 신발"]
)
def test_words_that_requests_are_made_of_are_worth_no_remark(text):
    assert unknown_words(text) == []


def test_a_verb_keeps_its_ending():
    assert [span.text for span in unknown_words("공원에서 산책하는 여자와 바다는")] == ["산책하는", "바다"]


def test_typing_never_waits():
    """Two thousand characters of a prompt, and completions of one letter, at the pace of typing."""
    started = time.process_time()
    unknown_words("빨간 체크무늬 원피스를 입은 고양이가 우주선을 타고 " * 70)
    suggest("ㅂ")
    assert time.process_time() - started < 1.0


def test_the_longer_word_wins():
    assert known("짧은 소매 니트 스웨터") == [("sleeve", "short"), ("garment", "knit")]
    assert known("면티") == [("garment", "t_shirt")]
    assert known("수묵화를 그린 그림") == [("style", "ink_wash")]


def test_every_form_of_the_lexicon_is_known():
    for field, words in WORDS.items():
        for word in words:
            for form in (*forms(word, "ko"), *forms(word, "en")):
                assert known_words(form), (field, word.id, form)


@pytest.mark.parametrize("typed", ["빨", "빨ㄱ", "빨가", "ㅃㄱ", "빨간", unicodedata.normalize("NFD", "빨")])
def test_hangul_in_composition_is_completed(typed):
    assert suggest(typed)[0].text == "빨간"


def test_a_suggestion_says_what_it_names():
    red = suggest("빨")[0]
    assert (red.field, red.id, red.name, red.rgb) == ("color", "red", "빨강", "#ce262a")
    assert [s.text for s in suggest("갑")] == ["가방"]
    assert suggest("drag") == [] == suggest("  ")


def test_english_letters_find_korean_words_and_english_ones():
    assert suggest("jeog")[0].text == "저고리"
    assert {s.text for s in suggest("bl", "en")} >= {"blue", "black", "blouse"}
    with pytest.raises(ValueError, match="ko or en"):
        suggest("r", "fr")


def test_suggestions_are_limited_and_each_word_comes_once():
    offers = suggest("ㅂ", limit=5)
    assert len(offers) == 5 == len({(s.field, s.id) for s in offers})
