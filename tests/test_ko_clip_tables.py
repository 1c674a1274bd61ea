import json
import tracemalloc
import unicodedata
import zipfile

import pytest

from ko_clip import json_rows
from ko_clip.corpora import store
from ko_clip.recipe import CorpusRecipe
from ko_clip.tables import Report, read_pairs

ROWS = [
    ("빨간 원피스를 그려 주세요", "please draw a red dress"),
    ("파란 모자", "a blue hat"),
    ("하얀 치마", "a white skirt"),
]


# UTF-8 for more than the first million bytes, then CP949
LATE = b"ko,en,note\n" + f"빨간 모자,a red hat,{'-' * 999}\n".encode() * 1100 + "모자".encode("cp949")


def rows_of(path, **options):
    return list(read_pairs(path, Report(), **options))


def csv_text(header="원문,번역문"):
    return header + "\n" + "\n".join(f"{ko},{en}" for ko, en in ROWS) + "\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_a_csv_is_read_in_any_of_its_usual_encodings(tmp_path, encoding):
    path = tmp_path / "pairs.csv"
    path.write_bytes(csv_text().encode(encoding))
    assert rows_of(path) == ROWS


def test_an_excel_workbook_of_ai_hub_is_read(tmp_path):
    from openpyxl import Workbook

    book = Workbook()
    book.active.append(["SID", "원문", "번역문", "Google 번역"])
    for number, (ko, en) in enumerate(ROWS):
        book.active.append([number, ko, en, "machine translated"])
    book.save(tmp_path / "1_구어체(1).xlsx")
    assert rows_of(tmp_path / "1_구어체(1).xlsx") == ROWS


def test_columns_are_found_by_their_script_where_their_names_say_nothing(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("number,a,b\n" + "\n".join(f"{i},{en},{ko}" for i, (ko, en) in enumerate(ROWS)), "utf-8")
    assert rows_of(path) == ROWS


def test_json_with_nested_lists_and_keys_is_read(tmp_path):
    path = tmp_path / "pairs.json"
    data = {
        "info": {"title": "x"},
        "data": [{"sn": str(i), "text": {"ko": k, "en": e}} for i, (k, e) in enumerate(ROWS)],
    }
    path.write_text(json.dumps(data, ensure_ascii=False), "utf-8")
    assert rows_of(path) == ROWS


def test_the_longest_list_of_a_json_is_read_an_object_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(json_rows, "_BLOCK", 7)  # so that everything breaks off somewhere
    pairs = [{"ko": ko, "en": f'{en}, "said [{{" \\'} for ko, en in ROWS]
    data = {"by": ["x", [1, 2]], "licences": [{"name": "["}], "data": [{"n": 1, "said": pairs}, {"n": 2, "said": []}]}
    for value in (data, {"rows": pairs, "licences": [{"a": 1}]}, pairs):
        (tmp_path / "pairs.json").write_text(json.dumps(value, indent=1), "utf-8")
        assert rows_of(tmp_path / "pairs.json") == [(pair["ko"], pair["en"]) for pair in pairs]


def test_json_lines_and_tsv_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"korean": k, "english": e}) for k, e in ROWS), "utf-8")
    (tmp_path / "b.tsv").write_text("ko\ten\n" + "\n".join(f"{k}\t{e}" for k, e in ROWS), "utf-8")
    assert rows_of(tmp_path / "a.jsonl") == rows_of(tmp_path / "b.tsv") == ROWS
    assert rows_of(tmp_path) == ROWS  # a folder of both: the second file's pairs were seen before


def test_a_zip_with_korean_names_written_as_cp949_is_read(tmp_path):
    path = tmp_path / "corpus.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("aabbcc.csv", csv_text().encode("cp949"))
    path.write_bytes(path.read_bytes().replace(b"aabbcc", "말뭉치".encode("cp949")))
    report = Report()
    assert list(read_pairs(path, report)) == ROWS
    assert report.files == ["corpus.zip/말뭉치.csv"]


def test_a_zip_member_is_streamed_and_may_be_a_workbook_or_a_zip(tmp_path):
    from openpyxl import Workbook

    book, inner = Workbook(), zipfile.ZipFile(tmp_path / "inner.zip", "w")
    for row in (("원문", "번역문"), *ROWS[:1]):
        book.active.append(row)
    book.save(tmp_path / "book.xlsx")
    with inner:
        inner.writestr("rows.json", json.dumps([{"ko": ROWS[1][0], "en": ROWS[1][1]}]))
    with zipfile.ZipFile(tmp_path / "corpus.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(tmp_path / "book.xlsx", "1.xlsx")
        archive.write(tmp_path / "inner.zip", "2.zip")
        archive.writestr("3.csv", "ko,en,note\n" + f"하얀 치마,a white skirt,{'-' * 10_000}\n" * 1600)
    tracemalloc.start()
    assert rows_of(tmp_path / "corpus.zip") == ROWS
    assert tracemalloc.get_traced_memory()[1] < 8e6  # the third member has 16 MB
    tracemalloc.stop()


def test_pairs_are_nfc_single_spaced_and_unique(tmp_path):
    path = tmp_path / "pairs.tsv"
    ko = unicodedata.normalize("NFD", "빨간  모자")
    path.write_text(f"ko\ten\n{ko}\ta  red\u200b hat\n빨간 모자\ta red hat\n", "utf-8")
    report = Report()
    assert list(read_pairs(path, report)) == [("빨간 모자", "a red hat")]
    assert report.skipped == {"seen before": 1}


def test_the_report_says_what_was_skipped_and_why(tmp_path):
    path = tmp_path / "pairs.tsv"
    bad = ["\tno korean", "모자\t모자", "hat\ta hat", "모자\t" + "very " * 40 + "long"]
    path.write_text("ko\ten\n" + "\n".join(f"{k}\t{e}" for k, e in ROWS * 2) + "\n" + "\n".join(bad) + "\n", "utf-8")
    report = Report()
    assert len(list(read_pairs(path, report))) == 3
    assert report.read == 10 and report.kept == 3
    assert set(report.skipped) == {
        "seen before", "one side empty", "no Korean on the Korean side", "no English on the English side",
        "lengths do not match",
    }  # fmt: skip
    assert "10 rows read, 3 kept" in report.summary()


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "is empty: give a table"),
        ("ko,en\n", {}, "has no rows: give a table"),
        ("원문,비고\n빨간 모자,메모\n파란 치마,메모\n", {}, "no column of English.*원문, 비고; name it with `en:`, or"),
        ("a,b\nred hat,note\n", {}, "no column of Korean"),
        (csv_text(), {"ko": "한글"}, "no column '한글': it has 원문, 번역문"),
        (csv_text(), {"encoding": "ascii"}, "is not ascii: name its encoding"),
    ],
)
def test_a_wrong_table_gets_an_error_that_says_the_cure(tmp_path, text, options, message):
    path = tmp_path / "pairs.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message):
        rows_of(path, **options)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("late.csv", LATE, "late.csv is not utf-8 after row 1[0-9]{3}: name its encoding"),
        ("quote.csv", b'ko,en\n"' + b"a" * 200_000, "close the quote there"),
        ("cut.json", b'[{"ko": "\xeb\xaa\xa8\xec\x9e\x90", "en": "hat"}, {"ko": "', "cut.json is not JSON.*copy it"),
        ("none.json", b"{}", "none.json holds no list of pairs: give a list of objects"),
        ("line.jsonl", b'{"ko": "a"}\n{', "line.jsonl line 2 is not JSON.*mend it there"),
        ("a.zip", b"PK not a zip", "a.zip is no zip or a damaged one.*copy it again"),
        ("a.xlsx", b"PK not a workbook", "a.xlsx is damaged.*copy it again"),
        ("pairs.txt", b"hello", "a corpus is .xlsx, .csv.*save it as one of them"),
    ],
)
def test_a_damaged_file_is_named_with_the_cure(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        rows_of(tmp_path / name)


def test_a_zip_without_tables_says_what_it_holds(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("읽어보기.hwp", "x")
    with pytest.raises(ValueError, match="holds no .xlsx.* file, but 읽어보기.hwp"):
        rows_of(tmp_path / "a.zip")


def test_a_stored_corpus_gives_back_its_rows_and_is_read_once(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text(csv_text(), "utf-8")
    recipe = CorpusRecipe(path=str(path), korean_share=1.0)
    corpus = store(recipe, tmp_path / "store")
    assert [corpus.texts(i) for i in range(len(corpus))] == ROWS
    before = (tmp_path / "store/texts.utf8").stat().st_mtime_ns
    assert store(recipe, tmp_path / "store").identity == corpus.identity
    assert (tmp_path / "store/texts.utf8").stat().st_mtime_ns == before


@pytest.mark.parametrize(("rows", "held"), [(7, 0), (25, 3), (100, 12), (1000, 100)])
def test_rows_held_out_are_none_of_those_trained_on(tmp_path, rows, held):
    path = tmp_path / "pairs.tsv"
    path.write_text("ko\ten\n" + "".join(f"모자 {i}\thats {i}\n" for i in range(rows)), "utf-8")
    trained, kept = (store(CorpusRecipe(path=str(path)), tmp_path / "store", part) for part in ("training", "held_out"))
    texts = [{corpus.texts(i) for i in range(len(corpus))} for corpus in (trained, kept)]
    assert [len(each) for each in texts] == [rows - held, held]
    assert not texts[0] & texts[1]


def test_a_missing_corpus_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="check the path, or mark it optional"):
        store(CorpusRecipe(path=str(tmp_path / "none.csv")), tmp_path / "store")


def test_storing_many_pairs_takes_little_memory(tmp_path):
    path = tmp_path / "many.tsv"
    with path.open("w", encoding="utf-8") as file:
        file.write("ko\ten\n")
        for i in range(20_000):
            file.write(f"빨간 체크무늬 원피스 {i}\ta red checkered dress number {i}\n")
    tracemalloc.start()
    corpus = store(CorpusRecipe(path=str(path)), tmp_path / "store")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(corpus) == 20_000
    assert peak < 20_000 * 300  # at most 300 bytes a pair, the set of seen pairs included
