"""Statistics: every number right, heatmap rows sum to 1, Korean words by the analyser, no boxes for letters."""

import json
import logging

import numpy as np
import pytest
from PIL import Image

from fashion import charts
from fashion.__main__ import main
from fashion.captions import caption
from fashion.counting import count, domain_nouns, row_shares, split_words
from fashion.dataset import ExportSettings
from fashion.lexicon import COLORS, GARMENTS, SLEEVES, WORDS
from fashion.scene import scenes
from fashion.stats import draw_charts

CHARTS = {"garments", "colors", "patterns", "sleeves", "genders", "garment_color", "garment_sleeve", "gender_garment",
          "color_garment", "words_en", "words_ko", "bigrams_en", "bigrams_ko", "cloud_en", "cloud_ko"}  # fmt: skip


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
            assert np.asarray(picture.convert("L")).std() > 5 or path.stem in ("genders", "gender_garment")
    numbers = json.loads((target / "counts.json").read_text("utf-8"))
    assert numbers["rows"] == 40 and numbers["words_ko"]


def test_without_a_korean_font_labels_are_english_and_it_is_said(folder, monkeypatch, caplog):
    monkeypatch.setattr(charts, "korean_font", lambda: None)
    with caplog.at_level(logging.WARNING):
        target = draw_charts(folder, progress=False)
    assert {path.stem for path in target.glob("*.png")} == CHARTS - {"words_ko", "bigrams_ko", "cloud_ko"}
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


def labelled(number, categories, colors=17):
    """Rows with labels of their own, as DeepFashion's are: the first seven categories are met oftener."""
    return [
        {"file_name": f"{i}.png", "text": f"a category {i % categories} in color {i % colors}",
         "attributes": {"garments": [{"kind": "dress"}], "gender": ("female", "male")[i % 3 == 0],
                        "category": f"category {i % min(7, categories) if i >= 6 * categories else i % categories}",
                        "color": f"color {i % colors}", "sleeve": f"sleeve {i % 4}"}}
        for i in range(number)
    ]  # fmt: skip


def test_labels_of_a_data_set_are_counted_in_its_own_words():
    counts = count(labelled(30, 5))
    assert counts.genders == {"female": 20, "male": 10}
    assert counts.garments.total() == 30 and counts.garments["category 0"] == 6
    assert set(counts.sleeves) == {f"sleeve {i}" for i in range(4)} and not counts.patterns
    for pairs in (counts.gender_garment, counts.color_garment):
        table = row_shares(pairs, *(sorted({pair[side] for pair in pairs}) for side in (0, 1)))
        assert np.allclose(table.sum(axis=1), 1)


@pytest.mark.parametrize(("number", "language"), [(5, "en"), (500, "ko")])
def test_charts_fit_a_page_with_5_and_with_500_labels(tmp_path, number, language):
    """No side is longer than 2,000 pixels, and what is cut stands in one bar and one column more."""
    if charts.korean_font() is None:
        pytest.skip("no Korean font on this machine")
    folder = tmp_path / "set"
    folder.mkdir()
    lines = [json.dumps(row) for row in labelled(3900, number, colors=number)]
    (folder / "metadata.jsonl").write_text("\n".join(lines), "utf-8")
    target = draw_charts(folder, progress=False, language=language)
    assert {path.stem for path in target.glob("*.png")} == CHARTS
    for path in target.glob("*.png"):
        with Image.open(path) as picture:
            assert max(picture.size) <= 2300, f"{path.name} is {picture.size}"
    numbers = json.loads((target / "counts.json").read_text("utf-8"))
    assert len(numbers["garments"]) == number
    assert all(abs(sum(row.values()) - 1) < 1e-9 for row in numbers["color_garment"].values())


def test_a_heatmap_that_is_cut_still_sums_to_one(tmp_path, monkeypatch):
    tables = {}
    monkeypatch.setattr(charts, "heatmap", lambda table, rows, columns, title, path, nothing: tables.update(
        {path.stem: (table, columns)}))  # fmt: skip
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "metadata.jsonl").write_text("\n".join(json.dumps(row) for row in labelled(3900, 500)), "utf-8")
    draw_charts(folder, progress=False, language="en")
    table, columns = tables["gender_garment"]
    assert np.allclose(table.sum(axis=1), 1) and table.shape == (2, 25) and columns[-1] == "476 others"


def test_a_word_cloud_is_the_same_every_time_and_larger_words_are_more_frequent(tmp_path):
    for name in ("one.png", "two.png"):
        charts.word_cloud({"dress": 50, "coat": 5, "hat": 1}, tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
    with Image.open(tmp_path / "one.png") as picture:
        assert np.asarray(picture.convert("L")).std() > 5
