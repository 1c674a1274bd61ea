"""Teach the base by what a scorer sees in the base's own pictures.

In: the base U-Net that ships, captions of the training scenes, the steering scorer, frozen. Each step draws a batch as
the pipeline would, without gradients; at some moments on the way the network says what the picture will be, that is
decoded, and what the scorer reads wrong in it goes back through scorer, decoder and this one prediction. Beside it the
flow on drawn pictures goes on, so that pictures stay drawings. Out: `checkpoints/base`. The reporting scorer, of
another architecture, sees none of this.
Ref: Clark et al. 2023, arXiv:2309.17400 (only the last prediction has a gradient); Xu et al. 2023, arXiv:2304.05977
(from any moment on, beside the first loss).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn

from diffusion.training.base import FlowLesson, fresh_unet, need, open_frozen, save_sample
from diffusion.training.flow import TIMESTEPS
from diffusion.training.manifest import GUIDANCE, is_distilled
from diffusion.training.reading import LatentReader, SteeringReader
from fashion.pool import open_pool
from fashion.scene import Scene
from training.command import run_command
from training.parts import FACTS_FILE, save_part, trained_part, warm_start
from training.run import Run, add_training_options, open_run, trainer_settings
from training.trainer import Trainer

WAY = 5  # steps from noise to picture; the picture to come may be read at the last three, the last the surest
READ = 3
LOOKS = 2  # of them at each training step
REWARD_SHARE = 0.05  # of the loss, what the scorer's errors are worth


class HiddenStates(Protocol):
    """Texts to what a U-Net attends to, (n, 77, d)."""

    def base(self, texts: Sequence[str]) -> torch.Tensor: ...


class Reward:
    """What is read wrong in the pictures that a U-Net draws of scenes in `way` steps, guided by `guidance` (1.0: one
    row a step, as a U-Net draws whose guidance is distilled).
    """

    def __init__(
        self, reading: LatentReader, conditioning: HiddenStates, run: Run, way: int = WAY, guidance: float = GUIDANCE
    ) -> None:
        self._reading, self._conditioning, self._run = reading, conditioning, run
        self._way, self._guidance = way, guidance

    def losses(
        self, unet: UNet2DConditionModel, scenes: Sequence[Scene], texts: Sequence[str], seed: int,
        through: nn.Module | None = None,
    ) -> dict[str, torch.Tensor]:  # fmt: skip
        """Mean errors over `LOOKS` moments of one drawing, with their gradient to `unet`; `through`: what to call in
        its place, which calls it."""
        generator = torch.Generator().manual_seed(seed)
        side, channels = unet.config["sample_size"], unet.config["in_channels"]
        x = torch.randn((len(texts), channels, side, side), generator=generator)
        x = x.to(self._run.device, memory_format=self._run.memory_format)
        moments = np.random.default_rng((43, seed)).choice(range(self._way - READ, self._way), LOOKS, replace=False)
        with self._run.autocast():
            hidden = self._conditioning.base(texts)
            empty = self._conditioning.base([""]).expand_as(hidden)
        times = torch.linspace(1, 0, self._way + 1).tolist()
        looks = []
        for at, (now, then) in enumerate(zip(times[:-1], times[1:], strict=True)):
            with torch.set_grad_enabled(at in moments):
                flow = self._flow(through or unet, x, now, hidden, empty)
            if at in moments:
                looks.append(self._reading.losses(x - now * flow, scenes))
            if len(looks) == LOOKS:
                break
            x = x + (then - now) * flow.detach()
        return {name: torch.stack([look[name] for look in looks]).mean() for name in looks[0]}

    def _flow(
        self, unet: nn.Module, x: torch.Tensor, time: float, hidden: torch.Tensor, empty: torch.Tensor
    ) -> torch.Tensor:
        """The guided prediction (n, c, h, w); the one without a caption has no gradient."""
        at = torch.full((len(x),), time * TIMESTEPS, device=x.device)
        if self._guidance == 1.0:
            with self._run.autocast():
                return unet(x, at, hidden).sample.float()
        with self._run.autocast(), torch.no_grad():  # apart: autocast keeps weights that it cast without gradients
            free = unet(x, at, empty).sample.float()
        with self._run.autocast():
            return free + self._guidance * (unet(x, at, hidden).sample.float() - free)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.reward", description=__doc__)
    add_training_options(parser, steps=600, batch=16, learning_rate=3e-4)
    parser.set_defaults(ema=0.98)  # a few hundred steps are all there are
    options = parser.parse_args(argv)
    facts_file = options.checkpoints / "base" / FACTS_FILE
    trained_part(facts_file.parent, "python -m diffusion.training.base")
    open_pool(options.pool, options.pictures)  # what is missing is told first
    if is_distilled(options.checkpoints):
        raise ValueError("the base draws guided in one row: train it further first (python -m diffusion.training.base)")
    facts = json.loads(facts_file.read_text(encoding="utf-8"))
    run = open_run(options, f"reward-{facts['step']}", part="base")  # a state belongs to one base
    vae, conditioning = open_frozen(options.checkpoints, run)
    reading = SteeringReader(options.checkpoints, vae, run)
    unet = fresh_unet(vae, conditioning)
    warm_start(unet, run)
    unet.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
    reward = Reward(reading, conditioning, run)
    lesson = FlowLesson(options, run, vae, conditioning, need)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        batch = lesson.batch(step)
        with run.autocast():
            prediction = unet(batch.noisy, batch.times * TIMESTEPS, batch.hidden).sample
        drawn = lesson.error(prediction, batch)
        texts = [lesson.caption(index, step, place) for place, index in enumerate(batch.indexes)]
        read = reward.losses(unet, [lesson.pool.scene(int(index)) for index in batch.indexes], texts, step)
        misread = read.pop("loss")
        return {"loss": drawn + REWARD_SHARE * misread, "drawn": drawn, "misread": misread, **read}

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        save_sample(average, vae, conditioning, run, step)

    settings = replace(trainer_settings(options), warmup=20, cooldown=0.5, log_every=5)
    first_step = int(facts.get("rewarded", 0))
    trainer = Trainer(unet, step_losses, settings, run.folder, first_step=first_step, on_sample=on_sample)
    result = trainer.run()
    unet.load_state_dict(result.average)
    save_part(unet, run.part, step=facts["step"], facts={"loss": facts.get("loss"), "rewarded": result.step})


if __name__ == "__main__":
    sys.exit(run_command(main))
