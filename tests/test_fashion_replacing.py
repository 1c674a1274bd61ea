"""Words of a prompt that can be changed, and what becomes of the prompt: particles, articles, forms of a word."""

from __future__ import annotations

import pytest

from fashion.lexicon import WORD_BY_ID
from fashion.replacing import WordChange, WordNotFound, changed_fields, editable_words, replaced


@pytest.mark.parametrize(
    ("text", "changes", "wanted"),
    [
        ("빨간 원피스를 입은 사람", [("빨간", "파란"), ("원피스", "재킷")], "파란 재킷을 입은 사람"),
        ("빨간 원피스를 입은 사람", [("빨강", "파랑")], "파란 원피스를 입은 사람"),
        ("빨간색 코트와 흰 치마", [("빨간색", "파랑")], "파란색 코트와 흰 치마"),
        ("원피스(빨간색), 배경은 거리", [("배경은 거리", "공원")], "원피스(빨간색), 배경은 공원"),
        ("예쁜 원피스, 공원, 수채화", [("수채화", "픽셀아트"), ("공원", "방 안")], "예쁜 원피스, 방 안, 픽셀아트"),
        ("an orange dress on a street", [("orange", "red"), ("street", "park")], "a red dress on a park"),
        ("a red dress with stripes", [("stripes", "polka dots")], "a red dress with polka dots"),
        ("a red striped dress", [("striped", "dots")], "a red polka dot dress"),
        ("A red dress", [("red", "orange")], "An orange dress"),
        ("고양이를 그린 원피스", [("원피스", "코트")], "고양이를 그린 코트"),
    ],
)
def test_a_word_is_replaced_and_what_is_beside_it_agrees(
    text: str, changes: list[tuple[str, str]], wanted: str
) -> None:
    assert replaced(text, [WordChange(*change) for change in changes]) == wanted


def test_a_place_chooses_one_of_two_words_alike() -> None:
    text = "빨간 코트와 빨간 치마"
    assert replaced(text, [WordChange("빨간", "파란", text.rindex("빨간"))]) == "빨간 코트와 파란 치마"
    assert replaced(text, [WordChange("빨간", "파란")]) == "파란 코트와 파란 치마"


def test_a_word_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(WordNotFound, match="치마.*빨간, 원피스") as error:
        replaced("빨간 원피스", [WordChange("치마", "바지")])
    assert (error.value.word, error.value.known) == ("치마", ("빨간", "원피스"))
    with pytest.raises(ValueError, match="twice"):
        replaced("빨간 원피스", [WordChange("빨간", "파란"), WordChange("빨강", "흰")])


def test_the_words_of_a_prompt_have_places_slots_and_alternatives() -> None:
    text = "빨간 체크무늬 원피스를 입은 사람, 공원, 수채화"
    found = editable_words(text)
    assert [word.field for word in found] == ["color", "pattern", "garment", "background", "style"]
    for word in found:
        assert text[word.start : word.end] == word.text
        assert word.id not in {each.id for each in word.alternatives}
        assert {each.id for each in word.alternatives} <= set(WORD_BY_ID[word.field])
    colors = {each.id: each for each in found[0].alternatives}
    assert colors["blue"].text == "파란" and colors["blue"].rgb == "#245cce"


def test_a_garment_is_offered_what_can_be_worn_beside_the_others() -> None:
    words = editable_words("red coat and blue skirt and white boots")
    offered = {word.id: [each.id for each in word.alternatives] for word in words if word.field == "garment"}
    assert "dress" not in offered["skirt"] or "coat" not in offered["skirt"]
    assert "sneakers" in offered["boots"] and "sneakers" not in offered["coat"][:3]
    assert not {"coat", "skirt", "boots"} & {id for ids in offered.values() for id in ids}


def test_every_offer_can_be_made_and_is_read_as_what_it_is() -> None:
    for text in ("빨간 체크무늬 긴팔 원피스, 공원, 수채화", "a red checkered dress, a park, watercolour painting"):
        for word in editable_words(text):
            for offer in word.alternatives:
                changed = replaced(text, [WordChange(word.text, offer.text, word.start)])
                assert (word.field, offer.id) in {(each.field, each.id) for each in editable_words(changed)}, changed


def test_two_prompts_differ_in_the_fields_of_their_words() -> None:
    assert changed_fields("빨간 원피스, 수채화", "빨간 원피스, 픽셀아트") == {"style"}
    assert changed_fields("빨간 원피스", "빨간 드레스") == frozenset()
    assert changed_fields("빨간 원피스", "파란 코트") == {"color", "garment"}
