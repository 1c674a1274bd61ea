"""Which of the teacher's tokens stands at a slot: said by the slot itself, or taken from a word of the prompt.

In: what the slots read (batch, slots, width) and the encoder's states (batch, tokens, width). Out: log-probabilities
(batch, slots, vocabulary). Every token of the prompt offers a few meanings; a slot mixes what it would say by itself
with the meanings that it points at (See et al. 2017, arXiv:1704.04368). Pointing at everything alike, the mixture is
IBM's Model 1, which learns what a word means from a few thousand sentences, before anything knows where it goes.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

FACETS = 3  # meanings that one token may offer: 반팔 is "short", "-" and "sleeved"


class WordSlots(nn.Module):
    """Mixture of a slot's own word and of words pointed at."""

    def __init__(self, width: int, vocabulary: int) -> None:
        super().__init__()
        self.width = width
        self.own = nn.Linear(width, vocabulary)
        self.facets = nn.Linear(width, FACETS * width)
        self.offered = nn.Linear(width, vocabulary)
        self.point, self.gate = nn.Linear(width, width), nn.Linear(width, 1)

    def forward(self, read: Tensor, memory: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """(batch, slots, vocabulary) log-probabilities, and (batch, vocabulary): of the prompt's words as a bag."""
        items = self.facets(memory).unflatten(-1, (FACETS, self.width))
        items = nn.functional.gelu(items + memory[:, :, None]).flatten(1, 2)  # (batch, tokens · facets, width)
        there = mask.repeat_interleave(FACETS, 1)
        meanings = self.offered(items).float().softmax(-1)  # (batch, items, vocabulary)
        scores = (self.point(read) @ items.transpose(1, 2)).float() * self.width**-0.5
        aim = scores.masked_fill(~there[:, None], float("-inf")).softmax(-1)
        own = self.own(read).float().softmax(-1)
        gate = torch.sigmoid(self.gate(read).float())
        mixed = gate * own + (1 - gate) * (aim @ meanings)
        share = there.float() / there.sum(1, keepdim=True)
        bag = (share[:, None] @ meanings)[:, 0]
        return mixed.clamp_min(1e-7).log(), bag.clamp_min(1e-7).log()
