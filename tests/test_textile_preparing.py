"""A table of crops becomes pictures of 224 px in twelve turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from textile.preparing import CropRow, prepare, read_table, variations

HEAD = "Class Name,URL,Original Width,Original Height,Crop X,Crop Y,Crop Width,Crop Height,Scales"


def table(folder: Path, *rows: str) -> Path:
    path = folder / "table.csv"
    path.write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    return path


def test_every_scale_is_turned_twelve_times(tmp_path: Path) -> None:
    Image.new("RGB", (400, 300), (200, 30, 40)).save(tmp_path / "red.jpg")
    path = table(tmp_path, "solid,https://example.org/a/red.jpg?size=1,400,300,10,20,320,250,1.0;1.5")
    done = prepare(path, tmp_path, tmp_path / "out")
    assert (done.written, done.left_out) == (24, ())
    files = sorted((tmp_path / "out" / "solid").iterdir())
    for file in files:
        with Image.open(file) as picture:
            assert picture.size == (224, 224)
    assert [file.stem.rsplit("-", 1)[1] for file in files[:12]] == [f"{turn:03d}" for turn in range(0, 360, 30)]


def test_the_crop_is_centred_and_turned_about_its_middle() -> None:
    picture = np.zeros((400, 400, 3), np.uint8)
    picture[100:300, 100:300] = 255
    picture[195:205, 195:205] = (255, 0, 0)
    row = CropRow("a", "solid", (400, 400), (100, 100, 200, 200), (1.6,))
    for _, _, shown in variations(Image.fromarray(picture), row):
        middle = np.asarray(shown)[104:120, 104:120].astype(int)
        assert middle[..., 0].min() > 200 and middle[..., 1].mean() < 150


def test_a_picture_of_another_size_is_cut_in_proportion() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    picture[:, 100:] = 255
    row = CropRow("a", "solid", (400, 400), (200, 0, 200, 400), (2.3,))
    _, _, shown = next(variations(Image.fromarray(picture), row))
    assert np.asarray(shown)[:, 112].min() == 255


def test_a_small_crop_leaves_no_corner_black() -> None:
    row = CropRow("a", "solid", (90, 90), (0, 0, 90, 90), (1.0,))
    for _, turn, shown in variations(Image.new("RGB", (90, 90), (200, 180, 160)), row):
        assert np.asarray(shown).min() > 150, turn


def test_pictures_are_found_by_name_or_by_row_and_missing_ones_are_told(tmp_path: Path) -> None:
    Image.new("RGB", (50, 50)).save(tmp_path / "00001.png")
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    rows = (f"solid,https://example.org/{name}.jpg,50,50,0,0,50,50,7" for name in ("x", "gone", "broken"))
    done = prepare(table(tmp_path, *rows), tmp_path, tmp_path / "out")
    assert done.written == 12
    assert [reason.split(":")[0] for reason in done.left_out] == ["gone", "broken"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("solid,u,400,300,a,0,10,10,1", "row 2: Crop X is 'a'"), ("solid,u,400,300,0,0,10,10,1;x", "row 2: Scales"),
        ("solid,u,400,300,0,0,0,10,1", "more than 0"), ("../up,u,400,300,0,0,10,10,1", "Class Name"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_table(table(tmp_path, row))


def test_another_table_is_refused_with_the_columns(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n", encoding="utf-8")
    with pytest.raises(ValueError, match="no column 'Class Name'"):
        read_table(path)


def test_a_folder_without_any_of_the_pictures_is_an_error(tmp_path: Path) -> None:
    path = table(tmp_path, "solid,https://example.org/x.jpg,50,50,0,0,50,50,1")
    with pytest.raises(FileNotFoundError, match="none of the 1 pictures"):
        prepare(path, tmp_path, tmp_path / "out")
