"""A sentence about cloth becomes a category and a palette, and says what it could not read."""

from __future__ import annotations

import pytest

from fashion.lexicon import COLOR_BY_ID
from textile.categories import CATEGORY_IDS, category, checked_palette
from textile.requests import category_words, read_request, shaded

BLUE, WHITE, RED = (COLOR_BY_ID[id].rgb for id in ("blue", "white", "red"))
NAVY, SKY = COLOR_BY_ID["navy"].rgb, COLOR_BY_ID["sky_blue"].rgb


def test_the_ground_comes_first() -> None:
    request = read_request("파란 바탕에 흰 물방울")
    assert (request.category, request.palette) == ("dots", (BLUE, WHITE))
    assert request.unread == () and request.unused == ()


@pytest.mark.parametrize(
    ("text", "palette"),
    [
        ("흰 물방울, 파란 바탕", (BLUE, WHITE)), ("white dots on navy", (NAVY, WHITE)),
        ("하늘색 바탕에 하얀 구름무늬", (SKY, WHITE)), ("빨간색과 흰색 줄무늬", (RED, WHITE)),
        ("white stars on a blue ground with dots", (BLUE, WHITE)),
    ],
)  # fmt: skip
def test_a_colour_before_the_ground_or_after_on_is_the_ground(text: str, palette: tuple) -> None:
    assert read_request(text).palette == palette


@pytest.mark.parametrize("id", CATEGORY_IDS)
def test_every_name_of_a_category_is_read(id: str) -> None:
    for name in category_words(id):
        assert read_request(name).category == id, name


def test_what_cannot_be_read_is_said() -> None:
    request = read_request("분홍 꽃무늬에 노란 고양이")
    assert request.category == "floral"
    assert request.unread == ("고양이",)


def test_what_a_pattern_has_no_place_for_is_said() -> None:
    assert read_request("초록색 배경의 흰 나뭇잎무늬 셔츠").unused == ("셔츠",)
    assert read_request("빨강 노랑 무지").unused == ("노랑",)
    assert read_request("체크무늬 줄무늬").unused == ("줄무늬",)
    assert len(read_request("빨강 노랑 파랑 초록 보라 꽃무늬").unused) == 1


def test_words_for_cloth_are_no_news() -> None:
    assert read_request("남색 줄무늬 원단으로 만들어 주세요").unread == ()


def test_a_shade_changes_the_colour_that_follows() -> None:
    assert read_request("연한 초록 땡땡이").palette == (shaded(COLOR_BY_ID["green"].rgb, 0.45),)
    assert read_request("dark blue stripes").palette == (NAVY,)  # a colour of its own in the lexicon


def test_no_colour_is_no_palette_and_no_pattern_no_category() -> None:
    assert read_request("호피무늬").palette is None
    assert read_request("고양이").category is None


@pytest.mark.parametrize(("text", "said"), [("  ", "empty"), ("가" * 2001, "2001 characters")])
def test_an_empty_or_endless_sentence_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_request(text)


def test_a_decomposed_sentence_is_read_alike() -> None:
    import unicodedata

    text = "파란 바탕에 흰 물방울"
    assert read_request(unicodedata.normalize("NFD", text)) == read_request(text)


@pytest.mark.parametrize("palette", [(), ((1, 2, 3),) * 5, ((1, 2),), ((0, 0, 256),), ((0.5, 0, 0),)])
def test_a_wrong_palette_is_refused(palette: tuple) -> None:
    with pytest.raises(ValueError, match="palette"):
        checked_palette(palette)


def test_an_unknown_category_is_refused_with_the_list() -> None:
    with pytest.raises(ValueError, match="stripes, checkered"):
        category("tweed")
