"""The command line: it saves pictures and nothing else, overwrites none, and sends Korean to the Korean command."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from diffusion.__main__ import main
from diffusion.pipeline import TwoStagePipeline
from diffusion.recipe import read_recipe
from testing.random_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("own"))


def test_draws_pictures_that_never_overwrite_each_other(checkpoint: Path, tmp_path: Path) -> None:
    arguments = ["A red, checkered dress!", "-n", "2", "--seed", "7", "-o", str(tmp_path / "out"), "--steps", "2"]
    for _ in range(2):
        assert main([*arguments, "--checkpoint", str(checkpoint)]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == [f"a-red-checkered-dress-{rest}.png" for rest in ("7-2", "7", "8-2", "8")]
    assert read_recipe(tmp_path / "out" / names[1])["seed"] == 7


def test_hangul_names_the_korean_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["빨간 원피스", "-o", str(tmp_path / "out")]) == 2
    assert 'python -m demo generate "빨간 원피스"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_value_out_of_range_and_a_missing_checkpoint_have_their_own_status(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["a dress", "-n", "11"]) == 2
    assert "n is 11" in capsys.readouterr().err
    assert main(["a dress", "--checkpoint", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert "not a checkpoint folder" in capsys.readouterr().err


def test_varies_a_picture_from_the_shell(checkpoint: Path, tmp_path: Path) -> None:
    common = ["--checkpoint", str(checkpoint), "--steps", "4", "--no-refine"]
    assert main(["a dress", "-o", str(tmp_path / "one"), *common]) == 0
    (source,) = (tmp_path / "one").iterdir()
    assert main(["a coat", "-o", str(tmp_path / "two"), "--source", str(source), "--strength", "0.5", *common]) == 0
    (varied,) = (tmp_path / "two").iterdir()
    assert read_recipe(varied)["source_sha256"] is not None


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (["--scheduler", "ddim"], "choose one of dpm"),
        (["--scheduler", "lcm"], "choose one of dpm"),
        (["--size", "40"], "multiple of 16"),
        (["--style", "ink"], "style 'ink' is not here"),
        (["--styles", "ink:0.5", "neon"], "style 'ink' is not here"),
        (["--seed", "-1"], "seed is -1"),
        (["--negative-prompt", "흐린"], '--negative "흐린"'),
        (["--source", "nowhere.png"], "nowhere.png"),
        (["--source", __file__], "cannot identify image file"),
    ],
)
def test_a_request_that_cannot_be_drawn_is_refused_in_one_line(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], asked: list[str], message: str
) -> None:
    assert main(["a dress", "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint), *asked]) == 2
    refused = capsys.readouterr().err
    assert message in refused
    assert refused.count("\n") == 1
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize(
    ("prompt", "said"),
    [("a dress <lora:ink:0.5>", "style 'ink' is not here"), ("a dress <lora:ink:9>", "a weight from -2 to 2"),
     ("a dress <lora:ink:much>", "a weight from -2 to 2")],
)  # fmt: skip
def test_a_tag_in_a_prompt_is_a_style(
    prompt: str, said: str, checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([prompt, "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint)]) == 2
    assert said in capsys.readouterr().err


def test_a_strength_that_leaves_no_step_is_refused(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 30), "red").save(tmp_path / "source.png")
    arguments = ["--source", str(tmp_path / "source.png"), "--steps", "4", "--strength", "0.1"]
    assert main(["a dress", "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint), *arguments]) == 2
    assert "leaves no step" in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_told_before_anything_is_drawn(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "out").write_text("a file")
    monkeypatch.setattr(TwoStagePipeline, "draw", None)
    assert main(["a dress", "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint)]) == 1
    assert main(["a dress", "-o", str(tmp_path / "out" / "deeper"), "--checkpoint", str(checkpoint)]) == 1


def test_an_interrupted_draw_writes_nothing_and_says_so(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TwoStagePipeline, "draw", interrupted)
    assert main(["a dress", "-o", str(tmp_path / "out"), "--checkpoint", str(checkpoint)]) == 130
    assert "nothing was written" in capsys.readouterr().err
    assert not list(tmp_path.glob("out/*"))
