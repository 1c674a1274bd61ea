"""What a frozen U-Net reads of a text: the distance that counts between two encoders, wherever the words stand.

In: hidden states (n, slots, dim) of student and teacher. Out: how far apart the U-Net's cross-attention layers would
hear them, asked with queries that the U-Net itself asks while it draws. A verb-final Korean sentence cannot know at
which slot an English one names a colour, and the U-Net does not care: attention is blind to order. So the student
may say things in slots of its own choice, where a loss slot by slot had to count the words of the English.
The queries are gathered once, without pictures, while the U-Net draws a few prompts from noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.models.attention import BasicTransformerBlock
from torch import Tensor, nn

from ko_clip.frozen_unet import FrozenUNet
from ko_clip.teachers import ClipTeacher

_STEPS = 6
_KEPT = 2048  # queries a layer
_ASKED = 48  # of them at a time, others at every step


class AttentionReads(nn.Module):
    """The cross-attention layers of a U-Net: keys, values and a bank of queries each. Nothing is trained."""

    def __init__(self, unet: FrozenUNet, states: Tensor, pooled: Tensor | None = None, seed: int = 0) -> None:
        """Gather queries while `unet` draws from noise with the teacher's `states` (prompts, slots, dim) and, if it
        has SDXL's added conditions, `pooled` (prompts, p).
        """
        super().__init__()
        found = [m.attn2 for m in unet.unet.modules() if isinstance(m, BasicTransformerBlock) and m.attn2 is not None]
        if not found:
            raise ValueError("the U-Net has no cross-attention: no text can be read by it")
        self.layers = nn.ModuleList(found)
        asked: list[list[Tensor]] = [[] for _ in found]
        hooks = [
            layer.to_q.register_forward_hook(lambda _, __, out, kept=kept: kept.append(out.detach().flatten(0, 1)))
            for layer, kept in zip(found, asked, strict=True)
        ]
        generator = torch.Generator().manual_seed(seed)
        self._draw(unet, states, pooled, generator)
        for hook in hooks:
            hook.remove()
        for number, kept in enumerate(asked):
            rows = torch.cat(kept)  # (asked, inner)
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
        """What each layer reads (n, queries, inner) of states (n, slots, dim), asked with queries chosen by `seed`."""
        generator, read = torch.Generator().manual_seed(seed), []
        for number, layer in enumerate(self.layers):
            bank = getattr(self, f"queries{number}")
            asked = bank[torch.randperm(len(bank), generator=generator)[:_ASKED].to(bank.device)]
            query, key, value = (
                part.unflatten(-1, (layer.heads, -1)).transpose(-2, -3)  # (..., heads, length, inner / heads)
                for part in (asked, layer.to_k(states), layer.to_v(states))
            )
            shares = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5).softmax(-1)
            read.append((shares @ value).transpose(-2, -3).flatten(-2))
        return read

    def loss(self, student: Tensor, teacher: Tensor, seed: int = 0) -> Tensor:
        """Mean over layers of the squared error in units of how much texts differ: 0 equal, 1 knows nothing.

        `seed` chooses which of the kept queries ask: others at every step of a training.
        """
        with torch.no_grad():
            wanted = self(teacher.float(), seed)
        errors = []
        for said, goal in zip(self(student.float(), seed), wanted, strict=True):
            spread = (goal - goal.mean(0)).square().mean().clamp_min(1e-8)
            errors.append((said - goal).square().mean() / spread)
        return torch.stack(errors).mean()


def open_reads(folder: str, teacher: ClipTeacher, head: str, texts: Sequence[str], device: str) -> AttentionReads:
    """The reads of the U-Net in `folder`, which must attend to states as wide as the head's.

    Its scheduler lies in `folder`/scheduler, or beside `folder` as in a diffusers checkpoint.
    """
    inside = Path(folder) / "scheduler"
    unet = FrozenUNet(folder, str(inside if inside.is_dir() else Path(folder).parent / "scheduler"), 0, device)
    width, pooled_width = teacher.widths(head)
    unet.check(width, head, pooled=bool(pooled_width))
    target = teacher.encode(list(texts))[head]
    pooled = target.pooled if unet.unet.config.addition_embed_type else None
    states, summary = (None if x is None else torch.from_numpy(x).to(device) for x in (target.states, pooled))
    return AttentionReads(unet, states, summary).requires_grad_(False).to(device)
