"""Muon: step every matrix by its momentum made orthogonal, everything else by AdamW.

In: a module and a learning rate in AdamW's scale. Out: a torch optimizer. Convolutions count as matrices of
(out, in·height·width); embeddings, gains and biases go to AdamW. `python -m benchmarks.optimizers` compares the two.
Ref: Jordan et al. 2024, github.com/KellerJordan/Muon; the common scale with AdamW is Liu et al. 2025, arXiv:2502.16982.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

_QUINTIC = (3.4445, -4.7750, 2.0315)  # the Newton-Schulz polynomial whose slope at 0 is steepest
_ROUNDS = (3, 2)  # of Newton-Schulz; between the two the matrix itself is looked at again
_ADAMW_RMS = 0.2  # root mean square of AdamW's usual update, in learning rates
ROWS = 256  # of a block


class Muon(torch.optim.Optimizer):
    """Of the `trained` parameters of a module, by name. `weight_decay` shrinks matrices alone.

    A matrix whose shorter side is longer than `rows` is stepped in blocks of at most so many: making it orthogonal as a
    whole costs by the square of that side, and at a width of 768 nearly what a batch's gradients cost (Khaled et al.
    2025, arXiv:2510.16981, who join the blocks now and then).
    """

    def __init__(
        self, module: nn.Module, trained: Mapping[str, nn.Parameter], lr: float, weight_decay: float = 0.0,
        momentum: float = 0.95, betas: tuple[float, float] = (0.9, 0.99), rows: int = ROWS,
    ) -> None:  # fmt: skip
        tables = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
        matrices = [p for p in trained.values() if p.ndim > 1 and id(p) not in tables]
        chosen = {id(p) for p in matrices}
        others = [p for p in trained.values() if id(p) not in chosen]
        groups = [{"params": matrices, "matrices": True}, {"params": others, "matrices": False, "weight_decay": 0.0}]
        defaults = {"lr": lr, "weight_decay": weight_decay, "momentum": momentum, "betas": betas, "rows": rows}
        super().__init__([group for group in groups if group["params"]], defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("rows", ROWS)  # states written before there were blocks

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is taken
        """Step every parameter that has a gradient."""
        if closure is not None:
            raise ValueError("Muon steps once per gradient and takes no closure: call backward() and then step()")
        for group in self.param_groups:
            learning = [parameter for parameter in group["params"] if parameter.grad is not None]
            if not group["matrices"]:
                self._step_vectors(learning, group)
                continue
            alike: dict[torch.Size, list[nn.Parameter]] = {}
            for parameter in learning:
                alike.setdefault(parameter.shape, []).append(parameter)
            for parameters in alike.values():
                self._step_matrices(parameters, group)

    def _step_matrices(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """Matrices of one shape, all at once, for the same reason as below."""
        gradients, values = _gradients(parameters), [parameter.data for parameter in parameters]
        for parameter in parameters:
            if "momentum" not in self.state[parameter]:
                self.state[parameter]["momentum"] = torch.zeros_like(parameter)
        momenta = [self.state[parameter]["momentum"] for parameter in parameters]
        torch._foreach_lerp_(momenta, gradients, 1 - group["momentum"])
        ahead = torch.stack(torch._foreach_lerp(gradients, momenta, group["momentum"])).flatten(2)
        updates = orthogonal(ahead, group["rows"]).reshape(len(parameters), *parameters[0].shape).unbind()
        torch._foreach_mul_(values, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(values, updates, alpha=-group["lr"] * _ADAMW_RMS * max(ahead.shape[1:]) ** 0.5)

    def _step_vectors(self, parameters: list[nn.Parameter], group: dict[str, Any]) -> None:
        """AdamW of all of them at once: one by one, many small ones cost more to call for than to compute."""
        if not parameters:
            return
        states = [self.state[parameter] for parameter in parameters]
        for state, parameter in zip(states, parameters, strict=True):
            if "mean" not in state:
                state |= {"mean": torch.zeros_like(parameter), "square": torch.zeros_like(parameter),
                          "step": torch.zeros(())}  # fmt: skip
            state["step"] += 1
        means, squares, steps = ([state[key] for state in states] for key in ("mean", "square", "step"))
        gradients, (quick, slow) = _gradients(parameters), group["betas"]
        torch._foreach_lerp_(means, gradients, 1 - quick)
        torch._foreach_lerp_(squares, torch._foreach_mul(gradients, gradients), 1 - slow)
        counts = [step.item() for step in steps]
        deviations = torch._foreach_div(squares, [1 - slow**count for count in counts])
        torch._foreach_sqrt_(deviations)
        torch._foreach_add_(deviations, 1e-8)
        rates = [-group["lr"] / (1 - quick**count) for count in counts]
        torch._foreach_addcdiv_([parameter.data for parameter in parameters], means, deviations, rates)


def _gradients(parameters: list[nn.Parameter]) -> list[torch.Tensor]:
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def orthogonal(matrices: torch.Tensor, rows: int = ROWS) -> torch.Tensor:
    """The orthogonal factor of each of `matrices` (k, m, n), nearly: their singular values all become about 1.

    Where the shorter side is longer than `rows`, it is cut into blocks of at most so many, and each has its own factor.
    """
    wide = matrices if matrices.shape[1] <= matrices.shape[2] else matrices.mT
    blocks = wide.chunk(-(-wide.shape[1] // rows), dim=1)
    factors = [_factor(block) for block in blocks]
    factor = factors[0] if len(factors) == 1 else torch.cat(factors, dim=1)
    return factor if wide is matrices else factor.mT


def _factor(wide: torch.Tensor) -> torch.Tensor:
    near: torch.Tensor = (wide / (wide.norm(dim=(1, 2), keepdim=True) + 1e-7)).to(_work_type(wide.device))
    smaller = near.dtype == torch.float32 and near.shape[2] >= 2 * near.shape[1]
    advance = _by_its_gram if smaller else _by_itself
    for rounds in _ROUNDS:
        near = advance(near, rounds)
    return near.to(wide.dtype)


def _by_itself(near: torch.Tensor, rounds: int) -> torch.Tensor:
    a, b, c = _QUINTIC
    for _ in range(rounds):
        gram = near @ near.mT
        near = torch.baddbmm(near, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), near, beta=a)
    return near


def _by_its_gram(near: torch.Tensor, rounds: int) -> torch.Tensor:
    """The same rounds, reckoned in (m, m) alone: a round is a polynomial of near @ near.mT from the left. At n = 4 m
    that is two thirds of the work. All five at one go would lose what is small in float32; three, then two do not. In
    bfloat16 one does: beside a direction that dominates, the others' squares are rounding errors, some of them below
    nothing, and the rounds make those hundreds of times as large.
    """
    a, b, c = _QUINTIC

    def factor_of(gram: torch.Tensor) -> torch.Tensor:
        factor = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        factor.diagonal(dim1=1, dim2=2).add_(a)
        return factor

    gram = near @ near.mT
    product = factor = factor_of(gram)
    for _ in range(rounds - 1):
        gram = factor @ gram @ factor
        factor = factor_of(gram)
        product = factor @ product
    return product @ near


def _work_type(device: torch.device) -> torch.dtype:
    fast = device.type != "cpu" or torch.ops.mkldnn._is_mkldnn_bf16_supported()
    return torch.bfloat16 if fast else torch.float32
