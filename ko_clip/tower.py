"""The teacher's own layers on top of the student's slots.

In: for each slot, how likely each of the teacher's tokens is (batch, 77, vocabulary). Out: what the teacher's layers
make of their mean embedding: hidden states after the last layer and before it, and the pooled embedding.
The student then learns only which meaning stands where; how meanings act on one another the teacher knows already,
and a teacher that is trained further is exchanged without training the student again. No text is written: the
slots are mixtures, sharpened so that a clear one is a token's own embedding (an adapter before a frozen tower, as
AlignerNet in KOSMOS-G is, arXiv:2310.02992).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPTextConfig, CLIPTextModelWithProjection


@dataclass(frozen=True)
class TowerOutput:
    """last_hidden_state and penultimate (batch, 77, dim), pooled (batch, projection)."""

    last_hidden_state: Tensor
    penultimate: Tensor
    pooled: Tensor

    def states(self, output: str) -> Tensor:
        return self.penultimate if output == "penultimate" else self.last_hidden_state


class Tower(nn.Module):
    """A CLIP text tower fed with mixtures of its token embeddings. Frozen unless asked otherwise."""

    def __init__(self, settings: Mapping[str, object], sharpness: float) -> None:
        super().__init__()
        config = CLIPTextConfig(**{k: v for k, v in settings.items() if k != "model_type"})
        config._attn_implementation = "sdpa"
        self.clip = CLIPTextModelWithProjection(config)
        self.end, self.sharpness = int(config.eos_token_id), sharpness

    def forward(self, logits: Tensor) -> TowerOutput:
        """Read every slot's mixture. In evaluation mixtures are sharpened; in training they stay soft."""
        text = self.clip.text_model if hasattr(self.clip, "text_model") else self.clip
        table = text.embeddings.token_embedding.weight
        share = (logits.float() * (1.0 if self.training else self.sharpness)).softmax(-1)
        hidden = text.embeddings(inputs_embeds=share.to(table.dtype) @ table)  # (batch, 77, dim)
        length = hidden.shape[1]
        mask = torch.ones(length, length, dtype=torch.bool, device=hidden.device).tril()[None, None]
        before = hidden
        for layer in text.encoder.layers:
            before, hidden = hidden, layer(hidden, mask)
        last = text.final_layer_norm(hidden)
        ends = (logits.argmax(-1) == self.end).int()
        place = torch.where(ends.any(1), ends.argmax(1), length - 1)  # the first end token speaks for the sentence
        pooled = self.clip.text_projection(last[torch.arange(len(last), device=last.device), place])
        return TowerOutput(last, before, pooled)

    @torch.no_grad()
    def take(self, teacher: nn.Module) -> None:
        """Copy a teacher's weights. Raises ValueError where its shape is another."""
        try:
            self.clip.load_state_dict(teacher.state_dict())
        except RuntimeError as error:
            raise ValueError(
                "the teacher's tower has another shape than the student's: train a student for it"
            ) from error
