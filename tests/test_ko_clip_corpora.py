"""Corpora as they really come: what a file gets wrong is read right, or named with its file and row."""

from __future__ import annotations

import io
import json
import logging
import unicodedata
import zipfile
from pathlib import Path

import pytest
import yaml
from openpyxl import Workbook

from ko_clip.columns import is_machine_translation
from ko_clip.corpora import store
from ko_clip.recipe import CorpusRecipe
from ko_clip.tables import Report, clean, read_pairs

PAIRS = [("빨간 원피스", "a red dress"), ("파란 모자", "a blue hat"), ("하얀 치마", "a white skirt")]


def read(path: Path, **options: str) -> tuple[list[tuple[str, str]], Report]:
    report = Report()
    return list(read_pairs(path, report, **options)), report


def workbook(path: Path, *sheets: tuple[str, list[tuple[object, ...]]], changes: dict[str, str] | None = None) -> Path:
    """A workbook of (title, rows); `changes` are put into the XML of its sheets, as other programs write it."""
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets:
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    out = io.BytesIO()
    book.save(out)
    with zipfile.ZipFile(out) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode("utf-8", "surrogateescape")
            for before, after in (changes or {}).items() if "sheet" in name or "shared" in name else ():
                content = content.replace(before, after)
            new.writestr(name, content.encode("utf-8", "surrogateescape"))
    return path


ROWS: list[tuple[object, ...]] = [("원문", "번역문"), *PAIRS]


@pytest.mark.parametrize("stated", ["A1", "A1:B2"])
def test_a_workbook_is_read_to_its_last_row_whatever_size_it_states(tmp_path: Path, stated: str) -> None:
    changes = {
        '<dimension ref="A1:B4"/>': f'<dimension ref="{stated}"/>',
        '<dimension ref="A1:B4" />': f'<dimension ref="{stated}"/>',
    }
    path = workbook(tmp_path / "a.xlsx", ("Sheet", ROWS), changes=changes)
    with zipfile.ZipFile(path) as archive:
        assert f'ref="{stated}"' in archive.read("xl/worksheets/sheet1.xml").decode()
    assert read(path)[0] == PAIRS


def test_escapes_of_excel_are_their_characters(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx",
        ("Sheet", ROWS),
        changes={"빨간 원피스": "빨간_x000D_\n원피스", "a red dress": "a_x000D_ red dress"},
    )
    assert read(path)[0] == PAIRS


def test_an_error_cell_is_no_translation(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", ("Sheet", [*ROWS, ("노란 비니", "#N/A"), ("#REF!", "a green bag"), ("#NAME?", "#VALUE!")])
    )
    pairs, report = read(path)
    assert pairs == PAIRS
    assert report.places == {"one side empty": ["a.xlsx [Sheet] row 5", "a.xlsx [Sheet] row 6"]}


def test_every_sheet_has_its_own_header_and_a_sheet_of_remarks_is_said(tmp_path: Path) -> None:
    path = workbook(
        tmp_path / "a.xlsx", ("앞", ROWS[:2]), ("설명", [("항목", "값"), ("버전", "1.0")]), ("빈", []),
        ("뒤", [("번호", "English", "한국어"), (1, PAIRS[1][1], PAIRS[1][0])]), ("끝", [PAIRS[2]]),
    )  # fmt: skip
    pairs, report = read(path)
    assert pairs == PAIRS[:2]
    assert {name: (found.ko, found.en) for name, found in report.columns.items()} == {
        "a.xlsx [앞]": ("원문", "번역문"), "a.xlsx [뒤]": ("한국어", "English"),
    }  # fmt: skip
    assert set(report.left_out) == {"a.xlsx [설명]", "a.xlsx [빈]", "a.xlsx [끝]"}
    assert "a.xlsx [설명] has no column of English" in report.summary()


def test_a_table_without_a_header_loses_no_row(tmp_path: Path) -> None:
    path = workbook(tmp_path / "a.xlsx", ("Sheet", list(PAIRS)))
    pairs, report = read(path)
    assert pairs == PAIRS
    assert report.columns["a.xlsx [Sheet]"].header_is_pair


@pytest.mark.parametrize("machine", ["mt", "MT", "en_mt", "Google 번역", "기계번역문", "papago"])
def test_a_machine_translation_is_never_taken_for_the_human_one(tmp_path: Path, machine: str) -> None:
    rows = [{"ko": ko, machine: f"machine said: {en}", "en": en} for ko, en in PAIRS]
    (tmp_path / "a.json").write_text(json.dumps({"data": rows}, ensure_ascii=False), "utf-8")
    pairs, report = read(tmp_path / "a.json")
    assert pairs == PAIRS
    assert report.columns["a.json"].machine_translations == (machine,)
    for row in rows:
        del row["en"]
    (tmp_path / "a.json").write_text(json.dumps({"data": rows}, ensure_ascii=False), "utf-8")
    with pytest.raises(ValueError, match="is machine translation: ask for it with `en:` if it is meant"):
        read(tmp_path / "a.json")
    assert len(read(tmp_path / "a.json", en=machine)[0]) == 3


@pytest.mark.parametrize("human", ["mtpe", "format", "Comment", "번역문", "empty"])
def test_names_that_only_look_like_it_are_no_machine_translation(human: str) -> None:
    assert not is_machine_translation(human)


def test_of_two_columns_the_report_names_the_one_taken_and_the_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text("ko,번역문,en\n" + "".join(f"{k},{e} (draft),{e}\n" for k, e in PAIRS), "utf-8")
    with caplog.at_level(logging.INFO):
        corpus = store(CorpusRecipe(path=str(tmp_path / "a.csv"), korean_share=1), tmp_path / "store")
    assert corpus.texts(0) == PAIRS[0]
    assert "Korean is ko, English is en, not 번역문" in caplog.text
    report = json.loads((tmp_path / "store/report.json").read_text("utf-8"))
    assert report["columns"]["a.csv"]["others"] == ["번역문"]


def test_links_to_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    corpora, elsewhere = tmp_path / "corpora", tmp_path / "elsewhere"
    for folder, (ko, en) in ((corpora, PAIRS[0]), (elsewhere, PAIRS[1])):
        folder.mkdir()
        (folder / f"{folder.name}.csv").write_text(f"ko,en\n{ko},{en}\n", "utf-8")
    (corpora / "linked").symlink_to(elsewhere)
    (corpora / "again").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(corpora)
    (corpora / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    pairs, report = read(corpora)
    assert sorted(pairs) == sorted(PAIRS[:2])
    assert not report.skipped  # nothing was met twice
    recipe, kept = CorpusRecipe(path=str(corpora), korean_share=1), tmp_path / "store"
    assert len(store(recipe, kept)) == 2
    (elsewhere / "more.csv").write_text(f"ko,en\n{PAIRS[2][0]},{PAIRS[2][1]}\n", "utf-8")
    assert len(store(recipe, kept)) == 3  # what lies behind a link has changed


def test_by_files_of_macos_and_excel_are_no_corpora(tmp_path: Path) -> None:
    names = ["._a.csv", "~$a.xlsx", ".~lock.a.csv#", "__MACOSX/말/._a.csv", ".DS_Store"]
    text = "ko,en\n" + "".join(f"{k},{e}\n" for k, e in PAIRS)
    for name in names:
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(b"\0\5\x16\7\0\2\0\0\xb0")
    (tmp_path / "folder/a.csv").write_text(text, "utf-8")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for name in names:
            archive.writestr(name, b"\0\5\x16\7\0\2\0\0\xb0")
        archive.writestr(unicodedata.normalize("NFD", "말뭉치/a.csv"), text)
    for path, called in ((tmp_path / "folder", "a.csv"), (tmp_path / "a.zip", "a.zip/말뭉치/a.csv")):
        pairs, report = read(path)
        assert (pairs, report.files) == (PAIRS, [called])


def test_a_zip_of_macos_without_the_flag_has_its_names_in_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("aabbccddee.csv", "ko,en\n빨간 원피스,a red dress\n")
    path.write_bytes(path.read_bytes().replace(b"aabbccddee", "말뭉치".encode() + b"1"))
    assert read(path)[1].files == ["a.zip/말뭉치1.csv"]


@pytest.mark.parametrize("text", [
    "ko,en\r빨간 원피스,a red dress\r파란 모자,a blue hat\r하얀 치마,a white skirt\r",
    "\ufeff\n\n ko , en \n빨간 원피스,a red dress\n\n파란 모자,a blue hat\n,\n하얀 치마,a white skirt",
    'ko,en\n빨간 원피스,"a red dress"\n파란 모자,"a" blue hat\n하얀 치마,a white skirt,,,\n',
    "ko;en;note\n빨간 원피스;a red dress\n파란 모자;a blue hat;x\n하얀 치마;a white skirt;\n",
])  # fmt: skip
def test_a_csv_of_any_office_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.csv").write_bytes(text.encode())
    pairs, report = read(tmp_path / "a.csv")
    assert (pairs, report.skipped) == (PAIRS, {})


def test_a_torn_row_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(
        "ko,en\n빨간 원피스,a red dress\n파란 모자,a hat, blue\n하얀 치마,a white skirt\n", "utf-8"
    )
    pairs, report = read(tmp_path / "a.csv")
    assert pairs == [PAIRS[0], PAIRS[2]]
    assert report.places == {"torn row": ["a.csv line 3"]}
    assert "has 3 cells and the header 2" in report.examples["torn row"]


def test_a_quote_that_is_never_closed_swallows_nothing_silently(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('ko,en\n빨간 원피스,"a red dress\n파란 모자,a blue hat\n', "utf-8")
    with pytest.raises(ValueError, match="a.csv has a quote that opens in line 2 and is never closed"):
        read(tmp_path / "a.csv")


def test_a_field_longer_than_pythons_own_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(f"ko,en,note\n빨간 원피스,a red dress,{'a' * 300_000}\n", "utf-8")
    assert read(tmp_path / "a.csv")[0] == PAIRS[:1]


def test_two_columns_of_one_name_are_both_there(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("번역문,원문,번역문\n,빨간 원피스,a red dress\n", "utf-8")
    assert read(tmp_path / "a.csv", ko="원문", en="번역문 (2)")[0] == PAIRS[:1]


def test_lines_of_json_end_only_with_their_lines(tmp_path: Path) -> None:
    note = "one\u2028two\u0085three\u2029four"
    lines = [json.dumps({"ko": k, "en": e, "note": note}, ensure_ascii=False) for k, e in PAIRS]
    (tmp_path / "a.jsonl").write_bytes(("\ufeff" + "\r\n\r\n".join(lines)).encode())
    assert read(tmp_path / "a.jsonl")[0] == PAIRS


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_half_a_surrogate_pair_stops_no_training(tmp_path: Path, suffix: str) -> None:
    row = '{"ko": "빨간 \\ud83d 원피스", "en": "a red \\udc00 dress"}'
    (tmp_path / f"a.{suffix}").write_text(f"[{row}]" if suffix == "json" else row, "utf-8")
    corpus = store(CorpusRecipe(path=str(tmp_path / f"a.{suffix}"), korean_share=1), tmp_path / "store")
    assert "원피스" in corpus.texts(0)[0]
    assert clean("빨간 \ud83d 모자") == "빨간 모자"


def test_lists_of_one_place_are_one_corpus_and_longer_lists_of_other_things_are_none(tmp_path: Path) -> None:
    documents = [
        {"title": "x", "tags": [{"n": 1}] * 9, "sentences": [{"ko": ko, "mt": "machine", "en": en}]} for ko, en in PAIRS
    ]
    data = {"info": {"year": 2024, "authors": [{"name": "a"}] * 20}, "paragraph": documents}
    (tmp_path / "a.json").write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    assert read(tmp_path / "a.json")[0] == PAIRS


def test_the_shipped_recipes_read_every_form_that_their_document_promises(tmp_path: Path) -> None:
    for name in ("sd15-sdxl", "sd2"):
        recipe = yaml.safe_load(Path(f"ko_clip/config/{name}.yaml").read_text("utf-8"))
        corpus = next(corpus for corpus in recipe["corpora"] if corpus["path"] == "corpora/aihub-ko-en")
        folder = tmp_path / name
        folder.mkdir()
        workbook(folder / "구어체.xlsx", ("Sheet", [("SID", "원문", "번역문"), (1, *PAIRS[0])]))
        (folder / "b.csv").write_bytes(f"ko,en\n{PAIRS[1][0]},{PAIRS[1][1]}\n".encode("cp949"))
        rows = {"data": [{"sn": "1", "ko": PAIRS[2][0], "mt": "white skirt machine", "en": PAIRS[2][1]}]}
        with zipfile.ZipFile(folder / "c.zip", "w") as archive:
            archive.writestr("c.json", json.dumps(rows))
        report = Report()
        pairs = list(read_pairs(folder, report, corpus.get("ko"), corpus.get("en"), corpus.get("encoding")))
        assert sorted(pairs) == sorted(PAIRS)
