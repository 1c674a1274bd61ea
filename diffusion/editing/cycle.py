"""CycleDiffusion: the noise that a source picture's own path implies, walked again under another text.

In: clean latents of the source, a schedule, what two texts predict. Out: latents of the edit. At every step the source
is sampled from its posterior (its clean latents are known), which says what noise its prediction lacked; the target
step is given the same. diffusers has it for epsilon and DDIM alone, and divides by eta; written as

    target' = mean(target) + (source' - mean(source))

there is no division, and with levels (alpha, sigma) it holds for every prediction. The deviation of a step's noise is
DDIM's, eta·sigma'·sqrt(1 - (alpha·sigma' / (alpha'·sigma))²), which for alpha² + sigma² = 1 is its formula (16); a
rectified flow's levels (alpha + sigma = 1) differ from those by a factor that the ratio does not see.
Refs: Wu & De la Torre 2022, arXiv:2210.05559; Song et al. 2020, arXiv:2010.02502 (DDIM).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler

from diffusion.conditioning import Conditioning
from diffusion.editing.levels import at, levels_of
from diffusion.schedulers import Level, Schedule, clean_and_noise
from diffusion.stage import Stage, Watch

ETA = 0.1
STRENGTH = 0.8
GUIDANCE, SOURCE_GUIDANCE = 7.5, 1.0

# Noise of a step, of the latents' shape.
Noise = Callable[[], torch.Tensor]


@dataclass(frozen=True)
class CycleSettings:
    """The ancestor's settings by default. Raises ValueError for what is out of range."""

    strength: float = STRENGTH
    guidance_scale: float = GUIDANCE
    source_guidance_scale: float = SOURCE_GUIDANCE
    eta: float = ETA

    def __post_init__(self) -> None:
        if not 0 < self.eta <= 1:
            cure = "with 0 nothing of the source's noise is left to hand on" if self.eta == 0 else "0.1 is usual"
            raise ValueError(f"eta is {self.eta}: give a number above 0 and up to 1, {cure}")
        if not 0 < self.strength <= 1:
            raise ValueError(f"strength is {self.strength}: give a number above 0 and up to 1")
        for name in ("guidance_scale", "source_guidance_scale"):
            if not 1 <= getattr(self, name) <= 30:
                raise ValueError(f"{name} is {getattr(self, name)}: give a number from 1 to 30")


def cycle(
    stage: Stage, schedule: Schedule, clean: torch.Tensor, source: Conditioning, target: Conditioning,
    settings: CycleSettings, noise: Noise, watch: Watch = lambda *_: None,
) -> torch.Tensor:  # fmt: skip
    """Edit clean latents (n, c, h, w); `noise()` is asked for once at the start and once a step but the last."""
    levels = levels_of(schedule)
    theirs = ours = at(clean, noise(), levels[0])
    for i in range(len(schedule)):
        now, then = levels[i], levels[i + 1]
        deviation = settings.eta * _deviation(now, then)
        predicted = stage.predict(theirs, schedule, i, source, settings.source_guidance_scale)
        output = stage.predict(ours, schedule, i, target, settings.guidance_scale)
        sampled = clean if _is_last(schedule, i) else _posterior(theirs, clean, now, then, deviation, noise)
        left = sampled - _mean(theirs, predicted, now, then, deviation, schedule.prediction)
        before, ours = ours, _mean(ours, output, now, then, deviation, schedule.prediction) + left
        theirs = sampled
        watch(i, before, output)
    return ours


def _deviation(now: Level, then: Level) -> float:
    """Of a step's noise at eta 1."""
    (alpha, sigma), (alpha_then, sigma_then) = now, then
    return float(sigma_then * max(0.0, 1 - (alpha * sigma_then / (alpha_then * sigma)) ** 2) ** 0.5)


def _mean(
    latents: torch.Tensor, output: torch.Tensor, now: Level, then: Level, deviation: float, prediction: str
) -> torch.Tensor:
    """Where a step leads before its noise."""
    clean, noise = clean_and_noise(latents, output, now, prediction)
    return then[0] * clean + max(0.0, then[1] ** 2 - deviation**2) ** 0.5 * noise


def _posterior(
    latents: torch.Tensor, clean: torch.Tensor, now: Level, then: Level, deviation: float, noise: Noise
) -> torch.Tensor:
    """The source's latents after a step, given its clean ones."""
    implied = (latents - now[0] * clean) / now[1]
    return then[0] * clean + max(0.0, then[1] ** 2 - deviation**2) ** 0.5 * implied + deviation * noise()


def _is_last(schedule: Schedule, i: int) -> bool:
    """Whether a step leads to the clean latents; diffusers counts DDIM's timestep 0 for clean as well."""
    last = i == len(schedule) - 1
    return last or (isinstance(schedule.scheduler, DDIMScheduler) and int(schedule.timesteps[i + 1]) <= 0)
