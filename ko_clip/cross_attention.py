"""Cross-attention outputs of a frozen U-Net: the distance that counts between two encoders, wherever their words stand.

In: hidden states (n, slots, dim) of student and teacher. Out: how far apart the outputs of the U-Net's cross-attention
layers are for both, with queries that the U-Net itself makes while it draws. A verb-final Korean sentence cannot know
at which slot an English one names a colour, and the U-Net does not care: attention is blind to order. So the student
may name things in slots of its own choice, where a loss slot by slot would have to count the words of the English.
The queries are gathered once, without pictures, while the U-Net draws a few prompts from noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.attention import BasicTransformerBlock
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn

from ko_clip.frozen_unet import FrozenUNet
from ko_clip.teachers import ClipTeacher

_STEPS = 6
_KEPT = 2048  # queries a layer
_USED = 48  # of them at a time, others at every step


class CrossAttentionOutputs(nn.Module):
    """The cross-attention layers of a U-Net: keys, values and a bank of queries each. Nothing is trained."""

    def __init__(self, unet: FrozenUNet, states: Tensor, pooled: Tensor | None = None, seed: int = 0) -> None:
        """Gather queries while `unet` draws from noise with the teacher's `states` (prompts, slots, dim) and, if it
        has SDXL's added conditions, `pooled` (prompts, p).
        """
        super().__init__()
        found = [m.attn2 for m in unet.unet.modules() if isinstance(m, BasicTransformerBlock) and m.attn2 is not None]
        if not found:
            raise ValueError("the U-Net has no cross-attention: it attends to no text")
        self.layers = nn.ModuleList(found)
        gathered: list[list[Tensor]] = [[] for _ in found]
        hooks = [
            layer.to_q.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out.detach().flatten(0, 1)))
            for layer, kept in zip(found, gathered, strict=True)
        ]
        generator = torch.Generator().manual_seed(seed)
        self._draw(unet, states, pooled, generator)
        for hook in hooks:
            hook.remove()
        for number, kept in enumerate(gathered):
            rows = torch.cat(kept)  # (gathered, inner)
            self.register_buffer(f"queries{number}", rows[torch.randperm(len(rows), generator=generator)[:_KEPT]])

    @staticmethod
    @torch.no_grad()
    def _draw(unet: FrozenUNet, states: Tensor, pooled: Tensor | None, generator: torch.Generator) -> None:
        noise = torch.randn((len(states), *unet.shape), generator=generator).to(states.device)
        unet.begin(_STEPS)
        latents = unet.noise(noise)
        for time in unet.times(_STEPS):
            latents = unet.step(latents, time, unet(latents, time, states, pooled).prediction)

    def forward(self, states: Tensor, seed: int = 0) -> list[Tensor]:
        """Each layer's outputs (n, queries, inner) for states (n, slots, dim), with queries chosen by `seed`."""
        generator, outputs = torch.Generator().manual_seed(seed), []
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, Attention)
            bank = getattr(self, f"queries{number}")
            queries = bank[torch.randperm(len(bank), generator=generator)[:_USED].to(bank.device)]
            query, key, value = (
                part.unflatten(-1, (layer.heads, -1)).transpose(-2, -3)  # (..., heads, length, inner / heads)
                for part in (queries, layer.to_k(states), layer.to_v(states))
            )
            shares = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
            outputs.append((shares @ value).transpose(-2, -3).flatten(-2))
        return outputs

    def loss(self, student: Tensor, teacher: Tensor, seed: int = 0) -> Tensor:
        """Mean over layers of the squared error in units of the variance between texts: 0 equal, 1 knows nothing.

        `seed` chooses which of the kept queries are used: others at every step of a training.
        """
        with torch.no_grad():
            targets = self(teacher.float(), seed)
        errors = []
        for output, target in zip(self(student.float(), seed), targets, strict=True):
            variance = (target - target.mean(0)).square().mean().clamp_min(1e-8)
            errors.append((output - target).square().mean() / variance)
        return torch.stack(errors).mean()


def open_cross_attention(
    folder: str, teacher: ClipTeacher, head: str, texts: Sequence[str], device: str
) -> CrossAttentionOutputs:
    """The cross-attention of the U-Net in `folder`, which must attend to states as wide as the head's.

    Its scheduler lies in `folder`/scheduler, or beside `folder` as in a diffusers checkpoint.
    """
    inside = Path(folder) / "scheduler"
    unet = FrozenUNet(folder, str(inside if inside.is_dir() else Path(folder).parent / "scheduler"), 0, device)
    width, pooled_width = teacher.widths(head)
    unet.check(width, head, pooled=bool(pooled_width))
    target = teacher.encode(list(texts))[head]
    pooled = target.pooled if unet.unet.config["addition_embed_type"] else None
    states, summary = (None if x is None else torch.from_numpy(x).to(device) for x in (target.states, pooled))
    assert states is not None  # `check` has compared their width
    return CrossAttentionOutputs(unet, states, summary).requires_grad_(False).to(device)
