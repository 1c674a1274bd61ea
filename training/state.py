"""The state of a training as one file, `state.safetensors`, which is always whole: written beside and renamed.

In and out: weights ("model.NAME"), averages ("average.NAME"), the optimisers' moments ("KEY/NAME" of parameter NAME)
and facts (step, planned steps, what the caller keeps), as JSON in the header. No pickle. Two older formats are read:
facts of a step alone with averages of everything, and moments by the place of a parameter in its optimiser
("optimizer.PLACE.KEY").
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

STATE_FILE = "state.safetensors"
Figures: TypeAlias = dict[str, float]
Moments: TypeAlias = dict[str, dict[str, Tensor]]


@dataclass
class TrainingProgress:
    """Where a training stands. `steps`: of the schedule, shortened where it was planned to end in `planned` minutes (0:
    it was not); `asked`: of the settings (0: an older state does not say). `smoothed`: losses. `kept`: what the caller
    keeps beside, such as the best score.
    """

    step: int
    steps: int = 0
    asked: int = 0
    planned: float = 0.0
    smoothed: Figures = field(default_factory=dict)
    kept: Figures = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        return 0 < self.steps <= self.step

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> TrainingProgress:
        """Of a state file's header, of any version."""
        if "facts" not in metadata:
            return cls(int(metadata["step"]))
        facts = json.loads(metadata["facts"])
        names = ("step", "steps", "asked", "planned", "smoothed")
        known = {name: facts.pop(name) for name in names if name in facts}
        kept = facts.pop("kept", {name: value for name, value in facts.items() if name != "pairs"})
        return cls(**known, kept=kept)


@dataclass
class TrainingState:
    """`moments` by parameter name, then by what the optimiser calls them; `placed_moments` by the parameter's place
    in its optimiser, as older states have them.
    """

    progress: TrainingProgress
    model: dict[str, Tensor] = field(default_factory=dict)
    average: dict[str, Tensor] = field(default_factory=dict)
    moments: Moments = field(default_factory=dict)
    placed_moments: dict[int, dict[str, Tensor]] = field(default_factory=dict)


def write_state(path: Path, state: TrainingState) -> None:
    """Write a state; a kill at any moment leaves the former file or this one."""
    tensors = {f"model.{name}": value for name, value in state.model.items()}
    tensors |= {f"average.{name}": value for name, value in state.average.items()}
    tensors |= {f"{key}/{name}": value for name, moment in state.moments.items() for key, value in moment.items()}
    save_whole(path, tensors, {"facts": json.dumps(asdict(state.progress))})


def read_state(path: Path) -> TrainingState:
    """Read what `write_state` or a former version wrote. Raises FileNotFoundError where nothing was saved yet,
    ValueError where the file is damaged.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: train first, or wait for the first save")
    with _opened(path) as file:
        state = TrainingState(TrainingProgress.from_metadata(file.metadata()))
        for name in file.keys():  # noqa: SIM118 - not a dictionary
            _sort_in(state, name, file.get_tensor(name))
    return state


def read_progress(folder: Path) -> TrainingProgress | None:
    """Where the training of a run folder stands, without its weights; None where nothing was saved yet."""
    path = folder / STATE_FILE
    if not path.exists():
        return None
    with _opened(path) as file:
        return TrainingProgress.from_metadata(file.metadata())


def _opened(path: Path) -> safe_open:
    """A state file; raises ValueError naming one that is damaged."""
    try:
        return safe_open(path, framework="pt")
    except SafetensorError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it, and the run begins anew") from error


def finished(folder: Path) -> bool:
    """Whether the training whose state is in `folder` has run all its steps."""
    progress = read_progress(folder)
    return progress is not None and progress.finished


def load_average(folder: Path) -> tuple[dict[str, Tensor], int]:
    """The state dictionary of a run folder's model with averaged weights, and the step.

    Raises FileNotFoundError where nothing was saved yet.
    """
    state = read_state(folder / STATE_FILE)
    return state.model | state.average, state.progress.step


def save_whole(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write a safetensors file beside `path` and rename it there, so that no reader meets half a file."""
    beside, places, written = path.with_suffix(".writing"), set[int](), {}
    for name, value in tensors.items():
        value = value.detach().cpu().contiguous()
        written[name] = value.clone() if value.data_ptr() in places else value  # a file holds tied weights twice
        places.add(value.data_ptr())
    save_file(written, beside, metadata=dict(metadata))
    with beside.open("rb") as file:
        os.fsync(file.fileno())
    beside.replace(path)


def _sort_in(state: TrainingState, name: str, value: torch.Tensor) -> None:
    if "/" in name:
        key, _, parameter = name.partition("/")
        state.moments.setdefault(parameter, {})[key] = value
        return
    kind, _, rest = name.partition(".")
    if kind == "optimizer":
        place, _, key = rest.partition(".")
        state.placed_moments.setdefault(int(place), {})[key] = value
    else:
        (state.model if kind == "model" else state.average)[rest] = value
