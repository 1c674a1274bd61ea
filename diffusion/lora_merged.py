"""Merged weights kept for the styles in use: the least recently drawn ones go once they are too many bytes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from weakref import WeakKeyDictionary

import torch

Weights = Mapping[str, torch.Tensor]
Key = tuple[object, ...]


class MergedWeights:
    """By U-Net and styles (name, weight, stamp of the file); more than `limit` bytes of one are not kept at all."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._kept: WeakKeyDictionary[torch.nn.Module, OrderedDict[Key, Weights]] = WeakKeyDictionary()

    def get(self, unet: torch.nn.Module, styles: Sequence[object]) -> Weights | None:
        kept = self._kept.get(unet, OrderedDict())
        key = self._key(unet, styles)
        if key in kept:
            kept.move_to_end(key)
        return kept.get(key)

    def keep(self, unet: torch.nn.Module, styles: Sequence[object], weights: Weights) -> None:
        kept = self._kept.setdefault(unet, OrderedDict())
        kept[self._key(unet, styles)] = weights
        while kept and sum(map(_bytes, kept.values())) > self.limit:
            kept.popitem(last=False)

    @property
    def bytes(self) -> int:
        """Of all that is kept."""
        return sum(_bytes(weights) for kept in self._kept.values() for weights in kept.values())

    @staticmethod
    def _key(unet: torch.nn.Module, styles: Sequence[object]) -> Key:
        """A U-Net that was moved or converted has other weights to merge into."""
        first = next(unet.parameters())
        return (first.dtype, first.device, *styles)


def _bytes(weights: Weights) -> int:
    return sum(weight.numel() * weight.element_size() for weight in weights.values())
