"""Exponential moving average of the weights that are trained.

Ref: Polyak & Juditsky 1992; quick to follow at first, as TensorFlow's `num_updates`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class MovingAverage:
    """The average of a module's trained parameters, by name, in float32. Buffers and frozen parameters have none."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self._live = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.weights: dict[str, Tensor] = {name: p.detach().clone().float() for name, p in self._live.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights as they are after `step` (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        live = [parameter.detach().float() for parameter in self._live.values()]
        torch._foreach_lerp_(list(self.weights.values()), live, 1 - decay)

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Take over saved weights; names that are not averaged here are left out."""
        for name, value in self.weights.items():
            value.copy_(weights[name])

    def state(self) -> dict[str, Tensor]:
        """A copy of the module's state dictionary with the averages in the place of the trained parameters."""
        state = {name: value.detach().clone() for name, value in self._model.state_dict().items()}
        return state | {name: value.clone() for name, value in self.weights.items()}

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Within, the module holds the averages and is in evaluation mode."""
        training = self._model.training
        self._exchange()
        self._model.eval()
        try:
            yield
        finally:
            self._exchange()
            self._model.train(training)

    @torch.no_grad()
    def _exchange(self) -> None:
        for name, parameter in self._live.items():
            kept = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(kept)
