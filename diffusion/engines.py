"""What runs a stage's networks: torch, or graphs that OpenVINO has compiled for this CPU.

In: float32 tensors on the stage's device. Out: the same network's answer as a float32 tensor. Torch runs everything:
every size, merged styles, attention control. A compiled engine runs the shapes it was compiled for, with the weights
that the checkpoint ships; the pipeline asks `takes` and falls back on torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Protocol

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from diffusion.block_encoder import block_convolution
from diffusion.parts import Autoencoder
from jobspec import PictureSize

ENGINES = ("torch", "openvino", "auto")


class Engine(Protocol):
    """One stage's networks. `name` goes into recipes."""

    @property
    def name(self) -> str: ...

    def takes(self, size: PictureSize) -> bool:
        """Whether pictures of this height and width can be run."""
        ...

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, added: Mapping[str, torch.Tensor] | None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """The U-Net's output (n, c, h, w) for latents (n, c, h, w), one timestep, hidden states (n, 77, d). `told`
        (n, w): the guidance scale as an LCM is told it.
        """
        ...

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        """Unscaled latents (1, c, h, w) of a picture (1, 3, h, w) in -1..1."""
        ...

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        """A picture (1, 3, h, w) on the CPU, from unscaled latents (1, c, h, w)."""
        ...


class TorchEngine:
    """The modules as they are opened, in their own number format."""

    name = "torch"

    def __init__(self, unet: UNet2DConditionModel, vae: Autoencoder) -> None:
        self.unet, self.vae = unet, vae
        self.device = torch.device("cpu")

    @cached_property
    def _blocks(self) -> torch.nn.Conv2d | None:
        return block_convolution(self.vae)

    def takes(self, size: PictureSize) -> bool:
        return True

    def predict(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, added: Mapping[str, torch.Tensor] | None,
        told: torch.Tensor | None = None,
    ) -> torch.Tensor:  # fmt: skip
        dtype = self.unet.dtype
        out = self.unet(
            x.to(dtype),
            t.to(self.device),
            timestep_cond=None if told is None else told.to(self.device, dtype),
            encoder_hidden_states=hidden.to(self.device, dtype),
            added_cond_kwargs=added and {key: value.to(self.device, dtype) for key, value in added.items()},
            return_dict=False,
        )[0]
        return out.float()

    def encode(self, picture: torch.Tensor) -> torch.Tensor:
        if self._blocks is not None:
            return self._blocks.to(self.device)(picture.to(self.device, torch.float32))
        encoded = self.vae.encode(self._for_vae(picture), return_dict=False)[0]
        return (encoded.mode() if isinstance(self.vae, AutoencoderKL) else encoded).float()

    def decode(self, latents: torch.Tensor) -> torch.Tensor:
        return self.vae.decode(self._for_vae(latents), return_dict=False)[0].float().cpu()

    def _for_vae(self, x: torch.Tensor) -> torch.Tensor:
        return x.to(self.device, self.vae.dtype, memory_format=torch.channels_last)
