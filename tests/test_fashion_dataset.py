"""Export: an imagefolder that the datasets library opens, the same bytes again, and never half of one."""

import json

import numpy as np
import pytest
from PIL import Image

from fashion.__main__ import main
from fashion.captions import caption
from fashion.dataset import ExportSettings, export, read_metadata, scene_of
from fashion.drawing import draw
from fashion.scene import Scene
from fashion.whole_folder import whole_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return export(ExportSettings(tmp_path_factory.mktemp("data") / "set", count=6, seed=3, size=64), progress=False)


def test_rows_hold_picture_captions_and_truth(folder):
    rows = list(read_metadata(folder))
    assert len(rows) == 6
    for index, row in enumerate(rows):
        scene = Scene.from_dict(row["attributes"])
        assert scene == scene_of(ExportSettings(folder, 6, seed=3), index)
        assert row["text"] == caption(scene, "en", index).text
        assert row["text_ko"] == caption(scene, "ko", index).text
        with Image.open(folder / row["file_name"]) as picture:
            assert np.array_equal(np.asarray(picture), draw(scene, 64))


@pytest.mark.filterwarnings("default")  # the library's own
def test_the_datasets_library_opens_it(folder, tmp_path):
    from datasets import load_dataset

    opened = load_dataset("imagefolder", data_dir=str(folder), cache_dir=str(tmp_path), split="train")
    assert opened.column_names == ["image", "text", "text_ko", "attributes"]
    assert opened[0]["image"].size == (64, 64)
    assert len(opened) == 6 and opened[5]["attributes"]["garments"]


def test_workers_change_no_byte(folder, tmp_path):
    again = export(ExportSettings(tmp_path / "again", 6, seed=3, size=64, workers=2), progress=False)
    for path in sorted(folder.rglob("*.*")):
        assert (again / path.relative_to(folder)).read_bytes() == path.read_bytes()


def test_stopping_leaves_nothing(tmp_path, monkeypatch):
    def stop(job):
        raise KeyboardInterrupt

    monkeypatch.setattr("fashion.dataset._write_one", stop)
    assert main(["export", str(tmp_path / "set"), "--count", "2", "--size", "64"]) == 130
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_something_in_it_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("precious")
    assert main(["export", str(tmp_path), "--count", "1"]) == 2
    assert "not empty" in capsys.readouterr().err
    assert (tmp_path / "mine.txt").read_text() == "precious"
    with pytest.raises(NotADirectoryError, match="is a file"), whole_folder(tmp_path / "mine.txt"):
        pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "at least 1"),
        ({"size": 32}, "64 to 1024"),
        ({"split": "x"}, "held_out"),
        ({"workers": 0}, "workers"),
    ],
)
def test_settings_are_checked_when_made(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        ExportSettings(**{"folder": tmp_path, "count": 1, **settings})


def test_bad_metadata_is_named_with_its_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="export or prepare"):
        list(read_metadata(tmp_path))
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"text": "a"}) + "\n{oops\n")
    with pytest.raises(ValueError, match="line 2"):
        list(read_metadata(tmp_path))
