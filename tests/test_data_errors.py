"""Wrong data ends a command with one line that names the file, and exit status 2: never with a traceback."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion import __main__ as fashion
from fashion.dataset import read_metadata
from ko_clip import evaluate, finetune, train
from ko_clip.imagefolder import Preprocessing, open_pairs, read_pairs


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "img").mkdir()
    Image.new("RGB", (40, 40)).save(tmp_path / "img/1.jpg")
    return tmp_path


def one_line(capsys: pytest.CaptureFixture, status: int, *message: str) -> None:
    error = capsys.readouterr().err
    assert status == 2 and error.startswith("error: ") and error.count("\n") == 1, error
    for text in message:
        assert text in error


@pytest.mark.parametrize(("name", "content", "message"), [
    ("a.csv", b'id,title\n1,"red dress\n', "a.csv has a quote that opens in line 2"),
    ("a.csv", b"\xff\x00\xb0\xff", "a.csv is neither UTF-8 nor CP949"),
    ("a.json", b"[" * 100_000, "a.json is neither JSON"), ("a.json", b'{"a": 1}', "the catalogue has a"),
    ("a.json", b"null", "a.json is not a list of products"), ("a.json", b"", "a.json is neither JSON"),
    ("a.xlsx", b"PK no workbook", "a.xlsx is no workbook"),
    ("a.jsonl", b'{"id": 1, "title": "x"}\n{', "no picture matches"),
])  # fmt: skip
def test_a_wrong_catalogue_is_one_line(
    shop: Path, capsys: pytest.CaptureFixture, name: str, content: bytes, message: str
) -> None:
    (shop / name).write_bytes(content)
    if name == "a.jsonl":
        (shop / "img/1.jpg").unlink()
    one_line(capsys, fashion.main(["prepare", str(shop / name), str(shop / "img"), str(shop / "out")]), message)
    assert not (shop / "out").exists()


@pytest.mark.parametrize(("content", "message"), [
    (b'{"text": "a"}\n{oops', "metadata.jsonl, line 2"), (b'["a"]\n', "line 1"), (b"\xff\xfe\xff", "metadata.jsonl"),
    (b'{"text": "a", "attributes": {"garments": [{"kind": "hat"}]}}', "row 1: garment 'hat'"),
    (b"", "metadata.jsonl is empty"), (b'{"caption": "a"}', "no column 'text'"),
])  # fmt: skip
def test_wrong_metadata_is_one_line(shop: Path, capsys: pytest.CaptureFixture, content: bytes, message: str) -> None:
    (shop / "img/metadata.jsonl").write_bytes(content)
    one_line(capsys, fashion.main(["stats", str(shop / "img")]), message)


def test_metadata_may_have_a_mark_blank_lines_and_separators_of_unicode(tmp_path: Path) -> None:
    rows = [{"text": "one\u2028two"}, {"text": "빨강"}]
    lines = "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (tmp_path / "metadata.jsonl").write_bytes(f"\ufeff{lines}\n\n".encode())
    assert list(read_metadata(tmp_path)) == rows
    (tmp_path / "metadata.jsonl").write_bytes(json.dumps(rows[1], ensure_ascii=False).encode("cp949"))
    assert list(read_metadata(tmp_path)) == rows[1:]


def test_commands_of_ko_clip_end_with_one_line(shop: Path, capsys: pytest.CaptureFixture) -> None:
    corpus = shop / "pairs.csv"
    corpus.write_text("ko,note\n빨강,메모\n", "utf-8")
    recipe = shop / "mine.yaml"
    recipe.write_text(f"teacher: {shop}/none\ncorpus: {corpus}\nrun: {shop}/run\n", "utf-8")
    one_line(capsys, train.main(["--config", str(recipe)]))
    recipe.write_text("teacher: [oops", "utf-8")
    one_line(capsys, train.main(["--config", str(recipe)]), "mine.yaml")
    one_line(capsys, evaluate.main(["--encoder", str(shop / "none"), "--pairs", str(corpus)]))
    one_line(capsys, finetune.main([str(shop), str(shop / "img"), "--out", str(shop / "out")]))
    one_line(capsys, train.main(["--config", str(shop)]))  # a folder


def test_settings_of_another_model_are_one_line_and_name_the_file(tmp_path: Path) -> None:
    for content in ('{"size": {"longest_edge": 3}}', "[1]", "{oops"):
        (tmp_path / "preprocessor_config.json").write_text(content)
        with pytest.raises(ValueError, match="preprocessor_config.json"):
            Preprocessing.of(tmp_path, 16)


@pytest.mark.parametrize("forms", [("NFC", "NFD"), ("NFD", "NFC")])
def test_finetuning_finds_pictures_in_either_unicode_form(tmp_path: Path, forms: tuple[str, str]) -> None:
    on_disk, written = (unicodedata.normalize(form, "원피스.png") for form in forms)
    Image.fromarray(np.tile(np.linspace(0, 65535, 32).astype(np.uint16), (32, 1))).save(tmp_path / on_disk)
    row = {"file_name": written, "text": "a \ud83d ramp"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row), "utf-8")
    assert read_pairs(tmp_path, ["text"])[0][0].texts == ("a  ramp",)
    store = open_pairs(tmp_path, ["text"], Preprocessing.of(tmp_path / "none", 16), tmp_path / "run")
    assert store.levels[0, 0, 0, 0] < 20 and store.levels[0, 0, -1, 0] > 235  # 16 bits of grey, and not white
