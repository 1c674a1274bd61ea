"""Rectified flow as diffusers' schedulers mean it, and the little that base and refiner training share.

x_t = (1 - t)·x0 + t·noise, the network is given 1000·t and predicts noise - x0.
Ref: Liu et al. 2022, arXiv:2209.03003; times drawn logit-normally as in Esser et al. 2024, arXiv:2403.03206.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import CLIPModel, CLIPTokenizer

TIMESTEPS = 1000
MAX_TOKENS = 77


def logit_normal_times(count: int, generator: torch.Generator, mean: float = 0.0, highest: float = 1.0) -> torch.Tensor:
    """Times (count,) in 0..highest, most of them in the middle."""
    return torch.sigmoid(torch.randn(count, generator=generator) + mean) * highest


def disturb(latents: torch.Tensor, noise: torch.Tensor, times: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x_t and what the network has to say of it, both (n, c, h, w), for times (n,)."""
    t = times.view(-1, 1, 1, 1)
    return (1 - t) * latents + t * noise, noise - latents


def scheduler_config() -> dict[str, object]:
    """What `checkpoints/base/scheduler` says: DPM++ 2M over the flow's straight path."""
    return {
        "num_train_timesteps": TIMESTEPS, "algorithm_type": "dpmsolver++", "solver_order": 2,
        "prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 1.0,
        "lower_order_final": True, "final_sigmas_type": "zero",
    }  # fmt: skip


class TextTower:
    """The frozen English text tower: captions to what a U-Net attends to. Empty captions stand for no caption."""

    def __init__(self, clip: CLIPModel, tokenizer: CLIPTokenizer) -> None:
        self.clip, self.tokenizer = clip.eval().requires_grad_(False), tokenizer

    def _ids(self, texts: Sequence[str]) -> torch.Tensor:
        padded = self.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        return padded.input_ids.to(self.clip.logit_scale.device)

    @torch.no_grad()
    def base(self, texts: Sequence[str]) -> torch.Tensor:
        """Last hidden states (n, 77, d)."""
        return self.clip.text_model(self._ids(texts)).last_hidden_state

    @torch.no_grad()
    def refiner(self, texts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        """Hidden states before the last layer (n, 77, d) and projected pooled vectors (n, p)."""
        output = self.clip.text_model(self._ids(texts), output_hidden_states=True)
        return output.hidden_states[-2], self.clip.text_projection(output.pooler_output)


@torch.no_grad()
def euler_sample(
    predict, noise: torch.Tensor, steps: int, guidance_scale: float = 1.0, first_time: float = 1.0
) -> torch.Tensor:
    """Follow the flow from `first_time` to 0 in equal steps. `predict(x, times, guided)` gives (n, c, h, w).

    For the pictures that training shows; the pipeline has its schedulers.
    """
    x = noise
    times = torch.linspace(first_time, 0, steps + 1)
    for now, then in zip(times[:-1], times[1:], strict=True):
        at = now.expand(len(x)).to(x.device)
        flow = predict(x, at, True)
        if guidance_scale != 1.0:
            free = predict(x, at, False)
            flow = free + guidance_scale * (flow - free)
        x = x + (then - now) * flow
    return x
