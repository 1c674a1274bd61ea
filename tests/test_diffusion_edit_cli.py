"""python -m diffusion.edit: what it takes from a picture's file, what it refuses, what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from diffusion import edit
from diffusion.editing.request import RECOLORED, EditSettings, settings_for
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.recipe import png_bytes, read_recipe
from testing.random_checkpoint import write_checkpoint


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def picture(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    drawing = load_pipeline(folder).draw([Shot("a red dress", seed=7)], DrawSettings(steps=2))
    path = tmp_path_factory.mktemp("drawn") / "red.png"
    path.write_bytes(png_bytes(drawing.images[0], drawing.recipes[0]))
    return path


def test_a_picture_knows_its_text_its_seed_and_its_settings(picture: Path) -> None:
    order = edit.parse([str(picture), "--replace", "red=blue", "--replace", "dress=coat", "-n", "2"])
    first, second = order.shots
    assert (first.source_prompt, first.prompt) == ("a red dress", "a blue coat")
    assert (first.seed, second.seed, first.source_seed) == (7, 8, 7) and order.settings.steps == 2


def test_edits_are_written_beside_each_other_with_their_recipes(picture: Path, folder: Path, tmp_path: Path) -> None:
    asked = [str(picture), "--replace", "red=blue", "-o", str(tmp_path), "--checkpoint", str(folder)]
    assert edit.main(asked) == 0 and edit.main(asked) == 0
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["a-blue-dress-7-2.png", "a-blue-dress-7.png"]
    assert read_recipe(tmp_path / names[1])["edit"]["source_prompt"] == "a red dress"  # type: ignore[index]


def test_an_edit_is_made_as_its_words_change(picture: Path) -> None:
    """As the studio makes it, whose reader knows by itself what the words change."""

    def parsed(*said: str) -> edit.EditOrder:
        return edit.parse([str(picture), "--replace", "red=blue", *said])

    assert parsed().how == EditSettings()
    assert parsed("--changes", "color").how == settings_for({"color"})
    assert parsed("--changes", "style").how == settings_for({"style"}) and parsed("--changes", "style").shots[0].whole
    given = parsed("--changes", "color", "--strength", "0.7", "--keep", "0.5").how
    assert (given.strength, given.keep, given.recolored) == (0.7, 0.5, RECOLORED)
    assert parsed("--changes", "color", "--method", "flow").how == EditSettings(method="flow")


def test_what_cannot_be_edited_is_refused(picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    bare = tmp_path / "bare.png"
    Image.new("RGB", (64, 64)).save(bare)
    for asked, said in (
        ([str(bare), "--replace", "red=blue"], "--source-prompt"),
        ([str(picture)], "say what to change"),
        ([str(picture), "--replace", "green=blue"], "'green' is not a word of 'a red dress'"),
        ([str(picture), "--prompt", "파란 원피스"], "python -m demo edit"),
        ([str(picture), "--replace", "red=blue", "--keep", "3"], "keep is 3"),
        ([str(tmp_path / "none.png"), "--replace", "a=b"], "none.png"),
    ):
        assert edit.main(asked) == 2
        assert said in capsys.readouterr().err
