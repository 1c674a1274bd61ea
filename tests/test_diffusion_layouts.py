"""The public checkpoints at full size: every key and shape is accepted, without a byte of their weights."""

from __future__ import annotations

from pathlib import Path

import pytest

from diffusion.load import load_pipeline
from diffusion.parts import (
    BESIDE_TEXT,
    check_part,
    lay_out_text_tower,
    lay_out_unet,
    lay_out_vae,
    text_namer,
    vae_name,
)
from diffusion.pipeline import DrawSettings, Shot
from diffusion.weights import WeightsError
from testing.public_layouts import GIGABYTES, PARAMETERS, layouts, write_layout, write_public


@pytest.mark.parametrize("name", sorted(layouts()))
def test_a_public_layout_is_accepted_at_full_size(name: str, tmp_path: Path) -> None:
    parameters = write_layout(tmp_path, name)
    assert parameters == PARAMETERS.get(name, parameters)
    assert round(2 * parameters / 1e9, 2) == GIGABYTES.get(name, round(2 * parameters / 1e9, 2))
    pairs = _check(name, tmp_path)
    assert len(pairs) == len(set(pairs.values()))


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_stable_diffusion_draws_at_full_size(tmp_path: Path) -> None:
    """All of SD 1.5, hollow, through the same door as any checkpoint (4 GB of memory in bfloat16, 6 in float32)."""
    pipeline = load_pipeline(write_public(tmp_path, "sd15"), device="cpu")
    drawing = pipeline.draw([Shot("a red dress")], DrawSettings(steps=1, size=64, guidance_scale=1.0))
    assert pipeline.default_settings.size == 512
    assert drawing.images[0].size == (64, 64)


def test_one_public_checkpoint_is_not_taken_for_another(tmp_path: Path) -> None:
    write_layout(tmp_path / "sd15", "sd15/unet")
    write_layout(tmp_path / "sd2", "sd2/unet")
    (tmp_path / "sd15" / "config.json").write_bytes((tmp_path / "sd2" / "config.json").read_bytes())
    with pytest.raises(WeightsError, match="has shape"):
        _check("sd15/unet", tmp_path / "sd15")


def _check(name: str, folder: Path) -> dict[str, str]:
    if "text" in name:
        tower = lay_out_text_tower(folder, projected=name.endswith("_2"))
        return check_part(tower, folder, text_namer(tower), BESIDE_TEXT)
    if name.endswith("vae"):
        return check_part(lay_out_vae(folder), folder, vae_name, ())
    return check_part(lay_out_unet(folder), folder, lambda key: key, ())
