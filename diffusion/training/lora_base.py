"""The base that a LoRA is trained on, of any layout: what encodes its pictures and texts, and how it is disturbed.

In: a checkpoint folder (ours, Stable Diffusion 1 or 2, SDXL). Out: a `StyleBase` in float32 on one device.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from PIL import Image
from torch import nn
from transformers import CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

from diffusion.encoder import LENGTH, TextEncoder
from diffusion.load import load_pipeline
from diffusion.parts import open_unet, open_vae, scheduler_config
from diffusion.pipeline import DrawSettings, Shot, TwoStagePipeline
from diffusion.schedulers import prediction_type
from diffusion.specs import MODEL_INDEX, StageDefaults
from diffusion.stage import Stage
from diffusion.training.flow import TIMESTEPS, disturb, logit_normal_times
from diffusion.weights import fingerprint, read_json

SDXL = "StableDiffusionXLPipeline"


@dataclass(frozen=True)
class TextConditioning:
    """What a U-Net is told of n texts: hidden states (n, 77, d), and pooled embeddings (n, p) where it takes any."""

    hidden: torch.Tensor
    pooled: torch.Tensor | None = None

    def rows(self, picked: torch.Tensor) -> TextConditioning:
        return TextConditioning(self.hidden[picked], None if self.pooled is None else self.pooled[picked])


class Disturbance(Protocol):
    """How clean latents (n, c, h, w) become what a U-Net is to say something of."""

    def __call__(
        self, clean: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Noisy latents, timesteps (n,), and the goal of the prediction."""
        ...


class StyleBase:
    """A base to train on. `draw` is the pipeline's own, None where this layout is not drawn with here (SDXL's base)."""

    def __init__(self, stage: Stage, encoder: TextEncoder, id: str, pipeline: TwoStagePipeline | None = None) -> None:
        self.stage, self.id, self._encoder, self._pipeline = stage, id, encoder, pipeline
        self.disturb = disturbance(stage.scheduler)

    @property
    def unet(self) -> UNet2DConditionModel:
        return self.stage.unet

    @torch.no_grad()
    def condition(self, texts: Sequence[str]) -> TextConditioning:
        """What the U-Net is told of texts."""
        if isinstance(self._encoder, SdxlEncoder):
            hidden, pooled = self._encoder.base_and_pooled(texts)
            return TextConditioning(hidden.clone(), pooled.clone())
        return TextConditioning(self._encoder.base(list(texts)).detach().float().clone())

    def predict(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: TextConditioning,
        through: nn.Module | None = None,
    ) -> torch.Tensor:  # fmt: skip
        """What the U-Net says; `through`: what to call in its place, which calls it.

        With guidance g distilled into the U-Net, its prediction without guidance, (v + (g - 1)·e) / g of what it says
        and what it says of no text, which is taken as it stands: what learns by it draws guided in one row.
        """
        said = self._said(noisy, timesteps, conditioning, through)
        own = self.stage.own_guidance
        if own == 1.0:
            return said
        with torch.no_grad():
            empty = TextConditioning(self._empty.to(noisy).expand_as(conditioning.hidden))
            free = self._said(noisy, timesteps, empty, through)
        untold = (conditioning.hidden == empty.hidden).all(dim=-1).all(dim=-1).view(-1, 1, 1, 1)
        return torch.where(untold, said, (said + (own - 1) * free) / own)

    @cached_property
    def _empty(self) -> torch.Tensor:
        return self.condition([""]).hidden

    def _said(
        self, noisy: torch.Tensor, timesteps: torch.Tensor, conditioning: TextConditioning,
        through: nn.Module | None = None,
    ) -> torch.Tensor:  # fmt: skip
        added = None
        if conditioning.pooled is not None:
            side = noisy.shape[-1] * self.stage.factor
            ids = torch.tensor([[side, side, 0, 0, side, side]] * len(noisy), dtype=noisy.dtype, device=noisy.device)
            added = {"text_embeds": conditioning.pooled, "time_ids": ids}
        return (through or self.unet)(noisy, timesteps, conditioning.hidden, added_cond_kwargs=added).sample

    def draw(self, texts: Sequence[str], seeds: Sequence[int]) -> list[Image.Image] | None:
        """A picture of each text by the checkpoint's own settings, without a refiner; None where it cannot be drawn."""
        if self._pipeline is None:
            return None
        shots = [Shot(text, seed=seed) for text, seed in zip(texts, seeds, strict=True)]
        return self._pipeline.draw(shots, DrawSettings(refine=False)).images


class FlowDisturbance:
    """A straight path from noise to latents; times are logit-normal."""

    def __call__(
        self, clean: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        times = logit_normal_times(len(clean), generator).to(clean.device)
        noisy, goal = disturb(clean, torch.randn(clean.shape, generator=generator).to(clean.device), times)
        return noisy, times * TIMESTEPS, goal


class DiffusionDisturbance:
    """Stable Diffusion's own noise levels, all as often; the goal is the noise or, with v-prediction, the velocity."""

    def __init__(self, config: dict[str, object], prediction: str) -> None:
        self._scheduler = DDPMScheduler.from_config(config)
        self._velocity = prediction == "v_prediction"

    def __call__(
        self, clean: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        steps = int(self._scheduler.config["num_train_timesteps"])
        timesteps = torch.randint(steps, (len(clean),), generator=generator)
        noise = torch.randn(clean.shape, generator=generator).to(clean.device)
        timesteps = timesteps.to(clean.device)
        noisy = self._scheduler.add_noise(clean, noise, timesteps)
        return noisy, timesteps, self._scheduler.get_velocity(clean, noise, timesteps) if self._velocity else noise


def disturbance(config: dict[str, object]) -> Disturbance:
    """What a checkpoint's scheduler asks of its U-Net; raises ValueError for a prediction that is not trained here."""
    prediction = prediction_type(config)
    if prediction == "flow_prediction":
        return FlowDisturbance()
    if prediction in ("epsilon", "v_prediction"):
        return DiffusionDisturbance(config, prediction)
    raise ValueError(f"the scheduler predicts {prediction}: a LoRA is trained for epsilon, v_prediction and flow")


def open_base(checkpoint: Path, encoder: TextEncoder | None = None, device: str | None = None) -> StyleBase:
    """The base of a checkpoint; `encoder`: a student in the place of its own. Raises what `load_pipeline` raises, and
    ValueError for a student of SDXL, which has two encoders.
    """
    index = checkpoint / MODEL_INDEX
    if index.is_file() and read_json(index).get("_class_name") == SDXL:
        if encoder is not None:
            raise ValueError(f"{checkpoint} is SDXL: its captions go through its own two encoders, give --language en")
        return _open_sdxl(checkpoint, torch.device(device or "cpu"))
    pipeline = load_pipeline(checkpoint, text_encoder=encoder, device=device, dtype="float32")
    return StyleBase(pipeline.stages["base"], pipeline.text_encoder, pipeline.checkpoint_id, pipeline)


class SdxlEncoder:
    """SDXL's two towers: penultimate states of both side by side, and the second one's pooled embedding."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.teachers: Mapping[str, str] = {}
        self._towers = [
            (CLIPTokenizer.from_pretrained(folder / f"tokenizer{n}", local_files_only=True),
             kind.from_pretrained(folder / f"text_encoder{n}", dtype=torch.float32).eval().to(device))
            for n, kind in (("", CLIPTextModel), ("_2", CLIPTextModelWithProjection))
        ]  # fmt: skip

    def base(self, prompts: Sequence[str]) -> torch.Tensor:
        return self.base_and_pooled(prompts)[0]

    def refiner(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        raise ValueError("SDXL's base has no refiner head")

    @torch.no_grad()
    def base_and_pooled(self, prompts: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = []
        for tokenizer, tower in self._towers:
            ids = tokenizer(
                list(prompts), padding="max_length", max_length=LENGTH, truncation=True, return_tensors="pt"
            ).input_ids
            out = tower(ids.to(tower.device), output_hidden_states=True)
            hidden.append(out.hidden_states[-2])
        return torch.cat(hidden, dim=-1), out.text_embeds


def _open_sdxl(folder: Path, device: torch.device) -> StyleBase:
    unet = open_unet(folder / "unet", torch.float32, device)
    vae = open_vae(folder / "vae", torch.float32, device)
    stage = Stage("base", unet, vae, scheduler_config(folder / "scheduler"), StageDefaults())
    stage.device = device
    return StyleBase(stage, SdxlEncoder(folder, device), fingerprint(folder / "unet"))
