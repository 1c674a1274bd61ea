"""Fit a network within a time budget, so that a kill at any moment loses minutes and nothing else.

In: a module and `step_losses(step)`, a pure function of the step (its randomness seeded by the step). Out: the
exponential moving average of the weights, and a run folder with `state.safetensors` (weights, average, Muon's
moments), `log.jsonl`, TensorBoard events and whatever the caller draws. A run that is started again continues
exactly, bit for bit on the same machine and thread count; a run without a state starts warm from a shipped part
(`training.parts.latest_weights`).

The learning rate rises over `warmup` steps, stays, and falls linearly to nothing over the last `decay_share` of
`steps`.
"""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from training.muon import Muon

logger = logging.getLogger(__name__)

StepLosses = Callable[[int], Mapping[str, torch.Tensor]]
STATE_FILE = "state.safetensors"


@dataclass(frozen=True)
class FitConfig:
    """`steps` is what the schedule is laid for, `minutes` how long this leg may take (None: until `steps`)."""

    steps: int
    minutes: float | None = None
    learning_rate: float = 1e-3
    warmup: int = 100
    decay_share: float = 0.3
    weight_decay: float = 0.01
    clip_norm: float = 1.0
    ema: float = 0.999
    save_minutes: float = 3.0
    log_every: int = 20
    sample_every: int = 0

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}: give at least 1")
        if self.minutes is not None and self.minutes <= 0:
            raise ValueError(f"minutes is {self.minutes}: give more than 0, or leave it out to run to the last step")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}: give 0 or more and less than 1")

    def rate(self, step: int) -> float:
        """The learning rate of one step."""
        decay = max(1, int(self.steps * self.decay_share))
        left = max(0, self.steps - step)
        return self.learning_rate * min(1.0, (step + 1) / self.warmup, left / decay)


@dataclass
class Fit:
    """Where a run stands. `average` holds the EMA weights by name, float32."""

    step: int
    finished: bool
    average: dict[str, torch.Tensor]
    losses: dict[str, float]


def fit(
    model: nn.Module,
    step_losses: StepLosses,
    config: FitConfig,
    folder: Path,
    *,
    first_step: int = 0,
    on_sample: Callable[[int, Mapping[str, torch.Tensor]], None] | None = None,
) -> Fit:
    """Train `model` in place until the schedule or the leg ends; the dictionary's "loss" is what is minimised.

    `first_step` is where a warm start stands (ignored when the folder holds a state). Raises FloatingPointError when
    the loss stops being a number, with the last good state still on disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    optimizer = Muon(model, trained, config.learning_rate, config.weight_decay)
    average = {name: value.detach().clone().float() for name, value in model.state_dict().items()}
    step = _restore(folder / STATE_FILE, model, average, optimizer, trained)
    step = first_step if step is None else step
    started, saved, start_step = time.monotonic(), time.monotonic(), step
    writer = _writer(folder)
    smooth: dict[str, float] = {}
    while step < config.steps:
        for group in optimizer.param_groups:
            group["lr"] = config.rate(step)
        losses = step_losses(step)
        losses["loss"].backward()
        _check(losses["loss"], step, folder)
        nn.utils.clip_grad_norm_(trained.values(), config.clip_norm)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        _average(average, model, min(config.ema, step / (step + 10)))
        if step % config.log_every == 0 or step == config.steps:
            _follow(smooth, losses, writer, folder, step, start_step, started, config)
        if config.sample_every and on_sample and step % config.sample_every == 0:
            on_sample(step, average)
        if time.monotonic() - saved > config.save_minutes * 60:
            _save(folder / STATE_FILE, model, average, optimizer, trained, step)
            saved = time.monotonic()
        if config.minutes is not None and time.monotonic() - started > config.minutes * 60:
            break
    if step > start_step:
        _save(folder / STATE_FILE, model, average, optimizer, trained, step)
    if writer is not None:
        writer.close()
    return Fit(step, step >= config.steps, average, smooth)


def load_average(folder: Path) -> tuple[dict[str, torch.Tensor], int]:
    """The EMA weights and the step of a run folder. Raises FileNotFoundError where nothing was saved yet."""
    path = folder / STATE_FILE
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: train first, or wait for the first save")
    with safe_open(path, framework="pt") as file:
        names = [key for key in file.keys() if key.startswith("average.")]  # noqa: SIM118 - not a dictionary
        return {key.removeprefix("average."): file.get_tensor(key) for key in names}, int(file.metadata()["step"])


def _check(loss: torch.Tensor, step: int, folder: Path) -> None:
    if not math.isfinite(loss.item()):
        raise FloatingPointError(f"the loss is {loss.item()} at step {step}: lower the learning rate; {folder} is kept")


@torch.no_grad()
def _average(average: dict[str, torch.Tensor], model: nn.Module, keep: float) -> None:
    values = model.state_dict()
    moving = [name for name in average if values[name].is_floating_point()]
    torch._foreach_lerp_([average[n] for n in moving], [values[n].float() for n in moving], 1.0 - keep)


def _follow(
    smooth: dict[str, float], losses: Mapping[str, torch.Tensor], writer, folder: Path, step: int, start_step: int,
    started: float, config: FitConfig,
) -> None:  # fmt: skip
    for name, value in losses.items():
        smooth[name] = 0.9 * smooth.get(name, value.item()) + 0.1 * value.item()
    spent = time.monotonic() - started
    rate = (step - start_step) / spent
    left = (config.steps - step) / rate
    if config.minutes is not None:
        left = min(left, max(0.0, config.minutes * 60 - spent))
    facts = {"step": step, "steps_per_s": round(rate, 3), "left_min": round(left / 60, 1)}
    facts |= {name: round(value, 5) for name, value in smooth.items()}
    with (folder / "log.jsonl").open("a", encoding="utf-8") as log:
        log.write(json.dumps(facts) + "\n")
    logger.info(" ".join(f"{name} {value}" for name, value in facts.items()))
    if writer is not None:
        for name, value in losses.items():
            writer.add_scalar(name, value.item(), step)


def _writer(folder: Path):
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder / "events"))


def _save(
    path: Path, model: nn.Module, average: Mapping[str, torch.Tensor], optimizer: torch.optim.Optimizer,
    trained: Mapping[str, nn.Parameter], step: int,
) -> None:  # fmt: skip
    """Write beside and rename, so that a kill leaves the old state or the new one."""
    tensors = {f"model.{name}": value for name, value in model.state_dict().items()}
    tensors |= {f"average.{name}": value for name, value in average.items()}
    for name, parameter in trained.items():
        for key, value in optimizer.state[parameter].items():
            tensors[f"{key}/{name}"] = value
    tensors = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    beside = path.with_suffix(".writing")
    save_file(tensors, beside, metadata={"step": str(step)})
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def _restore(
    path: Path, model: nn.Module, average: dict[str, torch.Tensor], optimizer: torch.optim.Optimizer,
    trained: Mapping[str, nn.Parameter],
) -> int | None:  # fmt: skip
    if not path.exists():
        return None
    with safe_open(path, framework="pt") as file:
        saved = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - not a dictionary
        step = int(file.metadata()["step"])
    model.load_state_dict({k.removeprefix("model."): v for k, v in saved.items() if k.startswith("model.")})
    for name in average:
        average[name] = saved[f"average.{name}"].to(average[name].device)
    for name, parameter in trained.items():
        moments = {
            key.split("/", 1)[0]: v
            for key, v in saved.items()
            if key.endswith(f"/{name}") and key.split("/", 1)[1] == name
        }
        optimizer.state[parameter] = {
            key: value if key == "step" else value.to(parameter.device) for key, value in moments.items()
        }
    logger.info("resumed %s at step %d", path, step)
    return step
