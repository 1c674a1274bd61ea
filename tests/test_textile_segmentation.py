"""Masks of any weights: every picture gets one of its own size, or an error that says why not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from fashion.lexicon import GARMENT_BY_ID
from testing.random_textile import write_random_textile
from textile.missing import WeightsMissing
from textile.segmentation import GarmentSegmenter, at_full_size
from textile.segmentation_network import SegmentationNetwork
from textile.training.garment_photos import GarmentPhotos
from textile.training.segmenter import GarmentBatches, grounds_of


@pytest.fixture(scope="module")
def segmenter(tmp_path_factory: pytest.TempPathFactory) -> GarmentSegmenter:
    return GarmentSegmenter.load(write_random_textile(tmp_path_factory.mktemp("textile")))


def saying(value: float) -> GarmentSegmenter:
    """A segmenter that says the same of every pixel, as a logit."""
    network = SegmentationNetwork((8, 8, 16, 16)).eval()
    torch.nn.init.zeros_(network.leave.weight)
    torch.nn.init.constant_(network.leave.bias, value)
    return GarmentSegmenter(network)


def test_missing_weights_name_the_file_and_the_command(tmp_path: Path) -> None:
    with pytest.raises(WeightsMissing, match=r"segmenter\.safetensors is not there: .*train-masks"):
        GarmentSegmenter.load(tmp_path)


@pytest.mark.parametrize("mode", ["RGB", "L", "P", "RGBA", "CMYK", "1"])
@pytest.mark.parametrize("size", [(16, 16), (200, 90), (64, 700)])
def test_a_mask_has_its_pictures_size(segmenter: GarmentSegmenter, mode: str, size: tuple[int, int]) -> None:
    found = segmenter.mask(Image.new("RGB", size, (200, 40, 60)).convert(mode))
    assert found.mask.shape == (size[1], size[0]) and found.mask.dtype == np.float32
    assert found.mask.min() >= 0 and found.mask.max() <= 1
    assert found.kind in GARMENT_BY_ID and 0 <= found.confidence <= 1


def test_an_array_and_its_picture_get_the_same_mask(segmenter: GarmentSegmenter) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (50, 70, 3), np.uint8)
    assert np.array_equal(segmenter.mask(picture).mask, segmenter.mask(Image.fromarray(picture)).mask)


def test_what_is_transparent_is_ground() -> None:
    picture = np.full((64, 64, 4), 255, np.uint8)
    picture[:, :32, 3] = 0
    mask = saying(9.0).mask(Image.fromarray(picture, "RGBA")).mask
    assert mask[:, :32].max() == 0 and mask[:, 40:].min() > 0.9


def test_a_picture_without_a_garment_has_no_share() -> None:
    found = saying(-9.0).mask(Image.new("RGB", (80, 60), "white"))
    assert found.share == 0 and found.mask.max() == 0


@pytest.mark.parametrize(
    ("picture", "said"),
    [
        (Image.new("RGB", (15, 400)), "15 × 400 px: give at least 16"),
        (Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "transparent all over"),
    ],
)
def test_what_cannot_be_masked_is_refused(segmenter: GarmentSegmenter, picture: Image.Image, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        segmenter.mask(picture)


def test_a_mask_is_brought_to_the_pictures_own_edge() -> None:
    """The network's edge is a pixel of 128 off; the guided one lies on the picture's."""
    picture = np.full((384, 384, 3), 240, np.uint8)
    picture[:, :192] = (40, 60, 160)
    likely = np.zeros((128, 128), np.float32)
    likely[:, :65] = 1
    mask = at_full_size(likely, Image.fromarray(picture))
    assert np.mean((mask > 0.5)[:, :192]) > 0.99 and np.mean((mask > 0.5)[:, 194:]) < 0.01


def test_photos_without_free_ground_give_the_colours_of_their_edges() -> None:
    pictures = np.full((2, 128, 128, 3), 200, np.uint8)
    masks = np.full((2, 128, 128), 255, np.uint8)
    names = np.array(["a", "b"])
    photos = GarmentPhotos(pictures, masks, names, names, np.ones(2))
    assert grounds_of(photos).shape == (2, 48, 48, 3) and (grounds_of(photos) == 200).all()


def test_photos_of_which_none_is_cut_surely_are_refused_with_the_cure() -> None:
    names = np.array(["a", "b"])
    empty = np.zeros((2, 128, 128, 3), np.uint8)
    photos = GarmentPhotos(empty, empty[..., 0], names, names, np.zeros(2))
    with pytest.raises(ValueError, match="in none of 2 photos .* give photos of one garment"):
        GarmentBatches(None, photos)  # type: ignore[arg-type]  # refused before the pool is looked at
