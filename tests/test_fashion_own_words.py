"""Free descriptions are drawn in the domain's own words; what people usually type stays as it is."""

from __future__ import annotations

import pytest

from fashion.own_words import own_words
from fashion.reader import FashionReader
from fashion.segmentation import pieces
from fashion.wordings import wordings


@pytest.mark.parametrize(("description", "drawn"), [
    ("하늘하늘한 새틴으로 만든 초록 크롭탑, 드레이프 새시와 비대칭 밑단, 한쪽 어깨끈", "초록 새틴 원숄더 크롭톱"),
    ("핫걸은 보드카를 마시지: 흰 저지 그래픽 티셔츠에 검은 비키니 하의와 검은 미니스커트", "흰 티셔츠, 검은 미니 치마"),
    ("심플하고 매끈한 갈색 저지 튜브 원피스, 안에 밴도가 달린", "갈색 원피스"),
    ("Made from drapey satin, this green cropped top has a draped sash, an asymmetric hem and one strap",
     "a green satin crop top"),
    ("Cute but cosy: a grey sweater-knit mini dress, off the shoulder, body-con", "a gray knit mini dress"),
    ("빨간 원피스를 입고 거대한 해변을 산책하는 여자, 수채화", "빨간 원피스 입은 여자, 수채화"),
])  # fmt: skip
def test_a_description_with_many_unknown_words_is_drawn_in_known_ones(description: str, drawn: str) -> None:
    reader = FashionReader()
    assert reader.complete(reader.read(description), 3, "") == drawn  # and nothing is added: a word may be the place


@pytest.mark.parametrize(("compound", "drawn"), [
    ("스웨터 원피스", "니트 원피스"), ("회색 스웨터 미니 원피스", "회색 니트 미니 원피스"),
    ("a denim shirt dress", "a denim dress"), ("하늘색 셔츠 원피스를 입은 여자", "하늘색 원피스 입은 여자"),
    ("흰 셔츠 빨간 원피스", None), ("흰 셔츠, 원피스", None), ("흰 셔츠에 원피스", None), ("셔츠와 원피스", None),
    ("흰 셔츠 청바지", None), ("니트 원피스", None),
])  # fmt: skip
def test_the_first_noun_of_a_compound_is_no_garment(compound: str, drawn: str | None) -> None:
    found = own_words(compound)
    assert (found and found.text) == drawn
    assert not (found and found.shortened)


def test_what_people_usually_type_and_one_unknown_word_stay() -> None:
    for prompt in [wording.prompt for wording in wordings()] + ["용을 탄 사람의 빨간 원피스", "자수풍 빨간 원피스"]:
        assert own_words(prompt) is None, prompt


def test_a_style_keeps_its_trigger_in_a_long_description() -> None:
    description = "목판화풍 하늘하늘한 저지로 지은 심플한 빨간 원피스"
    assert FashionReader().complete(description, 3, "") == "빨간 원피스"
    assert FashionReader().styled().complete(description, 3, "").startswith(description)


def test_a_typo_is_no_beginning_of_an_unknown_word() -> None:
    assert FashionReader().read("드레이프 원피스") == "드레이프 원피스"
    assert [piece.kind for piece in pieces("드레이프 원피스")] == ["unknown", "unknown", "known"]
    assert FashionReader().read("뻘간 원피스") == "빨간 원피스"
    assert pieces("") == ()
