"""Weights of cloths_segmentation fit the network that they are for, by names and shapes written down beforehand.

`data/ternaus_keys.tsv` lists what Unet("timm-efficientnet-b3", classes=1) of segmentation-models-pytorch 0.5.0 holds;
the library itself cannot be imported beside the CPU build of torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from textile.ternaus import TernausSegmenter, normalised, unprefixed

LIST = Path(__file__).parent / "data" / "ternaus_keys.tsv"


def listed() -> dict[str, Tensor]:
    """Zeros of every name and shape of the list."""
    rows = (line.split("\t") for line in LIST.read_text(encoding="utf-8").splitlines())
    return {name: torch.zeros([int(side) for side in shape.split("x")] if shape != "-" else []) for name, shape in rows}


class Standing(nn.Module):
    """Holds the names of the list, finds the left half."""

    def __init__(self) -> None:
        super().__init__()
        self.weights: dict[str, Tensor] = listed()

    def state_dict(self, *args: object, **kwargs: object) -> dict[str, Tensor]:  # type: ignore[override]
        return self.weights

    def load_state_dict(self, weights: dict[str, Tensor], *args: object, **kwargs: object) -> None:  # type: ignore[override]
        self.weights = weights

    def forward(self, pictures: Tensor) -> Tensor:
        found = torch.full((1, 1, *pictures.shape[2:]), -9.0)
        found[..., : pictures.shape[3] // 2] = 9.0
        return found


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> None:
    def unet(encoder_name: str, encoder_weights: None, classes: int) -> Standing:
        assert (encoder_name, classes) == ("timm-efficientnet-b3", 1)
        return Standing()

    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", SimpleNamespace(Unet=unet))


def test_the_list_is_that_of_the_network() -> None:
    names = listed()
    assert names["encoder.conv_stem.weight"].shape == (40, 3, 3, 3)
    assert names["segmentation_head.0.weight"].shape == (1, 16, 3, 3)
    assert len(names) == 634


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("prefix", ["", "model."])
def test_weights_of_the_list_are_loaded_with_and_without_the_trainings_prefix(tmp_path: Path, prefix: str) -> None:
    save_file({prefix + name: value + 1 for name, value in listed().items()}, tmp_path / "ternaus.safetensors")
    found = TernausSegmenter.load(tmp_path / "ternaus.safetensors").mask(Image.new("RGB", (64, 50)))
    assert found.mask.shape == (50, 64) and found.kind == ""
    assert found.mask[:, :28].min() > 0.9 and found.mask[:, 36:].max() < 0.1


def test_weights_of_another_network_are_refused_by_name() -> None:
    weights = listed()
    missing = {name: value for name, value in weights.items() if name != "encoder.conv_stem.weight"}
    with pytest.raises(ValueError, match=r"no 'encoder\.conv_stem\.weight'"):
        unprefixed(missing, weights)
    with pytest.raises(ValueError, match="another network"):
        unprefixed({**weights, "encoder.conv_stem.weight": torch.zeros(32, 3, 3, 3)}, weights)


def test_without_the_library_the_requirement_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    save_file(listed(), tmp_path / "ternaus.safetensors")
    with pytest.raises(ImportError, match=r"requirements-ternaus\.txt"):
        TernausSegmenter.load(tmp_path / "ternaus.safetensors")


def test_a_pickle_is_never_read(tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(b"")
    with pytest.raises(ValueError, match="only safetensors"):
        TernausSegmenter.load(tmp_path / "weights.pth")
    with pytest.raises(FileNotFoundError, match="not there"):
        TernausSegmenter.load(tmp_path / "gone.safetensors")


def test_pictures_are_padded_to_a_multiple_of_32() -> None:
    shown = normalised(np.full((50, 64, 3), 124, np.uint8))
    assert shown.shape == (1, 3, 64, 64)
    assert shown.abs().max() < 0.5
