"""DeepFashion's Fashion Synthesis files become imagefolder rows: exact pictures, right indices, clear errors."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from deepfashion_files import (
    COLORS,
    FakeDeepFashion,
    cells,
    picture,
    write_encrypted_zip,
    write_pictures,
    write_version_5,
    write_version_7_3,
)
from PIL import Image
from scipy.io import savemat

from fashion.__main__ import main
from fashion.data.archives import PASSWORD
from fashion.data.deepfashion import TABLE
from fashion.dataset import read_metadata

WRITERS = {"version 5": write_version_5, "version 7.3": write_version_7_3}
ROOT = Path(__file__).parent.parent


def files(folder: Path, data: FakeDeepFashion | None = None, scale: str = "signed") -> Path:
    """A whole small data set in version 5."""
    data = data or FakeDeepFashion()
    folder.mkdir(parents=True, exist_ok=True)
    write_version_5(folder, data)
    write_pictures(folder / "G2.h5", [picture(i) for i in range(data.count)], scale)
    return folder


def rows_of(out: Path) -> list[dict]:
    return list(read_metadata(out))


def levels_of(out: Path, row: dict) -> np.ndarray:
    return np.asarray(Image.open(out / row["file_name"]), dtype=int)


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("scale", ["mean", "signed", "unit", "bytes"])
def test_pictures_labels_and_splits_are_read_from_both_versions(
    write: Callable[[Path, FakeDeepFashion], None], scale: str, tmp_path: Path
) -> None:
    data, source, out = FakeDeepFashion(), tmp_path / "data", tmp_path / "out"
    source.mkdir()
    write(source, data)
    write_pictures(source / "G2.h5", [picture(i) for i in range(data.count)], scale)
    assert main(["deepfashion", str(source), str(out)]) == 0
    rows = rows_of(out)
    assert [row["text"] for row in rows] == data.captions
    assert [row["source"] for row in rows] == data.sources
    for i, row in enumerate(rows):
        assert np.abs(levels_of(out, row) - picture(i)).max() <= 1, f"picture {i} of scale {scale}"
        attributes = row["attributes"]
        assert attributes["codes"] == {
            "gender": i % 2, "sleeve": i % 3 + 1, "category": i % 3 + 1, "color": i % 4 + 1,
        }  # fmt: skip
        assert attributes["gender"] == ("female", "male")[i % 2]
        assert attributes["color"] == COLORS[i % 4]
        assert attributes["sleeve"] == ("sleeveless", "short", "long")[i % 3]
        assert attributes["category"] == ("blouse", "dress", "tee")[i % 3]
        assert row["split"] == ("test" if (i + 1) % 4 == 0 else "train")


def test_captions_are_given_in_korean_too_where_they_name_a_garment(tmp_path: Path) -> None:
    assert main(["deepfashion", str(files(tmp_path / "data")), str(tmp_path / "out")]) == 0
    row = rows_of(tmp_path / "out")[1]
    assert row["text_ko"] == "파란 반팔 원피스"
    assert row["attributes"]["garments"][0]["kind"] == "dress"


def test_the_table_has_a_line_for_every_picture_with_names_and_codes(tmp_path: Path) -> None:
    assert main(["deepfashion", str(files(tmp_path / "data")), str(tmp_path / "out"), "--limit", "5"]) == 0
    with (tmp_path / "out" / TABLE).open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 5 == len(rows_of(tmp_path / "out"))
    assert table[3] | {"text": ""} == {
        "index": "3", "file_name": "images/000003.png", "split": "test", "text": "", "gender": "male",
        "sleeve": "sleeveless", "category": "blouse", "color": "black", "gender_code": "1", "sleeve_code": "1",
        "category_code": "1", "color_code": "4", "source": "img/Some_Blouse/img_00000003.jpg",
    }  # fmt: skip


def test_the_folder_opens_as_an_imagefolder_with_all_rows(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets")
    main(["deepfashion", str(files(tmp_path / "data")), str(tmp_path / "out")])
    loaded = datasets.load_dataset("imagefolder", data_dir=str(tmp_path / "out"), cache_dir=str(tmp_path / "cache"))
    assert loaded["train"].num_rows == 24 and loaded["train"][3]["split"] == "test"


def test_codes_out_of_range_are_called_unknown_and_codes_without_a_name_by_their_number(tmp_path: Path) -> None:
    data = FakeDeepFashion(8)
    data.codes["color_"][0], data.codes["sleeve_"][0], data.codes["gender_"][0] = 99, 9, 7
    assert main(["deepfashion", str(files(tmp_path / "data", data)), str(tmp_path / "out")]) == 0
    first, second = (row["attributes"] for row in rows_of(tmp_path / "out")[:2])
    assert (first["color"], first["sleeve"], first["gender"]) == ("unknown (99)", "unknown (9)", "unknown (7)")
    assert second["color"] == "color 2"  # two captions say nothing certain


def test_labels_json_beside_the_data_names_codes(tmp_path: Path) -> None:
    source = files(tmp_path / "data")
    (source / "labels.json").write_text('{"color": {"2": "navy"}}', "utf-8")
    assert main(["deepfashion", str(source), str(tmp_path / "out")]) == 0
    assert rows_of(tmp_path / "out")[1]["attributes"]["color"] == "navy"


@pytest.mark.parametrize("text", ["{", "[1]", '{"color": {"two": "navy"}}', '{"color": "navy"}'])
def test_a_labels_json_of_another_form_is_named_with_the_right_one(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = files(tmp_path / "data")
    (source / "labels.json").write_text(text, "utf-8")
    assert 'labels.json must be {"color": {"3": "navy"}}' in refused(source, tmp_path / "out", capsys)


def test_no_photograph_is_trained_and_tested_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = FakeDeepFashion()
    data.sources[5] = data.sources[3]  # another row of a photograph that is tested on
    source = files(tmp_path / "data", data)
    savemat(source / "ind.mat", {"test_ind": [[4], [8]], "train_ind": np.arange(1, 21)[:, None]})
    assert main(["deepfashion", str(source), str(tmp_path / "out")]) == 0
    rows = rows_of(tmp_path / "out")
    sides = {split: {row["source"] for row in rows if row["split"] == split} for split in ("train", "test")}
    assert len(sides["test"]) == 2 and not sides["train"] & sides["test"]
    assert len(rows) == 19
    assert "4 that no index names, 1 further rows of photographs of the test set" in capsys.readouterr().out


def test_without_train_ind_the_rest_is_trained_on(tmp_path: Path) -> None:
    source = files(tmp_path / "data")
    savemat(source / "ind.mat", {"test_ind": [[2, 3]]})
    assert main(["deepfashion", str(source), str(tmp_path / "out")]) == 0
    assert [row["split"] for row in rows_of(tmp_path / "out")][:4] == ["train", "test", "test", "train"]


def test_files_below_the_folder_are_found(tmp_path: Path) -> None:
    source = files(tmp_path / "data")
    for name, below in (("G2.h5", "supervision_signals"), ("ind.mat", "benchmark")):
        (source / below).mkdir()
        (source / name).rename(source / below / name)
    assert main(["deepfashion", str(source), str(tmp_path / "out")]) == 0


# --- what is missing or damaged -------------------------------------------------------------------------------------


def refused(folder: Path, out: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """The one line of an error; nothing was written."""
    assert main(["deepfashion", str(folder), str(out)]) == 2
    message = capsys.readouterr().err
    assert message.count("\n") == 1 and not out.exists()
    assert not list(out.parent.glob(".deepfashion*")) and not list(out.parent.glob(f".{out.name}*"))
    return message


@pytest.mark.parametrize("name", ["language_original.mat", "ind.mat", "G2.h5"])
def test_a_missing_file_is_named_with_the_cure(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files(tmp_path / "data")
    (source / name).unlink()
    message = refused(source, tmp_path / "out", capsys)
    assert name in message and "copy it from the data set" in message


@pytest.mark.parametrize("name", ["language_original.mat", "ind.mat", "G2.h5"])
@pytest.mark.parametrize("keep", [0, 100, 0.5])
@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
def test_a_damaged_file_is_named_with_the_cure(
    name: str, keep: float, write: Callable[[Path, FakeDeepFashion], None], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    source = files(tmp_path / "data")
    write(source, FakeDeepFashion())
    content = (source / name).read_bytes()
    (source / name).write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    message = refused(source, tmp_path / "out", capsys)
    assert name in message and "copy it again" in message


def test_damage_that_hdf5_raises_anything_for_is_told_of_its_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = files(tmp_path / "data") / "G2.h5"
    path.write_bytes(path.read_bytes().replace(b"HEAP", b"HOAP", 1))  # the heap of its names
    message = refused(tmp_path / "data", tmp_path / "out", capsys)
    assert "G2.h5 is damaged" in message and "copy it again" in message


def test_a_file_whose_reader_ends_its_process_is_named_with_the_cure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader is a stand-in that ends itself by a signal, as a crash does."""
    source, stand_in = files(tmp_path / "data"), tmp_path / "stand-in" / "scipy"
    stand_in.mkdir(parents=True)
    (stand_in / "__init__.py").touch()
    (stand_in / "io.py").write_text(
        "import os, signal\n\ndef whosmat(path):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(stand_in.parent))
    message = refused(source, tmp_path / "out", capsys)
    assert "language_original.mat is damaged" in message and "copy it again" in message


def test_pictures_that_are_no_numbers_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files(tmp_path / "data")
    with h5py.File(source / "G2.h5", "r+") as file:
        file["ih"][7, 0, 3, 3] = np.nan
    assert "picture 7 holds values that are no numbers" in refused(source, tmp_path / "out", capsys)


def test_files_of_different_lengths_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files(tmp_path / "data")
    write_pictures(source / "G2.h5", [picture(i) for i in range(7)])
    message = refused(source, tmp_path / "out", capsys)
    assert "G2.h5 has 7 pictures" in message and "describes 24" in message


def test_an_index_from_zero_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files(tmp_path / "data")
    savemat(source / "ind.mat", {"test_ind": [[0], [3]]})
    assert "test_ind has index 0: 1 to 24 are expected" in refused(source, tmp_path / "out", capsys)


def test_a_missing_variable_is_named_beside_those_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = files(tmp_path / "data")
    savemat(source / "language_original.mat", {"engJ": cells(["a dress"] * 24), "nameList": cells(["a.jpg"] * 24)})
    message = refused(source, tmp_path / "out", capsys)
    assert "has no variable gender_, sleeve_, cate_new, color_; it has engJ, nameList" in message


def test_values_that_say_nothing_of_their_scale_are_asked_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = files(tmp_path / "data")
    with h5py.File(source / "G2.h5", "r+") as file:
        file["ih"][...] = file["ih"][...] * 100
    message = refused(source, tmp_path / "out", capsys)
    assert "values from -100 to 100 and no ih_mean" in message and "--scale signed, unit, bytes" in message


# --- archives -------------------------------------------------------------------------------------------------------


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    """A data set whose pictures are in an archive with the password "prada"."""
    source = files(tmp_path / "data", FakeDeepFashion(8))
    content = (source / "G2.h5").read_bytes()
    (source / "G2.h5").unlink()
    write_encrypted_zip(source / "G2.zip", "release/G2.h5", content, "prada")
    return source


def test_an_archive_is_unpacked_with_the_password_of_the_environment(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSWORD, "prada")
    assert main(["deepfashion", str(sealed), str(tmp_path / "out")]) == 0
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 8 and np.abs(levels_of(tmp_path / "out", rows[5]) - picture(5)).max() <= 1
    assert not list(tmp_path.glob(".deepfashion*")) and not (sealed / "G2.h5").exists()


@pytest.mark.parametrize(("password", "said"), [
    (None, "is encrypted: put the password that the data set's owners gave you into the environment variable"),
    ("gucci", "is not its password"),
])  # fmt: skip
def test_a_password_that_is_missing_or_wrong_is_told(
    password: str | None, said: str, sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.delenv(PASSWORD, raising=False)
    if password:
        monkeypatch.setenv(PASSWORD, password)
    message = refused(sealed, tmp_path / "out", capsys)
    assert said in message and PASSWORD in message
    assert "gucci" not in message


@pytest.mark.parametrize("keep", [0, 60, 0.5])
def test_a_damaged_archive_is_named_with_the_cure(
    keep: float, sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD, "prada")
    content = (sealed / "G2.zip").read_bytes()
    (sealed / "G2.zip").write_bytes(content[: int(keep * len(content)) if keep < 1 else int(keep)])
    message = refused(sealed, tmp_path / "out", capsys)
    assert "G2.zip is damaged or no zip archive" in message and "copy it again" in message


def test_an_archive_with_one_damaged_byte_is_named(
    sealed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(PASSWORD, "prada")
    content = bytearray((sealed / "G2.zip").read_bytes())
    content[len(content) // 2] ^= 0xFF
    (sealed / "G2.zip").write_bytes(content)
    message = refused(sealed, tmp_path / "out", capsys)
    assert "G2.zip is damaged, or DEEPFASHION_PASSWORD is not its password" in message


# --- size -----------------------------------------------------------------------------------------------------------


@pytest.mark.timeout(1800)  # writing the files takes longer than reading them
def test_the_real_size_is_streamed_in_less_than_500_mb(tmp_path: Path) -> None:
    """78,979 captions, and an `ih` of 15.5 GB of which 5,000 pictures (983 MB as float32) are read."""
    source, count, limit = tmp_path / "data", 78_979, 5_000
    source.mkdir()
    write_version_5(source, FakeDeepFashion(count))
    with h5py.File(source / "G2.h5", "w") as file:  # chunks never written take no space and read as the fill value
        file.create_dataset("ih", (count, 3, 128, 128), np.float32, chunks=(1, 3, 128, 128), fillvalue=-0.2)
    program = "import sys; from fashion.__main__ import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", program, "deepfashion", str(source), str(tmp_path / "out"), "--limit", str(limit)]
    measured = (
        "import json, resource, subprocess, sys\n"
        "status = subprocess.run(json.loads(sys.argv[1])).returncode\n"
        "print(status, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    run = subprocess.run(
        [sys.executable, "-c", measured, json.dumps(command)], cwd=ROOT, capture_output=True, text=True
    )
    status, kilobytes = map(int, run.stdout.split()[-2:])
    assert status == 0, run.stderr
    assert kilobytes / 1024 < 500, f"{kilobytes / 1024:.0f} MB"
    assert len(rows_of(tmp_path / "out")) == limit
