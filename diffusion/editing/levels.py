"""The noise levels of an edit, (alpha, sigma) before each step and after the last: x = alpha·x0 + sigma·noise.

Every prediction (epsilon, v, flow) has such levels, so what is written over them holds for all.
"""

from __future__ import annotations

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from diffusion.schedulers import Level, Schedule


def levels_of(schedule: Schedule) -> list[Level]:
    """One level more than the schedule has steps; the last is what the latents have when all steps are done."""
    before = [schedule.level(i) for i in range(len(schedule))]
    return [*before, _last(schedule)]


def at(clean: torch.Tensor, noise: torch.Tensor, level: Level) -> torch.Tensor:
    """Latents at a level."""
    return level[0] * clean + level[1] * noise


def _last(schedule: Schedule) -> Level:
    scheduler = schedule.scheduler
    if not isinstance(scheduler, DDIMScheduler):
        return 1.0, 0.0
    assert scheduler.num_inference_steps is not None
    stride = scheduler.config["num_train_timesteps"] // scheduler.num_inference_steps
    before = int(schedule.timesteps[-1]) - stride
    kept = float(scheduler.alphas_cumprod[before] if before >= 0 else scheduler.final_alpha_cumprod)
    return kept**0.5, (1 - kept) ** 0.5
