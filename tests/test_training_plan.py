"""How far a training goes: its warm-up, its plan to end in some minutes, and what is said on the way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest
from training_model import losses_of, make_model

from training.schedule import TrainerSettings
from training.trainer import Trainer
from training.training_log import TrainingLog


def test_a_warm_up_takes_at_most_its_share_of_a_short_schedule() -> None:
    settings = TrainerSettings(steps=10**5, warmup=300, warmup_share=0.1, cooldown=0.3)
    assert [settings.warmup_steps(steps) for steps in (10**5, 3000, 83, 13, 1)] == [300, 300, 8, 1, 1]
    assert settings.share(7, 83) == 1.0 and settings.share(3, 83) == 0.5
    assert TrainerSettings(steps=83, warmup=30).warmup_steps(83) == 30
    with pytest.raises(ValueError, match="warmup_share is 2"):
        TrainerSettings(steps=1, warmup_share=2)


def test_a_plan_follows_the_pace_of_late_and_says_why(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ten steps a second at first, then a hundred: the plan of the first seconds would end the run at a tenth."""
    model = make_model()
    run = Trainer(model, losses_of(model), TrainerSettings(steps=10**6, minutes=1, finish=True), tmp_path)
    run._plan_times, run._measured = run._times_to_plan(), (0.0, 0)
    assert run._plan_times == [6.0, 15.0, 30.0, 45.0]
    with caplog.at_level(logging.INFO):
        run.step = 70
        run._plan(7.0)
        slow = run.steps
        run.step = 100
        run._plan(10.0)  # no time to plan
        assert run.steps == slow == 70 + int(10 * 53 * 0.97)
        run.step = 1000
        run._plan(16.0)
    assert run.steps == 1000 + int(930 / 9 * 44 * 0.97)
    assert f"plan: {slow} steps" in caplog.text and "a step takes 0.1 s" in caplog.text
    assert "asks for 1000000" in caplog.text
    kept = run.steps
    run.step += int(930 / 9 * 15)
    run._plan(31.0)
    assert run.steps == kept  # less than 3 % away


def test_a_line_comes_every_thirty_seconds_without_a_terminal_however_slow_a_step_is(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr("training.training_log.time.monotonic", lambda: now[0])
    with caplog.at_level(logging.INFO), TrainingLog(tmp_path, 0, 10, {}) as rows:
        for _ in range(5):
            now[0] += 20.0
            rows.step(10)
    assert [line.message for line in caplog.records] == ["step 2/10, 0.05 steps/s", "step 4/10, 0.05 steps/s"]
