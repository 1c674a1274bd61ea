"""Rows of different lengths end to end, so that nothing is computed for padding.

In: a mask (rows, longest), True where something stands. Out: the way from padded tensors (rows, longest, …) to packed
ones (total, …) and back. All that a layer does to one position at a time runs packed; only attention is padded, and on
a processor a few rows at a time, each few as wide as the longest of them: prompts of one batch differ eightfold in
length, and sorted by length a tenth of what is padded so is padding, where it would be half of the whole batch. In
bfloat16 the products are so quick that each new size costs as much as several of them: totals are rounded up there by
spare rows.
Ref: Zeng et al. 2022, arXiv:2208.08124.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor
from torch.nn import functional

_FEW = 12  # rows of a part: with fewer, what each call costs by itself outweighs the padding saved
_ROUND = 128  # what is packed is a multiple of this in bfloat16


class Ragged:
    """A layout of rows. Where nothing is missing, both ways are views. `spare`: rounded up in bfloat16."""

    def __init__(self, mask: Tensor, spare: bool = True) -> None:
        self.mask, self.total = mask, int(mask.sum())
        self._kept = self._places = None
        if self.total < mask.numel():
            places = mask.flatten().nonzero()[:, 0]
            more = -self.total % _ROUND if spare and _in_low_precision(mask.device) else 0
            # Spare rows are copies of the first place, and go back to one that is thrown away.
            self._kept = functional.pad(places, (0, more), value=int(places[0]) if self.total else 0)
            self._places = functional.pad(places, (0, more), value=mask.numel())

    def pack(self, padded: Tensor) -> Tensor:
        """(rows, longest, …) → (total and spare, …)."""
        flat = padded.flatten(0, 1)
        return flat if self._kept is None else flat.index_select(0, self._kept)

    def pad(self, packed: Tensor) -> Tensor:
        """(total, …), with or without the spare → (rows, longest, …), zeros where nothing stands."""
        shape = (*self.mask.shape, *packed.shape[1:])
        if self._places is None:
            return packed.view(shape)
        flat = torch.zeros(self.mask.numel() + 1, *packed.shape[1:], dtype=packed.dtype, device=packed.device)
        return flat.index_copy_(0, self._places[: len(packed)], packed)[:-1].view(shape)

    @cached_property
    def parts(self) -> list[Ragged]:
        """The same rows a few at a time, in order. A GPU would rather have them all at once."""
        if len(self.mask) <= _FEW or self.mask.device.type != "cpu":
            return [self]
        return [Ragged(few[:, : _width(few)], spare=False) for few in self.mask.split(_FEW)]

    def pad_parts(self, packed: Tensor) -> list[Tensor]:
        """(total and spare, …) → for each part (its rows, its longest, …)."""
        if len(self.parts) == 1:
            return [self.pad(packed)]
        few = packed[: self.total].split([part.total for part in self.parts])
        return [part.pad(rows) for part, rows in zip(self.parts, few, strict=True)]

    def pack_parts(self, padded: Sequence[Tensor]) -> Tensor:
        """For each part (its rows, its longest, …) → (total and spare, …)."""
        packed = [part.pack(few) for part, few in zip(self.parts, padded, strict=True)]
        if len(packed) == 1:
            return packed[0]
        spare = 0 if self._kept is None else len(self._kept) - self.total
        return torch.cat([*packed, packed[0][:1].expand(spare, *packed[0].shape[1:])])


def _in_low_precision(device: torch.device) -> bool:
    return device.type == "cpu" and torch.is_autocast_enabled("cpu")


def _width(mask: Tensor) -> int:
    """One past the last place of (rows, longest) where something stands, at least 1."""
    return int((mask * torch.arange(1, mask.shape[1] + 1)).max().clamp_min(1))
