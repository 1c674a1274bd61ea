"""Rows of different lengths end to end, so that nothing is computed for padding.

In: a mask (rows, longest), True where something stands. Out: the way from padded tensors (rows, longest, …) to packed
ones (total, …) and back. All that a layer does to one position at a time runs packed; only attention is padded. Prompts
of one batch differ threefold in length, and half of a padded batch is padding.
Ref: Zeng et al. 2022, arXiv:2208.08124.
"""

from __future__ import annotations

import torch
from torch import Tensor


class Ragged:
    """A layout of rows. Where nothing is missing, both ways are views."""

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask
        self._places = None if bool(mask.all()) else mask.flatten().nonzero()[:, 0]

    def pack(self, padded: Tensor) -> Tensor:
        """(rows, longest, …) → (total, …)."""
        flat = padded.flatten(0, 1)
        return flat if self._places is None else flat[self._places]

    def pad(self, packed: Tensor) -> Tensor:
        """(total, …) → (rows, longest, …), zeros where nothing stands."""
        shape = (*self.mask.shape, *packed.shape[1:])
        if self._places is None:
            return packed.view(shape)
        flat = torch.zeros(self.mask.numel(), *packed.shape[1:], dtype=packed.dtype, device=packed.device)
        return flat.index_copy(0, self._places, packed).view(shape)
