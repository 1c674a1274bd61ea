"""Rows of different lengths end to end, so that nothing is computed for padding.

In: a mask (rows, longest), True where something stands. Out: the way from padded tensors (rows, longest, …) to packed
ones (total, …) and back. All that a layer does to one position at a time runs packed; only attention is padded, and on
a processor a few rows at a time, each few as wide as the longest of them: prompts of one batch differ eightfold in
length, and sorted by length a tenth of what is padded so is padding, where it would be half of the whole batch.
Ref: Zeng et al. 2022, arXiv:2208.08124.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import torch
from torch import Tensor

_FEW = 12  # rows of a part: with fewer, what each call costs by itself outweighs the padding saved


class Ragged:
    """A layout of rows. Where nothing is missing, both ways are views."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self._places = None if bool(mask.all()) else mask.flatten().nonzero()[:, 0]

    def pack(self, padded: Tensor) -> Tensor:
        """(rows, longest, …) → (total, …)."""
        flat = padded.flatten(0, 1)
        return flat if self._places is None else flat.index_select(0, self._places)

    def pad(self, packed: Tensor) -> Tensor:
        """(total, …) → (rows, longest, …), zeros where nothing stands."""
        shape = (*self.mask.shape, *packed.shape[1:])
        if self._places is None:
            return packed.view(shape)
        flat = torch.zeros(self.mask.numel(), *packed.shape[1:], dtype=packed.dtype, device=packed.device)
        return flat.index_copy_(0, self._places, packed).view(shape)

    @cached_property
    def parts(self) -> list[Ragged]:
        """The same rows a few at a time, in order. A GPU would rather have them all at once."""
        if self.mask.device.type != "cpu" or len(self.mask) <= _FEW:
            return [self]
        return [Ragged(few[:, : _width(few)]) for few in self.mask.split(_FEW)]

    def pad_parts(self, packed: Tensor) -> list[Tensor]:
        """(total, …) → for each part (its rows, its longest, …)."""
        totals = [int(part.mask.sum()) for part in self.parts] if len(self.parts) > 1 else [len(packed)]
        return [part.pad(few) for part, few in zip(self.parts, packed.split(totals), strict=True)]

    def pack_parts(self, padded: Sequence[Tensor]) -> Tensor:
        """For each part (its rows, its longest, …) → (total, …)."""
        packed = [part.pack(few) for part, few in zip(self.parts, padded, strict=True)]
        return packed[0] if len(packed) == 1 else torch.cat(packed)


def _width(mask: Tensor) -> int:
    """One past the last place of (rows, longest) where something stands, at least 1."""
    return int((mask * torch.arange(1, mask.shape[1] + 1)).max().clamp_min(1))
