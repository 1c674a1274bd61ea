"""Checkpoints distilled to few steps: LCM, turbo and lightning draw by their own steps, with their own defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import LCMScheduler, StableDiffusionPipeline, UNet2DConditionModel

from diffusion.conditioning import guidance_embedding
from diffusion.distilled import few_steps_by_name, is_few_step
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.schedulers import default_scheduler, make_schedule, scheduler_names
from diffusion.specs import resolve
from diffusion.weights import WeightsError
from testing.random_checkpoint import TINY, base_unet, write_sdxl_refiner, write_stable_diffusion

NOISE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000}
TURBO = {**NOISE, "_class_name": "EulerAncestralDiscreteScheduler", "timestep_spacing": "trailing"}
LCM = {**NOISE, "_class_name": "LCMScheduler", "original_inference_steps": 50, "timestep_scaling": 10.0,
       "steps_offset": 1, "clip_sample": False, "set_alpha_to_one": True}  # fmt: skip


def distilled(folder: Path, scheduler: dict[str, object], told: int | None = None) -> Path:
    """A tiny checkpoint with another scheduler and, of an LCM, a U-Net that is told `told` numbers of its guidance."""
    write_stable_diffusion(folder)
    (folder / "scheduler/scheduler_config.json").write_text(json.dumps(scheduler))
    if told:
        torch.manual_seed(0)
        unet = UNet2DConditionModel.from_config(base_unet(TINY).config, time_cond_proj_dim=told)
        unet.save_pretrained(folder / "unet")
    return folder


def test_a_turbo_checkpoint_draws_in_four_steps_without_guidance(tmp_path: Path) -> None:
    pipeline = load_pipeline(distilled(tmp_path, TURBO), device="cpu", dtype="float32")
    settings = pipeline.default_settings
    assert (settings.steps, settings.guidance_scale, settings.scheduler) == (4, 1.0, "euler")
    drawing = pipeline.draw([Shot("a dress")])
    assert drawing.steps == {"base": 4}
    assert drawing.warnings == ()


def test_turbo_steps_are_spaced_from_the_last_timestep() -> None:
    """One step of SD-Turbo begins at timestep 999, where its model card says that it was distilled."""
    assert make_schedule(TURBO, "euler", 1).timesteps.tolist() == [999]
    assert make_schedule(TURBO, "euler", 4).timesteps.tolist() == [999, 749, 499, 249]


@pytest.mark.parametrize("values", [
    {"timestep_spacing": "leading"},
    {"rescale_betas_zero_snr": True},
    {"prediction_type": "v_prediction"},
    {"_class_name": "DDIMScheduler"},
])  # fmt: skip
def test_an_ordinary_checkpoint_is_not_taken_for_a_turbo(values: dict) -> None:
    assert is_few_step(TURBO)
    assert not is_few_step(TURBO | values)


def test_an_lcm_is_told_its_guidance_and_runs_its_unet_once_a_step(tmp_path: Path) -> None:
    pipeline = load_pipeline(distilled(tmp_path, LCM, told=32), device="cpu", dtype="float32")
    settings = pipeline.default_settings
    assert (settings.steps, settings.guidance_scale, settings.scheduler) == (4, 8.5, "lcm")
    rows: list[int] = []
    given = pipeline.stages["base"].unet.register_forward_pre_hook(lambda module, inputs: rows.append(len(inputs[0])))
    scales = [DrawSettings(guidance_scale=scale) for scale in (8.5, 2.0)]
    strong, weak = (pipeline.draw([Shot("dress")], each).images[0] for each in scales)
    given.remove()
    assert rows == [1] * 8
    assert strong.tobytes() != weak.tobytes()


def test_an_lcm_draws_as_diffusers_does(tmp_path: Path) -> None:
    """The same latents and, in one step, no further noise: the same picture but for rounding."""
    folder = distilled(tmp_path, LCM, told=32)
    ours = load_pipeline(folder, device="cpu", dtype="float32")
    scheduler = LCMScheduler.from_pretrained(folder / "scheduler")  # model_index.json names another
    stock = StableDiffusionPipeline.from_pretrained(folder, local_files_only=True, scheduler=scheduler)
    stock.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 4, 4), generator=torch.Generator().manual_seed(3))
    (theirs,) = stock("dress", num_inference_steps=1, guidance_scale=8.5, latents=noise, output_type="pt").images
    mine = ours.draw([Shot("dress", seed=3)], DrawSettings(steps=1)).images[0]
    seen = torch.tensor(list(mine.tobytes())).view(32, 32, 3).permute(2, 0, 1) / 255
    assert (seen - theirs).abs().max() < 1.5 / 255


@pytest.mark.parametrize("width", [32, 33, 256])
def test_the_guidance_embedding_is_diffusers(width: int) -> None:
    stock = StableDiffusionPipeline.get_guidance_scale_embedding
    expected = stock(None, torch.tensor([8.5 - 1.0]), embedding_dim=width)  # type: ignore[arg-type]
    assert torch.allclose(guidance_embedding(8.5, width, 1), expected, atol=1e-4)


def test_each_picture_of_an_lcm_has_its_own_noise_in_any_batch(tmp_path: Path) -> None:
    """Its steps add noise: the third picture of three is the picture of its seed alone, within a level of 255."""
    pipeline = load_pipeline(distilled(tmp_path, LCM), device="cpu", dtype="float32")
    batch = pipeline.draw([Shot("dress", seed=seed) for seed in (1, 2, 3)]).images
    alone = pipeline.draw([Shot("dress", seed=3)]).images[0]
    pairs = zip(batch[2].tobytes(), alone.tobytes(), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= 1
    assert batch[0].tobytes() != batch[1].tobytes()


def test_an_lcm_is_drawn_by_its_own_steps_alone_and_no_other_by_them(tmp_path: Path) -> None:
    pipeline = load_pipeline(distilled(tmp_path, LCM), device="cpu", dtype="float32")
    with pytest.raises(ValueError, match="'dpm\\+\\+' cannot draw with a latent consistency model: choose one of lcm"):
        pipeline.draw([Shot("dress")], DrawSettings(scheduler="dpm++"))
    assert "lcm" not in scheduler_names(NOISE)
    assert default_scheduler(LCM) == "lcm"


def test_an_lcm_varies_a_picture_by_real_steps(tmp_path: Path) -> None:
    pipeline = load_pipeline(distilled(tmp_path, LCM), device="cpu", dtype="float32")
    source = pipeline.draw([Shot("dress")]).images[0]
    assert pipeline.draw([Shot("coat", source=source)], DrawSettings(strength=0.5)).steps == {"base": 2}


def test_a_unet_told_its_guidance_needs_the_lcms_scheduler(tmp_path: Path) -> None:
    folder = distilled(tmp_path, NOISE | {"_class_name": "PNDMScheduler"}, told=32)
    with pytest.raises(WeightsError, match="the scheduler is PNDMScheduler: set _class_name to LCMScheduler"):
        load_pipeline(folder)


def test_openvino_says_that_it_does_not_draw_an_lcm(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="told its guidance, which the graphs do not take"):
        load_pipeline(distilled(tmp_path, LCM, told=32), device="cpu", dtype="float32", engine="openvino")


def test_a_refiner_after_a_turbo_takes_as_many_steps_as_after_any_base(tmp_path: Path) -> None:
    xl = write_sdxl_refiner(tmp_path / "xl")
    pipeline = load_pipeline(f"{distilled(tmp_path / 'turbo', TURBO)}+{xl}", device="cpu", dtype="float32")
    assert pipeline.draw([Shot("dress")]).steps == {"base": 4, "refiner": 7}  # 0.3 of 25


@pytest.mark.parametrize(("name", "expected"), [
    ("sdxl_lightning_4step", ("lightning", 4, False)),
    ("sdxl_lightning_8step", ("lightning", 8, False)),
    ("sdxl_lightning_1step_x0", ("lightning", 1, True)),
    ("sd_xl_turbo_1.0_fp16", ("turbo", 4, False)),
    ("DreamShaperXL_Turbo_v2_1", ("turbo", 4, False)),
    ("Hyper-SDXL-8steps", ("hyper", 8, False)),
    ("juggernautXL_rdxlLightning4S", ("lightning", 4, False)),
    ("sdxlTurbo_v1", ("turbo", 4, False)),
    ("DreamShaper8_LCM", ("lcm", 4, False)),
    ("LCM_Dreamshaper_v7_4k", ("lcm", 4, False)),
    ("v1-5-pruned-emaonly", None),
    ("hyperrealistic_v3", None),
    ("realisticVision_60B1", None),
])  # fmt: skip
def test_file_names_tell_of_few_steps(name: str, expected: tuple | None) -> None:
    found = few_steps_by_name(name)
    assert (found and (found.kind, found.steps, found.predicts_picture)) == expected


@pytest.mark.parametrize(("kind", "part"), [
    ("StableDiffusion3Pipeline", "transformer"),
    ("FluxPipeline", "transformer"),
    ("StableCascadeCombinedPipeline", "prior"),
    ("StableDiffusionControlNetPipeline", "controlnet"),
])  # fmt: skip
def test_a_folder_of_another_family_is_refused_by_name(kind: str, part: str, tmp_path: Path) -> None:
    index = {"_class_name": kind, part: ["diffusers", "Model"], "text_encoder": ["transformers", "CLIPTextModel"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ValueError, match=f"is a {kind} .model_index.json names a {part}.: drawn with here are Stable"):
        resolve(tmp_path)
