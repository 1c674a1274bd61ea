"""The networks of a pattern: a linear code of layer maps, a decoder of it, and a flow that turns noise into codes.

One repeat of a pattern is maps of 64 px: how much of layers 0 to 3 a pixel shows, and the light of its weave. Blocks of
8 × 8 pixels are coded by their principal components, (40, 8, 8) a repeat; a rectified flow (Liu et al. 2022,
arXiv:2209.03003) with a small U-Net makes such codes from noise for a category, a number of colours and a weave, and a
decoder paints them. All convolutions pad circularly, so that the edges of every repeat meet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK, SIDE = 8, 8  # pixels of a block's side, blocks of a repeat's side
MAPS = 4  # layers 1 to 3, and the light of the weave


@dataclass(frozen=True)
class PatternShape:
    """Sizes of the networks. `widths`: of the flow at 8 × 8 and 4 × 4 blocks; `decoder`: of the decoder."""

    code: int = 40
    widths: tuple[int, int] = (64, 112)
    decoder: int = 72
    categories: int = 13
    weaves: int = 7


def conv(width_in: int, width_out: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution on a torus."""
    return nn.Conv2d(width_in, width_out, kernel, padding=kernel // 2, padding_mode="circular")


class BlockCode(nn.Module):
    """Principal components of 8 × 8 blocks: maps (n, 4, 64, 64) ↔ codes (n, code, 8, 8) of about unit spread."""

    mean: Tensor
    basis: Tensor
    scale: Tensor

    def __init__(self, code: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(MAPS * BLOCK * BLOCK))
        self.register_buffer("basis", torch.zeros(code, MAPS * BLOCK * BLOCK))
        self.register_buffer("scale", torch.ones(code))

    def fit(self, maps: Tensor, power: float = 0.5) -> float:
        """Take the components from maps; returns the share of the variance that they hold. Components are divided by
        a `power` of their spread: 1 would make the last as loud as the first."""
        blocks = _blocks(maps).flatten(0, 1)
        self.mean.copy_(blocks.mean(dim=0))
        values, vectors = torch.linalg.eigh(torch.cov((blocks - self.mean).T))
        kept = len(self.scale)
        self.basis.copy_(vectors.T.flip(0)[:kept])
        spread = values.flip(0)[:kept].clamp(min=1e-8).sqrt()
        scale = spread**power
        self.scale.copy_(scale * (spread / scale).square().mean().sqrt())
        return float(values.flip(0)[:kept].sum() / values.sum())

    def encode(self, maps: Tensor) -> Tensor:
        blocks = _blocks(maps)
        codes = (blocks - self.mean) @ self.basis.T / self.scale
        return codes.transpose(1, 2).unflatten(2, (maps.shape[2] // BLOCK, maps.shape[3] // BLOCK))


def _blocks(maps: Tensor) -> Tensor:
    """(n, 4, h, w) to (n, blocks, 4 · 64)."""
    return F.pixel_unshuffle(maps, BLOCK).flatten(2).transpose(1, 2)


class LayerDecoder(nn.Module):
    """Codes (n, code, 8, 8) → logits of layers 0 to 3 and the weave's light, (n, 5, 64, 64)."""

    def __init__(self, shape: PatternShape) -> None:
        super().__init__()
        width = shape.decoder
        self.body = nn.Sequential(
            conv(shape.code, width), nn.SiLU(), conv(width, width), nn.SiLU(),
            nn.Conv2d(width, 4 * 48, 1), nn.PixelShuffle(2), conv(48, 48), nn.SiLU(),
            nn.Conv2d(48, 4 * 24, 1), nn.PixelShuffle(2), conv(24, 24), nn.SiLU(),
            nn.Conv2d(24, 4 * 16, 1), nn.PixelShuffle(2), nn.SiLU(), conv(16, 5),
        )  # fmt: skip

    def forward(self, codes: Tensor) -> Tensor:
        return self.body(codes)


class FlowBlock(nn.Module):
    """Two convolutions beside the identity, scaled and shifted by what is asked for."""

    def __init__(self, width: int, asked: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)
        self.first, self.second = conv(width, width), conv(width, width)
        self.film = nn.Linear(asked, 2 * width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor, asked: Tensor) -> Tensor:
        scale, shift = self.film(asked)[:, :, None, None].chunk(2, dim=1)
        h = self.first(F.silu(self.norm1(x)))
        return x + self.second(F.silu(self.norm2(h) * (1 + scale) + shift))


class CodeFlow(nn.Module):
    """The velocity from codes to noise at a time: (n, code, 8, 8) → the same."""

    def __init__(self, shape: PatternShape) -> None:
        super().__init__()
        fine, coarse = shape.widths
        asked = 128
        self.category = nn.Embedding(shape.categories + 1, asked)  # the last one: any
        self.colors = nn.Embedding(5, asked)
        self.weave = nn.Embedding(shape.weaves, asked)
        self.time = nn.Sequential(nn.Linear(32, asked), nn.SiLU(), nn.Linear(asked, asked))
        self.place = nn.Parameter(0.02 * torch.randn(1, fine, SIDE, SIDE))  # where on the repeat a block is
        self.enter, self.down = conv(shape.code, fine), nn.Conv2d(fine, coarse, 2, stride=2)
        self.before = nn.ModuleList(FlowBlock(fine, asked) for _ in range(2))
        self.middle = nn.ModuleList(FlowBlock(coarse, asked) for _ in range(3))
        self.up, self.join = nn.Conv2d(coarse, 4 * fine, 1), nn.Conv2d(2 * fine, fine, 1)
        self.after = nn.ModuleList(FlowBlock(fine, asked) for _ in range(2))
        self.leave = nn.Sequential(nn.GroupNorm(8, fine), nn.SiLU(), conv(fine, shape.code))

    def forward(self, codes: Tensor, time: Tensor, category: Tensor, colors: Tensor, weave: Tensor) -> Tensor:
        """time (n,) from 0, cloth, to 1, noise; the rest (n,) integers."""
        asked = self.category(category) + self.colors(colors) + self.weave(weave) + self.time(_waves(time))
        asked = F.silu(asked)
        x = self.enter(codes) + self.place
        for block in self.before:
            x = block(x, asked)
        beside = x
        x = self.down(x)
        for block in self.middle:
            x = block(x, asked)
        x = self.join(torch.cat([F.pixel_shuffle(self.up(x), 2), beside], dim=1))
        for block in self.after:
            x = block(x, asked)
        return self.leave(x)


def _waves(time: Tensor) -> Tensor:
    rates = torch.exp(torch.linspace(0, 5, 16, device=time.device))
    angles = time[:, None] * rates * torch.pi
    return torch.cat([angles.sin(), angles.cos()], dim=1)


class PatternNetwork(nn.Module):
    """Code, decoder and flow together: what `generator.safetensors` holds."""

    def __init__(self, shape: PatternShape | None = None) -> None:
        super().__init__()
        self.shape = shape or PatternShape()
        self.code, self.decoder, self.flow = BlockCode(self.shape.code), LayerDecoder(self.shape), CodeFlow(self.shape)

    @torch.no_grad()
    def draw(
        self, noise: Tensor, category: Tensor, colors: Tensor, weave: Tensor, times: Sequence[float], guidance: float = 1.0
    ) -> Tensor:
        """Codes from noise (n, code, h, w) along falling `times`, by Euler's steps; guidance beyond 1 strengthens the
        category (Ho & Salimans 2022, arXiv:2207.12598)."""
        codes = noise
        for now, then in zip(times[:-1], times[1:], strict=True):
            time = torch.full((len(noise),), now)
            velocity = self.flow(codes, time, category, colors, weave)
            if guidance != 1.0:
                any_ = torch.full_like(category, self.shape.categories)
                free = self.flow(codes, time, any_, colors, weave)
                velocity = free + guidance * (velocity - free)
            codes = codes + (then - now) * velocity
        return codes
