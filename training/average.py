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
        self._weights: dict[str, Tensor] = {name: p.detach().clone().float() for name, p in self._live.items()}
        first = {id(parameter): name for name, parameter in self._live.items()}
        everywhere = model.named_parameters(remove_duplicate=False)
        self._first_name = {name: first[id(p)] for name, p in everywhere if id(p) in first}  # of tied parameters too

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the weights as they are after `step` (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        live = [parameter.detach().float() for parameter in self._live.values()]
        torch._foreach_lerp_(list(self._weights.values()), live, 1 - decay)

    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Take over saved weights; names that are not averaged here are left out."""
        for name, value in self._weights.items():
            value.copy_(weights[name])

    @property
    def weights(self) -> dict[str, Tensor]:
        """The averages by every name that their parameters have."""
        return {name: self._weights[first] for name, first in self._first_name.items()}

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
            parameter.copy_(self._weights[name])
            self._weights[name].copy_(kept)
