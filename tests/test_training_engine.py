"""A training run that is cut and started again ends with the same weights; elsewhere it starts warm."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from training.loop import FitConfig, fit, load_average
from training.muon import Muon, orthogonal
from training.parts import Run, latest_weights, save_part


def make_model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.LayerNorm(16), nn.Linear(16, 8))


def losses_of(model: nn.Module):
    def step_losses(step: int) -> dict[str, torch.Tensor]:
        x = torch.randn(16, 8, generator=torch.Generator().manual_seed(step))
        return {"loss": (model(x) - x.flip(-1)).square().mean()}

    return step_losses


def run(folder: Path, steps: int, stop_at: int | None = None) -> dict[str, torch.Tensor]:
    """Fit to `steps`; `stop_at` kills the leg there, as a signal would, after the loop's last save."""
    model = make_model()
    config = FitConfig(steps=steps, learning_rate=1e-2, warmup=5, save_minutes=0.0)
    step_losses = losses_of(model)

    def killed(step: int) -> dict[str, torch.Tensor]:
        if step == stop_at:
            raise KeyboardInterrupt
        return step_losses(step)

    try:
        fit(model, killed, config, folder)
    except KeyboardInterrupt:
        return {}
    return {name: value.clone() for name, value in model.state_dict().items()}


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path) -> None:
    whole = run(tmp_path / "whole", 40)
    assert run(tmp_path / "cut", 40, stop_at=17) == {}
    resumed = run(tmp_path / "cut", 40)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    average_whole, step = load_average(tmp_path / "whole")
    average_cut, _ = load_average(tmp_path / "cut")
    assert step == 40
    assert all(torch.equal(average_whole[name], average_cut[name]) for name in average_whole)


def test_a_leg_ends_with_its_minutes_and_the_next_goes_on(tmp_path: Path) -> None:
    model = make_model()
    config = FitConfig(steps=10_000_000, minutes=0.002, learning_rate=1e-2)
    first = fit(model, losses_of(model), config, tmp_path)
    second = fit(model, losses_of(model), config, tmp_path)
    assert not first.finished
    assert second.step > first.step > 0


def test_fitting_lowers_the_loss(tmp_path: Path) -> None:
    model = make_model()
    before = losses_of(model)(0)["loss"].item()
    fit(model, losses_of(model), FitConfig(steps=200, learning_rate=1e-2, warmup=10), tmp_path)
    assert losses_of(model)(0)["loss"].item() < before / 2


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(tmp_path: Path) -> None:
    model = make_model()
    step_losses = losses_of(model)

    def broken(step: int) -> dict[str, torch.Tensor]:
        scale = float("nan") if step == 7 else 1.0
        return {"loss": step_losses(step)["loss"] * scale}

    with pytest.raises(FloatingPointError, match="step 7"):
        fit(model, broken, FitConfig(steps=20, save_minutes=0.0), tmp_path)
    assert load_average(tmp_path)[1] == 7


def test_another_machine_starts_warm_from_the_float16_part(tmp_path: Path) -> None:
    from diffusers import AutoencoderTiny

    def build() -> AutoencoderTiny:
        return AutoencoderTiny(
            encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(1, 1),
            num_decoder_blocks=(1, 1), latent_channels=4,
        )  # fmt: skip

    trained, fresh = build(), build()
    here = Run(tmp_path / "runs", tmp_path / "part", torch.device("cpu"), False)
    assert latest_weights(fresh, here) == 0
    save_part(trained, here.part, step=120, facts={"loss": 0.5})
    assert latest_weights(fresh, here) == 120
    for name, value in trained.state_dict().items():
        assert torch.allclose(fresh.state_dict()[name], value, atol=1e-3)
    assert json.loads((here.part / "training.json").read_text())["loss"] == 0.5


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"steps": 5, "minutes": 0.0}, {"steps": 5, "ema": 1.0}])
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        FitConfig(**wrong)


def test_a_gpu_preset_without_a_gpu_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from training.parts import open_run

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = argparse.Namespace(preset="gpu", threads=0, runs=tmp_path, checkpoints=tmp_path, batch=2)
    with pytest.raises(SystemExit, match="--preset cpu"):
        open_run(options, "vae")


@pytest.mark.parametrize("shape", [(24, 60), (60, 24), (16, 16)])
def test_an_orthogonal_factor_has_singular_values_near_one(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    values = torch.linalg.svdvals(orthogonal(matrix[None])[0])
    assert 0.5 < values.min() < values.max() < 1.3
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.cosine_similarity(orthogonal(matrix[None]).flatten(), (left @ right).flatten(), dim=0) > 0.95


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (16, 50)])
def test_a_large_matrix_is_made_orthogonal_block_by_block(shape: tuple[int, int]) -> None:
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    made = orthogonal(matrix[None], rows=8)[0]
    wide, given = (made, matrix) if shape[0] < shape[1] else (made.T, matrix.T)
    size = -(-min(shape) // -(-min(shape) // 8))
    for block, alone in zip(wide.split(size), given.split(size), strict=True):
        assert len(block) <= 8 and torch.equal(block, orthogonal(alone[None])[0])


def test_muon_goes_on_from_a_state_that_knows_no_blocks() -> None:
    weight = nn.Parameter(torch.zeros(4, 6))
    optimizer = Muon(nn.ParameterList([weight]), {"p": weight}, 0.1)
    older = optimizer.state_dict()
    for group in older["param_groups"]:
        del group["rows"]
    optimizer.load_state_dict(older)
    weight.grad = torch.ones(4, 6)
    optimizer.step()
    assert weight.abs().max() > 0


@pytest.mark.parametrize("work_type", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(16, 720), (720, 16), (16, 16)])
def test_no_singular_value_grows_beside_one_that_dominates(
    shape: tuple[int, int], work_type: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.muon._work_type", lambda device: work_type)
    left, _, right = torch.linalg.svd(torch.randn(32, *shape, generator=torch.Generator().manual_seed(0)), False)
    spectrum = torch.full((min(shape),), 0.03)
    spectrum[0] = 1.0  # nearly so are a U-Net's last convolution's
    assert torch.linalg.svdvals(orthogonal(left * spectrum @ right)).max() < 1.3


@pytest.mark.parametrize("shape", [(24, 90), (90, 24), (24, 30)])
def test_rounds_reckoned_on_the_smaller_side_are_the_same_rounds(
    shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.muon._work_type", lambda device: torch.float32)
    generator = torch.Generator().manual_seed(2)
    strong, weak = torch.randn(shape[0], 3, generator=generator), torch.randn(shape, generator=generator)
    # as gradients are: nearly of low rank
    matrix = strong @ torch.randn(3, shape[1], generator=generator) + 0.01 * weak
    near = (matrix / matrix.norm()).double()
    for _ in range(5):
        gram = near @ near.T
        near = 3.4445 * near + (-4.7750 * gram + 2.0315 * gram @ gram) @ near
    assert float((orthogonal(matrix[None])[0] - near).norm() / near.norm()) < 1e-4


def test_matrices_of_one_shape_are_stepped_together_as_each_alone() -> None:
    together, alone = ([nn.Parameter(torch.zeros(6, 2, 3, 3)) for _ in range(3)] for _ in range(2))
    first = Muon(nn.ParameterList(together), {str(i): p for i, p in enumerate(together)}, 0.1, 0.5)
    others = [Muon(nn.ParameterList([p]), {"p": p}, 0.1, 0.5) for p in alone]
    generator = torch.Generator().manual_seed(3)
    for step in range(3):
        for place, (mine, theirs) in enumerate(zip(together, alone, strict=True)):
            mine.grad = theirs.grad = None if place == step else torch.randn(mine.shape, generator=generator)
        for optimizer in (first, *others):
            optimizer.step()
    for mine, theirs in zip(together, alone, strict=True):
        assert mine.abs().max() > 0.01 and torch.allclose(mine, theirs, atol=1e-3)


def test_muon_leaves_tables_and_gains_to_adamw() -> None:
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 3), nn.LayerNorm(3))
    groups = Muon(model, dict(model.named_parameters()), 0.1).param_groups
    assert [[tuple(p.shape) for p in group["params"]] for group in groups] == [[(3, 4)], [(5, 4), (3,), (3,), (3,)]]


def test_tables_and_gains_are_stepped_together_as_adamw_steps_them_alone() -> None:
    ours, theirs = (nn.Sequential(nn.Embedding(5, 4), nn.LayerNorm(4), nn.LayerNorm(4)) for _ in range(2))
    theirs.load_state_dict(ours.state_dict())
    quick = Muon(ours, dict(ours.named_parameters()), 0.1)
    plain = torch.optim.AdamW(theirs.parameters(), 0.1, betas=(0.9, 0.99), weight_decay=0.0)
    for step in range(6):
        x = torch.tensor([step % 5, 2])
        for model, optimizer in ((ours, quick), (theirs, plain)):
            last = 3 if step % 2 else 2  # every other step the last gains have no gradient: their count stands still
            model[:last](x).square().sub(1).square().sum().backward()
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    for name, value in theirs.state_dict().items():
        assert torch.allclose(ours.state_dict()[name], value, atol=1e-5), name
    assert {float(quick.state[p]["step"]) for p in ours[2].parameters()} == {3.0}
    assert {key for state in quick.state.values() for key in state} == {"mean", "square", "step"}
