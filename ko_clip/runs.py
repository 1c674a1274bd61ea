"""A run's folder: its state, which survives a kill, and what a person reads about it.

`state.safetensors` holds student, average, optimizer and step; it is written beside and renamed, so there is always
a whole one. No pickle.
"""

from __future__ import annotations

import json
import os
import platform
import signal
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from types import FrameType

import torch
import yaml
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from ko_clip.recipe import Recipe

_PACKAGES = ("torch", "transformers", "tokenizers", "sentence-transformers", "accelerate", "safetensors", "numpy")


class Average:
    """Exponential moving average of the weights, quick to follow at first (as in TensorFlow's num_updates)."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights = {name: p.detach().clone().float() for name, p in model.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        decay = min(self.decay, (1 + step) / (10 + step))
        live = [p.detach() for name, p in model.named_parameters() if name in self.weights]
        torch._foreach_lerp_(list(self.weights.values()), live, 1 - decay)

    @torch.no_grad()
    def swap(self, model: nn.Module) -> None:
        """Exchange the model's weights and the average."""
        for name, parameter in model.named_parameters():
            if name in self.weights:
                kept = parameter.detach().clone()
                parameter.copy_(self.weights[name])
                self.weights[name].copy_(kept)


def save_state(
    path: Path, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer, facts: Mapping[str, float]
) -> None:
    """Write weights, average, optimizer and facts (step, best score, ...) as one file, whole or not at all."""
    tensors = {f"model.{name}": t for name, t in model.state_dict().items()}
    tensors |= {f"average.{name}": t for name, t in average.weights.items()}
    for index, values in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{index}.{key}": torch.as_tensor(value) for key, value in values.items()}
    tensors = {name: t.detach().cpu().contiguous().clone() for name, t in tensors.items()}
    fresh = path.with_suffix(".new")
    save_file(tensors, fresh, metadata={"facts": json.dumps(facts)})
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)


def load_state(path: Path, model: nn.Module, average: Average, optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """Restore what `save_state` wrote; returns the facts."""
    model_state, optimizer_state = {}, {}
    with safe_open(path, framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
        for name in file.keys():  # noqa: SIM118 - safetensors' own method, not a dict
            kind, _, rest = name.partition(".")
            if kind == "model":
                model_state[rest] = file.get_tensor(name)
            elif kind == "average":
                average.weights[rest].copy_(file.get_tensor(name))
            else:
                index, _, key = rest.partition(".")
                optimizer_state.setdefault(int(index), {})[key] = file.get_tensor(name)
    try:
        model.load_state_dict(model_state)
    except RuntimeError as error:
        raise ValueError(f"{path} belongs to a student of another shape: give the run another folder") from error
    optimizer.load_state_dict({"state": optimizer_state, "param_groups": optimizer.state_dict()["param_groups"]})
    return facts


def finished(folder: Path) -> bool:
    """Whether the stage whose state is in `folder` has run all its steps."""
    with safe_open(folder / "state.safetensors", framework="pt") as file:
        facts = json.loads(file.metadata()["facts"])
    return facts["step"] >= facts["steps"]


class Clock:
    """Stops a loop after some minutes, or at the first Ctrl-C or SIGTERM, at the end of a step."""

    def __init__(self, minutes: float | None) -> None:
        self.start, self.minutes, self.asked = time.monotonic(), minutes, False
        self._former: dict[int, object] = {}

    def __enter__(self) -> Clock:
        for number in (signal.SIGINT, signal.SIGTERM):
            self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)  # type: ignore[arg-type]

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self.asked = True

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.start

    def is_over(self) -> bool:
        return self.asked or (self.minutes is not None and self.seconds >= 60 * self.minutes)


def write_facts(folder: Path, recipe: Recipe) -> None:
    """recipe.yaml and versions.json of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), allow_unicode=True, sort_keys=False)
    (folder / "recipe.yaml").write_text(text, "utf-8")
    versions = {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", "utf-8")


def add_metrics(folder: Path, row: Mapping[str, float | int | str]) -> None:
    """Append one line to metrics.jsonl."""
    with (folder / "metrics.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(row, ensure_ascii=False) + "\n")
