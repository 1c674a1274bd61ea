"""The two-stage pipeline on tiny random parts: what it draws, how it stops, and that it draws the same again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.load import load_pipeline
from diffusion.pictures import color_fixed, from_pixels, to_pixels
from diffusion.pipeline import Cancelled, DrawSettings, Progress, Shot, TwoStagePipeline, shots_for
from diffusion.plan import make_plan
from diffusion.recipe import png_bytes, read_recipe, read_settings
from diffusion.schedulers import build_scheduler, make_schedule, real_steps
from jobspec import PictureSize
from testing.random_checkpoint import write_checkpoint, write_sdxl_refiner, write_stable_diffusion

FAST = DrawSettings(steps=2, refine_steps=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def pipeline(folder: Path) -> TwoStagePipeline:
    return load_pipeline(folder, dtype="float32")


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image).astype(int)


def test_draws_both_stages_at_their_sizes(pipeline: TwoStagePipeline) -> None:
    drawing = pipeline.draw(shots_for("a red dress", 2, 7), FAST)
    assert [image.size for image in drawing.images] == [(64, 64)] * 2
    assert [image.size for image in drawing.base_images] == [(32, 32)] * 2
    assert drawing.steps == {"base": 2, "refiner": 1}
    assert set(drawing.timings) == {"encode", "base", "refiner"}
    assert [recipe["seed"] for recipe in drawing.recipes] == [7, 8]


def test_without_the_refiner_the_base_pictures_are_final(pipeline: TwoStagePipeline) -> None:
    drawing = pipeline.draw(shots_for("a red dress", 1, 7), DrawSettings(steps=2, refine=False))
    assert drawing.images == drawing.base_images
    assert drawing.steps == {"base": 2}


def test_a_color_fix_keeps_broad_colours_and_new_lines() -> None:
    source = torch.rand(1, 3, 1, 1).expand(1, 3, 32, 32) * 0.5 + 0.25
    lines = 0.1 * (torch.arange(32) % 2 * 2.0 - 1).expand(1, 3, 32, 32)
    redder = source + lines + torch.tensor([0.1, 0.0, -0.1]).view(1, 3, 1, 1)
    inside = slice(8, -8)
    found, wanted = (each[..., inside, inside] for each in (color_fixed(redder, source, 2.0), source + lines))
    torch.testing.assert_close(found, wanted, atol=0.002, rtol=0)
    assert color_fixed(source + 1, source, 2.0).max() <= 1


def test_a_refined_picture_has_the_colours_of_the_base_where_the_checkpoint_says_so(pipeline: TwoStagePipeline) -> None:
    refiner, shots = pipeline.stages["refiner"], shots_for("a red dress", 2, 7)
    before, strong = refiner.defaults, DrawSettings(steps=2, refine_steps=2, refine_strength=0.9)

    def shift(settings: DrawSettings) -> float:
        """Of the colours of patches, between the base's pictures and the refined ones."""
        drawing = pipeline.draw(shots, settings)
        colors = [
            np.array([levels(picture.resize((8, 8), Image.Resampling.BOX)) for picture in pictures])
            for pictures in (drawing.images, drawing.base_images)
        ]
        return float(np.abs(colors[0] - colors[1]).mean())

    free = shift(strong)
    try:
        refiner.defaults = replace(before, color_fix=2.0, strength=0.9)
        held = shift(strong)
        refiner.defaults = replace(before, color_fix=2.0, strength=0.3)
        wider = make_plan(pipeline.stages, strong, vary=False).color_fix
        assert wider == pytest.approx(6.0), "three times the strength, three times as broad"
        assert make_plan(pipeline.stages, FAST, vary=False).color_fix == 2.0
    finally:
        refiner.defaults = before
    assert held < free / 3, (held, free)


def test_seeds_wrap_around() -> None:
    assert [shot.seed for shot in shots_for("a", 3, 2**32 - 1)] == [2**32 - 1, 0, 1]


def test_the_same_request_gives_the_same_bytes(pipeline: TwoStagePipeline) -> None:
    first, again = (pipeline.draw(shots_for("a red dress", 2, 7), FAST) for _ in range(2))
    assert [i.tobytes() for i in first.images] == [i.tobytes() for i in again.images]


def test_a_picture_does_not_depend_on_its_batch(pipeline: TwoStagePipeline) -> None:
    settings = DrawSettings(steps=6, refine_steps=3)
    together = pipeline.draw([Shot(f"prompt {i}", "dull", 40 + i) for i in range(8)], settings)
    for i in (0, 5):
        alone = pipeline.draw([Shot(f"prompt {i}", "dull", 40 + i)], settings)
        assert np.abs(levels(alone.images[0]) - levels(together.images[i])).max() <= 1


def test_different_seeds_and_prompts_give_different_pictures(pipeline: TwoStagePipeline) -> None:
    shots = [Shot("a red dress", seed=1), Shot("a red dress", seed=2), Shot("blue", seed=1)]
    images = {image.tobytes() for image in pipeline.draw(shots, DrawSettings(steps=2)).images}
    assert len(images) == 3


def test_a_recipe_from_the_file_draws_the_same_bytes(pipeline: TwoStagePipeline, tmp_path: Path) -> None:
    settings = DrawSettings(steps=3, guidance_scale=2.0, refine_guidance=3.0, scheduler="unipc")
    drawing = pipeline.draw([Shot("a red dress", "한복", 5)], settings)
    path = tmp_path / "picture.png"
    path.write_bytes(png_bytes(drawing.images[0], drawing.recipes[0]))
    shot, again = read_settings(read_recipe(path))
    assert shot.negative_prompt == "한복"
    assert pipeline.draw([shot], again).images[0].tobytes() == drawing.images[0].tobytes()
    assert b"trainedAlgorithmicMedia" in path.read_bytes()


def test_a_recipe_asks_for_its_own_source(pipeline: TwoStagePipeline) -> None:
    source = Image.new("RGB", (40, 40), "red")
    drawing = pipeline.draw([Shot("a", seed=1, source=source)], DrawSettings(steps=4))
    assert read_settings(drawing.recipes[0], source)[0].source is source
    with pytest.raises(ValueError, match="give that picture"):
        read_settings(drawing.recipes[0], Image.new("RGB", (40, 40), "blue"))


def test_ready_embeddings_draw_what_their_prompts_draw(pipeline: TwoStagePipeline) -> None:
    encoder = pipeline.text_encoder
    hidden, pooled = encoder.refiner(["a red dress", ""])
    base = encoder.base(["a red dress", ""])
    conditioning = {
        "base": Conditioning(base[:1], base[1:]),
        "refiner": Conditioning(hidden[:1], hidden[1:], pooled[:1], pooled[1:]),
    }
    drawing = pipeline.draw([Shot("", seed=7)], FAST, conditioning=conditioning)
    expected = pipeline.draw([Shot("a red dress", seed=7)], FAST)
    assert drawing.images[0].tobytes() == expected.images[0].tobytes()
    assert drawing.recipes[0]["made_with"]["encoder"] == "given"
    with pytest.raises(ValueError, match="2 rows"):
        pipeline.draw(shots_for("a", 2, 0), FAST, conditioning=conditioning)


def test_progress_counts_every_step_and_previews(pipeline: TwoStagePipeline) -> None:
    seen: list[Progress] = []
    pipeline.draw(shots_for("a red dress", 2, 7), DrawSettings(steps=3, refine_steps=2), seen.append)
    assert [(p.stage, p.step, p.steps) for p in seen] == [
        ("base", 1, 3),
        ("base", 2, 3),
        ("base", 3, 3),
        ("refiner", 1, 2),
        ("refiner", 2, 2),
    ]
    assert all(p.seconds_left >= 0 for p in seen)
    assert [image.size for image in seen[2].previews()] == [(16, 16)] * 2
    assert seen[2].previews() is seen[2].previews()


def test_cancelling_stops_within_a_step_and_leaves_the_pipeline_as_it_was(pipeline: TwoStagePipeline) -> None:
    before = pipeline.draw(shots_for("a red dress", 1, 7), FAST).images[0].tobytes()
    seen: list[Progress] = []
    with pytest.raises(Cancelled):
        pipeline.draw(shots_for("b", 1, 1), DrawSettings(steps=9), seen.append, lambda: len(seen) >= 2)
    assert len(seen) == 2
    assert pipeline.draw(shots_for("a red dress", 1, 7), FAST).images[0].tobytes() == before


@pytest.mark.parametrize("vary", [False, True])
def test_cancelling_at_any_moment_waits_for_one_call_of_a_network_and_no_more(
    pipeline: TwoStagePipeline, monkeypatch: pytest.MonkeyPatch, vary: bool
) -> None:
    """A step, or one picture through the autoencoder: whatever runs when the wish comes is the last."""
    calls: list[str] = []

    def counted(network: torch.nn.Module, name: str) -> None:
        work = getattr(network, name)

        def call(*values: object, **named: object) -> object:
            calls.append(name)
            return work(*values, **named)

        monkeypatch.setattr(network, name, call)

    for part in {id(part): part for stage in pipeline.stages.values() for part in (stage.unet, stage.vae)}.values():
        for name in ("encode", "decode") if hasattr(part, "decode") else ("forward",):
            counted(part, name)
    source = Image.new("RGB", (32, 32), "red") if vary else None
    shots, settings = shots_for("a red dress", 3, 7, source=source), DrawSettings(steps=4, strength=0.5, refine_steps=1)
    pipeline.draw(shots, settings)
    whole = len(calls)
    assert whole == (3 + 2 if vary else 4) + 3 + 3 + 1 + 3
    for wish in range(whole + 1):
        calls.clear()
        with pytest.raises(Cancelled):
            pipeline.draw(shots, settings, cancelled=lambda wish=wish: len(calls) >= wish)
        assert len(calls) == wish


def test_a_callback_that_raises_stops_the_draw(pipeline: TwoStagePipeline) -> None:
    def broken(progress: Progress) -> None:
        raise KeyError("broken")

    before = pipeline.draw(shots_for("a red dress", 1, 7), FAST).images[0].tobytes()
    with pytest.raises(KeyError):
        pipeline.draw(shots_for("b", 1, 1), FAST, broken)
    assert pipeline.draw(shots_for("a red dress", 1, 7), FAST).images[0].tobytes() == before


def test_vary_keeps_more_of_the_source_at_low_strength(pipeline: TwoStagePipeline) -> None:
    source = Image.fromarray(np.random.default_rng(0).integers(0, 255, (50, 40, 3), dtype=np.uint8))
    stage = pipeline.stages["base"]
    clean = stage.encode(to_pixels(source, PictureSize.square(32)))
    far = []
    for strength in (0.25, 1.0):
        schedule = make_schedule(stage.scheduler, "euler", 4, strength)
        far.append(float((schedule.noised(clean, torch.zeros_like(clean)) - clean).abs().mean()))
    assert far[0] < far[1]
    drawing = pipeline.draw([Shot("a", seed=1, source=source)], DrawSettings(steps=8, strength=0.5, refine=False))
    assert drawing.steps == {"base": 4}


def test_a_strength_that_leaves_no_step_is_an_error(pipeline: TwoStagePipeline) -> None:
    source = Image.new("RGB", (32, 32))
    with pytest.raises(ValueError, match="leaves no step"):
        pipeline.draw([Shot("a", source=source)], DrawSettings(steps=2, strength=0.3))
    assert real_steps(40, 0.3) == 12


def test_mixed_batches_and_empty_ones_are_refused(pipeline: TwoStagePipeline) -> None:
    with pytest.raises(ValueError, match="two batches"):
        pipeline.draw([Shot("a"), Shot("b", source=Image.new("RGB", (32, 32)))], FAST)
    with pytest.raises(ValueError, match="at least one shot"):
        pipeline.draw([], FAST)


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 151},
        {"steps": 2.5},
        {"steps": True},
        {"guidance_scale": 0.5},
        {"guidance_scale": float("nan")},
        {"size": 8},
        {"strength": 0.0},
        {"strength": None},
        {"refine_strength": 1.1},
        {"style_weight": 3.0},
        {"scheduler": "plms"},
        {"style": ""},
        {"refine": 1},
    ],
)
def test_settings_out_of_range_are_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DrawSettings(**wrong)  # type: ignore[arg-type]


def test_shots_out_of_range_are_refused() -> None:
    for seed in (-1, 2**32, 1.5, True):
        with pytest.raises(ValueError, match="seed"):
            Shot("a", seed=seed)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="seed"):
            shots_for("a", 2, seed)  # type: ignore[arg-type]
    for n in (0, 11):
        with pytest.raises(ValueError, match="n is"):
            shots_for("a", n, 0)


def test_what_the_checkpoint_cannot_draw_is_refused(pipeline: TwoStagePipeline) -> None:
    with pytest.raises(ValueError, match="multiple of 16"):
        pipeline.draw([Shot("a")], DrawSettings(size=40))
    with pytest.raises(ValueError, match="ddim.*flow_prediction.*dpm\\+\\+, unipc, euler"):
        pipeline.draw([Shot("a")], DrawSettings(scheduler="ddim"))
    with pytest.raises(ValueError, match="style 'ink' is not here"):
        pipeline.draw([Shot("a")], DrawSettings(style="ink"))


@pytest.mark.parametrize("name", ["dpm++", "unipc", "euler"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "flow_prediction"])
def test_every_scheduler_finds_the_picture_when_the_model_is_right(name: str, prediction: str) -> None:
    """A model that knows the clean latents must lead there, whatever it predicts."""
    config = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "prediction_type": prediction}
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    for steps, strength in ((6, 1.0), (3, 0.4)):
        schedule = make_schedule(config, name, steps, strength)
        assert len(schedule) == steps
        x = schedule.noised(clean, noise)
        for i in range(steps):
            alpha, sigma = schedule.level(i)
            seen = (x - alpha * clean) / sigma
            output = {"epsilon": seen, "v_prediction": alpha * seen - sigma * clean, "flow_prediction": seen - clean}
            assert torch.allclose(schedule.clean(x, output[prediction], i), clean, atol=1e-4)
            x = schedule.step(output[prediction], i, x)
        assert torch.allclose(x, clean, atol=0.05)


def test_ddim_is_refused_for_flow_and_draws_for_the_others() -> None:
    with pytest.raises(ValueError, match="ddim"):
        build_scheduler({"prediction_type": "flow_prediction"}, "ddim")
    assert build_scheduler({"prediction_type": "v_prediction"}, "ddim").config.prediction_type == "v_prediction"


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_draws_what_stock_stable_diffusion_draws(tmp_path: Path) -> None:
    """Beside diffusers' own pipeline: same parts, same noise, same solver, the same picture within a level."""
    write_stable_diffusion(tmp_path)
    ours = load_pipeline(tmp_path, dtype="float32")
    drawing = ours.draw([Shot("a red dress", "dull", 3)], DrawSettings(steps=5, guidance_scale=4.0, scheduler="dpm++"))
    stock = StableDiffusionPipeline.from_pretrained(tmp_path, safety_checker=None)
    stock.set_progress_bar_config(disable=True)
    stock.scheduler = build_scheduler(ours.stages["base"].scheduler, "dpm++")
    generator = torch.Generator().manual_seed(3)
    theirs = stock(
        "a red dress", negative_prompt="dull", num_inference_steps=5, guidance_scale=4.0, generator=generator
    )
    assert np.abs(levels(theirs.images[0]) - levels(drawing.images[0])).max() <= 1


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_refines_what_the_stock_sdxl_refiner_refines(tmp_path: Path) -> None:
    write_stable_diffusion(tmp_path / "sd")
    write_sdxl_refiner(tmp_path / "xl")
    ours = load_pipeline(f"{tmp_path / 'sd'}+{tmp_path / 'xl'}", dtype="float32")
    stage = ours.stages["refiner"]
    pixels = to_pixels(
        Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 64, 3), dtype=np.uint8)), PictureSize.square(64)
    )
    latents = stage.encode(pixels)
    stock = StableDiffusionXLImg2ImgPipeline.from_pretrained(tmp_path / "xl")
    stock.set_progress_bar_config(disable=True)
    stock.scheduler = build_scheduler(stage.scheduler, "dpm++")
    hidden, pooled = ours.text_encoder.refiner(["a red dress", "dull"])
    generator = torch.Generator().manual_seed(3)
    theirs = stock(
        "a red dress", image=latents, negative_prompt="dull", strength=0.5, num_inference_steps=8,
        guidance_scale=4.0, generator=generator, original_size=(64, 64), target_size=(64, 64),
    )  # fmt: skip
    schedule = make_schedule(stage.scheduler, "dpm++", 4, 0.5)
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(3))
    conditioning = Conditioning(hidden[:1], hidden[1:], pooled[:1], pooled[1:])
    mine = stage.decode(stage.denoise(schedule.noised(latents, noise), schedule, conditioning, 4.0, lambda *_: None))
    assert np.abs(levels(theirs.images[0]) - levels(from_pixels(mine)[0])).max() <= 1
