"""A checkpoint's U-Net and scheduler, frozen: whose predictions distillation matches.

In: a folder in the diffusers layout. Out: predictions and block features for given noise and hidden states.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import diffusers
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import Tensor, nn

_GOOD_SCORE = 6.0  # the aesthetic score of the SDXL refiner's conditioning by default


@dataclass(frozen=True)
class Denoised:
    """A U-Net's prediction (n, channels, h, w) and the output of each of its blocks."""

    prediction: Tensor
    blocks: tuple[Tensor, ...]


class FrozenUNet(nn.Module):
    """A checkpoint's U-Net and scheduler. `size`: side of the latents, 0 for what the U-Net was trained at."""

    def __init__(self, folder: str, scheduler: str, size: int, device: str) -> None:
        super().__init__()
        if not (Path(folder) / "config.json").is_file():
            raise FileNotFoundError(f"U-Net {folder} has no config.json: give a folder in the diffusers layout")
        unet = UNet2DConditionModel.from_pretrained(folder, torch_dtype=torch.float32)
        self.unet = unet.eval().requires_grad_(False).to(device)
        self.folder = folder
        side = size or int(unet.config["sample_size"])
        self.shape = (unet.config["in_channels"], side, side)
        self.pixels = side * _factor(Path(folder).parent / "vae")
        self.make_scheduler = _scheduler(scheduler)
        self.scheduler = self.make_scheduler()
        self.found: list[Tensor] = []
        for block in (*unet.down_blocks, unet.mid_block, *unet.up_blocks):
            if block is not None:
                block.register_forward_hook(self._keep)

    def check(self, width: int, head: str, pooled: bool = False) -> None:
        """Raise where the head's width is not the one that the U-Net attends to, or the U-Net needs pooled conditions
        and there are none.
        """
        if self.unet.config["addition_embed_type"] and not pooled:
            raise ValueError(f"U-Net {self.folder} needs pooled conditions: name the base stage's U-Net for {head!r}, "
                             "or both heads of SDXL's base, base_1+base_2")  # fmt: skip
        asked = self.unet.config["cross_attention_dim"]
        if width != asked:
            raise ValueError(
                f"the U-Net attends to states of width {asked}, head {head!r} gives {width}: "
                "name the teacher that this U-Net was trained with"
            )

    def forward(self, latents: Tensor, time: Tensor, states: Tensor, pooled: Tensor | None = None) -> Denoised:
        """`pooled` (n, p) is for a U-Net with SDXL's added conditions; sizes and score are those of a whole picture."""
        self.found = []
        scaled = self.scheduler.scale_model_input(latents, time)
        added = None if pooled is None else {"text_embeds": pooled, "time_ids": self._time_ids(pooled)}
        prediction = self.unet(scaled, time, encoder_hidden_states=states, added_cond_kwargs=added).sample
        blocks, self.found = tuple(self.found), []
        return Denoised(prediction, blocks)

    def begin(self, steps: int) -> None:
        """A new trajectory: a multistep scheduler forgets the former one."""
        self.scheduler = self.make_scheduler()
        self.scheduler.set_timesteps(steps, device=self.unet.device)

    def times(self, steps: int) -> Tensor:
        if len(getattr(self.scheduler, "timesteps", ())) != steps:
            self.begin(steps)
        return self.scheduler.timesteps

    def noise(self, latents: Tensor) -> Tensor:
        return latents * self.scheduler.init_noise_sigma

    @torch.no_grad()
    def step(self, latents: Tensor, time: Tensor, prediction: Tensor) -> Tensor:
        return self.scheduler.step(prediction, time, latents).prev_sample

    def _time_ids(self, pooled: Tensor) -> Tensor:
        """SDXL's conditioning: original size and crop, then the aesthetic score (refiner) or the target size (base)."""
        config = self.unet.config
        count = (config.projection_class_embeddings_input_dim - pooled.shape[-1]) // config.addition_time_embed_dim
        last = [_GOOD_SCORE] if count == 5 else [self.pixels, self.pixels]
        return torch.tensor([[self.pixels, self.pixels, 0, 0, *last]], dtype=torch.float32).expand(len(pooled), -1)

    def _keep(self, module: nn.Module, inputs: object, output: object) -> None:
        self.found.append(output[0] if isinstance(output, tuple) else output)  # type: ignore[arg-type]


def _factor(vae: Path) -> int:
    """Pixels a latent, of the autoencoder beside the U-Net; 8 where there is none."""
    file = vae / "config.json"
    levels = len(json.loads(file.read_text("utf-8"))["block_out_channels"]) if file.is_file() else 4
    return 2 ** (levels - 1)


def _scheduler(folder: str):  # noqa: ANN202 - a factory of any diffusers scheduler
    file = Path(folder) / "scheduler_config.json"
    if not file.is_file():
        raise FileNotFoundError(
            f"scheduler {folder} has no scheduler_config.json: give the checkpoint's scheduler folder"
        )
    settings = json.loads(file.read_text("utf-8"))
    kind = getattr(diffusers, settings["_class_name"], None)
    if kind is None:
        raise ValueError(f"{file} names the scheduler {settings['_class_name']}, which diffusers does not have")
    return lambda: kind.from_config(settings)
