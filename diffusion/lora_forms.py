"""What one layer of a style adds to its weight, in every form in which styles are written.

In: the tensors of one layer by part (down, hada_w1_a, lokr_w2, magnitude, …). Out: a `LayerChange`, which gives the
difference from a weight (out, in, …) as float32. With s = alpha / rank the forms are
    LoRA   s · up · down, with a middle factor for convolutions (LoCon's Tucker form)
    LoHa   s · (a1 · b1) ⊙ (a2 · b2)
    LoKr   s · w1 ⊗ w2, each whole or of two factors; of two whole ones s is 1, as LyCORIS has it
    DoRA   m · (W + Δ) / ‖W + Δ‖ over any of them; the shape of m says whether rows or columns have the norm
A strength scales the whole difference, of DoRA as well (so 0 is the weight itself; PEFT would scale Δ inside the norm).
Refs: Hu et al. 2021, arXiv:2106.09685; Yeh et al. 2023, arXiv:2309.14859 (LyCORIS); Liu et al. 2024, arXiv:2402.09353
(DoRA).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]
# From the rank of a layer (None: it has none) to what its product is multiplied by.
Scaling = Callable[[int | None], float]


class FactorProduct(Protocol):
    """The factors of one layer."""

    @property
    def rank(self) -> int | None: ...

    @property
    def shape(self) -> tuple[int, int]:
        """(out, in · height · width) of the weight that it changes."""
        ...

    def matrix(self) -> Tensor:
        """The product in float32, in any shape that has the weight's order of elements."""
        ...


@dataclass(frozen=True)
class LowRank:
    """`down` (rank, in, …), `up` (out, rank, …), perhaps `mid` (rank, rank, height, width)."""

    down: Tensor
    up: Tensor
    mid: Tensor | None = None

    def __post_init__(self) -> None:
        _agree(self.up.flatten(1).shape[1] == self.down.shape[0], self.up, self.down)
        if self.mid is not None:
            _agree(self.mid.shape[:2] == (self.down.shape[0],) * 2, self.mid, self.down)

    @property
    def rank(self) -> int:
        return self.down.shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        area = 1 if self.mid is None else math.prod(self.mid.shape[2:])
        return self.up.shape[0], self.down.flatten(1).shape[1] * area

    def matrix(self) -> Tensor:
        down, up = self.down.flatten(1).float(), self.up.flatten(1).float()
        return up @ down if self.mid is None else _tucker(self.mid, up.T, down)


@dataclass(frozen=True)
class Hadamard:
    """Two pairs a (out, rank), b (rank, in · …), or in Tucker's form (rank, out) and (rank, in) around a core."""

    first: tuple[Tensor, Tensor]
    second: tuple[Tensor, Tensor]
    cores: tuple[Tensor, Tensor] | None = None

    def __post_init__(self) -> None:
        for a, b in (self.first, self.second):
            _agree((a.shape[0] if self.cores else a.shape[1]) == b.shape[0], a, b)

    @property
    def rank(self) -> int:
        return self.first[1].shape[0]

    @property
    def shape(self) -> tuple[int, int]:
        a, b = self.first
        if self.cores is None:
            return a.shape[0], b.shape[1]
        return a.shape[1], b.shape[1] * math.prod(self.cores[0].shape[2:])

    def matrix(self) -> Tensor:
        pairs = (self.first, self.second)
        if self.cores is None:
            first, second = (a.float() @ b.float() for a, b in pairs)
        else:
            first, second = (_tucker(core, a, b) for core, (a, b) in zip(self.cores, pairs, strict=True))
        return first * second


@dataclass(frozen=True)
class Kronecker:
    """w1 (a, c) ⊗ w2 (b, d, …); `pairs`: which of the two came as factors, `core`: of w2 in Tucker's form."""

    first: tuple[Tensor, ...]
    second: tuple[Tensor, ...]
    core: Tensor | None = None

    def __post_init__(self) -> None:
        for pair, core in ((self.first, None), (self.second, self.core)):
            if len(pair) == 2:
                _agree((pair[0].shape[1] if core is None else pair[0].shape[0]) == pair[1].shape[0], *pair)

    @property
    def rank(self) -> int | None:
        pair = self.first if len(self.first) == 2 else self.second
        return pair[1].shape[0] if len(pair) == 2 else None

    @property
    def shape(self) -> tuple[int, int]:
        left = (self.first[0].shape[0], self.first[-1].shape[1])
        rows = self.second[0].shape[0] if self.core is None else self.second[0].shape[1]
        columns = self.second[-1].flatten(1).shape[1]
        columns *= 1 if self.core is None else math.prod(self.core.shape[2:])
        return left[0] * rows, left[1] * columns

    def matrix(self) -> Tensor:
        small = _joined(self.first)
        if self.core is not None:
            large = _tucker(self.core, *self.second)
        else:
            large = _joined(self.second)
        return torch.kron(small.reshape(*small.shape, *[1] * (large.ndim - 2)), large.contiguous())


@dataclass(frozen=True)
class LayerChange:
    """One layer's change: a product, its scale, and DoRA's magnitudes where it has any."""

    product: FactorProduct
    scale: float
    magnitude: Tensor | None = None

    def scaled(self, weight: Tensor, strength: float) -> Tensor:
        """What a strength of this change adds to `weight`, in float32 and its shape."""
        product = self.product.matrix().reshape(weight.shape).to(weight.device)
        if self.magnitude is None:
            return product * (self.scale * strength)
        whole = weight.float() + product * self.scale
        norm = torch.linalg.vector_norm(whole, dim=self._normed(weight), keepdim=True)
        length = self.magnitude.to(weight.device).float().reshape(norm.shape)
        eps = torch.finfo(torch.float32).eps  # a row of zeros stays one
        return (whole * (length / (norm + eps)) - weight.float()) * strength

    def on(self, device: torch.device) -> LayerChange:
        """The same change with its tensors on `device`: of a change that is added at every step."""
        moved = _on(self, device)
        assert isinstance(moved, LayerChange)
        return moved

    def _normed(self, weight: Tensor) -> tuple[int, ...]:
        """The axes that a norm sums over: all but the one that the magnitudes go along."""
        axis = magnitude_axis(self.magnitude, weight) if self.magnitude is not None else 0
        return tuple(each for each in range(weight.ndim) if each != axis)


def make_change(parts: Parts, scaling: Scaling) -> LayerChange:
    """The change that one layer's parts stand for; raises ValueError for parts that do not make one."""
    product = _product(parts)
    scale = scaling(product.rank)
    return LayerChange(product, scale, parts.get("magnitude"))


def magnitude_axis(magnitude: Tensor, weight: Tensor) -> int:
    """The axis of `weight` that has a magnitude a slice: 0 (rows: PEFT, LyCORIS since 3) or 1 (columns: before).

    PEFT writes (out,), of convolutions (1, out, 1, 1); LyCORIS (out, 1, …) or (1, in, …). Raises ValueError where
    neither fits.
    """
    long = [axis for axis, size in enumerate(magnitude.shape) if size > 1]
    count, (rows, columns) = magnitude.numel(), weight.shape[:2]
    if len(long) <= 1 and count in (rows, columns):
        if rows != columns:
            return 0 if count == rows else 1
        if magnitude.ndim == 1:
            return 0
        # A square weight: a column of magnitudes is one a row of it. (1, n, 1, 1) may be either; see `as_rows`.
        return 0 if magnitude.shape[0] == rows else 1
    raise ValueError(f"magnitudes of shape {tuple(magnitude.shape)} for a weight of {tuple(weight.shape)}")


def as_rows(magnitude: Tensor) -> Tensor:
    """PEFT's magnitudes, which are always one a row, told from LyCORIS' of the same shape (1, n, 1, 1)."""
    return magnitude.flatten()


def _product(parts: Parts) -> FactorProduct:
    if "up" in parts or "down" in parts:
        return LowRank(_needed(parts, "down"), _needed(parts, "up"), parts.get("mid"))
    if any(part.startswith("hada_") for part in parts):
        first = (_needed(parts, "hada_w1_a"), _needed(parts, "hada_w1_b"))
        second = (_needed(parts, "hada_w2_a"), _needed(parts, "hada_w2_b"))
        cores = (_needed(parts, "hada_t1"), _needed(parts, "hada_t2")) if "hada_t1" in parts else None
        return Hadamard(first, second, cores)
    if any(part.startswith("lokr_") for part in parts):
        return Kronecker(_whole_or_pair(parts, "lokr_w1"), _whole_or_pair(parts, "lokr_w2"), parts.get("lokr_t2"))
    raise ValueError("has no factors")


def _on(value: object, device: torch.device) -> object:
    """A tensor, or a tuple or dataclass of tensors, on `device`; anything else as it is."""
    if isinstance(value, Tensor):
        return value.to(device)
    if isinstance(value, tuple):
        return tuple(_on(each, device) for each in value)
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{each.name: _on(getattr(value, each.name), device) for each in fields(value)})
    return value


def _whole_or_pair(parts: Parts, name: str) -> tuple[Tensor, ...]:
    if name in parts:
        return (parts[name],)
    return _needed(parts, f"{name}_a"), _needed(parts, f"{name}_b")


def _needed(parts: Parts, part: str) -> Tensor:
    if part not in parts:
        raise ValueError(f"lacks one of the factors ({part})")
    return parts[part]


def _joined(pair: tuple[Tensor, ...]) -> Tensor:
    if len(pair) == 1:
        return pair[0].float()
    a, b = (each.float() for each in pair)
    return (a @ b.flatten(1)).reshape(a.shape[0], *b.shape[1:])


def _tucker(core: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Σ core[i, j, …] · a[i, p] · b[j, r]: (out, in, …) of a core (rank, rank, …), a (rank, out), b (rank, in)."""
    return torch.einsum("ij...,ip,jr->pr...", core.float(), a.float(), b.float())


def _agree(fits: bool, *factors: Tensor) -> None:
    if not fits:
        shapes = " and ".join(str(tuple(each.shape)) for each in factors)
        raise ValueError(f"has factors of shapes {shapes}, which do not belong together")
