"""Edits on tiny random parts: what stays, what a batch changes, and CycleDiffusion beside diffusers' own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler
from diffusers.pipelines.deprecated.stable_diffusion_variants.pipeline_cycle_diffusion import (
    compute_noise,
    posterior_sample,
)
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.editing.cycle import CycleSettings, cycle
from diffusion.editing.levels import levels_of
from diffusion.editing.masks import cut
from diffusion.editing.pipeline import EditingPipeline
from diffusion.editing.request import EditSettings, EditShot, edits_for
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot
from diffusion.recipe import read_settings
from diffusion.schedulers import clean_and_noise, make_schedule
from jobspec import PictureSize
from testing.random_checkpoint import write_checkpoint, write_stable_diffusion

FAST = DrawSettings(steps=4, refine_steps=1)
RED, BLUE = "a red dress", "a blue dress"


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> EditingPipeline:
    return load_pipeline(write_checkpoint(tmp_path_factory.mktemp("own")), dtype="float32")


@pytest.fixture(scope="module")
def source(pipeline: EditingPipeline) -> Image.Image:
    return pipeline.draw([Shot(RED, seed=7)], FAST).images[0]


@pytest.fixture(scope="module", params=["epsilon", "v_prediction"])
def stable(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> EditingPipeline:
    return load_pipeline(write_stable_diffusion(tmp_path_factory.mktemp("sd"), request.param), dtype="float32")


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def half_mask(size: tuple[int, int]) -> Image.Image:
    """White on the left."""
    mask = Image.new("L", size, 0)
    mask.paste(255, (0, 0, size[0] // 2, size[1]))
    return mask


@pytest.mark.parametrize("method", ["redraw", "flow", "cycle"])
def test_the_same_prompt_gives_the_picture_back(pipeline: EditingPipeline, source: Image.Image, method: str) -> None:
    shot = EditShot(source, RED, RED, seed=7, source_seed=7)
    made = pipeline.edit([shot], FAST, EditSettings(method=method)).images[0]
    assert np.abs(levels(made) - levels(source)).max() <= 1


@pytest.mark.parametrize("method", ["redraw", "flow", "cycle"])
def test_a_batch_of_four_is_four_single_edits(pipeline: EditingPipeline, source: Image.Image, method: str) -> None:
    shots, how = edits_for(EditShot(source, RED, BLUE, seed=7, source_seed=7), 4), EditSettings(method=method)
    together = pipeline.edit(shots, FAST, how).images
    for shot, image in zip(shots, together, strict=True):
        alone = pipeline.edit([shot], FAST, how).images[0]
        assert np.abs(levels(alone) - levels(image)).max() <= 1


@pytest.mark.parametrize("recolored", [0.0, 0.65])
def test_what_a_mask_keeps_are_the_uploads_own_pixels(pipeline: EditingPipeline, recolored: float) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    upload = Image.fromarray(pixels)
    shot = EditShot(upload, RED, BLUE, seed=3, mask=half_mask(upload.size))
    made = levels(pipeline.edit([shot], FAST, EditSettings(recolored=recolored)).images[0])
    assert np.abs(made - pixels)[:, 40:].max() <= 1
    assert np.abs(made - pixels)[:, :24].mean() > 5


@pytest.mark.parametrize("shape", [(96, 64), (40, 64)])
def test_an_upload_keeps_its_shape_and_all_that_it_shows(pipeline: EditingPipeline, shape: tuple[int, int]) -> None:
    columns = np.linspace(0, 255, shape[0]).round().astype(np.uint8)
    upload = Image.fromarray(np.broadcast_to(columns[None, :, None], (shape[1], shape[0], 3)).copy())
    for prompt in (RED, BLUE):
        made = pipeline.edit([EditShot(upload, RED, prompt, seed=3)], FAST).images[0]
        assert made.size == {(96, 64): (64, 43), (40, 64): (40, 64)}[shape]
    same = levels(pipeline.edit([EditShot(upload, RED, RED)], FAST).images[0])
    assert same[:, 0].mean() < 8 and same[:, -1].mean() > 247, "the ends of the picture are there"


def test_less_keep_lets_more_change_outside(pipeline: EditingPipeline, source: Image.Image) -> None:
    shot = EditShot(source, RED, BLUE, seed=8, source_seed=7, mask=half_mask(source.size))
    moved = [
        np.abs(levels(pipeline.edit([shot], FAST, EditSettings(keep=keep)).images[0]) - levels(source))[:, 40:].mean()
        for keep in (1.0, 0.5, 0.0)
    ]
    assert moved[0] < moved[1] < moved[2] and moved[0] <= 1


def test_an_edit_leaves_the_pipeline_as_it_was(pipeline: EditingPipeline, source: Image.Image) -> None:
    before = dict(pipeline.stages["base"].unet.attn_processors)
    pipeline.edit([EditShot(source, RED, BLUE, seed=7, source_seed=7)], FAST)
    assert pipeline.stages["base"].unet.attn_processors == before
    again = pipeline.draw([Shot(RED, seed=7)], FAST).images[0]
    assert np.array_equal(levels(again), levels(source))


def test_a_recipe_says_what_was_edited_and_is_not_taken_for_a_variation(
    pipeline: EditingPipeline, source: Image.Image
) -> None:
    recipe = pipeline.edit([EditShot(source, RED, BLUE, seed=7, source_seed=7)], FAST).recipes[0]
    assert recipe["prompt"] == BLUE and recipe["edit"]["source_prompt"] == RED  # type: ignore[index]
    with pytest.raises(ValueError, match="edit"):
        read_settings(recipe, source)


def test_the_mask_is_where_a_map_is_high_and_everything_where_it_is_flat() -> None:
    maps = torch.zeros(2, 16, 16)
    maps[0, 4:8, 4:8] = 1.0
    masks = cut(maps, widened=0)
    assert masks[0, 0].sum() == 16 and masks[0, 0, 4:8, 4:8].min() == 1
    assert masks[1].min() == 1


def test_what_is_out_of_range_is_refused(source: Image.Image) -> None:
    for wrong, word in (
        (lambda: CycleSettings(eta=0.0), "eta is 0"), (lambda: CycleSettings(strength=0.0), "strength"),
        (lambda: CycleSettings(strength=1.2), "strength"), (lambda: EditSettings(keep=2), "keep"),
        (lambda: EditSettings(strength=0), "strength"), (lambda: EditSettings(method="magic"), "redraw, flow, cycle"),
        (lambda: EditShot(source, RED, " "), "prompt is empty"),
        (lambda: EditShot(source, RED, BLUE, mask=Image.new("L", (8, 8))), "8 × 8"),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=word):
            wrong()


def test_flowedit_is_refused_where_no_flow_is_predicted(stable: EditingPipeline, source: Image.Image) -> None:
    with pytest.raises(ValueError, match="needs a flow checkpoint"):
        stable.edit([EditShot(source, RED, BLUE)], FAST, EditSettings(method="flow"))


def test_stable_diffusion_is_edited_by_cyclediffusion(stable: EditingPipeline) -> None:
    drawn = stable.draw([Shot(RED, seed=7)], DrawSettings(steps=4))
    edited = stable.edit([EditShot(drawn.images[0], RED, BLUE, seed=7)], DrawSettings(steps=10))
    assert edited.recipes[0]["edit"]["method"] == "cycle"  # type: ignore[index]
    assert edited.recipes[0]["settings"]["scheduler"] == "ddim"  # type: ignore[index]
    assert edited.steps["base"] == 8


def test_cyclediffusion_is_diffusers_arithmetic(stable: EditingPipeline) -> None:
    """Their loop, with v as the epsilon that it means; guidance 7.5, source guidance 1, eta 0.1, strength 0.8."""
    stage, settings = stable.stages["base"], CycleSettings()
    schedule = make_schedule(stage.scheduler, "ddim", 8, 0.8)
    generator = torch.Generator().manual_seed(0)
    clean = torch.randn(2, *stage.latent_shape(PictureSize.square(stage.size)), generator=generator)
    hidden = torch.randn(3, 2, 77, stage.unet.config["cross_attention_dim"], generator=generator)
    source, target = (Conditioning(each, hidden[2]) for each in hidden[:2])
    with torch.inference_mode():
        ours = cycle(
            stage, schedule, clean, source, target, settings,
            _noises(1, clean.shape),
        )  # fmt: skip
        theirs = _diffusers_loop(stable, schedule.timesteps, clean, source, target, settings)
    assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max().clamp_min(1)


def _noises(seed: int, shape: torch.Size) -> object:
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator)


def _diffusers_loop(
    pipeline: EditingPipeline, timesteps: torch.Tensor, clean: torch.Tensor, source: Conditioning,
    target: Conditioning, settings: CycleSettings,
) -> torch.Tensor:  # fmt: skip
    """The loop of CycleDiffusionPipeline.__call__ over its own posterior_sample and compute_noise."""
    stage = pipeline.stages["base"]
    schedule = make_schedule(stage.scheduler, "ddim", 8, 0.8)
    scheduler = DDIMScheduler(**{**schedule.scheduler.config, "prediction_type": "epsilon"})
    scheduler.set_timesteps(10)
    generator = torch.Generator().manual_seed(1)
    latents = scheduler.add_noise(clean, torch.randn(clean.shape, generator=generator), timesteps[:1])
    source_latents = latents
    for i, t in enumerate(timesteps):
        said, output = (
            clean_and_noise(x, stage.predict(x, schedule, i, told, scale), schedule.level(i), schedule.prediction)[1]
            for x, told, scale in (
                (source_latents, source, settings.source_guidance_scale), (latents, target, settings.guidance_scale)
            )
        )  # fmt: skip
        sampled = posterior_sample(scheduler, source_latents, t, clean, generator=generator, eta=settings.eta)
        noise = compute_noise(scheduler, sampled, source_latents, t, said, settings.eta)
        source_latents = sampled
        latents = scheduler.step(output, t, latents, eta=settings.eta, variance_noise=noise).prev_sample
    return latents


def test_v_and_flow_say_the_noise_that_epsilon_would(stable: EditingPipeline, pipeline: EditingPipeline) -> None:
    for each, name in ((stable, "ddim"), (pipeline, "euler")):
        schedule = make_schedule(each.stages["base"].scheduler, name, 4)
        alpha, sigma = level = levels_of(schedule)[1]
        clean, noise = torch.randn(2, 1, 4, 4, 4)
        latents = alpha * clean + sigma * noise
        outputs = {
            "epsilon": noise, "v_prediction": alpha * noise - sigma * clean, "flow_prediction": noise - clean,
        }  # fmt: skip
        found = clean_and_noise(latents, outputs[schedule.prediction], level, schedule.prediction)
        torch.testing.assert_close(found[0], clean, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(found[1], noise, atol=1e-4, rtol=1e-4)
