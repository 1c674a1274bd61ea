"""A folder of pictures with prompts: what can be read goes in, and what cannot is named."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from demo.studio.importing import read_folder


def folder_of(path: Path, *names: str, **texts: bytes) -> Path:
    """Pictures of these names, and files of these contents ("__" is a dot)."""
    path.mkdir(parents=True, exist_ok=True)
    for name in names:
        Image.new("RGB", (32, 32), "red").save(path / name)
    for name, content in texts.items():
        (path / name.replace("__", ".")).write_bytes(content)
    return path


def read(folder: Path) -> tuple[list[str], dict[str, str]]:
    examples, skipped = read_folder(folder)
    return [example.prompt for example in examples], dict(skipped)


def lines(*rows: object) -> bytes:
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def test_one_bad_row_is_named_and_the_others_go_in(tmp_path: Path) -> None:
    good = {"file_name": "a.png", "text": "빨간 원피스"}
    rows = lines(good, {"file_name": "b.png", "text": ""}, {"text": "모자"}, ["x"]) + b"\n{oops\n\n" + lines(
        {"file_name": "gone.png", "text": "모자"}, {"file_name": "../out.png", "text": "모자"},
        {"file_name": "b.png", "text": "파란 모자"},
    )  # fmt: skip
    folder = folder_of(tmp_path / "in", "a.png", "b.png", metadata__jsonl=rows)
    Image.new("RGB", (8, 8)).save(tmp_path / "out.png")
    prompts, skipped = read(folder)
    assert prompts == ["빨간 원피스", "파란 모자"]
    assert skipped.keys() == {
        "metadata.jsonl line 2", "metadata.jsonl line 3", "metadata.jsonl line 4", "metadata.jsonl line 5", "gone.png",
        "../out.png",
    }  # fmt: skip
    assert skipped["metadata.jsonl line 2"] == "has no text for b.png"
    assert skipped["../out.png"] == "lies outside the folder"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16"])
def test_texts_are_read_in_the_encodings_of_korean_desktops(tmp_path: Path, encoding: str) -> None:
    table = "file_name,text\r\na.png,빨간 원피스\r\n".encode(encoding)
    assert read(folder_of(tmp_path / "csv", "a.png", metadata__csv=table)) == (["빨간 원피스"], {})
    beside = {"a__txt": "빨간 원피스".encode(encoding), "b__txt": "파란 모자".encode()}
    assert read(folder_of(tmp_path / "txt", "a.png", "b.png", **beside)) == (["빨간 원피스", "파란 모자"], {})


def test_a_text_that_no_encoding_reads_stops_no_other(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png", "b.png", "c.png", a__txt="모자".encode(), b__txt=b"\xb0\xff\x00\xff")
    prompts, skipped = read(folder)
    assert prompts == ["모자"]
    assert skipped == {
        "b.png": "b.txt is neither UTF-8 nor CP949: save it as UTF-8", "c.png": "has no c.txt beside it",
    }  # fmt: skip


def test_by_files_of_macos_are_no_pictures(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png", a__txt="모자".encode())
    for name in ("._a.png", "._a.txt"):
        (folder / name).write_bytes(b"\0\5\x16\7\xb0")
    assert read(folder) == (["모자"], {})


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_names_meet_in_either_unicode_form(tmp_path: Path, forms: tuple[str, str]) -> None:
    on_disk, written = (unicodedata.normalize(form, "원피스") for form in forms)
    listing = lines({"file_name": f"{written}.png", "text": "모자"})
    assert read(folder_of(tmp_path / "1", f"{on_disk}.png", metadata__jsonl=listing))[0] == ["모자"]
    folder = folder_of(tmp_path / "2", f"{on_disk}.png")
    (folder / f"{written}.txt").write_text("모자", "utf-8")
    assert read(folder)[0] == ["모자"]


def test_a_torn_row_of_a_table_is_named_by_its_line(tmp_path: Path) -> None:
    table = b"file_name,text\na.png,red dress\na.png,blue, but torn\n"
    prompts, skipped = read(folder_of(tmp_path, "a.png", metadata__csv=table))
    assert prompts == ["red dress"] and "metadata.csv line 3" in skipped


def test_columns_that_nobody_knows_are_answered_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="metadata.jsonl has the columns file_name, words: one of text_ko, prompt"):
        read_folder(folder_of(tmp_path, "a.png", metadata__jsonl=lines({"file_name": "a.png", "words": "x"})))


def test_a_picture_larger_than_an_upload_is_not_read(tmp_path: Path) -> None:
    folder = folder_of(tmp_path, "a.png", a__txt=b"hat", b__txt=b"bag")
    with (folder / "b.png").open("wb") as file:
        file.truncate(11 * 2**20)
    assert read(folder) == (["hat"], {"b.png": "too_large"})
