"""Statistics: every number right, heatmap rows sum to 1, Korean words by the analyser, no boxes for letters."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from fashion import charts
from fashion.__main__ import main
from fashion.captions import caption
from fashion.dataset import ExportSettings
from fashion.lexicon import COLORS, GARMENTS, SLEEVES, WORDS
from fashion.scene import scenes
from fashion.stats import count, domain_nouns, draw_charts, row_shares, split_words

CHARTS = {"garments", "colors", "patterns", "sleeves", "garment_color", "garment_sleeve",
          "words_en", "words_ko", "bigrams_en", "bigrams_ko"}  # fmt: skip


def rows(number=40):
    return [
        {"file_name": f"{i}.png", "text": caption(scene, "en", i).text, "text_ko": caption(scene, "ko", i).text,
         "attributes": scene.to_dict()}
        for i, scene in enumerate(scenes(8, number))
    ]  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "set").mkdir()
    lines = [json.dumps(row, ensure_ascii=False) for row in rows()]
    (tmp_path / "set" / "metadata.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path / "set"


def test_every_garment_is_counted():
    data = rows()
    counts = count(data)
    number = sum(len(row["attributes"]["garments"]) for row in data)
    assert counts.rows == 40
    assert sum(counts.garments.values()) == sum(counts.colors.values()) == sum(counts.patterns.values()) == number
    assert sum(counts.garment_sleeve.values()) == sum(counts.sleeves.values()) < number


def test_heatmap_rows_sum_to_one_or_hold_nothing():
    counts = count(rows(120))
    for pairs, words in ((counts.garment_color, COLORS), (counts.garment_sleeve, SLEEVES)):
        table = row_shares(pairs, [g.id for g in GARMENTS], [w.id for w in words])
        sums = table.sum(axis=1)
        assert np.all(np.isclose(sums, 1) | (sums == 0)) and np.isclose(sums, 1).any()


def test_korean_words_are_split_by_the_analyser():
    assert split_words("버킷햇을 쓴 고양이를 그려 주세요", "ko") == ["버킷햇", "쓰다", "고양이"]
    assert split_words("A v-neck dress, in the park", "en") == ["v-neck", "dress", "park"]


def test_bigrams_are_neighbours():
    counts = count([{"text": "a red dress", "text_ko": "빨간 원피스"}])
    assert counts.bigrams["en"] == {"red dress": 1}
    assert counts.bigrams["ko"] == {"빨갛다 원피스": 1}


def test_all_charts_are_drawn_beside_the_data(folder):
    if charts.korean_font() is None:
        pytest.skip("no Korean font on this machine")
    target = draw_charts(folder, progress=False)
    assert target == folder.with_name("set-stats")
    assert {path.stem for path in target.glob("*.png")} == CHARTS
    for path in target.glob("*.png"):
        with Image.open(path) as picture:
            assert np.asarray(picture.convert("L")).std() > 5
    numbers = json.loads((target / "counts.json").read_text("utf-8"))
    assert numbers["rows"] == 40 and numbers["words_ko"]


def test_without_a_korean_font_labels_are_english_and_it_is_said(folder, monkeypatch, caplog):
    monkeypatch.setattr(charts, "korean_font", lambda: None)
    with caplog.at_level(logging.WARNING):
        target = draw_charts(folder, progress=False)
    assert {path.stem for path in target.glob("*.png")} == CHARTS - {"words_ko", "bigrams_ko"}
    assert "no Korean font" in caplog.text


def test_an_empty_column_is_named():
    with pytest.raises(ValueError, match="no column 'text': it has caption"):
        count([{"caption": "a red dress"}])


def test_a_shop_without_sleeves_has_empty_charts_not_errors(tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "metadata.jsonl").write_text(json.dumps({"text": "Gift card", "attributes": {"garments": []}}) + "\n")
    assert (draw_charts(folder, progress=False) / "sleeves.png").is_file()
    assert ExportSettings(folder, 1).size == 256


def test_words_of_every_field_of_the_lexicon_are_counted_whole():
    nouns = domain_nouns()
    assert {"민소매", "나시", "긴소매", "코튼", "새틴", "미니", "단추", "브이넥", "차콜", "아이보리"} <= set(nouns)
    for words in WORDS.values():
        for word in words:
            for name in {*word.ko, *word.loan} & set(nouns):
                assert split_words(f"{name} 원피스", "ko") == [name, "원피스"]
    assert split_words("코튼 셔츠와 코트", "ko") == ["코튼", "셔츠", "코트"]
    message = split_words("나시를 입은 긴소매 카키 코트디부아르", "ko")
    assert message == ["나시", "입다", "긴소매", "카키", "코트디부아르"]


@pytest.mark.parametrize("row", [
    {"text": "x", "attributes": {"garments": [{"kind": "spaceship"}]}},
    {"text": "x", "attributes": {"garments": [{}]}},
    {"text": "x", "attributes": {"garments": [{"kind": "dress", "color": "infrared"}]}},
])  # fmt: skip
def test_a_row_with_a_word_that_the_lexicon_lacks_is_named(tmp_path, capsys, row):
    (tmp_path / "set").mkdir()
    lines = [json.dumps({"text": "a hat", "attributes": {"garments": []}}), json.dumps(row)]
    (tmp_path / "set/metadata.jsonl").write_text("\n".join(lines), "utf-8")
    assert main(["stats", str(tmp_path / "set")]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and "row 2" in message
    assert not (tmp_path / "set-stats").exists()
