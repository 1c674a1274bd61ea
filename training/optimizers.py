"""Named optimisers over the parts of one module, such as a generator and its critic.

In: a module and settings by name. Out: one step of all of them, and their moments by parameter name for the state. All
follow one schedule, each at its own learning rate; gradients are clipped optimiser by optimiser.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from training.muon import Muon
from training.state import Moments, TrainingState

KINDS = ("muon", "adamw")


@dataclass(frozen=True)
class OptimizerSettings:
    """One optimiser. `kind`: muon (matrices by Muon, the rest by AdamW) or adamw. `parts`: names of the submodules
    whose trained parameters it steps; ("",) is the whole module. `clip_norm`: largest norm of its gradients.
    """

    learning_rate: float
    kind: str = "muon"
    weight_decay: float = 0.01
    parts: tuple[str, ...] = ("",)
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"optimizer kind is {self.kind!r}: use {', '.join(KINDS)}")
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}: give more than 0")

    def build(self, module: nn.Module, trained: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
        if self.kind == "muon":
            return Muon(module, trained, self.learning_rate, self.weight_decay)
        return torch.optim.AdamW(
            trained.values(), self.learning_rate, betas=(0.9, 0.99), weight_decay=self.weight_decay
        )


class NamedOptimizers:
    """Raises ValueError where a trained parameter has no optimiser, or more than one."""

    def __init__(
        self, module: nn.Module, settings: Mapping[str, OptimizerSettings], accelerator: Accelerator
    ) -> None:  # fmt: skip
        self.settings, self._accelerator = dict(settings), accelerator
        self.trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
        self._owned = {name: self._belonging_to(each) for name, each in self.settings.items()}
        self._check()
        self.by_name: dict[str, torch.optim.Optimizer] = {
            name: accelerator.prepare_optimizer(each.build(module, self._owned[name]))
            for name, each in self.settings.items()
        }

    def step(self, share: float) -> Tensor:
        """Step every optimiser at `share` of its learning rate and forget the gradients; returns the largest gradient
        norm before clipping. Nothing is stepped where that is not finite.
        """
        norms = {
            name: self._accelerator.clip_grad_norm_(self._owned[name].values(), each.clip_norm)
            for name, each in self.settings.items()
        }
        largest = torch.stack([torch.as_tensor(norm) for norm in norms.values()]).max()  # NaN where one is NaN
        if torch.isfinite(largest):
            for name, optimizer in self.by_name.items():
                for group in optimizer.param_groups:
                    group["lr"] = self.settings[name].learning_rate * share
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
        return largest

    def moments(self) -> Moments:
        """Everything that the optimisers remember, by parameter name."""
        found: Moments = {}
        for name, optimizer in self.by_name.items():
            states = optimizer.state
            found |= {
                parameter_name: {key: torch.as_tensor(value) for key, value in states[parameter].items()}
                for parameter_name, parameter in self._owned[name].items()
                if parameter in states
            }
        return found

    def restore(self, state: TrainingState) -> None:
        """Take the moments of a state over, in its order of names or of places."""
        for name, optimizer in self.by_name.items():
            saved = dict(state.moments)
            if state.placed_moments:
                names = {id(parameter): parameter_name for parameter_name, parameter in self._owned[name].items()}
                order = [names[id(p)] for group in optimizer.param_groups for p in group["params"]]
                saved = {order[place]: moment for place, moment in state.placed_moments.items()}
            for parameter_name, parameter in self._owned[name].items():
                optimizer.state[parameter] = {
                    key: value if key == "step" else value.to(parameter.device)
                    for key, value in saved.get(parameter_name, {}).items()
                }

    def _belonging_to(self, settings: OptimizerSettings) -> dict[str, nn.Parameter]:
        return {
            name: parameter
            for name, parameter in self.trained.items()
            if any(not part or name == part or name.startswith(f"{part}.") for part in settings.parts)
        }

    def _check(self) -> None:
        for parameter in self.trained:
            owners = [name for name, owned in self._owned.items() if parameter in owned]
            if len(owners) != 1:
                raise ValueError(
                    f"parameter {parameter} is stepped by {', '.join(owners) or 'no optimizer'}: "
                    "name each trained part in `parts` of exactly one optimizer"
                )
        if empty := [name for name, owned in self._owned.items() if not owned]:
            raise ValueError(f"optimizer {empty[0]} has no trained parameter: check its parts")
