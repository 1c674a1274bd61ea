"""The U-Net that finds garments: pictures (n, 3, 128, 128) in → mask logits (n, 1, 128, 128) and kinds (n, 29).

Ref: Ronneberger et al. 2015, arXiv:1505.04597; the mask is refined at the picture's own size by a guided filter (He et
al. 2010).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fashion.lexicon import GARMENTS

INPUT = 128


class PlainBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(width, width, 3, padding=1), nn.Conv2d(width, width, 3, padding=1)
        self.norm1, self.norm2 = nn.GroupNorm(8, width), nn.GroupNorm(8, width)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.second(F.silu(self.norm2(self.first(F.silu(self.norm1(x))))))


class SegmentationNetwork(nn.Module):
    """Four levels from 64 × 64 to 8 × 8; the kind is read from the coarsest, weighted by the mask found."""

    def __init__(self, widths: tuple[int, int, int, int] = (16, 32, 64, 80)) -> None:
        super().__init__()
        self.widths = widths
        a, b, c, d = widths
        self.enter = nn.Conv2d(3, a, 4, stride=2, padding=1)
        self.fine = PlainBlock(a)
        self.downs = nn.ModuleList(nn.Conv2d(w, v, 2, stride=2) for w, v in ((a, b), (b, c), (c, d)))
        self.levels = nn.ModuleList((PlainBlock(b), PlainBlock(c), nn.Sequential(PlainBlock(d), PlainBlock(d))))
        self.all_over = nn.Linear(d, d)  # what the whole picture says to every place
        self.ups = nn.ModuleList(nn.Conv2d(v, w, 1) for v, w in ((d, c), (c, b), (b, a)))
        self.merges = nn.ModuleList((PlainBlock(c), PlainBlock(b), PlainBlock(a)))
        self.leave = nn.Conv2d(a, 4, 3, padding=1)
        self.kind = nn.Sequential(nn.Linear(2 * d + c, 96), nn.SiLU(), nn.Linear(96, len(GARMENTS)))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures in -1..1."""
        x = self.fine(self.enter(pictures))
        kept = [x]
        for down, level in zip(self.downs, self.levels, strict=True):
            x = level(down(x))
            kept.append(x)
        coarse = x
        x = x + self.all_over(x.mean(dim=(2, 3)))[:, :, None, None]
        middle = x
        for up, merge, beside in zip(self.ups, self.merges, kept[-2::-1], strict=True):
            x = merge(F.interpolate(up(x), scale_factor=2.0, mode="nearest") + beside)
            middle = x if x.shape[2] == 16 else middle
        mask = F.pixel_shuffle(self.leave(x), 2)
        return mask, self.kind(self._read(mask, coarse, middle))

    def _read(self, mask: Tensor, coarse: Tensor, middle: Tensor) -> Tensor:
        """Means under the mask, and over the whole picture."""
        found = mask.detach().sigmoid()
        told = [coarse.mean(dim=(2, 3))]
        for features in (coarse, middle):
            weight = F.adaptive_avg_pool2d(found, features.shape[2])
            weight = weight / weight.sum(dim=(2, 3), keepdim=True).clamp(min=1e-3)
            told.append((features * weight).sum(dim=(2, 3)))
        return torch.cat(told, dim=1)
