"""Train a module by `losses(step)`, so that a kill at any moment loses minutes and nothing else.

In: a module, its losses as a pure function of the step, settings, a run folder. Out: averaged weights and, in the
folder, `state.safetensors`, `log.jsonl`, TensorBoard events. A run that is started again goes on exactly, bit for bit
on the same machine and thread count; so does one whose state an older version wrote. Composed of a schedule
(`training.schedule`), named optimisers (`training.optimizers`), an average (`training.average`), a state
(`training.state`), a time budget (`training.budget`) and a log (`training.training_log`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.average import MovingAverage
from training.budget import TimeBudget
from training.optimizers import NamedOptimizers, OptimizerSettings
from training.processes import mean_over_processes, open_accelerator
from training.schedule import TrainerSettings
from training.state import STATE_FILE, Figures, TrainingProgress, TrainingState, read_state, write_state
from training.training_log import TrainingLog

logger = logging.getLogger(__name__)
_FINISH_SHARE = 0.97  # of the time left that a plan fills with steps
_PLAN_SHARES = (0.25, 0.5, 0.75)  # of the minutes: where the pace is measured again
_PLAN_CHANGE = 0.03  # a plan that would change by less is kept
Losses: TypeAlias = Mapping[str, Tensor]
# "loss" is minimised, the others are followed. Several mappings are micro-batches of one step: their gradients and
# values add up, so each is scaled by its share of the rows.
StepLosses: TypeAlias = Callable[[int], Losses | Iterable[Losses]]
# Called with the step and the averaged state dictionary while the module holds it, in evaluation mode, in the main
# process alone; the figures it returns are recorded.
OnSample: TypeAlias = Callable[[int, Mapping[str, Tensor]], Mapping[str, float] | None]


@dataclass
class TrainingResult:
    """Where a run stands: `average` is the averaged state dictionary, `losses` the smoothed losses."""

    step: int
    finished: bool
    average: dict[str, Tensor]
    losses: dict[str, float]


class Trainer:
    """One training. `facts` are kept in the state for the caller, such as the best score so far.

    `optimizers` by name; by default one Muon over everything. `first_step` is where a warm start stands (ignored where
    the folder holds a state). Under several processes `model` has gone through `accelerator.prepare`, and `losses` uses
    that one. Raises FloatingPointError when a loss or gradient stops being a number, with the last good state on disk.
    """

    def __init__(
        self, model: nn.Module, losses: StepLosses, settings: TrainerSettings, folder: Path, *,
        optimizers: Mapping[str, OptimizerSettings] | None = None, accelerator: Accelerator | None = None,
        first_step: int = 0, on_sample: OnSample | None = None, facts: Figures | None = None,
    ) -> None:  # fmt: skip
        on_cpu = next(model.parameters()).device.type == "cpu"
        self.accelerator = accelerator or open_accelerator(cpu=on_cpu)
        self.model: nn.Module = self.accelerator.unwrap_model(model)
        if self.accelerator.num_processes > 1 and self.model is model:
            raise ValueError("several processes train a module that was not prepared for them: start one process")
        usual = {"all": OptimizerSettings(settings.learning_rate, weight_decay=settings.weight_decay)}
        self.optimizers = NamedOptimizers(self.model, optimizers or usual, self.accelerator)
        self.average = MovingAverage(self.model, settings.ema)
        self.settings, self.folder, self._losses, self._on_sample = settings, folder, losses, on_sample
        self.step, self.steps, self.facts = first_step, settings.steps, dict(facts or {})
        self._planned = 0.0  # minutes that `steps` was planned for
        self._plan_times: list[float] = []  # seconds of this leg at which its end is planned, the first ones over
        self._measured = (0.0, 0)  # seconds and step since which the pace is measured
        self._smoothed: dict[str, float] = {}

    def run(self) -> TrainingResult:
        """Train until the schedule or the leg ends, at least one step; writes the state."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._resume()
        self._check_alike()
        self.model.train()
        main, first = self.accelerator.is_main_process, self.step
        with (
            TimeBudget(self.settings.minutes, self.accelerator) as budget,
            TrainingLog(self.folder, self.step, self.steps, self._smoothed, main) as log,
        ):
            self._run_leg(budget, log)
            if self.settings.sample_at_end and not self._samples_at(self.step):
                self._sample(log)
        if self.step > first or not (self.folder / STATE_FILE).exists():
            self._save()
        return TrainingResult(self.step, self.step >= self.steps, self.average.state(), dict(self._smoothed))

    def train_step(self) -> dict[str, Tensor]:
        """Run one step and return its losses."""
        torch.manual_seed((self.settings.seed << 32) + (self.step << 8) + self.accelerator.process_index)
        found: dict[str, Tensor] = {}
        returned = self._losses(self.step)
        for losses in [returned] if isinstance(returned, Mapping) else returned:
            self.accelerator.backward(losses["loss"])
            found = {name: found.get(name, 0) + value.detach() for name, value in losses.items()}
        norm = self.optimizers.step(self.settings.share(self.step, self.steps))
        if not torch.isfinite(norm):
            raise FloatingPointError(
                f"the loss is {found['loss'].item()} at step {self.step} and its gradient {norm.item()}: "
                f"lower the learning rate; {self.folder} is kept"
            )
        self.average.update(self.step)
        self.step += 1
        return found

    def _run_leg(self, budget: TimeBudget, log: TrainingLog) -> None:
        settings, saved, over = self.settings, 0.0, False
        self._plan_times, self._measured = self._times_to_plan(), (0.0, self.step)
        while self.step < self.steps and not over:
            losses = self.train_step()
            seconds, over = budget.now()
            self._plan(seconds)
            log.step(self.steps)
            if (settings.log_every and self.step % settings.log_every == 0) or self.step >= self.steps:
                left = None if settings.minutes is None else 60 * settings.minutes - seconds
                log.losses(self.step, self._reduced(losses), left)
            if self._samples_at(self.step):
                self._sample(log)
            if seconds - saved > 60 * settings.save_minutes:
                self._save()
                saved = seconds

    def _samples_at(self, step: int) -> bool:
        return self.settings.sample_every > 0 and step % self.settings.sample_every == 0

    def _times_to_plan(self) -> list[float]:
        """Seconds after which a leg with `finish` plans its end; none where a plan for these minutes was kept."""
        minutes = self.settings.minutes
        if not self.settings.finish or minutes is None or self._planned:
            return []
        first = min(60.0, 6 * minutes)
        return [first, *(each for share in _PLAN_SHARES if (each := 60 * minutes * share) > first)]

    def _plan(self, seconds: float) -> None:
        """With `finish`, set the end of the schedule to where the minutes end at the pace measured of late: what is
        slow at first (kept targets, other work on the machine) must not decide how far a run goes.
        """
        if not self._plan_times or seconds <= self._plan_times[0] or self.settings.minutes is None:
            return
        self._plan_times = [each for each in self._plan_times if each >= seconds]
        since, first = self._measured
        pace, left = (self.step - first) / (seconds - since), 60 * self.settings.minutes - seconds
        steps = self.step + max(1, int(pace * left * _FINISH_SHARE))
        self._measured = (seconds, self.step)
        if self._planned and abs(steps - self.steps) < _PLAN_CHANGE * self.steps:
            return
        self.steps, self._planned = steps, self.settings.minutes
        cooling = round(steps * (1 - self.settings.cooldown))
        logger.info(
            "plan: %d steps, as %.1f minutes are left and a step takes %.3g s; warm-up until step %d, cool-down from "
            "step %d; the schedule asks for %d steps", steps, left / 60, 1 / max(pace, 1e-9),
            self.settings.warmup_steps(steps), cooling, self.settings.steps,
        )  # fmt: skip

    def _reduced(self, losses: Losses) -> dict[str, float]:
        """The means over all processes."""
        return {name: float(mean_over_processes(value, self.accelerator)) for name, value in losses.items()}

    def _sample(self, log: TrainingLog) -> None:
        if self._on_sample is None or not self.accelerator.is_main_process:
            return
        with self.average.applied():
            figures = self._on_sample(self.step, self.model.state_dict())
        if figures:
            log.figures(self.step, figures)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            progress = TrainingProgress(
                self.step, self.steps, self.settings.steps, self._planned, dict(self._smoothed), dict(self.facts)
            )
            model, average = dict(self.model.state_dict()), self.average.weights
            write_state(self.folder / STATE_FILE, TrainingState(progress, model, average, self.optimizers.moments()))
        self.accelerator.wait_for_everyone()

    def _check_alike(self) -> None:
        """Raise ValueError where this process went on from another step than the main one: it saw another folder."""
        if self.accelerator.num_processes == 1:
            return
        step = torch.tensor([self.step], device=self.accelerator.device)
        if (self.accelerator.gather(step) != step).any():
            raise ValueError(
                f"processes stand at different steps, this one at {self.step}: let all machines share {self.folder}, "
                "or copy the main one's state there"
            )

    def _resume(self) -> None:
        """Go on from the state; steps planned for these minutes stay, so that a killed run ends where it would have."""
        path = self.folder / STATE_FILE
        if not path.exists():
            return
        state = read_state(path)
        try:
            self.model.load_state_dict(state.model)
        except RuntimeError as error:
            raise ValueError(f"{path} belongs to a network of another shape: give the run another folder") from error
        self.average.restore({**state.model, **state.average})  # what was frozen so far begins at its weights
        self.optimizers.restore(state)
        progress = state.progress
        self.step, self._smoothed = progress.step, dict(progress.smoothed)
        self.facts |= progress.kept
        if progress.planned and progress.asked == self.settings.steps:
            self.steps = progress.steps
            kept = progress.finished or progress.planned == self.settings.minutes
            self._planned = progress.planned if kept else 0.0
        logger.info("resumed %s at step %d", path, self.step)
