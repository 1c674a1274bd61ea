"""A picture of latents for next to nothing: one 3×3 convolution instead of the decoder.

In: clean latents (n, c, h, w). Out: n small pictures, four pixels per latent cell each way.
The convolution is fitted by ridge regression on what the stage's own encoder makes of synthetic pictures
(flat shapes and stripes), so it suits any autoencoder; the idea is the linear "latent to RGB" map that
Stable Diffusion front ends use, with neighbours and sub-cell detail added.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from PIL import Image

SUB = 4  # preview pixels per latent cell, each way
PICTURES, SIDE = 32, 64
RIDGE = 1e-3


class PreviewMap:
    """weight (3·SUB², c, 3, 3) and bias (3·SUB²) from latents to RGB in 0..1."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor) -> None:
        self.weight = weight
        self.bias = bias

    @classmethod
    def fit(cls, encode: Callable[[torch.Tensor], torch.Tensor]) -> PreviewMap:
        """Fit to `encode`: pictures (n, 3, s, s) in 0..1 → latents (n, c, s/f, s/f)."""
        pictures = synthetic_pictures(PICTURES, SIDE)
        latents = encode(pictures).float().cpu()
        n, channels, h, w = latents.shape
        small = F.interpolate(pictures, size=(h * SUB, w * SUB), mode="area")
        wanted = F.pixel_unshuffle(small, SUB).permute(0, 2, 3, 1).reshape(n * h * w, -1)
        seen = F.unfold(F.pad(latents, (1, 1, 1, 1), mode="replicate"), 3)  # (n, c·9, h·w)
        seen = seen.permute(0, 2, 1).reshape(n * h * w, -1)
        seen = torch.cat([seen, torch.ones(len(seen), 1)], dim=1).double()
        gram = seen.T @ seen
        gram.diagonal()[:-1] += RIDGE * gram.diagonal().mean()  # not on the constant: white grounds would turn grey
        solved = torch.linalg.solve(gram, seen.T @ wanted.double()).float()  # (c·9 + 1, 3·SUB²)
        return cls(solved[:-1].T.reshape(-1, channels, 3, 3).contiguous(), solved[-1].contiguous())

    @torch.inference_mode()
    def __call__(self, latents: torch.Tensor) -> list[Image.Image]:
        """Previews of clean latents (n, c, h, w), each (w·SUB, h·SUB) pixels."""
        padded = F.pad(latents.detach().float().cpu(), (1, 1, 1, 1), mode="replicate")
        rgb = F.pixel_shuffle(F.conv2d(padded, self.weight, self.bias), SUB)
        pixels = (rgb.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
        return [Image.fromarray(each) for each in pixels]


def synthetic_pictures(n: int, side: int, seed: int = 0) -> torch.Tensor:
    """n pictures (n, 3, side, side) in 0..1: a ground, boxes and discs over it, some of them striped."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    pictures = torch.rand(n, 3, 1, 1, generator=generator).repeat(1, 1, side, side)
    for picture in pictures:
        for _ in range(5):
            cx, cy, rx, ry, width, round_, striped = torch.rand(7, generator=generator).tolist()
            dx, dy = (x - cx * side) / (1 + rx * side / 2), (y - cy * side) / (1 + ry * side / 2)
            inside = (dx**2 + dy**2 < 1) if round_ < 0.5 else (dx.abs() < 1) & (dy.abs() < 1)
            if striped < 0.4:
                inside &= ((x + y) // (1 + int(width * 8))) % 2 == 0
            picture[:, inside] = torch.rand(3, 1, generator=generator)
    return pictures
