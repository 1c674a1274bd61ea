"""Where in a picture the words of two texts differ: what their cross-attention hands on, place by place.

In: a U-Net, latents, the hidden states of two texts. Out: a map per attention layer, and the difference of the two
predictions. A layer's map is the length of attention(query, source text) - attention(query, target text) with the
source's queries: the attention that falls on changed words, weighted by how much they changed. It asks for no tokens,
so it works for an encoder whose slots are no words (the Korean student), and for words that move others' states.
SDPA, xformers and compiled engines return no maps, so a processor of plain torch takes their place while it looks.
Ref: Hertz et al. 2022, arXiv:2208.01626 (maps of words); Couairon et al. 2022, arXiv:2210.11427 (difference of noise).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from diffusers.models.attention_processor import Attention
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

CROSS = "attn2"  # what diffusers calls the cross-attention of a transformer block


class DifferenceProcessor:
    """Cross-attention that notes how far its outputs for two texts are apart; rows are all sources, then all targets.

    `maps`: (n, cells) of every layer, in the order of their calls.
    """

    def __init__(self) -> None:
        self.maps: list[torch.Tensor] = []

    def __call__(
        self,
        attn: Attention,
        hidden_states: torch.Tensor,
        encoder_hidden_states: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
    ) -> torch.Tensor:
        assert encoder_hidden_states is not None
        n = len(hidden_states) // 2
        query, key, value = (
            attn.head_to_batch_dim(project(states), out_dim=4)
            for project, states in (
                (attn.to_q, hidden_states), (attn.to_k, encoder_hidden_states), (attn.to_v, encoder_hidden_states)
            )
        )  # fmt: skip
        output = _attended(attn, query, key, value)  # (2n, cells, channels)
        asked = _attended(attn, query[:n], key[n:], value[n:])  # the source's queries, the target's words
        self.maps.append((asked - output[:n]).float().norm(dim=-1))
        return output


@contextmanager
def watched(unet: UNet2DConditionModel) -> Iterator[DifferenceProcessor]:
    """The U-Net with that processor in its cross-attentions; its own come back whatever happens."""
    processor = DifferenceProcessor()
    layers = [module for name, module in unet.named_modules() if name.endswith(CROSS) and isinstance(module, Attention)]
    before = [layer.processor for layer in layers]
    try:
        for layer in layers:
            layer.processor = processor  # type: ignore[assignment]  # any callable, unlike the hint
        yield processor
    finally:
        for layer, own in zip(layers, before, strict=True):
            layer.processor = own


def _attended(attn: Attention, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """softmax(query·key)·value of (n, heads, cells, d), projected, (n, cells, channels)."""
    scores = (query.float() @ key.float().transpose(-1, -2) * attn.scale).softmax(dim=-1).to(value.dtype)
    joined = (scores @ value).transpose(1, 2).flatten(2)
    return attn.to_out[0](joined)
