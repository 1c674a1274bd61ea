"""A title's colours, patterns and cloths go to the garments that they describe, and what is open is left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

from benchmarks.shop_titles import former_reading, score, titles
from fashion.__main__ import main
from fashion.catalogue import Product
from fashion.dataset import read_metadata
from fashion.lexicon import WORD_BY_ID
from fashion.plain_text import plain_text
from fashion.shop_captions import describe
from fashion.shop_titles import garments_of
from fashion.shop_words import FIELDS, ROLES, entries
from fashion.vocabulary import known_words


def attributes_of(title: str) -> str:
    """The garments of a title in short: "dress red floral; cardigan blue"."""
    garments = []
    for garment in garments_of(title):
        values = [str(garment[name]) for name in FIELDS[:-1] if garment[name]]
        garments.append(" ".join((str(garment["kind"]), *values, *(garment["details"] or ()))))
    return "; ".join(garments)


@pytest.mark.parametrize("part", ["tuning", "held_out"])
@pytest.mark.parametrize("language", ["en", "ko"])
def test_titles_are_read_with_99_percent_precision_and_85_percent_recall(part: str, language: str) -> None:
    rows = [row for row in titles() if (row.part, row.language) == (part, language)]
    assert len(rows) >= 74
    measured = score(rows)
    assert measured.precision >= 0.99 and measured.recall >= 0.85, measured
    assert score(rows, former_reading).precision < 0.95  # what a reader without a grammar reaches


def test_three_hundred_titles_are_measured_in_both_languages() -> None:
    assert len({row.title for row in titles()}) == 300


@pytest.mark.parametrize(("title", "expected"), [
    ("빨간 원피스와 파란 가디건 세트", "dress red; cardigan blue"),
    ("Sky blue knit hat with a matching navy bag", "beanie sky_blue; bag navy"),
    ("Sleeveless cap in red", "cap red"),
    ("루즈핏 니트 아이보리", "knit white"), ("울 코트 차콜", "coat gray"), ("카키 점퍼", "jacket green"),
    ("연청 와이드 데님", "jeans sky_blue"), ("코튼 셔츠 화이트", "shirt white cotton"),
    ("나시 원피스", "dress sleeveless"),
    ("Dress with a white collar in navy", "dress navy"), ("흰 카라 네이비 원피스", "dress navy"),
    ("Black coat with gold buttons", "coat black buttons"), ("White tee with red stripes", "t_shirt white stripes"),
    ("Cleaner for white sneakers", ""), ("Coat hanger black", ""), ("Dog sweater red", ""), ("블라우스용 세탁망", ""),
    ("흰티 청바지", ""), ("Blouse, black or white", "blouse"), ("슬랙스 (블랙/베이지)", "trousers"),
    ("T-shirt with red bag print", "t_shirt"), ("드레스룸 커튼", ""), ("앞치마 빨강", ""), ("베스트 상품", ""),
    ("니트 베스트 블랙", "vest black knit"), ("블랙프라이데이 코트", "coat"),
    ("한복 저고리 치마 세트", "jeogori; hanbok_skirt"),
    ("Blazer and skirt set in pink", "jacket pink; skirt pink"), ("Jean jacket, blue", "jacket blue denim"),
    ("Mustard cardigan", "cardigan"), ("Shirt dress", "dress"), ("", ""), ("!!!", ""), ("갓성비 양말", ""),
])  # fmt: skip
def test_attributes_are_bound_to_their_garment(title: str, expected: str) -> None:
    assert attributes_of(title) == expected


def test_the_table_of_shop_words_names_only_what_the_lexicon_has() -> None:
    for form, entry in entries().items():
        assert entry.role in ROLES, form
        if entry.id is not None:
            assert entry.id in WORD_BY_ID[entry.field], form


def record(title: str, colour: str = "", category: str = "", description: str = "") -> Product:
    return Product("", "1", title, category, colour, description)


def test_a_caption_names_each_garment_in_both_languages_with_its_own_colour() -> None:
    row = describe(record("빨간 체크무늬 원피스와 파란 가디건, 주머니 달린 청바지"))
    assert row["text"] == "a red checkered dress, a blue cardigan and pocketed jeans"
    assert row["text_ko"] == "빨간 체크무늬 원피스와 파란 가디건과 주머니가 달린 청바지"


def test_captions_are_read_back_as_the_attributes_that_they_were_made_of() -> None:
    for row in titles():
        row_of = describe(record(row.title))
        garments = row_of["attributes"]["garments"]  # type: ignore[index]
        for text in (str(row_of["text"]), str(row_of["text_ko"])) if garments else ():
            kinds = [span.id for span in known_words(text) if span.field == "garment"]
            assert sorted(kinds) == sorted(garment["kind"] for garment in garments), (row.title, text)
            colors = [span.id for span in known_words(text) if span.field == "color"]
            assert sorted(colors) == sorted(g["color"] for g in garments if g["color"]), (row.title, text)


@pytest.mark.parametrize(("title", "texts"), [
    ("여름 선물세트", ("", "여름 선물세트")), ("Gift card", ("Gift card", "")),
    ("ADIDAS 양말 3켤레", ("", "ADIDAS 양말 3켤레")),
])  # fmt: skip
def test_a_title_that_names_no_garment_stays_in_its_own_language(title: str, texts: tuple[str, str]) -> None:
    row = describe(record(title))
    assert (row["text"], row["text_ko"]) == texts


def test_other_columns_add_what_the_title_leaves_unsaid_and_contradict_nothing() -> None:
    def first(*columns: str) -> dict[str, object]:
        return describe(record(*columns))["attributes"]["garments"][0]  # type: ignore[index]

    assert first("Timeless Red", "", "Women > Dresses")["kind"] == "dress"
    assert first("Plain coat", "Navy")["color"] == "navy"
    assert first("Red coat", "Crimson")["color"] == "red"
    assert first("Red coat", "Blue")["color"] is None
    assert first("Coat", "Black/White")["color"] is None
    row = first("Red dress", "", "", "A cotton maxi dress with pockets. Pair it with our blue denim jacket!")
    assert (row["material"], row["hem"], row["details"], row["color"]) == ("cotton", "maxi", ["pockets"], "red")
    assert describe(record("Navy sweatshirt", "", "Sweaters"))["attributes"] == {"garments": []}


@pytest.mark.parametrize(("html", "text"), [
    ("Women&#39;s Tea&nbsp;Towel &amp; Co", "Women's Tea Towel & Co"),
    ("&lt;b&gt;Navy&lt;/b&gt; T&#45;shirt", "Navy T-shirt"),
    ("빨간&nbsp;원피스<br>", "빨간 원피스"), ("<p>red</p><p>dress</p>", "red dress"), ("re<b>d</b>", "red"),
    ("a < b > c & d", "a < b > c & d"), ("&amp;lt;i&amp;gt;x", "x"), ("<script>alert(1)</script>red", "red"),
    ("AT&T <3", "AT&T <3"),
])  # fmt: skip
def test_html_is_read_as_the_words_that_it_shows(html: str, text: str) -> None:
    assert plain_text(html) == text


def test_a_row_of_prepare_keeps_id_title_and_source(tmp_path: Path) -> None:
    (tmp_path / "img/1001").mkdir(parents=True)
    Image.new("RGB", (40, 40), "red").save(tmp_path / "img/1001/front.jpg")
    product = {"id": 1001, "title": "&lt;b&gt;빨간&lt;/b&gt; 원피스 &amp; 가디건", "image": "1001/front.jpg"}
    (tmp_path / "list.json").write_text(json.dumps([product]))
    assert main(["prepare", *(str(tmp_path / name) for name in ("list.json", "img", "out"))]) == 0
    (row,) = read_metadata(tmp_path / "out")
    assert (row["id"], row["title"], row["source"]) == ("1001", "빨간 원피스 & 가디건", "1001/front.jpg")
    assert row["text"] == "a red dress and a cardigan"
