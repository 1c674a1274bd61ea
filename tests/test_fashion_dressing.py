"""Who wears clothes is dressed from neck to knee, and a prompt without clothes is drawn on some: never underwear."""

from __future__ import annotations

from collections import Counter

import pytest

from fashion.completion import completed
from fashion.dressing import instead, missing, together
from fashion.lexicon import GARMENT_BY_ID
from fashion.prompt_reading import read_prompt
from fashion.reader import FashionReader
from fashion.vocabulary import known_words, unknown_words
from fashion.wordings import wordings

SEEDS = range(24)
WORN = """
청바지 입은 사람/운동화 신은 사람/저고리 입은 사람/한복 치마 입은 여자/갓 쓴 사람/꽃신 신은 아이
빨간 모자 쓴 사람/빨간 재킷 입은 남자/목도리 두른 소년/가방 든 여자/빨간 모자와 가방과 부츠
카페에서 찍은 흰 셔츠 입은 여자/노란 버킷햇과 청바지
a man in boots, a person wearing a hat/a woman holding a bag/jeans worn by a person
"""
OUTSIDE = """
우주를 나는 고래/아이유 닮은 사람/사람/예쁜 옷/노란 리본/ㅋㅋㅋㅋ/1+1=?/수영복 입은 사람
속옷 모델/치마 없이/not a red dress/a cat/beautiful woman/수채화/공원에서 웃는 소년
"""


def phrases(text: str) -> list[str]:
    return [one for line in text.strip().splitlines() for one in line.split("/")]


def named(text: str) -> Counter[tuple[str | None, str | None]]:
    return Counter((span.field, span.id) for span in known_words(text))


def covered(text: str) -> bool:
    found = known_words(text)
    slots = {GARMENT_BY_ID[str(span.id)].slot for span in found if span.field == "garment"}
    if any(span.id in ("knit", "turtleneck") for span in found):
        slots.add("top")  # 회색 니트
    closed = any(span.id == "durumagi" for span in found)
    return closed or "whole" in slots or {"top", "bottom"} <= slots


@pytest.mark.parametrize("prompt", phrases(WORN))
def test_who_wears_something_wears_enough(prompt: str) -> None:
    reader = FashionReader()
    for seed in SEEDS:
        drawn = reader.complete(reader.read(prompt), seed, reader.unwanted(prompt))
        assert covered(drawn), drawn
        assert not named(reader.read(prompt)) - named(drawn), "what was asked for is all still said"


def test_no_picture_of_an_everyday_prompt_shows_a_bare_figure() -> None:
    for wording in wordings():
        for seed in range(6):
            done = completed(read_prompt(wording.prompt), seed)
            worn = any(a.field == "wearer" for a in done.added) or len(wording.garments) > 1
            assert not worn or covered(done.text), done.text


@pytest.mark.parametrize("prompt", phrases(OUTSIDE))
def test_a_prompt_without_clothes_is_drawn_on_clothes(prompt: str) -> None:
    reader = FashionReader()
    assert reader.outside(prompt)
    for seed in SEEDS:
        drawn = reader.complete(reader.read(prompt), seed, reader.unwanted(prompt))
        assert not reader.outside(drawn), drawn
        assert unknown_words(drawn) == [], "what cannot be drawn only disturbs"
        assert covered(drawn) or "입은" not in drawn and "wearing" not in drawn and "worn" not in drawn, drawn
    assert len({reader.complete(reader.read(prompt), seed, "") for seed in SEEDS}) > 12


def test_what_such_a_prompt_says_of_clothes_is_kept() -> None:
    for seed in SEEDS:
        assert completed("노란 리본", seed).text.startswith("노란 ")
        park = completed("물방울무늬, 공원, 수채화", seed).text
        assert park.count("물방울무늬") == park.count("공원") == park.count("수채화") == 1
        assert "denim" in completed("something in denim", seed).text


def test_a_prompt_is_dressed_the_same_by_one_seed_and_otherwise_by_another() -> None:
    texts = [completed("운동화 신은 사람", seed).text for seed in SEEDS]
    assert texts == [completed("운동화 신은 사람", seed).text for seed in SEEDS]
    assert len({text.split(", ")[1] for text in texts}) > 10


def test_a_hat_by_itself_stays_a_hat() -> None:
    for prompt in ("빨간 모자", "검은 부츠", "a leather bag", "목도리"):
        assert all(completed(read_prompt(prompt), seed).dressed == () for seed in SEEDS)


def test_clothes_go_with_what_is_named_and_with_who_wears_it() -> None:
    assert [one.kind for one in missing(["jeogori"], 1)] == ["hanbok_skirt"]
    assert [one.kind for one in missing(["jeogori"], 1, ["남자"])] == ["trousers"]
    assert [one.kind for one in missing(["gat"], 1)] == ["durumagi"]
    assert [one.kind for one in missing(["gat", "baeja"], 1)] == ["jeogori", "hanbok_skirt"]
    assert [one.kind for one in missing(["bucket_hat", "jacket"], 1)] == ["dress"]
    assert missing(["dress", "sneakers"], 1) == missing(["jeogori", "hanbok_skirt"], 1) == []
    for seed in SEEDS:
        assert not {one.kind for one in missing(["sneakers"], seed, ["man"])} & {"skirt", "blouse", "dress"}
        assert not {one.kind for one in missing(["sneakers"], seed, (), {"jeans", "shirt"})} & {"jeans", "shirt"}
        assert instead([("material", "leather")], seed).kind in ("dress", "coat", "skirt", "jacket")


def test_clothes_are_said_in_the_prompts_language() -> None:
    worn = missing(["sneakers"], 3)
    korean, english = together(worn, korean=True), together(worn, korean=False)
    assert len(worn) == 2 and (" and " in english) and english.isascii()
    assert len(unknown_words(korean)) == 0 and not any(letter.isascii() and letter.isalpha() for letter in korean)
