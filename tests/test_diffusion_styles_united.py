"""Several styles in one picture, each asked for itself: what is united, which steps the first one has, what is left."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from diffusion.load import load_pipeline
from diffusion.lora import LoraShelf
from diffusion.lora_card import KEY
from diffusion.lora_united import composing_steps, united
from diffusion.pipeline import DrawSettings, Shot, TwoStagePipeline
from diffusion.specs import StageDefaults
from jobspec import StyleUse
from testing.random_checkpoint import write_stable_diffusion

STEPS = 3  # the first of them is the first style's alone
SHOTS = [Shot("a red dress", "", seed=3), Shot("a blue coat", "", seed=4)]


def write_style(path: Path, pipeline: TwoStagePipeline, seed: int, header: dict[str, str] | None = None) -> None:
    """A LoRA of rank 2 on the attention of a base."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, weight in pipeline.stages["base"].unet.named_parameters():
        if name.endswith(("to_q.weight", "to_v.weight")):
            layer, (out, inner) = name.removesuffix(".weight"), weight.shape
            state[f"unet.{layer}.lora_A.weight"] = torch.randn((2, inner), generator=generator)
            state[f"unet.{layer}.lora_B.weight"] = torch.randn((out, 2), generator=generator)
    save_file(state, path, header)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> TwoStagePipeline:
    folder, styles = write_stable_diffusion(tmp_path_factory.mktemp("sd")), tmp_path_factory.mktemp("styles")
    plain = load_pipeline(folder, dtype="float32")
    for seed, name in enumerate(("bamboo", "crane")):
        write_style(styles / f"{name}.safetensors", plain, seed)
    found = load_pipeline(folder, dtype="float32", styles=styles)
    found.stages["base"].defaults = replace(found.stages["base"].defaults, unite_styles=True)
    return found


def uses(*styles: tuple[str, float]) -> tuple[StyleUse, ...]:
    return tuple(StyleUse(name=name, weight=weight) for name, weight in styles)


def draw(pipeline: TwoStagePipeline, styles: tuple[StyleUse, ...], scale: float = 1.0, shots: int = 1) -> list[bytes]:
    settings = DrawSettings(steps=STEPS, guidance_scale=scale, scheduler="euler", refine=False, styles=styles)
    return [image.tobytes() for image in pipeline.draw(SHOTS[:shots], settings).images]


def outputs(pipeline: TwoStagePipeline, styles: tuple[StyleUse, ...]) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Latents before each step and what the base said of them."""
    stage, seen = pipeline.stages["base"], []
    plan = pipeline.plan(SHOTS[:1], DrawSettings(steps=STEPS, guidance_scale=1.0, refine=False, styles=styles))
    schedule = plan.schedules(pipeline.stages)["base"]
    with pipeline.running(plan, 1, None, None):
        conditioning = pipeline.encode(SHOTS[:1], plan)["base"]
        noise = torch.randn((1, *stage.latent_shape(plan.size)), generator=torch.Generator().manual_seed(1))
        stage.denoise(noise, schedule, conditioning, 1.0, lambda _, before, output: seen.append((before, output)))
    return seen


def said(pipeline: TwoStagePipeline, latents: torch.Tensor, step: int, styles: tuple[StyleUse, ...]) -> torch.Tensor:
    """What the base says of latents at a step with at most one style."""
    plan = pipeline.plan(SHOTS[:1], DrawSettings(steps=STEPS, guidance_scale=1.0, refine=False, styles=styles))
    schedule = plan.schedules(pipeline.stages)["base"]
    with pipeline.running(plan, 1, None, None):
        conditioning = pipeline.encode(SHOTS[:1], plan)["base"]
        return pipeline.stages["base"].predict(latents, schedule, step, conditioning, 1.0)


def test_the_first_style_composes_and_then_the_changes_of_all_unite(pipeline: TwoStagePipeline) -> None:
    both, first, second = uses(("crane", 0.7), ("bamboo", 0.5)), uses(("crane", 0.7)), uses(("bamboo", 0.5))
    steps = outputs(pipeline, both)
    assert len(steps) == STEPS and composing_steps(STEPS) == 1
    for step, (latents, output) in enumerate(steps):
        styled = [said(pipeline, latents, step, each) for each in (first, second)]
        wanted = styled[0] if step == 0 else united(said(pipeline, latents, step, ()), styled)
        assert torch.allclose(output, wanted, atol=1e-6), step
        assert not torch.allclose(styled[0], styled[1], atol=1e-3)


def test_the_order_counts_and_the_base_is_as_before(pipeline: TwoStagePipeline) -> None:
    plain = draw(pipeline, ())
    orders = uses(("crane", 1), ("bamboo", 1)), uses(("bamboo", 1), ("crane", 1))
    one, other = (draw(pipeline, styles) for styles in orders)
    assert one != other
    assert draw(pipeline, orders[0]) == one
    assert draw(pipeline, ()) == plain
    pipeline.stages["base"].defaults = replace(pipeline.stages["base"].defaults, unite_styles=False)
    try:
        summed = [draw(pipeline, styles) for styles in orders]
    finally:
        pipeline.stages["base"].defaults = replace(pipeline.stages["base"].defaults, unite_styles=True)
    assert summed[0] == summed[1] and summed[0] not in (one, other)


def test_styles_that_were_trained_beside_each_other_add_up(pipeline: TwoStagePipeline, tmp_path: Path) -> None:
    write_style(tmp_path / "bamboo.safetensors", pipeline, 0)
    sha256 = LoraShelf(tmp_path).sha256("bamboo")
    header = {KEY: json.dumps({"beside": {"bamboo": sha256}})}
    for seed, name in enumerate(("crane", "pine"), start=1):
        write_style(tmp_path / f"{name}.safetensors", pipeline, seed, header if name == "crane" else None)
    both, others = uses(("crane", 1), ("bamboo", 0.5)), uses(("crane", 1), ("bamboo", 0.5), ("pine", 1))
    kept, pipeline._shelf = pipeline._shelf, LoraShelf(tmp_path)
    stage = pipeline.stages["base"]
    try:
        drawn, reversed_, three = (draw(pipeline, styles) for styles in (both, both[::-1], others))
        stage.defaults = replace(stage.defaults, unite_styles=False)
        assert drawn == reversed_ == draw(pipeline, both)
        assert three != draw(pipeline, others)  # the third is a stranger to both: each is asked for itself
    finally:
        pipeline._shelf, stage.defaults = kept, replace(stage.defaults, unite_styles=True)


def test_one_style_that_weighs_something_is_drawn_as_it_is_alone(pipeline: TwoStagePipeline) -> None:
    alone = draw(pipeline, uses(("crane", 0.8)))
    assert draw(pipeline, uses(("crane", 0.8), ("bamboo", 0.0))) == alone
    assert draw(pipeline, uses(("crane", 0.5), ("crane", 0.3))) == alone
    assert draw(pipeline, uses(("crane", 0.8), ("bamboo", 0.5), ("bamboo", -0.5))) == alone


@pytest.mark.parametrize("scale", [1.0, 4.0])
def test_a_batch_is_its_pictures_and_its_work_is_counted(pipeline: TwoStagePipeline, scale: float) -> None:
    styles = uses(("crane", 1), ("bamboo", 1))
    batch = [np.frombuffer(each, np.uint8).astype(int) for each in draw(pipeline, styles, scale, shots=2)]
    settings = DrawSettings(steps=STEPS, guidance_scale=scale, scheduler="euler", refine=False, styles=styles)
    for shot, seen in zip(SHOTS, batch, strict=True):
        alone = np.asarray(pipeline.draw([shot], settings).images[0]).astype(int).reshape(-1)
        assert np.abs(alone - seen).max() <= 1
    plan, stage = pipeline.plan(SHOTS[:1], settings), pipeline.stages["base"]
    schedule = plan.schedules(pipeline.stages)["base"]
    rows = 1 if scale == 1.0 else 2
    with pipeline.running(plan, 1, None, None):
        assert stage.rows(schedule, scale) == [rows, 3 * rows, 3 * rows]
    assert stage.rows(schedule, scale) == [rows] * STEPS


def test_changes_at_right_angles_add_up_and_what_is_said_twice_counts_once() -> None:
    base = torch.randn(1, 4, 2, 2)
    change, other = torch.zeros(2, *base.shape)
    change[:, 0], other[:, 1] = 0.5, -2.0
    assert torch.allclose(united(base, [base + change, base + other]), base + change + other, atol=1e-6)
    assert torch.allclose(united(base, [base + change, base + change]), base + change, atol=1e-6)
    assert torch.allclose(united(base, [base + change, base - change]), base, atol=1e-6)
    assert torch.allclose(united(base, [base + change]), base + change, atol=1e-6)
    assert torch.allclose(united(base, [base, base + other]), base + other, atol=1e-6)


def test_uniting_is_a_checkpoints_choice_of_true_or_false() -> None:
    assert StageDefaults().unite_styles is False
    with pytest.raises(ValueError, match="unite_styles is 1: give true or false"):
        StageDefaults(unite_styles=1)
