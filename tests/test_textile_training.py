"""Cloth to learn from, and trainings that go on where they stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from textile.categories import CATEGORY_IDS
from textile.patterns import PatternGenerator
from textile.training.cloth_batches import ClothBatches
from textile.training.cloth_set import ClothSource, make_cloth, weave_bank
from textile.training.drawn_cloth import draw_cloth
from textile.training.generator import PatternTraining, train_generator
from textile.training.real_cloth import photos, tile_of_photo
from training.schedule import TrainerSettings


@pytest.mark.parametrize("category", CATEGORY_IDS)
@pytest.mark.parametrize("colors", [1, 2, 3, 4])
def test_drawn_cloth_shows_no_more_layers_than_colours(category: str, colors: int) -> None:
    cloth = draw_cloth(category, 3, colors)
    assert cloth.shape == (64, 64, 3) and cloth.dtype == np.uint8
    assert cloth.astype(int).sum(axis=2).max() <= 258  # layers share a pixel; three are rounded
    assert not cloth[..., colors - 1 :].any()
    assert np.array_equal(cloth, draw_cloth(category, 3, colors))


@pytest.mark.parametrize("category", [id for id in CATEGORY_IDS if id != "solid"])
def test_two_seeds_draw_two_cloths_with_something_on_each(category: str) -> None:
    first, second = draw_cloth(category, 1, 3), draw_cloth(category, 2, 3)
    assert first.any() and second.any() and not np.array_equal(first, second)


LINES = ("stripes", "checkered", "zigzag", "dancheong")  # a line often begins at the edge


@pytest.mark.parametrize("category", [id for id in CATEGORY_IDS if id != "solid"])
def test_the_edges_of_drawn_cloth_meet(category: str) -> None:
    """Neighbours across the edge differ as neighbours inside do: on average, of lines as the sharpest of them."""
    across, usual, sharpest = np.zeros((3, 24))
    for place in range(24):
        cloth = np.moveaxis(draw_cloth(category, place // 2, 3).astype(float), place % 2, 0)
        inside = np.abs(np.diff(cloth, axis=0)).mean(axis=(1, 2))
        across[place] = np.abs(cloth[0] - cloth[-1]).mean()
        usual[place], sharpest[place] = inside.mean(), inside.max()
    assert across.mean() <= (1.05 * sharpest.mean() if category in LINES else 2 * usual.mean())


def test_weaves_repeat_every_eight_pixels() -> None:
    bank = weave_bank()
    assert np.allclose(bank, np.roll(bank, (8, 8), (1, 2)))
    assert np.abs(bank).max() <= 1 and np.abs(bank.mean(axis=(1, 2))).max() < 1e-3


def striped(folder: Path) -> Path:
    """A photo of red stripes on white, of a period that the photo's sides do not divide."""
    y, x = np.mgrid[0:200, 0:230]
    picture = np.where((x // 17 % 2)[..., None] == 0, (235, 230, 220), (170, 30, 40)).astype(np.uint8)
    picture[y % 2 == 0] -= 12
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture).save(folder / "a.png")
    return folder / "a.png"


def test_a_photo_is_cut_where_its_edges_meet(tmp_path: Path) -> None:
    with Image.open(striped(tmp_path)) as picture:
        cloth, light = tile_of_photo(picture, 0, 2, 64)
    assert cloth.shape == (64, 64, 3) and light.shape == (64, 64)
    share = cloth[..., 0].mean() / 255
    assert 0.3 < share < 0.6 and not cloth[..., 1:].any()


def test_close_ups_of_one_cloth_are_in_one_split(tmp_path: Path) -> None:
    rows = ["file_name\tpattern", *(f"dotted_{i:05d}.jpg\tdotted" for i in range(80))]
    (tmp_path / "labels.tsv").write_text("\n".join(rows), encoding="utf-8")
    for i in range(80):
        (tmp_path / f"dotted_{i:05d}.jpg").touch()
    found = photos(tmp_path)
    splits = [photo.split for photo in found]
    assert set(splits) == {"generator", "classifier", "test"}
    assert all(len(set(splits[i : i + 8])) == 1 for i in range(0, 80, 8))
    assert {photo.category for photo in found} == {"dots"}


def test_ones_own_folders_are_read_by_any_name_of_their_category(tmp_path: Path) -> None:
    striped(tmp_path / "own" / "줄무늬")
    cloth = make_cloth(tmp_path / "arrays", ClothSource(0, own=tmp_path / "own"))
    assert {CATEGORY_IDS[number] for number in cloth.category} == {"stripes"}
    (tmp_path / "own" / "tweed").mkdir()
    with pytest.raises(ValueError, match="'tweed' names no category"):
        make_cloth(tmp_path / "arrays", ClothSource(0, own=tmp_path / "own"))


def test_no_cloth_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no cloth to learn from"):
        make_cloth(tmp_path, ClothSource(0))


def test_a_training_goes_on_exactly_and_writes_a_generator(tmp_path: Path) -> None:
    cloth = make_cloth(tmp_path / "cloth", ClothSource(4))

    def train(name: str, steps: int, minutes: float | None = None) -> PatternGenerator:
        settings = TrainerSettings(steps=steps, minutes=minutes, ema=0.5)
        return train_generator(
            PatternTraining(tmp_path / name, tmp_path / f"{name}-out", settings, batch=4, fitted=40, critic_steps=2),
            cloth,
        )

    at_once = train("whole", 3)
    stopped = train("parts", 3, minutes=1e-6)  # one step
    assert stopped.network.shape.forms > at_once.network.shape.forms  # none was tried
    train("parts", 3, minutes=1e-6)
    again = train("parts", 3)
    for name, value in at_once.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name]), name
    loaded = PatternGenerator.load(tmp_path / "whole-out")
    assert loaded.sample("checkered", None, [1]).shape == (1, 128, 128, 3)


def test_every_category_comes_as_often(tmp_path: Path) -> None:
    batches = ClothBatches(make_cloth(tmp_path, ClothSource(2)))
    numbers = torch.cat([batches.at(step, 26).category for step in range(20)])
    assert torch.bincount(numbers, minlength=13).min() > 15
    assert torch.equal(batches.at(5, 8).maps, batches.at(5, 8).maps)
