"""python -m diffusion.edit: what it takes from a picture's file, what it refuses, what it writes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from PIL import Image

from diffusion import edit
from diffusion.editing.request import GUIDED, RECOLORED
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.recipe import png_bytes, read_recipe
from testing.random_checkpoint import write_checkpoint, write_manifest


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


def test_an_edit_is_made_as_its_words_change(picture: Path, folder: Path, tmp_path: Path) -> None:
    """As in the studio, where the checkpoint names the domain whose words these are."""
    fashion = tmp_path / "fashion"
    shutil.copytree(folder, fashion)
    write_manifest(fashion, domain="fashion")
    asked = [str(picture), "--checkpoint", str(fashion), "-o"]
    assert edit.main([*asked, str(tmp_path / "color"), "--replace", "red=blue"]) == 0
    assert edit.main([*asked, str(tmp_path / "kind"), "--replace", "dress=coat"]) == 0
    assert edit.main([*asked, str(tmp_path / "ground"), "--prompt", "a red dress in a park"]) == 0
    assert edit.main([*asked, str(tmp_path / "given"), "--replace", "red=blue", "--strength", "0.7"]) == 0
    usual = read_recipe(picture)["settings"]["guidance_scale"]  # type: ignore[index]
    recipes = {name: read_recipe(next((tmp_path / name).iterdir())) for name in ("color", "kind", "ground", "given")}
    assert {name: recipe["edit"]["recolored"] for name, recipe in recipes.items()} == {  # type: ignore[index]
        "color": RECOLORED, "kind": 0.0, "ground": 0.0, "given": RECOLORED
    }  # fmt: skip
    assert {name: recipe["settings"]["guidance_scale"] for name, recipe in recipes.items()} == {  # type: ignore[index]
        "color": usual, "kind": usual, "ground": GUIDED, "given": usual
    }  # fmt: skip
    assert recipes["given"]["edit"]["strength"] == 0.7  # type: ignore[index]


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
