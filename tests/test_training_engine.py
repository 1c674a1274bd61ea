"""A training run that is cut and started again ends with the same weights; elsewhere it starts warm."""

from __future__ import annotations

import argparse
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn
from training_model import losses_of, make_model, run

from training import training_log
from training.parts import save_part, warm_start
from training.run import Run, add_training_options, open_run
from training.schedule import TrainerSettings
from training.state import STATE_FILE, load_average, read_progress, read_state
from training.trainer import Trainer


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
    config = TrainerSettings(steps=10_000_000, minutes=0.002, learning_rate=1e-2)
    first = Trainer(model, losses_of(model), config, tmp_path).run()
    second = Trainer(model, losses_of(model), config, tmp_path).run()
    assert not first.finished
    assert second.step > first.step > 0


def test_training_lowers_the_loss(tmp_path: Path) -> None:
    model = make_model()
    before = losses_of(model)(0)["loss"].item()
    Trainer(model, losses_of(model), TrainerSettings(steps=200, learning_rate=1e-2, warmup=10), tmp_path).run()
    assert losses_of(model)(0)["loss"].item() < before / 2


def test_a_loss_that_is_no_number_stops_the_run_and_keeps_the_last_state(tmp_path: Path) -> None:
    model = make_model()
    step_losses = losses_of(model)

    def broken(step: int) -> dict[str, torch.Tensor]:
        scale = float("nan") if step == 7 else 1.0
        return {"loss": step_losses(step)["loss"] * scale}

    with pytest.raises(FloatingPointError, match="step 7"):
        Trainer(model, broken, TrainerSettings(steps=20, save_minutes=0.0), tmp_path).run()
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
    assert warm_start(fresh, here) == 0
    save_part(trained, here.part, step=120, facts={"loss": 0.5})
    assert warm_start(fresh, here) == 120
    assert warm_start(fresh, here, latents="a1") == 0  # weights that learnt from other latents are a start alone
    save_part(fresh, here.part, step=130, facts={"loss": 0.5, "latents": "a1"})
    assert warm_start(fresh, here, latents="a1") == 130
    for name, value in trained.state_dict().items():
        assert torch.allclose(fresh.state_dict()[name], value, atol=1e-3)
    assert json.loads((here.part / "training.json").read_text())["loss"] == 0.5


@pytest.mark.parametrize(
    "wrong",
    [
        {"steps": 0},
        {"steps": 5, "minutes": 0.0},
        {"steps": 5, "ema": 1.0},
        {"steps": 5, "finish": True},
        {"steps": 5, "cooldown": 2},
    ],
)
def test_settings_that_cannot_be_meant_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="give"):
        TrainerSettings(**wrong)


def test_a_gpu_preset_without_a_gpu_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    options = argparse.Namespace(preset="gpu", threads=0, runs=tmp_path, checkpoints=tmp_path, batch=2)
    with pytest.raises(SystemExit, match="--preset cpu"):
        open_run(options, "vae")


def test_states_lie_where_runs_dir_or_the_command_line_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def options(*words: str) -> argparse.Namespace:
        parser = argparse.ArgumentParser()
        add_training_options(parser, steps=1, batch=1, learning_rate=1e-3)
        return parser.parse_args(words)

    monkeypatch.delenv("RUNS_DIR", raising=False)
    assert (options().runs, options().pool) == (Path("runs"), Path("runs/pool"))
    monkeypatch.setenv("RUNS_DIR", str(tmp_path))
    assert (options().runs, options().pool) == (tmp_path, tmp_path / "pool")
    assert options("--runs", "elsewhere").runs == Path("elsewhere")


def test_the_training_that_the_document_shows_runs(tmp_path: Path) -> None:
    text = (Path(__file__).parent.parent / "docs" / "how-to" / "train-the-checkpoint.md").read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent)}
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, check=True)
    assert read_progress(tmp_path / "runs" / "mine").finished


# --- resuming -------------------------------------------------------------------------------------------------------


def test_what_draws_from_torch_s_global_generator_resumes_exactly_too(tmp_path: Path) -> None:
    def train(folder: Path, *stops: int) -> dict[str, torch.Tensor]:
        for stop in (*stops, None):
            torch.manual_seed(3)
            model = nn.Sequential(nn.Linear(8, 16), nn.Dropout(0.5), nn.Linear(16, 8))
            torch.rand(len(stops) + 1)  # whatever was drawn before does not matter
            losses = losses_of(model)

            def stopped(step: int, losses=losses, stop=stop) -> dict[str, torch.Tensor]:
                if step == stop:
                    raise KeyboardInterrupt
                return losses(step)

            try:
                Trainer(model, stopped, TrainerSettings(steps=9, save_minutes=0.0), folder).run()
            except KeyboardInterrupt:
                continue
        return model.state_dict()

    whole, resumed = train(tmp_path / "whole"), train(tmp_path / "cut", 3, 6)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_smoothed_losses_of_a_killed_run_are_those_of_a_whole_one(tmp_path: Path) -> None:
    run(tmp_path / "whole", 60)
    run(tmp_path / "cut", 60, stop_at=30)
    run(tmp_path / "cut", 60)
    whole, cut = (read_progress(tmp_path / name) for name in ("whole", "cut"))
    assert whole == cut and whole.smoothed["loss"] > 0 and whole.finished


def test_a_state_of_another_shape_is_refused_with_its_file(tmp_path: Path) -> None:
    run(tmp_path, 2)
    other = nn.Sequential(nn.Linear(8, 4))
    with pytest.raises(ValueError, match=f"{STATE_FILE} belongs to a network of another shape: give the run another"):
        Trainer(other, losses_of(other), TrainerSettings(steps=4), tmp_path).run()


def test_tied_and_frozen_weights_are_in_the_state_and_only_trained_ones_are_averaged(tmp_path: Path) -> None:
    torch.manual_seed(0)
    twice = nn.Linear(8, 8)
    model = nn.Sequential(twice, nn.LayerNorm(8), twice)
    model[1].requires_grad_(False)
    result = Trainer(model, losses_of(model), TrainerSettings(steps=3), tmp_path).run()
    state, (average, _) = read_state(tmp_path / STATE_FILE), load_average(tmp_path)
    assert state.model.keys() == model.state_dict().keys() == result.average.keys() == average.keys()
    assert state.average.keys() == {"0.weight", "0.bias", "2.weight", "2.bias"}
    for found in (result.average, average):
        assert torch.equal(found["0.weight"], found["2.weight"]) and torch.equal(found["1.weight"], torch.ones(8))
        assert not torch.equal(found["0.weight"], twice.weight)
    again = nn.Sequential(twice, nn.LayerNorm(8), twice)  # nothing is frozen any more
    assert Trainer(again, losses_of(again), TrainerSettings(steps=4), tmp_path).run().step == 4


def test_the_schedule_ends_in_the_minutes_that_finish_gives_and_stays_so(tmp_path: Path) -> None:
    model = make_model()
    settings = TrainerSettings(steps=10**7, minutes=0.01, finish=True)
    first = Trainer(model, losses_of(model), settings, tmp_path)
    steps = first.run().step
    assert first.steps < 10**7 and abs(steps - first.steps) < first.steps / 2
    again = Trainer(model, losses_of(model), settings, tmp_path)
    again.run()
    assert again.steps == first.steps


# --- what a person reads --------------------------------------------------------------------------------------------


def test_losses_and_held_out_figures_are_rows_of_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    model, seen = make_model(), []

    def on_sample(step: int, average: dict[str, torch.Tensor]) -> dict[str, float]:
        assert not model.training and all(torch.equal(model.state_dict()[n], v) for n, v in average.items())
        seen.append({name: value.clone() for name, value in average.items()})
        return {"error": 0.25}

    settings = TrainerSettings(steps=5, log_every=2, sample_every=2, sample_at_end=True)
    with caplog.at_level(logging.INFO):
        result = Trainer(model, losses_of(model), settings, tmp_path, on_sample=on_sample).run()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text("utf-8").splitlines()]
    assert [(row["step"], "loss" in row, row.get("error")) for row in rows] == [
        (2, True, None), (2, False, 0.25), (4, True, None), (4, False, 0.25), (5, True, None), (5, False, 0.25),
    ]  # fmt: skip
    assert {"steps_per_second", "minutes_left"} <= rows[0].keys()
    assert all(torch.equal(result.average[name], value) for name, value in seen[-1].items())
    assert model.training and not torch.equal(model.state_dict()["0.weight"], result.average["0.weight"])
    assert list((tmp_path / "tensorboard").iterdir())
    assert "step 2/5 loss" in caplog.text and "step 4/5" not in caplog.text  # a line every 30 seconds
    assert "step 4 held out: error 0.2500" in caplog.text


def test_a_terminal_shows_a_bar_in_place_of_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(training_log.os, "isatty", lambda descriptor: True)
    model = make_model()
    with caplog.at_level(logging.INFO):
        Trainer(model, losses_of(model), TrainerSettings(steps=4, log_every=2), tmp_path).run()
    shown = capsys.readouterr().err
    assert "4/4" in shown and "loss" in shown and "step 2/4" not in caplog.text
