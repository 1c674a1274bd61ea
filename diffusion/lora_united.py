"""Several LoRA styles in one picture, each asked for itself: the first sets the composition, then their changes unite.

In: a U-Net's predictions with each style and without any. Out: one prediction. Weights that are added up, as LoRAs
usually are, cancel each other on a small U-Net: neither style is seen. Here the first third of the steps, which decides
where things stand, is drawn with the first style alone; after it every style says what it would change, and what two
say alike counts once. A step of these costs a row for the base and one for each style. Styles that were trained beside
each other add up and need none of this (`LoraShelf.add_up`).
Ref: Zhong et al. 2024, arXiv:2402.16843 (styles by turns, or the mean of what they predict).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch

COMPOSING = 1 / 3  # of the steps, rounded


def composing_steps(steps: int) -> int:
    """How many of a picture's steps the first style draws alone."""
    return round(COMPOSING * steps)


def united(base: torch.Tensor, styled: Sequence[torch.Tensor]) -> torch.Tensor:
    """The prediction (n, c, h, w) with the changes that `styled`, all alike in shape, make to `base`.

    In each cell a change, a vector of c numbers, is added to another without its part along it; the mean over which of
    them comes first. Changes at right angles add up, the same change twice is that change, opposite ones cancel.
    """
    changes = [each - base for each in styled]
    sums = []
    for first in changes:
        length = first.square().sum(dim=1, keepdim=True).clamp(min=1e-12)
        added = first
        for other in changes:
            if other is not first:
                shared = (first * other).sum(dim=1, keepdim=True).clamp(min=0) / length
                added = added + other - shared * first
        sums.append(added)
    return base + torch.stack(sums).mean(dim=0)


@contextmanager
def exchanged(unet: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> Iterator[None]:
    """The U-Net with these weights, by the names of their layers; its own come back, untouched."""
    layers = {name: unet.get_submodule(name).weight for name in weights}
    kept = {name: layer.data for name, layer in layers.items()}
    try:
        for name, layer in layers.items():
            layer.data = weights[name]
        yield
    finally:
        for name, layer in layers.items():
            layer.data = kept[name]
