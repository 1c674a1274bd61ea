"""A CLIP teacher is known by its text tower: the image tower may learn on, another text tower is another teacher."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from ko_clip_parts import make_clip
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from diffusion.weights import text_fingerprint
from ko_clip import teachers
from ko_clip.recipe import HeadRecipe
from ko_clip.teachers import file_hash, fingerprint


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A text tower with its projection, and beside it what a whole CLIP's file holds."""
    folder = make_clip(tmp_path / "clip")
    rest = {"vision_model.embeddings.class_embedding": torch.zeros(8), "logit_scale": torch.ones(())}
    path = folder / "model.safetensors"
    save_file({**load_file(path), **rest, "text_model.embeddings.position_ids": torch.arange(77)[None]}, path)
    return folder


def changed(folder: Path, name: str) -> Path:
    """A copy whose tensor `name` is another."""
    copy = folder.with_name(f"other-{name}")
    shutil.copytree(folder, copy)
    path = copy / "model.safetensors"
    tensors = load_file(path)
    key = next(key for key in tensors if key.endswith(name))
    save_file({**tensors, key: tensors[key] + 1}, path)
    return copy


@pytest.mark.parametrize("name", ["class_embedding", "text_projection.weight", "position_ids"])
def test_what_is_not_the_text_tower_may_change(clip: Path, name: str) -> None:
    other = changed(clip, name)
    assert fingerprint(other) == fingerprint(clip)
    assert file_hash(other) != file_hash(clip)  # what was kept of its outputs is not used again


def test_another_text_tower_is_another_teacher(clip: Path) -> None:
    assert fingerprint(changed(clip, "final_layer_norm.bias")) != fingerprint(clip)


def test_the_tower_alone_and_inside_a_clip_is_one_teacher_and_checkpoints_say_so_too(
    clip: Path, tmp_path: Path
) -> None:
    CLIPTextModel.from_pretrained(clip, dtype=torch.float32).save_pretrained(tmp_path / "alone")
    marks = {fingerprint(clip), fingerprint(tmp_path / "alone")}
    marks |= {text_fingerprint(clip), text_fingerprint(tmp_path / "alone")}
    assert len(marks) == 1


def test_the_encoder_that_ships_belongs_to_the_clip_that_ships() -> None:
    from ko_clip.model import KoClipConfig

    checkpoints = Path(__file__).parents[1] / "checkpoints"
    specs = KoClipConfig.from_pretrained(checkpoints / "korean").head_specs()
    assert {specs[name].teacher for name in ("base", "refiner")} == {fingerprint(checkpoints / "clip")}


def test_lengths_are_counted_once_and_only_the_last_ones_kept(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teacher = teachers.ClipTeacher(clip, {"base": HeadRecipe(str(clip))})
    monkeypatch.setattr(teachers, "_KEPT_LENGTHS", 2)
    texts = ["a red dress", "a hat", "a red dress", ""]
    first = teacher.lengths(texts)
    assert first[0] == first[2] > first[3] == 2
    assert teacher.lengths(["a blue coat", *texts]).tolist()[1:] == first.tolist()
    assert teacher.lengths(["a red dress " * 60]).tolist() == [77]
