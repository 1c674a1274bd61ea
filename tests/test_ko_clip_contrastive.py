"""The English CLIP that ships: retrieval that shares credit, and a text tower that stays as it is when locked."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import pytest
import torch
from ko_clip_parts import facts
from safetensors.torch import load_file

from ko_clip import contrastive
from ko_clip.english import EnglishClipShape


def test_retrieval_counts_either_picture_of_a_caption_that_stands_twice() -> None:
    vectors = torch.eye(3, 8)[[0, 0, 1]]
    assert contrastive.retrieval(vectors, vectors, ["a", "a", "b"])["image_to_text_r1"] == 100.0
    assert contrastive.caption_groups(["a", "b", "a"]).tolist() == [0, 1, 0]


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a pool of four pictures and a small `checkpoints/clip` in it."""
    import fashion.pool

    folder = tmp_path_factory.mktemp("shipped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fashion.pool, "SHARD", 4)
        patch.setattr(contrastive, "TOKENIZER_CAPTIONS", 60)
        patch.setattr(contrastive, "EnglishClipShape", SmallShape)
        fashion.pool.PicturePool(folder / "pool", 4).fill()
        fashion.pool.PicturePool(folder / "pool", 4, seed=9, split="held_out").fill()
        contrastive.main(shipping(folder))
        yield folder


class SmallShape(EnglishClipShape):
    def __init__(self) -> None:
        super().__init__(text_width=32, text_layers=1, image_width=32, image_layers=1)


def shipping(folder: Path, *more: str) -> list[str]:
    return [
        "--steps", "2", "--batch", "2", "--pictures", "4", "--held-out", "4", "--pool", str(folder / "pool"),
        "--runs", str(folder / "runs"), "--checkpoints", str(folder / "checkpoints"), *more,
    ]  # fmt: skip


def test_a_locked_text_tower_ships_as_it_was_while_the_image_tower_learns(shipped: Path) -> None:
    part = shipped / "checkpoints" / "clip"
    before = load_file(part / "model.safetensors")
    contrastive.main(shipping(shipped, "--lock-text"))
    after = load_file(part / "model.safetensors")
    moved = {name for name, value in before.items() if not torch.equal(value, after[name])}
    assert not any(name.startswith("text_") for name in moved)
    assert moved >= {"visual_projection.weight", "vision_model.embeddings.patch_embedding.weight"}
    assert facts(part)["step"] == 2
    assert facts(part)["locked_steps"] == 2


def test_a_text_tower_that_scene_reading_taught_is_never_overwritten(
    shipped: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shutil.copytree(shipped / "checkpoints", tmp_path / "checkpoints")
    shutil.copytree(shipped / "pool", tmp_path / "pool")
    part = tmp_path / "checkpoints" / "clip"
    read = facts(part) | {"reading_steps": 5, "locked_steps": 0}  # another test may have locked and trained it already
    (part / "training.json").write_text(json.dumps(read), "utf-8")
    before = load_file(part / "model.safetensors")
    with caplog.at_level(logging.WARNING):
        contrastive.main(shipping(tmp_path))
    after = load_file(part / "model.safetensors")
    assert all(torch.equal(value, after[name]) for name, value in before.items() if name.startswith("text_model."))
    assert any(not torch.equal(before[name], after[name]) for name in before if name.startswith("vision_model."))
    assert facts(part)["reading_steps"] == 5 and "its text tower is locked" in caplog.text


def test_a_locked_run_beside_another_text_tower_is_refused(shipped: Path, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    shutil.copytree(shipped, tmp_path / "work")
    contrastive.main(shipping(tmp_path / "work", "--lock-text"))
    path = tmp_path / "work" / "checkpoints" / "clip" / "model.safetensors"
    save_file({name: value + 1 for name, value in load_file(path).items()}, path)
    with pytest.raises(ValueError, match="another text tower"):
        contrastive.main(shipping(tmp_path / "work", "--lock-text"))


def test_locking_needs_a_text_tower(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        contrastive.main(shipping(tmp_path, "--lock-text"))
    assert "train without it first" in capsys.readouterr().err
