"""What a single file does not say for itself, and files that are something else: named, with what to do about them."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from single_file_kinds import empty_caches, write_kind

from diffusion.load import load_pipeline
from diffusion.single_file import FAMILIES, read_single_file
from diffusion.weights import WeightsError
from testing.single_files import parts_of, write_single_file


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_caches(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: write_kind(tmp_path_factory.mktemp(kind), kind) for kind in ("sd15", "sd2", "sdxl")}


@pytest.fixture(scope="module")
def sd15(folders: Mapping[str, Path]) -> dict[str, torch.Tensor]:
    return parts_of(folders["sd15"])


@pytest.mark.parametrize(("kind", "extra", "metadata", "sidecar", "expected"), [
    ("sd15", {}, {}, "", ("epsilon", "its family, the file does not say", 512)),
    ("sd2", {}, {}, "", ("v_prediction", "its family, the file does not say", 768)),
    ("sd2", {}, {"modelspec.prediction_type": "epsilon"}, "", ("epsilon", "modelspec.prediction_type", 512)),
    ("sd2", {}, {}, "model: {params: {unet_config: {}}}", ("epsilon", "one.yaml", 512)),
    ("sd2", {}, {}, "model: {params: {parameterization: v}}", ("v_prediction", "one.yaml", 768)),
    ("sdxl", {"v_pred": torch.zeros(0)}, {}, "", ("v_prediction", "its key v_pred", 1024)),
    ("sdxl", {}, {"modelspec.resolution": "832x1216"}, "", ("epsilon", "its family, the file does not say", 832)),
])  # fmt: skip
def test_the_prediction_is_told_with_what_says_so(
    folders: Mapping[str, Path], tmp_path: Path, kind: str, extra: dict, metadata: dict, sidecar: str, expected: tuple
) -> None:
    path = write_single_file(tmp_path / "one.safetensors", parts_of(folders[kind]) | extra, metadata)
    if sidecar:
        path.with_suffix(".yaml").write_text(sidecar)
    file = read_single_file(path)
    assert (file.prediction, file.prediction_from, file.side) == expected


@pytest.mark.parametrize(("keys", "expected"), [
    (["model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"], "a transformer .Stable Diffusion 3, Flux"),
    (["double_blocks.0.img_attn.qkv.weight"], "a transformer"),
    (["lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"], "a LoRA: python -m demo styles add"),
    (["unet.down_blocks.0.attentions.0.proj_in.lora_A.weight"], "a LoRA"),
    (["control_model.input_hint_block.0.weight"], "a ControlNet"),
    (["emb_params"], "a textual inversion"),
    (["down_blocks.0.resnets.0.conv1.weight"], "one part in diffusers' layout"),
    (["model.diffusion_model.input_blocks.0.0.weight"], "a U-Net without text encoders"),
    (["encoder.down.0.block.0.conv1.weight"], "an autoencoder alone"),
    (["edm_mean", "model.diffusion_model.input_blocks.0.0.weight"], "Playground 2.5"),
    (["weight"], "no checkpoint that is known .its first keys: weight"),
])  # fmt: skip
def test_another_kind_of_file_is_refused_by_name(keys: list[str], expected: str, tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({key: torch.zeros(1) for key in keys}, path)
    with pytest.raises(WeightsError, match=expected) as refused:
        load_pipeline(path)
    assert all(family.name in str(refused.value) for family in FAMILIES)


def test_a_pickle_is_refused_with_the_conversion_which_works(
    sd15: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"state_dict": sd15, "epoch": 1}, tmp_path / "old.ckpt")
    with pytest.raises(WeightsError, match="is a pickle, which runs code when it is opened") as refused:
        load_pipeline(tmp_path / "old.ckpt")
    command = shlex.split(str(refused.value)[str(refused.value).index("python -c") :])
    subprocess.run([sys.executable, *command[1:]], cwd=tmp_path, check=True)
    assert read_single_file(tmp_path / "old.safetensors").family.name == "Stable Diffusion 1"


def test_an_inpainting_file_is_refused_by_what_it_was_made_for(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    name = "model.diffusion_model.input_blocks.0.0.weight"
    wide = torch.cat([sd15[name], sd15[name], sd15[name][:, :1]], dim=1)
    path = write_single_file(tmp_path / "inpainting.safetensors", sd15 | {name: wide})
    with pytest.raises(WeightsError, match="takes 9 channels .* it was made for inpainting"):
        load_pipeline(path)


def test_a_weight_that_no_unet_has_is_refused_and_nothing_is_left(
    sd15: dict[str, torch.Tensor], tmp_path: Path, cache: Path
) -> None:
    extra = {"model.diffusion_model.time_embed.cond_proj.weight": torch.zeros(4, 4)}
    path = write_single_file(tmp_path / "odd.safetensors", sd15 | extra)
    with pytest.raises(WeightsError, match=r"weights that no U-Net of its family has \(\S+time_embed.cond_proj.weight"):
        load_pipeline(path)
    assert [each for each in cache.iterdir() if each.is_dir()] == []


def test_a_truncated_file_is_refused(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write_single_file(tmp_path / "cut.safetensors", sd15)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="truncated or damaged"):
        load_pipeline(path)
