"""One run of the stages: its callbacks and clock, its noise, and the cause of a broken picture in words."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.plan import Plan
from diffusion.precision import dtype_name
from diffusion.progress import Cancelled, Clock, Progress
from diffusion.schedulers import Schedule
from diffusion.stage import Between, BrokenPicture, Stage, Watch
from diffusion.threads import one_thread
from diffusion.weights import is_finite
from jobspec import PictureSize

OnStep = Callable[[Progress], None]
IsCancelled = Callable[[], bool]
T = TypeVar("T")


@dataclass
class StageRun:
    """One draw's callbacks and clock. `engines`: what runs each of its stages."""

    plan: Plan
    clock: Clock
    on_step: OnStep | None
    cancelled: IsCancelled | None
    engines: Mapping[str, str]

    @property
    def engine(self) -> str:
        """What runs the networks, for recipes; of two that differ both, each with its stage."""
        names = set(self.engines.values())
        return names.pop() if len(names) == 1 else ", ".join(f"{role}: {name}" for role, name in self.engines.items())

    def check(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the draw was cancelled")

    def stage(
        self, stage: Stage, latents: torch.Tensor, schedule: Schedule, conditioning: Conditioning, guidance: float,
        between: Between = lambda _, latents: latents,
    ) -> torch.Tensor:  # fmt: skip
        """Denoise and decode, telling and asking after each step; returns pixels (n, 3, h, w)."""
        watch = self.watch(stage, schedule, guidance)
        latents = stage.denoise(latents.to(stage.device), schedule, conditioning, guidance, watch, between)
        return self.decode(stage, latents, schedule, conditioning)

    def watch(self, stage: Stage, schedule: Schedule, guidance: float) -> Watch:
        """What to call after each step: tells of it, asks whether to go on."""
        rows = stage.rows(schedule, guidance)

        def watch(i: int, before: torch.Tensor, output: torch.Tensor) -> None:
            left = self.clock.done(stage.role, self.plan.step_work(stage, len(before) * rows[i]))
            if self.on_step is not None:
                preview = _Preview(stage, schedule, i, before, output)
                self.on_step(Progress(stage.role, i + 1, len(schedule), left, preview))
            self.check()

        return watch

    def decode(
        self, stage: Stage, latents: torch.Tensor, schedule: Schedule, conditioning: Conditioning
    ) -> torch.Tensor:
        """Pixels (n, 3, h, w) of latents; of broken ones the cause is said."""
        try:
            pixels = stage.decode(latents, self.check)
        except BrokenPicture as error:
            raise BrokenPicture(_cause(stage, self.plan, schedule, conditioning, latents) or str(error)) from error
        self.clock.done(f"{stage.role} decode", self.plan.decode_work(stage, len(latents)))
        return pixels


@dataclass
class _Preview:
    """Pictures of the model's guess at clean latents, made when called and once only."""

    stage: Stage
    schedule: Schedule
    i: int
    before: torch.Tensor
    output: torch.Tensor
    made: list[Image.Image] | None = None

    def __call__(self) -> list[Image.Image]:
        if self.made is None:
            self.made = self.stage.preview(self.schedule.clean(self.before, self.output, self.i))
        return self.made


def _cause(stage: Stage, plan: Plan, schedule: Schedule, conditioning: Conditioning, latents: torch.Tensor) -> str:
    """What made a picture NaN or infinite, in words with the cure; "" where the autoencoder did."""
    drawn = f"the {stage.role} draws NaN or infinite values"
    name = plan.scheduler if stage.role == "base" else plan.refiner_scheduler
    if not is_finite(conditioning.hidden) or not is_finite(conditioning.negative):
        return f"{drawn}: so are the text encoder's hidden states, its weights are damaged"
    if is_finite(latents):
        return ""
    if plan.all_styles and stage.role == "base":
        styles = " and ".join(f"style {each.name!r} at weight {each.weight}" for each in plan.all_styles)
        return f"{drawn} with {styles}: give less weight, or another style"
    if not all(math.isfinite(part) for i in range(len(schedule)) for part in schedule.level(i)):
        return f"{drawn}: so are the noise levels of scheduler {name!r} with this checkpoint, choose another scheduler"
    dtype = dtype_name(stage.unet.dtype)
    cure = "" if dtype == "float32" else f", or do not fit {dtype}: draw with dtype float32"
    return f"{drawn} with scheduler {name!r}: the weights of its U-Net are damaged{cure}"


@contextmanager
def chosen_engines(stages: Mapping[str, Stage], plan: Plan) -> Iterator[dict[str, str]]:
    """The stages of a plan by their compiled engines inside, where these take it; gives stage → engine.

    A style is merged into the base's torch weights, so that the base runs by torch. Where all networks are compiled,
    what is left to torch is small: one thread.
    """
    drawing = [stages[role] for role in plan.steps()]
    try:
        for stage in drawing:
            stage.choose_engine(plan.size_of(stage), changed=bool(plan.all_styles) and stage.role == "base")
        with one_thread(all(stage.engine is not stage.torch for stage in drawing)):
            yield {stage.role: stage.engine.name for stage in drawing}
    finally:
        for stage in drawing:
            stage.engine = stage.torch


def noise_of(stage: Stage, size: PictureSize, generators: Sequence[torch.Generator]) -> torch.Tensor:
    """Each picture's own noise, (n, c, h, w), drawn on the CPU whatever the device."""
    shape = (1, *stage.latent_shape(size))
    return torch.cat([torch.randn(shape, generator=each) for each in generators]).to(stage.device)


def timed(work: Callable[[], T]) -> tuple[T, float]:
    since = time.perf_counter()
    return work(), time.perf_counter() - since
