"""Muon: step every matrix by its momentum made orthogonal, everything else by AdamW.

In: a module and a learning rate in AdamW's scale. Out: a torch optimizer. Convolutions count as matrices of
(out, in·height·width); embeddings, gains and biases go to AdamW. `python -m benchmarks.optimizers` compares the two.
Ref: Jordan et al. 2024, github.com/KellerJordan/Muon; the common scale with AdamW is Liu et al. 2025, arXiv:2502.16982.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import nn

_QUINTIC = (3.4445, -4.7750, 2.0315)  # the Newton-Schulz polynomial whose slope at 0 is steepest
_ROUNDS = 5
_ADAMW_RMS = 0.2  # root mean square of AdamW's usual update, in learning rates


class Muon(torch.optim.Optimizer):
    """Of the `trained` parameters of a module, by name. `weight_decay` shrinks matrices alone."""

    def __init__(
        self, module: nn.Module, trained: Mapping[str, nn.Parameter], lr: float, weight_decay: float = 0.0,
        momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.99),
    ) -> None:  # fmt: skip
        tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        matrices = [p for p in trained.values() if p.ndim > 1 and id(p) not in tables]
        chosen = {id(p) for p in matrices}
        others = [p for p in trained.values() if id(p) not in chosen]
        groups = [{"params": matrices, "matrices": True}, {"params": others, "matrices": False, "weight_decay": 0.0}]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas}
        super().__init__([group for group in groups if group["params"]], defaults)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        """Step every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon steps once per gradient and takes no closure: call backward() and then step()")
        for group in self.param_groups:
            advance = self._step_matrix if group["matrices"] else self._step_vector
            for parameter in group["params"]:
                if parameter.grad is not None:
                    advance(parameter, parameter.grad, group)

    def _step_matrix(self, parameter: nn.Parameter, gradient: torch.Tensor, group: dict) -> None:
        state = self.state[parameter]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(parameter)
        state["momentum"].lerp_(gradient, 1 - group["momentum"])
        ahead = gradient.lerp(state["momentum"], group["momentum"])
        matrix = ahead.flatten(1)
        update = orthogonal(matrix) * (_ADAMW_RMS * max(matrix.shape) ** 0.5)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.add_(update.view_as(parameter), alpha=-group["lr"])

    def _step_vector(self, parameter: nn.Parameter, gradient: torch.Tensor, group: dict) -> None:
        state = self.state[parameter]
        if "mean" not in state:
            state |= {"mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter),
                      "step": torch.zeros(())}  # fmt: skip
        state["step"] += 1
        quick, slow = group["betas"]
        state["mean"].lerp_(gradient, 1 - quick)
        state["square"].lerp_(gradient.square(), 1 - slow)
        step = state["step"].item()
        deviation = (state["square"] / (1 - slow**step)).sqrt_().add_(1e-8)
        parameter.addcdiv_(state["mean"], deviation, value=-group["lr"] / (1 - quick**step))


def orthogonal(matrix: torch.Tensor) -> torch.Tensor:
    """The orthogonal factor of `matrix` (m, n), nearly: its singular values all become about 1."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    near = (wide / (wide.norm() + 1e-7)).to(_work_type(matrix.device))
    a, b, c = _QUINTIC
    for _ in range(_ROUNDS):
        gram = near @ near.T
        near = torch.addmm(near, torch.addmm(gram, gram, gram, beta=b, alpha=c), near, beta=a)
    near = near.to(matrix.dtype)
    return near if wide is matrix else near.T


def _work_type(device: torch.device) -> torch.dtype:
    fast = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
