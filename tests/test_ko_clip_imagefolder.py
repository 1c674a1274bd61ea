"""Pairs of an imagefolder and their pictures, as an image tower reads them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from test_ko_clip_finetune import write_rows

from ko_clip import contrastive
from ko_clip.imagefolder import Preprocessing, open_pairs, read_pairs


def test_a_folder_of_unreadable_pictures_is_an_error(tmp_path: Path) -> None:
    write_rows(tmp_path, [{"file_name": "gone.png", "text": "red"}])
    with pytest.raises(ValueError, match="no picture that can be read"):
        open_pairs(tmp_path, ["text"], Preprocessing.of(tmp_path, 16), tmp_path / "run")


def test_rows_of_one_picture_are_one_pair_so_that_no_picture_is_on_both_sides(tmp_path: Path) -> None:
    rows = [{"file_name": "a.png", "text": "red", "text_ko": "빨강"}, {"file_name": "a.png", "text": "crimson"}]
    write_rows(tmp_path, [*rows, {"file_name": "b.png", "text": " "}])
    pairs, left_out = read_pairs(tmp_path, ["text", "text_ko"])
    assert [pair.texts for pair in pairs] == [("red", "빨강", "crimson")]
    assert left_out == ["row 3: no text"]


def test_pictures_are_prepared_as_transformers_prepares_them(tmp_path: Path) -> None:
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    theirs = CLIPImageProcessorPil(size={"shortest_edge": 20}, crop_size={"height": 16, "width": 16})
    theirs.save_pretrained(tmp_path)
    ours = Preprocessing.of(tmp_path, 16)
    levels = np.random.default_rng(0).integers(0, 256, (37, 50, 3), dtype=np.uint8)
    for picture in (Image.fromarray(levels), Image.fromarray(levels.transpose(1, 0, 2).copy())):
        expected = theirs(images=picture, return_tensors="pt")["pixel_values"]
        assert torch.allclose(ours.pixels(ours.crop(picture)[None]), expected, atol=1e-5)


def test_without_settings_pictures_go_in_from_minus_one_to_one_as_the_shipped_clip_reads_them(tmp_path: Path) -> None:
    levels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    ours = Preprocessing.of(tmp_path, 16)
    seen = ours.pixels(ours.crop(Image.fromarray(levels))[None])
    shipped = torch.nn.functional.interpolate(contrastive.to_tensor(levels[None]), size=(16, 16), mode="area")
    assert torch.allclose(seen, shipped, atol=1 / 127)


def test_settings_that_do_not_fit_the_tower_are_answered(tmp_path: Path) -> None:
    (tmp_path / "preprocessor_config.json").write_text('{"size": 224, "crop_size": 224}', "utf-8")
    with pytest.raises(ValueError, match="reads 16"):
        Preprocessing.of(tmp_path, 16)
