"""The networks of a pattern: codes of whole repeats, a mixture that numbers are drawn from, and a decoder that paints.

One repeat of a pattern is maps of 64 px: how much of layers 1 to 3 a pixel shows, the rest is ground. Blocks of 8 × 8
pixels are coded by their principal components, (40, 8, 8) a repeat. The codes of a category are a mixture of forms,
each a mean and three directions in which its cloth varies (mixture of probabilistic principal components, Tipping &
Bishop 1999), so that 100 random numbers make a new one. A decoder with circular padding, told the category, paints the
layers; the light of the weave is a sum of components of photographed cloth, or a repeating weave.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

BLOCK, SIDE = 8, 8  # pixels of a block's side, blocks of a repeat's side
PIXELS = BLOCK * SIDE
LAYERS = 3  # beside the ground
NZ = 100  # random numbers of a pattern


@dataclass(frozen=True)
class PatternShape:
    """Sizes. `code`: of a block; `basis`: components of whole repeats; `forms` of a category, each of `rank`
    directions; `decoder`: its width; `weaves`: repeating ones; `threads`: components of photographed cloth's light."""

    code: int = 40
    basis: int = 192
    forms: int = 60
    rank: int = 3
    decoder: int = 72
    categories: int = 13
    weaves: int = 6
    threads: int = 24


def conv(width_in: int, width_out: int, kernel: int = 3) -> nn.Conv2d:
    """A convolution on a torus."""
    return nn.Conv2d(width_in, width_out, kernel, padding=kernel // 2, padding_mode="circular")


class BlockCode(nn.Module):
    """Principal components of 8 × 8 blocks: maps (n, 3, 64, 64) → codes (n, code, 8, 8)."""

    mean: Tensor
    basis: Tensor

    def __init__(self, code: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(LAYERS * BLOCK * BLOCK))
        self.register_buffer("basis", torch.zeros(code, LAYERS * BLOCK * BLOCK))

    def fit(self, maps: Tensor) -> float:
        """Take the components from maps; returns the share of the variance that they hold."""
        blocks = _blocks(maps).flatten(0, 1)
        self.mean.copy_(blocks.mean(dim=0))
        values, vectors = torch.linalg.eigh(torch.cov((blocks - self.mean).T))
        self.basis.copy_(vectors.T.flip(0)[: len(self.basis)])
        return float(values.flip(0)[: len(self.basis)].sum() / values.sum())

    def encode(self, maps: Tensor) -> Tensor:
        codes = (_blocks(maps) - self.mean) @ self.basis.T
        return codes.transpose(1, 2).unflatten(2, (maps.shape[2] // BLOCK, maps.shape[3] // BLOCK))


def _blocks(maps: Tensor) -> Tensor:
    """(n, 3, h, w) to (n, blocks, 3 · 64)."""
    return F.pixel_unshuffle(maps, BLOCK).flatten(2).transpose(1, 2)


class FormMixture(nn.Module):
    """Codes of whole repeats as a mixture, category by category: numbers (n, 100) and forms (n,) → codes."""

    mean: Tensor
    basis: Tensor
    centers: Tensor
    factors: Tensor
    share: Tensor

    def __init__(self, shape: PatternShape) -> None:
        super().__init__()
        many = (shape.categories, shape.forms)
        self.code = shape.code
        self.register_buffer("mean", torch.zeros(shape.code * SIDE * SIDE))
        self.register_buffer("basis", torch.zeros(shape.basis, shape.code * SIDE * SIDE))
        self.register_buffer("centers", torch.zeros(*many, shape.basis))
        self.register_buffer("factors", torch.zeros(*many, shape.rank, shape.basis))
        self.register_buffer("share", torch.full((shape.categories, 5, shape.forms), 1 / shape.forms))  # by colours

    def sample(self, z: Tensor, category: Tensor, form: Tensor) -> Tensor:
        """Codes (n, code, 8, 8) of numbers z (n, 100)."""
        factors = self.factors[category, form]  # (n, rank, basis)
        told = self.centers[category, form] + (z[:, : factors.shape[1], None] * factors).sum(dim=1)
        return self.codes_of(told)

    def nearest(self, codes: Tensor, category: Tensor) -> Tensor:
        """What a mixture can say of codes: the nearest form's mean and directions."""
        told, form = self.components(codes), self.form_of(codes, category)
        center, factors = self.centers[category, form], self.factors[category, form]
        sizes = factors.square().sum(dim=2).clamp(min=1e-9)
        along = torch.einsum("nb,nrb->nr", told - center, factors) / sizes  # the directions are orthogonal
        return self.codes_of(center + (along.clamp(-2.5, 2.5)[:, :, None] * factors).sum(dim=1))

    def form_of(self, codes: Tensor, category: Tensor) -> Tensor:
        """The nearest form (n,) of each of the codes."""
        told = self.components(codes)
        return (told[:, None] - self.centers[category]).square().sum(dim=2).argmin(dim=1)

    def components(self, codes: Tensor) -> Tensor:
        return (codes.flatten(1) - self.mean) @ self.basis.T

    def codes_of(self, told: Tensor) -> Tensor:
        return (told @ self.basis + self.mean).unflatten(1, (self.code, SIDE, SIDE))


class LayerDecoder(nn.Module):
    """Codes (n, code, 8, 8) and categories (n,) → logits of layers 0 to 3, (n, 4, 64, 64)."""

    def __init__(self, shape: PatternShape) -> None:
        super().__init__()
        width = shape.decoder
        self.category = nn.Embedding(shape.categories, width)
        self.enter = conv(shape.code, width)
        self.body = nn.Sequential(
            nn.SiLU(), conv(width, width), nn.SiLU(),
            nn.Conv2d(width, 4 * 48, 1), nn.PixelShuffle(2), conv(48, 48), nn.SiLU(),
            nn.Conv2d(48, 4 * 32, 1), nn.PixelShuffle(2), conv(32, 32), nn.SiLU(),
            nn.Conv2d(32, 4 * 16, 1), nn.PixelShuffle(2), nn.SiLU(), conv(16, 4),
        )  # fmt: skip

    def forward(self, codes: Tensor, category: Tensor) -> Tensor:
        return self.body(self.enter(codes) + self.category(category)[:, :, None, None])


class WeaveLight(nn.Module):
    """The light of cloth, (n, 64, 64) in units of L*: weave 0 to 5 repeats every 8 px, 6 is photographed cloth."""

    tiles: Tensor
    threads: Tensor

    def __init__(self, shape: PatternShape) -> None:
        super().__init__()
        self.register_buffer("tiles", torch.zeros(shape.weaves, BLOCK, BLOCK))
        self.register_buffer("threads", torch.zeros(shape.threads, PIXELS, PIXELS))

    def forward(self, z: Tensor, weave: Tensor, strength: Tensor) -> Tensor:
        count = len(self.threads)
        photographed = torch.einsum("nt,thw->nhw", z[:, NZ - count :], self.threads)
        drawn = self.tiles[weave.clamp(max=len(self.tiles) - 1)].repeat(1, SIDE, SIDE) * strength[:, None, None]
        return torch.where((weave < len(self.tiles))[:, None, None], drawn + 0.25 * photographed, photographed)


class PatternNetwork(nn.Module):
    """All of it: what `generator.safetensors` holds."""

    def __init__(self, shape: PatternShape | None = None) -> None:
        super().__init__()
        self.shape = shape or PatternShape()
        self.code, self.mixture = BlockCode(self.shape.code), FormMixture(self.shape)
        self.decoder, self.weave = LayerDecoder(self.shape), WeaveLight(self.shape)
