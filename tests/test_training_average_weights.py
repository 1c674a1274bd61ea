"""Means of weights."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from training import average_weights


def written(path: Path, value: float, width: int = 2) -> Path:
    save_file({"a": torch.full((width,), value, dtype=torch.float16), "b": torch.tensor([value])}, path)
    return path


def test_the_mean_of_two_legs_keeps_names_shapes_and_precision(tmp_path: Path) -> None:
    one, other = written(tmp_path / "one.safetensors", 1.0), written(tmp_path / "other.safetensors", 4.0)
    average_weights.main([str(one), str(other), "--out", str(tmp_path / "mean.safetensors")])
    found = load_file(tmp_path / "mean.safetensors")
    assert found["a"].dtype == torch.float16 and found["a"].tolist() == [2.5, 2.5]
    assert found["b"].dtype == torch.float32 and found["b"].tolist() == [2.5]
    three = average_weights.mean_weights([one, one, other])
    assert three["b"].tolist() == [2.0]


def test_one_file_or_another_network_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    one, wide = written(tmp_path / "one.safetensors", 1.0), written(tmp_path / "wide.safetensors", 1.0, width=3)
    out = tmp_path / "mean.safetensors"
    for files, cure in (([one], "at least two"), ([one, wide], "legs of one training"), ([one, out], "No such file")):
        with pytest.raises(SystemExit, match=cure):
            average_weights.main([*map(str, files), "--out", str(out)])
    assert not out.exists()
