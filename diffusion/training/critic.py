"""A critic of drawn lines: a small network that tells the refiner's pictures from true drawings, patch by patch.

In: pictures. Out: what the critic learns from them, and what a refiner learns from the critic. A squared error asks for
the mean of all lines that might be meant, which is a blur; the critic asks for one that could have been drawn. What it
calls true are drawings through the autoencoder, so that it cannot go by what the decoder does to every picture.
Ref: patches as in Isola et al. 2017, arXiv:1611.07004; the hinge and the spectral norm of Miyato et al. 2018,
arXiv:1802.05957; a critic beside one-step denoising as in Sauer et al. 2023, arXiv:2311.17042.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn
from torch.func import functional_call
from torch.nn.utils.parametrizations import spectral_norm

_WIDTHS = (32, 64, 96)
_REACH = 8.0  # what layers of spectral norm 1 say is a fraction of the hinge's margin
_EAGERNESS = 4.0  # how many times as fast as at its usual size a weight learns; its norm is divided out anyway


class Critic(nn.Module):
    """Pictures (n, 3, h, w) in -1..1 → how true each patch looks, (n, 1, h/8, w/8); a patch is 54 px wide."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 3
        for width in _WIDTHS:
            layers += [spectral_norm(nn.Conv2d(before, width, 4, stride=2, padding=1)), nn.LeakyReLU(0.2)]
            before = width
        layers += [spectral_norm(nn.Conv2d(before, before, 3, padding=1)), nn.LeakyReLU(0.2)]
        self.layers = nn.Sequential(*layers, spectral_norm(nn.Conv2d(before, 1, 3, padding=1)))
        with torch.no_grad():
            for name, weight in self.named_parameters():
                if name.endswith("weight.original"):
                    weight.div_(_EAGERNESS)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        return self.layers(pictures).float() * _REACH

    def mistaken(self, true: torch.Tensor, refined: torch.Tensor) -> torch.Tensor:
        """The hinge loss of true and of refined pictures, with its gradient to the critic alone."""
        return (F.relu(1 - self(true.detach())).mean() + F.relu(1 + self(refined.detach())).mean()) / 2

    def found_out(self, refined: torch.Tensor) -> torch.Tensor:
        """How untrue the pictures look, with its gradient to what made them alone."""
        frozen = {name: value.detach() for name, value in (*self.named_parameters(), *self.named_buffers())}
        return -functional_call(self, frozen, refined).mean()


class UNetWithCritic(nn.Module):
    """A U-Net and the critic of its pictures, trained side by side: one state to save and to go on from."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet, self.critic = unet, Critic()
