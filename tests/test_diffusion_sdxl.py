"""SDXL as the base stage: two text encoders, a pooled embedding, sizes, and its refiner after it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from diffusion.editing.request import EditSettings, EditShot
from diffusion.encoder import EncoderMismatch
from diffusion.load import load_pipeline, text_fingerprints
from diffusion.pipeline import DrawSettings, Shot
from diffusion.specs import PUBLIC, resolve
from diffusion.weights import WeightsError
from testing.random_checkpoint import Sizes, write_sdxl, write_sdxl_refiner, write_stable_diffusion

FAST = DrawSettings(steps=2, size=32, scheduler="ddim")


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sdxl(tmp_path_factory.mktemp("sdxl"))


class Student:
    """A Korean encoder's stand-in with the heads of SDXL's base."""

    def __init__(self, teachers: dict[str, str], width: int = 64, pooled: int = 24) -> None:
        self.teachers, self.width, self.pooled = teachers, width, pooled

    def base_pooled(self, prompts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [torch.full((77, self.width), 0.01 * (1 + len(prompt))) for prompt in prompts]
        return torch.stack(rows), torch.ones(len(prompts), self.pooled)


def pixels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("negative", [None, "blue"])
def test_sdxl_draws_as_diffusers_does(sdxl: Path, negative: str | None) -> None:
    """Both encoders' penultimate states, the pooled embedding, the time ids, and zeros for no negative prompt."""
    ours = load_pipeline(sdxl, device="cpu", dtype="float32")
    stock = StableDiffusionXLPipeline.from_pretrained(sdxl, local_files_only=True)
    stock.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(7))
    theirs = stock(
        "a red dress", negative_prompt=negative, num_inference_steps=2, guidance_scale=5.0, latents=noise, height=32,
        width=32,
    ).images[0]  # fmt: skip
    mine = ours.draw([Shot("a red dress", negative or "", seed=7)], FAST).images[0]
    assert np.abs(pixels(mine) - pixels(theirs)).max() <= 1


def test_sdxl_says_its_own_defaults(sdxl: Path) -> None:
    settings = load_pipeline(sdxl, device="cpu", dtype="float32").default_settings
    assert (settings.steps, settings.guidance_scale, settings.size) == (30, 5.0, 32)
    assert PUBLIC["sdxl"].defaults.guidance_scale == 5.0


def test_a_negative_prompt_is_zeros_only_where_the_checkpoint_says_so(sdxl: Path, tmp_path: Path) -> None:
    index = json.loads((sdxl / "model_index.json").read_text())
    spec = resolve(sdxl).stages["base"]
    assert spec.zeros_for_empty  # diffusers' own default
    (tmp_path / "model_index.json").write_text(json.dumps(index | {"force_zeros_for_empty_prompt": False}))
    assert not resolve(tmp_path).stages["base"].zeros_for_empty


def test_sdxl_is_told_its_sizes(sdxl: Path) -> None:
    stage = load_pipeline(sdxl, device="cpu", dtype="float32").stages["base"]
    told = stage.time_ids(torch.zeros(2, 4, 8, 8), stage.pooled_width, guided=True)
    assert stage.pooled_width == 24
    assert told.tolist() == [[64, 64, 0, 0, 64, 64]] * 2


def test_the_refiner_follows_sdxl_and_shares_its_text_encoder(sdxl: Path, tmp_path: Path) -> None:
    refiner = write_sdxl_refiner(tmp_path / "refiner")
    for name in ("model.safetensors", "config.json"):
        (refiner / "text_encoder_2" / name).write_bytes((sdxl / "text_encoder_2" / name).read_bytes())
    pipeline = load_pipeline(f"{sdxl}+{refiner}", device="cpu", dtype="float32")
    towers = pipeline.text_encoder.towers
    assert towers["refiner"] is towers["base_2"]  # 1.4 GB once, at full size
    drawing = pipeline.draw([Shot("a dress")], DrawSettings(steps=2, refine_steps=1))
    assert drawing.images[0].size == (64, 64)
    assert drawing.steps == {"base": 2, "refiner": 1}


def test_sdxl_asks_a_student_for_two_heads_of_its_own(sdxl: Path) -> None:
    teachers = text_fingerprints(sdxl)
    assert set(teachers) == {"base_1", "base_2"}
    drawing = load_pipeline(sdxl, Student(teachers), "cpu", "float32").draw([Shot("빨간 원피스")], FAST)
    assert len(drawing.images) == 1
    with pytest.raises(EncoderMismatch, match="has no base_1 head"):
        load_pipeline(sdxl, Student({"base": teachers["base_1"]}))  # of Stable Diffusion 1: other states of CLIP-L
    with pytest.raises(ValueError, match=r"reads hidden states \(n, 77, 64\), the encoder gives \(1, 77, 32\)"):
        load_pipeline(sdxl, Student(teachers, width=32), "cpu", "float32").draw([Shot("a")], FAST)


def test_a_batch_of_sdxl_draws_what_its_pictures_are_alone(sdxl: Path) -> None:
    pipeline = load_pipeline(sdxl, device="cpu", dtype="float32")
    batch = pipeline.draw([Shot("red", seed=1), Shot("blue coat", "red", seed=2)], FAST).images
    alone = pipeline.draw([Shot("blue coat", "red", seed=2)], FAST).images[0]
    assert np.abs(pixels(batch[1]) - pixels(alone)).max() <= 1


def test_sdxl_varies_and_edits_pictures(sdxl: Path) -> None:
    pipeline = load_pipeline(sdxl, device="cpu", dtype="float32")
    source = pipeline.draw([Shot("a red dress", seed=4)], FAST).images[0]
    assert pipeline.draw([Shot("a coat", source=source)], FAST).images
    edit = EditShot(source, "a red dress", "a blue dress", seed=4, source_seed=4)
    assert pipeline.edit([edit], FAST, EditSettings()).images[0].size == source.size


def test_sdxls_unet_without_its_second_encoder_is_refused(sdxl: Path, tmp_path: Path) -> None:
    sd15 = write_stable_diffusion(tmp_path / "sd15", sizes=Sizes(text_width=64))
    (sd15 / "unet/config.json").write_bytes((sdxl / "unet/config.json").read_bytes())
    with pytest.raises(WeightsError, match="has addition_embed_type 'text_time', a base has None"):
        load_pipeline(sd15)


def test_two_encoders_change_what_a_checkpoint_is_known_by(sdxl: Path, tmp_path: Path) -> None:
    other = write_sdxl(tmp_path / "other")
    first, second = (load_pipeline(each, device="cpu", dtype="float32").checkpoint_id for each in (sdxl, other))
    assert first == second
    weights = write_sdxl(tmp_path / "third", seed=5) / "text_encoder_2/model.safetensors"
    (other / "text_encoder_2/model.safetensors").write_bytes(weights.read_bytes())
    assert load_pipeline(other, device="cpu", dtype="float32").checkpoint_id != first
