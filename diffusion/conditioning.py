"""What a network is told, and which rows one step of guidance takes.

In: hidden states of prompts and negative prompts, a guidance scale, the scale that was distilled into the network. Out:
the rows to ask it, and its guided prediction from what it says of them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


@dataclass(frozen=True)
class Conditioning:
    """The input of cross-attention: hidden states (n, 77, d) and, for a refiner, pooled embeddings (n, p).

    `empty`: hidden states of no text, where some row's negative prompt is another one: a stage with distilled guidance
    asks for them.
    """

    hidden: torch.Tensor
    negative: torch.Tensor
    pooled: torch.Tensor | None = None
    negative_pooled: torch.Tensor | None = None
    empty: torch.Tensor | None = None

    def picked(self, rows: slice) -> Conditioning:
        """Some of the rows."""
        parts = (None if each is None else each[rows] for each in (self.pooled, self.negative_pooled, self.empty))
        return Conditioning(self.hidden[rows], self.negative[rows], *parts)


@dataclass(frozen=True)
class NetworkRows:
    """The rows of one call of the network: of the pictures `away` what guidance leads away from, of all of them their
    prompts, of those `untold` no text. `away` and `untold` are places among the pictures, rising.
    """

    hidden: torch.Tensor  # (rows, 77, d)
    pooled: torch.Tensor | None  # (rows, p)
    away: torch.Tensor
    untold: torch.Tensor

    def guided(self, output: torch.Tensor, scale: float, own: float) -> torch.Tensor:
        """Classifier-free guidance (arXiv:2207.12598) of what the network said, a row a picture.

        With guidance g (`own`) distilled into it, the network says v(c) = e + g·(p - e) of a prompt c, where p and e
        are the predictions with the prompt and without any; of no text it says e. Solved for p, guidance by s away from
        n is v(n) + s/g·(v(c) - v(n)) + (1 - 1/g)·(e - v(n)). Without g it is n + s·(p - n).
        """
        pictures = len(output) - len(self.away) - len(self.untold)
        negative, guided, free = output.split([len(self.away), pictures, len(self.untold)])
        if not len(self.away):
            return guided
        guided = guided.clone()
        guided[self.away] = negative + scale / own * (guided[self.away] - negative)
        if len(self.untold):
            led = negative[torch.searchsorted(self.away, self.untold)]
            guided[self.untold] += (1 - 1 / own) * (free - led)
        return guided


def ask(told: Conditioning, scale: float, own: float) -> NetworkRows:
    """What a step at this scale asks a network into which guidance `own` was distilled (1: none was). Where one was, a
    row at that scale is one question, but for one with a negative prompt.
    """
    negative, every = told.negative, torch.arange(len(told.hidden))
    away = every if scale != own else every[:0]
    untold = every[:0]
    if own != 1.0 and told.empty is not None:
        other = (negative != told.empty).flatten(1).any(dim=1).nonzero()[:, 0].cpu()
        if scale == 1.0:
            negative = told.empty  # nothing is led away from
        else:
            untold, away = other, away if len(away) else other
    texts = torch.cat([negative[away], told.hidden, *([told.empty[untold]] if told.empty is not None else [])])
    pooled = told.pooled
    if pooled is not None and len(away):
        assert told.negative_pooled is not None
        pooled = torch.cat([told.negative_pooled, pooled])
    return NetworkRows(texts, pooled, away, untold)


def guidance_embedding(scale: float, width: int, rows: int) -> torch.Tensor:
    """A guidance scale as an LCM's U-Net is told it, (rows, width): sines and cosines of 1000 · (scale - 1).

    Ref: Luo et al. 2023, arXiv:2310.04378, section 4.2.
    """
    half = width // 2
    frequencies = torch.exp(torch.arange(half, dtype=torch.float32) * -(math.log(10000.0) / (half - 1)))
    angles = 1000.0 * (scale - 1.0) * frequencies
    row = torch.cat([angles.sin(), angles.cos(), torch.zeros(width % 2)])
    return row.expand(rows, width)
