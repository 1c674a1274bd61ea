"""Checkpoints in one file: each family in its released layout is known by its keys and opens as its folder does."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint, convert_ldm_vae_checkpoint
from safetensors.torch import load_file
from single_file_kinds import KINDS, WIDE, empty_caches, write_kind

from demo.studio.readiness import missing_checkpoint, names_refiner
from diffusion import unpack_cache
from diffusion.load import load_pipeline, text_fingerprints
from diffusion.pipeline import DrawSettings, Shot
from diffusion.single_file import SingleFile, read_single_file
from diffusion.single_file_configs import unet_config, vae_config
from diffusion.specs import is_hub_id
from diffusion.unpack import unpack, unpacked
from diffusion.unpack_cache import sweep
from diffusion.weights import WeightsError, stored_shapes
from testing import public_layouts as public
from testing.random_checkpoint import write_tokenizer
from testing.single_files import (
    moving_average,
    parts_of,
    released_clip,
    released_open_clip,
    released_unet,
    released_vae,
    write_single_file,
)

NAMES = {"sd15": "Stable Diffusion 1", "sd2": "Stable Diffusion 2", "sdxl": "SDXL", "sdxl-refiner": "the SDXL refiner"}
FULL = {
    "sd15": (public.SD15_UNET, public.SD_VAE),
    "sd2": (public.SD2_UNET, {**public.SD_VAE, "sample_size": 768}),
    "sdxl": (public.SDXL_UNET, public.SDXL_VAE),
    "sdxl-refiner": (public.REFINER_UNET, public.SDXL_VAE),
}
TINY = DrawSettings(size=64, steps=2)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return empty_caches(tmp_path, monkeypatch)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {kind: write_kind(tmp_path_factory.mktemp(kind), kind) for kind in KINDS}


@pytest.fixture(scope="module")
def sd15(folders: Mapping[str, Path]) -> dict[str, torch.Tensor]:
    return parts_of(folders["sd15"])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_single_file_unpacks_to_its_folder_weight_by_weight(
    folders: Mapping[str, Path], kind: str, tmp_path: Path
) -> None:
    file = read_single_file(write_single_file(tmp_path / "one.safetensors", parts_of(folders[kind])))
    assert file.family.name == NAMES[kind]
    unpack(file, tmp_path / "folder")
    for part in ("unet", "vae", *KINDS[kind][2]):
        (ours,), (theirs,) = ((each / part).glob("*.safetensors") for each in (tmp_path / "folder", folders[kind]))
        before, after = load_file(theirs), load_file(ours)
        before = {key if key in after else f"text_model.{key}": value for key, value in before.items()}
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before)


@pytest.mark.parametrize("kind", sorted(FULL))
def test_a_full_size_file_gives_the_published_settings(kind: str, tmp_path: Path) -> None:
    file = full_size_file(kind, tmp_path / "whole.safetensors")
    unet, vae = FULL[kind]
    found = UNet2DConditionModel.from_config
    with init_empty_weights():
        ours, published = found(unet_config(file)), UNet2DConditionModel(**unet)
        own = vae_config(file, {key.removeprefix("first_stage_model."): shape for key, shape in file.shapes.items()
                                if key.startswith("first_stage_model.")})  # fmt: skip
        ours_vae, published_vae = AutoencoderKL.from_config(own), AutoencoderKL(**vae)
    for mine, theirs in ((ours, published), (ours_vae, published_vae)):
        assert same(mine.config) == same(theirs.config)
    meta = {key: torch.empty(shape, device="meta") for key, shape in file.shapes.items()}
    assert convert_ldm_unet_checkpoint(meta, unet_config(file)).keys() == published.state_dict().keys()
    assert convert_ldm_vae_checkpoint(meta, own).keys() == published_vae.state_dict().keys()


def same(config: Mapping[str, object]) -> dict[str, object]:
    """A configuration without private entries, and lists as tuples."""
    return {key: tuple(value) if isinstance(value, list) else value for key, value in config.items()
            if not key.startswith("_")}  # fmt: skip


def full_size_file(kind: str, path: Path) -> SingleFile:
    """A released file's every key at full size, hollow."""
    layouts = public.layouts()
    with init_empty_weights():
        states = {
            part: layouts[f"{kind}/{part}"]().state_dict()
            for part in ("unet", "vae", "text_encoder", "text_encoder_2")
            if f"{kind}/{part}" in layouts
        }
    tensors = released_unet(states["unet"]) | released_vae(states["vae"])
    open_prefix = {
        "sd2": "cond_stage_model.model.",
        "sdxl": "conditioner.embedders.1.model.",
        "sdxl-refiner": "conditioner.embedders.0.model.",
    }.get(kind, "")
    first = {"sd15": "cond_stage_model.transformer.", "sdxl": "conditioner.embedders.0.transformer."}
    if kind in first:
        tensors |= released_clip(states["text_encoder"], first[kind])
    if open_prefix:
        tensors |= released_open_clip(states.get("text_encoder_2", states.get("text_encoder")), open_prefix)
    public.write_hollow(path, {key: tuple(value.shape) for key, value in tensors.items()})
    return read_single_file(path)


def test_stable_diffusion_15_has_the_keys_that_were_released(tmp_path: Path) -> None:
    """686 of the U-Net, 248 of the autoencoder, 196 of CLIP: as v1-5-pruned-emaonly.safetensors has them."""
    shapes = full_size_file("sd15", tmp_path / "whole.safetensors").shapes
    counts = [sum(key.startswith(prefix) for key in shapes)
              for prefix in ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.")]  # fmt: skip
    assert counts == [686, 248, 196]
    for key in ("model.diffusion_model.output_blocks.11.0.skip_connection.weight",
                "model.diffusion_model.input_blocks.2.1.transformer_blocks.0.attn2.to_k.weight",
                "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight"):  # fmt: skip
        assert key in shapes


def test_a_single_file_draws_what_its_folder_draws(
    folders: Mapping[str, Path], sd15: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    path = write_single_file(tmp_path / "dress.safetensors", sd15)
    write_tokenizer(tmp_path / "tokenizer")
    settings = DrawSettings(size=64, steps=2, scheduler="ddim")
    ours, theirs = (load_pipeline(each, device="cpu", dtype="float32") for each in (path, folders["sd15"]))
    (mine,), (other,) = (each.draw([Shot("a dress")], settings).images for each in (ours, theirs))
    assert mine.tobytes() == other.tobytes()
    assert ours.stages["base"].size == 512


def test_a_base_and_a_refiner_may_both_be_single_files(
    folders: Mapping[str, Path], sd15: Mapping[str, torch.Tensor], tmp_path: Path
) -> None:
    write_single_file(tmp_path / "base+anime.safetensors", sd15)
    write_single_file(tmp_path / "refiner.safetensors", parts_of(folders["sdxl-refiner"]))
    write_tokenizer(tmp_path / "tokenizer")
    names = f"{tmp_path / 'base+anime.safetensors'}+{tmp_path / 'refiner.safetensors'}"
    pipeline = load_pipeline(names, device="cpu", dtype="float32")
    assert pipeline.draw([Shot("a dress")], DrawSettings(size=64, steps=1, refine_steps=1)).images[0].size == (128, 128)


def test_a_file_is_unpacked_once_and_again_when_it_changes(
    sd15: dict[str, torch.Tensor], tmp_path: Path, cache: Path
) -> None:
    path = write_single_file(tmp_path / "dress.safetensors", sd15)
    first = unpacked(path)
    assert first.parent == cache
    before = (first / "unet/config.json").stat().st_mtime_ns
    assert unpacked(path) == first
    assert (first / "unet/config.json").stat().st_mtime_ns == before
    write_single_file(path, sd15 | {"model.diffusion_model.out.2.bias": torch.ones(4)})
    assert unpacked(path) != first


def test_the_cache_keeps_what_was_used_last_and_whatever_is_in_use(
    sd15: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    held: dict[int, Path] = {}
    for i in range(3):
        part = sd15 | {"model.diffusion_model.out.2.bias": torch.full((4,), float(i))}
        held[i] = unpacked(write_single_file(tmp_path / f"{i}.safetensors", part), cache)
        os.utime(held[i], (i, i))
    size = sum(path.stat().st_size for path in held[0].rglob("*") if path.is_file())
    sweep(cache, 0)
    assert all(folder.is_dir() for folder in held.values())  # this process uses all three
    for i in (0, 1):
        unpack_cache._held.pop(held[i]).close()  # as if two processes had ended
    sweep(cache, 2 * size + size // 2)
    assert [folder.is_dir() for folder in held.values()] == [False, True, True]
    sweep(cache, 0)
    assert [folder.is_dir() for folder in held.values()] == [False, False, True]
    assert unpacked(tmp_path / "0.safetensors", cache) == held[0]  # unpacked anew where it is asked for again


def test_a_folder_that_an_interrupted_process_left_half_written_is_removed_after_a_day(tmp_path: Path) -> None:
    (tmp_path / "unpacking-new").mkdir()
    (tmp_path / "unpacking-old").mkdir()
    os.utime(tmp_path / "unpacking-old", (1, 1))
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["unpacking-new"]


def test_the_moving_average_is_drawn_with_where_a_file_holds_it(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    unet = {key: value for key, value in sd15.items() if key.startswith("model.diffusion_model.")}
    path = write_single_file(tmp_path / "full.safetensors", sd15 | moving_average(unet))
    assert read_single_file(path).ema
    found = load_file(unpacked(path) / "unet/diffusion_pytorch_model.safetensors")
    assert torch.equal(found["conv_out.bias"], unet["model.diffusion_model.out.2.bias"] + 1)


@pytest.mark.parametrize(("dtype", "name"), [(torch.float16, "F16"), (torch.bfloat16, "BF16")])
def test_a_half_precision_file_is_known_and_opens(
    sd15: dict[str, torch.Tensor], tmp_path: Path, dtype: torch.dtype, name: str
) -> None:
    half = {key: value.to(dtype) if value.is_floating_point() else value for key, value in sd15.items()}
    path = write_single_file(tmp_path / "half.safetensors", half)
    assert read_single_file(path).dtypes[0] == name
    assert load_pipeline(path, Teacherless(path), "cpu", "float32").draw([Shot("dress")], TINY).images


class Teacherless:
    """A Korean encoder's stand-in, which needs no vocabulary of CLIP."""

    def __init__(self, checkpoint: Path) -> None:
        self.teachers = text_fingerprints(checkpoint)

    def base(self, prompts: list[str]) -> torch.Tensor:
        return torch.zeros(len(prompts), 77, WIDE)


def test_a_file_without_an_autoencoder_takes_the_one_beside_it(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    pruned = {key: value for key, value in sd15.items() if not key.startswith("first_stage_model.")}
    path = write_single_file(tmp_path / "pruned.safetensors", pruned)
    with pytest.raises(WeightsError, match=r"no autoencoder: put the one of Stable Diffusion 1 .* pruned.vae.safetens"):
        read_single_file(path)
    vae = {key.removeprefix("first_stage_model."): value for key, value in sd15.items() if "first_stage" in key}
    write_single_file(tmp_path / "pruned.vae.safetensors", {**vae, "decoder.conv_out.bias": torch.ones(3)})
    found = load_file(unpacked(path) / "vae/diffusion_pytorch_model.safetensors")
    assert torch.equal(found["decoder.conv_out.bias"], torch.ones(3))
    assert found.keys() == AutoencoderKL(**KINDS["sd15"][1]).state_dict().keys()


def test_names_without_text_model_are_read_as_some_merges_write_them(
    folders: Mapping[str, Path], sd15: dict[str, torch.Tensor], tmp_path: Path
) -> None:
    path = write_single_file(tmp_path / "old.safetensors", {
        key.replace("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."): value
        for key, value in sd15.items()
    })  # fmt: skip
    assert text_fingerprints(path)["base"] == text_fingerprints(folders["sd15"])["base"]


def test_a_file_without_vocabulary_says_which_files_go_where(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write_single_file(tmp_path / "dress.safetensors", sd15)
    with pytest.raises(FileNotFoundError, match=r"put vocab.json and merges.txt of .* into .*/tokenizer/") as refused:
        load_pipeline(path, device="cpu", dtype="float32")
    assert str(tmp_path / "tokenizer") in str(refused.value)
    write_tokenizer(tmp_path / "tokenizer")  # put there afterwards
    assert load_pipeline(path, device="cpu", dtype="float32").draw([Shot("dress")], TINY).images


def test_stable_diffusion_2_and_sdxl_pad_their_second_vocabulary_with_an_exclamation_mark(
    folders: Mapping[str, Path], tmp_path: Path
) -> None:
    """As their published tokenizers do; CLIP-L pads with the end token."""
    write_tokenizer(tmp_path / "tokenizer")
    pads = {}
    for kind in ("sd15", "sd2", "sdxl", "sdxl-refiner"):
        folder = unpacked(write_single_file(tmp_path / f"{kind}.safetensors", parts_of(folders[kind])))
        pads[kind] = {path.parent.name: json.loads(path.read_text())["pad_token"]
                      for path in folder.glob("tokenizer*/tokenizer_config.json")}  # fmt: skip
    end = "<|endoftext|>"
    assert pads == {"sd15": {"tokenizer": end}, "sd2": {"tokenizer": "!"}, "sdxl-refiner": {"tokenizer_2": "!"},
                    "sdxl": {"tokenizer": end, "tokenizer_2": "!"}}  # fmt: skip


def test_what_is_unpacked_is_whole(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    folder = unpacked(write_single_file(tmp_path / "dress.safetensors", sd15))
    assert len(stored_shapes(folder / "unet")) == sum(key.startswith("model.diffusion_model.") for key in sd15)
    with pytest.raises(FileExistsError, match="name a folder that does not"):
        unpack(read_single_file(tmp_path / "dress.safetensors"), folder)


def test_the_service_takes_a_file_for_a_checkpoint(sd15: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path = write_single_file(tmp_path / "dress.safetensors", sd15)
    assert missing_checkpoint(str(path)) is None
    assert not names_refiner(str(path))
    assert not is_hub_id("models/absent.safetensors")  # a misspelt one is not looked up on the hub
