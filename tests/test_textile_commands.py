"""The commands that learn from a newcomer's own files, as documented, and what they say of files they cannot use."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fashion.drawing import draw
from fashion.scene import sample_scene
from textile.__main__ import main

ROOT = Path(__file__).parent.parent
HEAD = "Class Name,URL,Original Width,Original Height,Crop X,Crop Y,Crop Width,Crop Height,Scales"
PALETTE = np.array([(240, 232, 214), (30, 60, 130)], np.uint8)


def cloth(period: int, round_: bool) -> np.ndarray:
    """A photo of dots or of checks, (300, 400, 3) uint8, grainy as cloth is."""
    y, x = np.mgrid[0:300, 0:400] % period / period - 0.5
    shown = np.hypot(x, y) < 0.3 if round_ else (x < 0) ^ (y < 0)
    grain = np.random.default_rng(period).integers(-9, 10, (300, 400, 1))
    return (PALETTE[shown.astype(int)] + grain).clip(0, 255).astype(np.uint8)


def a_table(folder: Path) -> Path:
    """A table in the clothing-pattern data set's form, and the pictures that it lists."""
    (folder / "pictures").mkdir()
    lines = [HEAD]
    for name, label, period, round_ in (("a", "dotted", 40, True), ("b", "checkered", 50, False)):
        Image.fromarray(cloth(period, round_)).save(folder / "pictures" / f"{name}.jpg")
        lines.append(f"{label},https://example.org/{name}.jpg,400,300,20,10,340,280,1.0;1.3")
    (folder / "clothingDataset.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def type_line(line: str, folder: Path) -> str:
    """Run a line of the documents in a fresh process; returns what it printed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "RUNS_DIR": str(folder / "runs")}
    command = [sys.executable, *line.split()[1:]]
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, f"{line}\n{run.stdout[-2000:]}\n{run.stderr[-2000:]}"
    return run.stdout


@pytest.mark.slow
def test_a_newcomer_comes_from_a_table_to_patterns_of_their_own(tmp_path: Path) -> None:
    a_table(tmp_path)
    said = type_line("python -m textile prepare clothingDataset.csv pictures cloth", tmp_path)
    assert "wrote 48 pictures to cloth, left out 0 rows" in said
    said = type_line("python -m textile train cloth --drawn 0 --steps 40 --batch 8 --out out/textile", tmp_path)
    assert "python -m textile pattern checkered --weights out/textile" in said
    type_line("python -m textile pattern 체크무늬 --weights out/textile -n 3 -o out/checks", tmp_path)
    files = sorted((tmp_path / "out/checks").glob("checkered-*.png"))
    shown = [np.asarray(Image.open(file), np.float32) for file in files]
    assert [picture.shape for picture in shown] == [(128, 128, 3)] * 3
    assert min(picture.std() for picture in shown) > 10  # something is on it


@pytest.mark.slow
def test_a_newcomer_comes_from_photos_to_masks_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    lines = ["file_name\tgarment"]
    for i in range(12):
        Image.fromarray(draw(sample_scene(i, "train"), 192)).save(folder / f"dress_{i}.jpg")
        lines.append(f"dress_{i}.jpg\tdress")
    (folder / "labels.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    type_line(f"python -m fashion.pool {tmp_path}/runs/pool --count 256", tmp_path)
    type_line("python -m textile train-masks photos --pictures 256 --minutes 0.2 --out out/textile", tmp_path)
    said = type_line("python -m textile mask photos/dress_0.jpg --weights out/textile -o mask.png", tmp_path)
    assert "of the picture is garment" in said
    with Image.open(tmp_path / "mask.png") as mask:
        assert mask.size == (192, 192)


def refused(line: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command says of files that it cannot use, in one line, with status 2."""
    assert main(line.split()[3:]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ") and said.count("\n") == 1
    return said


def test_a_folder_without_cloth_is_refused_before_anything_is_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("textile.training.cloth_set.draw_cloth", lambda *_: pytest.fail("it was drawn for nothing"))
    own, out = tmp_path / "own", f"--out {tmp_path / 'out'} --runs {tmp_path / 'runs'}"
    assert "own is not there: name a folder of folders" in refused(f"python -m textile train {own} {out}", capsys)
    (own / "checkered").mkdir(parents=True)
    assert "holds no picture in a folder of its category" in refused(f"python -m textile train {own} {out}", capsys)
    Image.new("RGB", (60, 60)).save(own / "a.png")  # beside the folders
    assert "holds no picture in a folder of its category" in refused(f"python -m textile train {own} {out}", capsys)
    (own / "checkered" / "b.png").write_bytes(b"no picture")
    said = refused(f"python -m textile train {own} --drawn 0 {out}", capsys)
    assert "b.png" in said


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("file\tpattern\na.jpg\tdotted\n", "has no column 'file_name': it needs file_name and pattern"),
        ("file_name\tpattern\n", "has no row"),
        ("file_name\tpattern\na.jpg\ttweed\n", "row 2: pattern is 'tweed': use one of checkered, dotted"),
        ("file_name\tpattern\na.jpg\tdotted\n", "row 2: the picture 'a.jpg' is not in"),
    ],
)
def test_a_table_of_close_ups_that_cannot_be_used_is_refused_with_its_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], table: str, said: str
) -> None:
    (tmp_path / "labels.tsv").write_text(table, encoding="utf-8")
    line = f"python -m textile train --fabric {tmp_path} --out {tmp_path / 'out'} --runs {tmp_path / 'runs'}"
    assert said in refused(line, capsys)


def test_a_table_of_photos_is_refused_as_one_of_close_ups_is(tmp_path: Path) -> None:
    from textile.training.garment_photos import cut_photos

    with pytest.raises(FileNotFoundError, match=r"labels\.tsv is not there.*file_name, garment"):
        cut_photos(tmp_path, 10, frozenset())
    (tmp_path / "labels.tsv").write_text("file_name\tgarment\na.jpg\tkimono\n", encoding="utf-8")
    with pytest.raises(ValueError, match="row 2: garment is 'kimono': use one of t-shirt"):
        cut_photos(tmp_path, 10, frozenset())


def test_prepare_names_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"python -m textile prepare {tmp_path}/t.csv {tmp_path}/pictures {tmp_path}/out"
    assert "t.csv" in refused(line, capsys)
    (tmp_path / "t.csv").write_text(HEAD + "\n", encoding="utf-8")
    assert "has no row below its columns" in refused(line, capsys)
    (tmp_path / "t.csv").write_text(f"{HEAD}\nsolid,u,40,30,0,0,40,30,1\n", encoding="utf-8")
    assert "pictures is not there: name the folder" in refused(line, capsys)
    (tmp_path / "pictures").mkdir()
    assert "none of the 1 pictures" in refused(line, capsys)


def test_cloth_of_two_folders_is_not_mixed_up(tmp_path: Path) -> None:
    from textile.training.cloth_set import ClothSource

    for name in ("one", "two"):
        (tmp_path / name / "dots").mkdir(parents=True)
        Image.fromarray(cloth(40, True)).save(tmp_path / name / "dots" / "a.png")
    first, second = (ClothSource(3, own=tmp_path / name).mark() for name in ("one", "two"))
    assert first != second and first == ClothSource(3, own=tmp_path / "one").mark()
    Image.fromarray(cloth(50, True)).save(tmp_path / "one" / "dots" / "b.png")
    assert ClothSource(3, own=tmp_path / "one").mark() not in (first, second)
