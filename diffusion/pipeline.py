"""Draw pictures in two stages: base text-to-image, then an SDXL-style image-to-image refiner at a larger
size.

In: shots (prompt, seed, perhaps a source picture) and settings. Out: pictures, recipes, timings, warnings.
    prompts → prompt reader → text encoder → base U-Net → pictures → resize → refiner U-Net → pictures
The stages meet in pixels, because their autoencoders may differ. Each picture has its own CPU generator,
seeded with its own seed, so what it shows does not depend on the batch. Refs: Rombach et al. 2022,
arXiv:2112.10752; Podell et al. 2023, arXiv:2307.01952 (refiner); Meng et al. 2021, arXiv:2108.01073 (image to
image).
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from PIL import Image

from diffusion.encoder import TextEncoder
from diffusion.pictures import color_fixed, enlarged, from_pixels, to_pixels
from diffusion.plan import Plan, make_plan
from diffusion.precision import dtype_name
from diffusion.progress import Cancelled, Clock, Pace, Progress
from diffusion.reading import DrawWarning, read_shots, text_warnings
from diffusion.recipe import machine, make_recipe
from diffusion.request import DrawSettings, Shot, shots_for
from diffusion.schedulers import Schedule, make_schedule
from diffusion.stage import BrokenPicture, Conditioning, Stage
from diffusion.weights import is_finite
from jobspec.prompts import AsTyped, PromptReader

__all__ = ["Cancelled", "DrawSettings", "DrawWarning", "Drawing", "Progress", "Shot", "TwoStagePipeline", "shots_for"]

OnStep = Callable[[Progress], None]
Asked = Callable[[], bool]
T = TypeVar("T")


class StyleShelf(Protocol):
    """LoRA styles by name; `applied` adds one to a U-Net and takes it away again, exactly."""

    def names(self) -> list[str]: ...

    def check(self, name: str) -> None: ...

    def applied(self, unet: torch.nn.Module, name: str, weight: float) -> AbstractContextManager[None]: ...


@dataclass(frozen=True)
class Drawing:
    """What a draw gives, picture by picture; `timings` in seconds and real `steps`, per stage; `warnings`: what was
    asked and did not count.
    """

    images: list[Image.Image]
    base_images: list[Image.Image]
    recipes: list[dict[str, object]]
    timings: dict[str, float]
    steps: dict[str, int]
    warnings: tuple[DrawWarning, ...] = ()


class TwoStagePipeline:
    """Stages, a text encoder, styles and a prompt reader, composed. One draw at a time; nothing of a draw stays behind.

    `domain`: what the checkpoint draws ("fashion"), "" where it does not say.
    """

    def __init__(
        self,
        stages: Mapping[str, Stage],
        text_encoder: TextEncoder,
        checkpoint_id: str,
        styles: StyleShelf | None = None,
        reader: PromptReader | None = None,
        domain: str = "",
    ) -> None:
        self.stages = dict(stages)
        self.text_encoder = text_encoder
        self.checkpoint_id = checkpoint_id
        self.reader = reader or AsTyped()
        self.domain = domain
        self._shelf = styles
        self._pace = Pace()
        self._lock = threading.Lock()

    @property
    def default_settings(self) -> DrawSettings:
        """The checkpoint's own settings, every choice written out."""
        return make_plan(self.stages, DrawSettings(), vary=False).settings()

    @property
    def upscale(self) -> float:
        """How much larger a refined picture's side is than the base's; 1 without a refiner."""
        return self.stages["refiner"].size / self.stages["base"].size if "refiner" in self.stages else 1.0

    def styles(self) -> list[str]:
        """Names of the LoRA styles that can be asked for."""
        return self._shelf.names() if self._shelf else []

    @contextmanager
    def between_draws(self) -> Iterator[None]:
        """Nothing is drawn inside."""
        with self._lock:
            yield

    def warm_up(self) -> None:
        """Fit the preview maps, so that the first preview is not late."""
        for stage in self.stages.values():
            _ = stage.preview

    def draw(
        self,
        shots: Sequence[Shot],
        settings: DrawSettings | None = None,
        on_step: OnStep | None = None,
        cancelled: Asked | None = None,
        told: Mapping[str, Conditioning] | None = None,
    ) -> Drawing:
        """Draw every shot, by the checkpoint's own settings if none are given. `told`: ready embeddings per stage, one
        row a shot, in place of the text encoder's (a recipe cannot hold them, and says "given" for the encoder).

        Raises ValueError for what this checkpoint cannot do, Cancelled once `cancelled()` is true, and
        whatever `on_step` raises; the pipeline is as before in each case.
        """
        # 1. Check everything before any work.
        plan = self._plan(shots, settings or DrawSettings())
        shots, given = read_shots(shots, self.reader), told is not None
        warnings = (*plan.warnings, *(() if given else self._text_warnings(shots, plan)))
        with self._lock, torch.inference_mode(), self._styled(plan), self._engines(plan):
            run = _Run(plan, Clock(plan.work(self.stages, len(shots)), self._pace), on_step, cancelled)
            # 2. Text to conditioning.
            conditions, encode_seconds = _timed(lambda: _ready(told, plan, len(shots)) or self._encode([*shots], plan))
            # 3. Base: noise (or a source picture and noise) to pictures.
            generators = [torch.Generator("cpu").manual_seed(shot.seed) for shot in shots]
            pixels, base_seconds = _timed(lambda: self._draw_base(shots, plan, conditions["base"], generators, run))
            base_images = from_pixels(pixels)
            timings = {"encode": encode_seconds, "base": base_seconds}
            images = base_images
            # 4. Refiner: the same pictures, larger, with a little noise, drawn on.
            if plan.refine:
                refined, timings["refiner"] = _timed(
                    lambda: self._refine(pixels, plan, conditions["refiner"], generators, run)
                )
                images = from_pixels(refined)
            made_with = self._made_with(len(shots), given)
        # 5. Say how to draw them again.
        recipes = [make_recipe(shot, vars(plan.settings()), made_with) for shot in shots]
        return Drawing(images, base_images, recipes, timings, plan.steps(), warnings)

    def _plan(self, shots: Sequence[Shot], settings: DrawSettings) -> Plan:
        if not shots:
            raise ValueError("there is nothing to draw: give at least one shot")
        vary = shots[0].source is not None
        if any((shot.source is not None) != vary for shot in shots):
            raise ValueError("some shots have a source picture and some have none: draw them in two batches")
        plan = make_plan(self.stages, settings, vary)
        if plan.style is not None:
            if self._shelf is None:
                raise ValueError(f"style {plan.style!r} is not here: this checkpoint has none")
            self._shelf.check(plan.style)
        return plan

    def _text_warnings(self, shots: list[Shot], plan: Plan) -> list[DrawWarning]:
        return list(text_warnings(shots, self.text_encoder, plan.guidance(self.stages)))

    def _styled(self, plan: Plan) -> AbstractContextManager[None]:
        if plan.style is None or self._shelf is None:
            return nullcontext()
        return self._shelf.applied(self.stages["base"].unet, plan.style, plan.style_weight)

    @contextmanager
    def _engines(self, plan: Plan) -> Iterator[None]:
        """Each stage by its compiled engine inside, where it has one that can draw this plan."""
        for stage in self.stages.values():
            stage.choose_engine(plan.side(stage), changed=plan.style is not None and stage.role == "base")
        try:
            yield
        finally:
            for stage in self.stages.values():
                stage.engine = stage.torch

    def _encode(self, shots: list[Shot], plan: Plan) -> dict[str, Conditioning]:
        told = {"base": self._encode_base(shots)}
        if plan.refine:
            told["refiner"] = self._encode_refiner(shots)
        return told

    def _encode_base(self, shots: list[Shot]) -> Conditioning:
        texts, positive, negative = _distinct(shots)
        hidden = self.text_encoder.base(texts).detach()  # (texts, 77, d)
        return Conditioning(hidden[positive], hidden[negative])

    def _encode_refiner(self, shots: list[Shot]) -> Conditioning:
        extra = self.stages["refiner"].defaults.quality_prompt
        texts, positive, negative = _distinct(shots, extra)
        hidden, pooled = (each.detach() for each in self.text_encoder.refiner(texts))
        return Conditioning(hidden[positive], hidden[negative], pooled[positive], pooled[negative])

    def _draw_base(
        self, shots: Sequence[Shot], plan: Plan, told: Conditioning, generators: list[torch.Generator], run: _Run
    ) -> torch.Tensor:
        stage = self.stages["base"]
        run.check()
        latents = _noise(stage, plan.size, generators)
        schedule = make_schedule(stage.scheduler, plan.scheduler, plan.base_steps, plan.strength)
        if plan.vary:
            pixels = torch.cat([to_pixels(shot.source, plan.size) for shot in shots if shot.source is not None])
            latents = schedule.noised(stage.encode(pixels, run.check), latents)
        return run.stage(stage, latents, schedule, told, plan.guidance_scale)

    def _refine(
        self, pixels: torch.Tensor, plan: Plan, told: Conditioning, generators: list[torch.Generator], run: _Run
    ) -> torch.Tensor:
        stage = self.stages["refiner"]
        larger = enlarged(pixels, plan.refined_size)
        latents = stage.encode(larger, run.check)
        schedule = make_schedule(stage.scheduler, plan.refiner_scheduler, plan.refine_steps, plan.refine_strength)
        latents = schedule.noised(latents, _noise(stage, plan.refined_size, generators))
        refined = run.stage(stage, latents, schedule, told, plan.refiner_guidance)
        return color_fixed(refined, larger.to(refined), plan.color_fix) if plan.color_fix else refined

    def _made_with(self, batch: int, given: bool) -> dict[str, object]:
        unet = self.stages["base"].unet
        encoder = getattr(self.text_encoder, "encoder_id", None) or dict(self.text_encoder.teachers)
        return {
            "checkpoint": self.checkpoint_id,
            "encoder": "given" if given else encoder,
            "dtype": dtype_name(unet.dtype),
            "device": self.stages["base"].device.type,
            "engine": self.stages["base"].engine.name,
            "batch": batch,
            **machine(),
        }


@dataclass
class _Run:
    """One draw's callbacks and clock."""

    plan: Plan
    clock: Clock
    on_step: OnStep | None
    cancelled: Asked | None

    def check(self) -> None:
        if self.cancelled is not None and self.cancelled():
            raise Cancelled("the draw was cancelled")

    def stage(
        self, stage: Stage, latents: torch.Tensor, schedule: Schedule, told: Conditioning, guidance: float
    ) -> torch.Tensor:
        """Denoise and decode, telling and asking after each step; returns pixels (n, 3, s, s)."""
        guided = stage.guided_steps(schedule, guidance)

        def watch(i: int, before: torch.Tensor, output: torch.Tensor) -> None:
            left = self.clock.done(stage.role, self.plan.step_work(stage, len(before), guided[i]))
            if self.on_step is not None:
                preview = _Preview(stage, schedule, i, before, output)
                self.on_step(Progress(stage.role, i + 1, len(schedule), left, preview))
            self.check()

        latents = stage.denoise(latents.to(stage.device), schedule, told, guidance, watch)
        try:
            pixels = stage.decode(latents, self.check)
        except BrokenPicture as error:
            raise BrokenPicture(_cause(stage, self.plan, schedule, told, latents) or str(error)) from error
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


def _cause(stage: Stage, plan: Plan, schedule: Schedule, told: Conditioning, latents: torch.Tensor) -> str:
    """What made a picture NaN or infinite, in words with the cure; "" where the autoencoder did."""
    drawn = f"the {stage.role} draws NaN or infinite values"
    name = plan.scheduler if stage.role == "base" else plan.refiner_scheduler
    if not is_finite(told.hidden) or not is_finite(told.negative):
        return f"{drawn}: so are the text encoder's hidden states, its weights are damaged"
    if is_finite(latents):
        return ""
    if plan.style is not None and stage.role == "base":
        return f"{drawn} with style {plan.style!r} at weight {plan.style_weight}: give less weight, or another style"
    if not all(math.isfinite(part) for i in range(len(schedule)) for part in schedule.level(i)):
        return f"{drawn}: so are the noise levels of scheduler {name!r} with this checkpoint, choose another scheduler"
    dtype = dtype_name(stage.unet.dtype)
    cure = "" if dtype == "float32" else f", or do not fit {dtype}: draw with dtype float32"
    return f"{drawn} with scheduler {name!r}: the weights of its U-Net are damaged{cure}"


def _ready(told: Mapping[str, Conditioning] | None, plan: Plan, n: int) -> Mapping[str, Conditioning] | None:
    """Ready embeddings, checked: one row a shot for every stage that draws."""
    if told is None:
        return None
    for role in plan.steps():
        if role not in told or len(told[role].hidden) != n or told[role].negative.shape != told[role].hidden.shape:
            raise ValueError(f"ready embeddings need {n} rows, wanted and unwanted, for the {role} stage")
    return told


def _distinct(shots: list[Shot], extra: str = "") -> tuple[list[str], list[int], list[int]]:
    """Every text once as it is drawn, and which of them each shot's prompt and negative prompt are."""
    prompts = [f"{shot.drawn_prompt}, {extra}" if extra else str(shot.drawn_prompt) for shot in shots]
    negatives = [str(shot.drawn_negative) for shot in shots]
    texts = list(dict.fromkeys(prompts + negatives))
    return texts, [texts.index(text) for text in prompts], [texts.index(text) for text in negatives]


def _noise(stage: Stage, size: int, generators: list[torch.Generator]) -> torch.Tensor:
    """Each picture's own noise, (n, c, h, w), drawn on the CPU whatever the device."""
    shape = (1, *stage.latent_shape(size))
    return torch.cat([torch.randn(shape, generator=each) for each in generators]).to(stage.device)


def _timed(work: Callable[[], T]) -> tuple[T, float]:
    since = time.perf_counter()
    return work(), time.perf_counter() - since
