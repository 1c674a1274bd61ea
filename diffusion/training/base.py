"""Train the base U-Net: 128-px pictures from the English CLIP's hidden states, by rectified flow in latents.

In: drawn pictures with captions made anew at every step. Out: `checkpoints/base` (U-Net, scheduler). One caption in
ten is left out for classifier-free guidance. Text tower and autoencoder stay as they ship. Several processes
(`accelerate launch`, `torchrun`) train as one with the batches of all of them.
Ref: the layout of Rombach et al. 2022, arXiv:2112.10752.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler
from transformers import CLIPModel, CLIPTokenizer

from diffusion.training.blocks import FACTOR, component_weights
from diffusion.training.flow import (
    TIMESTEPS,
    TextTower,
    disturb,
    euler_sample,
    logit_normal_times,
    scheduler_config,
)
from diffusion.training.latents import LatentPool
from diffusion.training.manifest import GUIDANCE
from diffusion.training.scene_map import SceneMap, map_loss, map_targets
from diffusion.training.unet import UNetShape
from fashion.captions import caption
from fashion.pool import open_pool
from fashion.scene import Garment, Scene, permutation_outfits
from training.command import run_command
from training.parts import sample_grid, save_part, trained_part, warm_start
from training.processes import mean_over_processes, one_writes_first, prepared
from training.run import Run, add_training_options, open_processes, open_run, trainer_settings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
SIZE = 128
CAPTIONS_DROPPED = 0.1
MAP_SHARE = 0.1  # of the loss, what the scene map is worth
# How often a garment's pattern is met beside others: what is drawn right has little left to teach. Of single garments
# the base drew every solid, zigzag and dancheong one right when these were chosen, and half of cartoons and flowers.
# Solid cloth in an outfit counts as any other: it takes on its neighbour's print.
NEED = {"solid": 0.25, "zigzag": 0.5, "dancheong": 0.5, "cartoon": 3.0, "floral": 3.0, "paisley": 3.0, "leaves": 2.0}
NEED_IN_OUTFITS = NEED | {"solid": 1.0}


SHAPE = UNetShape(channels=(80, 64, 128, 128), heads=(1, 2, 4, 4))


def open_frozen(checkpoints: Path, run: Run) -> tuple[AutoencoderTiny, TextTower]:
    """The autoencoder and the text tower that ship, frozen. Raises FileNotFoundError where one is not trained yet."""
    vae = open_vae(checkpoints / "vae", "python -m diffusion.training.autoencoder", run)
    clip_folder = trained_part(checkpoints / "clip", "python -m ko_clip.contrastive")
    clip = CLIPModel.from_pretrained(clip_folder, dtype=torch.float32)
    tokenizer = CLIPTokenizer.from_pretrained(clip_folder)
    clip.to(run.device)  # type: ignore[arg-type]  # transformers wraps Module.to without binding self
    return vae, TextTower(clip, tokenizer)


def open_vae(folder: Path, command: str, run: Run) -> AutoencoderTiny:
    """A trained autoencoder, frozen. Raises FileNotFoundError with the command that trains it."""
    opened = AutoencoderTiny.from_pretrained(trained_part(folder, command), torch_dtype=torch.float32)
    vae: AutoencoderTiny = opened.eval().requires_grad_(False)
    vae.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
    return vae


def shown_scenes() -> list[Scene]:
    """What the sample grid shows at every look: single garments of all kinds, then outfits never trained on."""
    singles = [
        Scene((Garment("dress", "red", "checkered", "cotton", "short", "knee", "round"),)),
        Scene((Garment("t_shirt", "yellow", "stripes", "cotton", "long", None, "v"),)),
        Scene((Garment("jeogori", "pink", "solid", "satin"),)),
        Scene((Garment("hanbok_skirt", "blue", "floral", "satin", None, "maxi"),)),
        Scene((Garment("coat", "black", "dots", "cotton", None, "maxi"),)),
        Scene((Garment("jeans", "blue", "solid", "denim"),)),
        Scene((Garment("gat", "black"),)),
        Scene((Garment("boots", "green", "zigzag", "leather"),)),
        Scene((Garment("hoodie", "purple", "cartoon", "cotton", "long"),)),
        Scene((Garment("skirt", "orange", "leaves", "cotton", None, "mini"),)),
    ]
    return singles + [Scene(garments, "figure") for garments in permutation_outfits()]


@dataclass(frozen=True)
class FlowBatch:
    """What one step of the flow learns from: n drawn pictures of the pool, some mirrored."""

    indexes: np.ndarray
    flips: np.ndarray
    noisy: torch.Tensor  # (n, c, 32, 32)
    goal: torch.Tensor  # the same shape: what is to be predicted
    times: torch.Tensor  # (n,) in 0..1
    hidden: torch.Tensor  # (n, 77, d)


class FlowLesson:
    """Batches of the pool's first `pictures`, each decided by its step alone.

    `need`: how much oftener than others a scene is to be met (default: all alike).
    """

    def __init__(
        self, options: argparse.Namespace, run: Run, vae: AutoencoderTiny, conditioning: TextTower,
        need: Callable[[Scene], float] | None = None,
    ) -> None:  # fmt: skip
        self.pool = open_pool(options.pool, options.pictures)
        self.pictures, self.size = options.pictures, options.batch
        self.weights = component_weights(vae)
        self._latents = LatentPool(self.pool, vae, SIZE, run)
        self._run, self._conditioning = run, conditioning
        needs = np.array([need(self.pool.scene(i)) if need else 1.0 for i in range(self.pictures)])
        self._chances = needs / needs.sum()

    def batch(self, step: int) -> FlowBatch:
        """This process's rows of a step; what decides them is chosen for the rows of all processes."""
        rng = np.random.default_rng((29, step))
        generator = torch.Generator().manual_seed(step)
        rows = self._run.share.all_rows(self.size)
        own = self._run.share.own(rows)
        indexes = rng.choice(self.pictures, rows, p=self._chances)
        flips = rng.random(rows) < 0.5
        dropped = rng.random(rows) < CAPTIONS_DROPPED
        texts = ["" if dropped[n] else self.caption(indexes[n], step, n) for n in range(rows)[own]]
        indexes, flips = indexes[own], flips[own]
        clean = self._latents.read(indexes, flips).to(self._run.device, memory_format=self._run.memory_format)
        times = logit_normal_times(rows, generator)[own].to(self._run.device)
        noise = torch.randn((rows, *clean.shape[1:]), generator=generator)[own].to(self._run.device)
        noisy, goal = disturb(clean, noise, times)
        with self._run.autocast():
            hidden = self._conditioning.base(texts)
        return FlowBatch(indexes, flips, noisy, goal, times, hidden)

    def caption(self, index: int, step: int, place: int) -> str:
        """An English caption of one picture, another at every step."""
        return caption(self.pool.scene(int(index)), "en", seed=step * 100_003 + place).text

    def error(self, prediction: torch.Tensor, batch: FlowBatch) -> torch.Tensor:
        """Mean squared error of the prediction, each component by how far it moves the picture."""
        return (self.weights * (prediction.float() - batch.goal).square()).mean()


def need(scene: Scene) -> float:
    """How much oftener than others a scene is drawn: the mean of what its garments' patterns need."""
    needs = NEED if len(scene.garments) == 1 else NEED_IN_OUTFITS
    return float(np.mean([needs.get(garment.pattern, 1.0) for garment in scene.garments]))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.base", description=__doc__)
    add_training_options(parser, steps=20_000, batch=32, learning_rate=2e-3)
    parser.add_argument("--need", action="store_true", help="meet oftener the patterns that are drawn badly")
    options = parser.parse_args(argv)
    run, accelerator = open_processes(open_run(options, "base"))
    vae, conditioning = open_frozen(options.checkpoints, run)
    unet = fresh_unet(vae, conditioning)
    first_step = warm_start(unet, run, guidance=None)  # distilled weights are a start: the flow unlearns guidance
    learner = prepared(SceneMap(unet).to(run.device), accelerator)
    with one_writes_first(accelerator):
        lesson = FlowLesson(options, run, vae, conditioning, need if options.need else None)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        batch = lesson.batch(step)
        with run.autocast():
            prediction, maps = learner(batch.noisy, batch.times * TIMESTEPS, batch.hidden)
        labels = lesson.pool.labels(batch.indexes)
        labels[batch.flips] = labels[batch.flips, :, ::-1]
        scenes = [lesson.pool.scene(int(i)) for i in batch.indexes]
        targets = map_targets(labels, scenes, cells=maps["kind"].shape[-1])
        on_device = {field: goal.to(run.device) for field, goal in targets.items()}
        mapped = map_loss(maps, on_device, lambda count: mean_over_processes(count.float(), accelerator))
        drawn = lesson.error(prediction, batch)
        plain = (prediction.detach().float() - batch.goal).square().mean()
        return {"loss": drawn + MAP_SHARE * mapped, "drawn": drawn, "plain": plain, "map": mapped}

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        save_sample(unet_of(average), vae, conditioning, run, step)

    trainer = Trainer(
        learner, step_losses, trainer_settings(options), run.folder, accelerator=accelerator, first_step=first_step,
        on_sample=on_sample,
    )  # fmt: skip
    result = trainer.run()
    unet.load_state_dict(unet_of(result.average))
    if accelerator.is_main_process:
        loss = round(result.losses.get("drawn", float("nan")), 5)
        save_part(unet, run.part, step=result.step, facts={"loss": loss})
        DPMSolverMultistepScheduler.from_config(scheduler_config()).save_pretrained(run.part / "scheduler")


def fresh_unet(vae: AutoencoderTiny, conditioning: TextTower) -> UNet2DConditionModel:
    """The base U-Net, untrained, for these latents and hidden states."""
    return SHAPE.build(SIZE // FACTOR, vae.config["latent_channels"], conditioning.clip.config.text_config.hidden_size)


def save_sample(
    state: Mapping[str, torch.Tensor], vae: AutoencoderTiny, conditioning: TextTower, run: Run, step: int,
    guidance_scale: float = GUIDANCE,
) -> None:  # fmt: skip
    """Write what a U-Net with these weights draws of `shown_scenes` into the run's folder."""
    shown = fresh_unet(vae, conditioning).eval()
    shown.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
    shown.load_state_dict(state)
    pictures = draw_shown(shown, vae, conditioning, run, guidance_scale=guidance_scale)
    sample_grid(pictures, run.folder / f"sample-{step:06d}.png", columns=4)


def unet_of(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The U-Net's own weights among those of a `SceneMap`."""
    return {name.removeprefix("unet."): value for name, value in state.items() if name.startswith("unet.")}


@torch.no_grad()
def draw_shown(
    unet: UNet2DConditionModel, vae: AutoencoderTiny, conditioning: TextTower, run: Run, steps: int = 12,
    guidance_scale: float = GUIDANCE,
) -> torch.Tensor:  # fmt: skip
    """Pictures (n, 3, 128, 128) of `shown_scenes`, the same noise at every look."""
    texts = [caption(scene, "en", seed=3).text for scene in shown_scenes()]
    hidden = {True: conditioning.base(texts), False: conditioning.base([""] * len(texts))}
    shape = (len(texts), vae.config["latent_channels"], SIZE // FACTOR, SIZE // FACTOR)
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(7)).to(run.device)

    def predict(x: torch.Tensor, times: torch.Tensor, guided: bool) -> torch.Tensor:
        with run.autocast():
            return unet(x, times * TIMESTEPS, hidden[guided]).sample.float()

    latents = euler_sample(predict, noise, steps, guidance_scale)
    logger.info("latent deviation of samples %s", json.dumps(round(latents.std().item(), 3)))
    return vae.decoder(latents / vae.config["scaling_factor"]).cpu()


if __name__ == "__main__":
    sys.exit(run_command(main))
