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

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Protocol, cast

import torch
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.encoder import PooledTextEncoder, TextEncoder
from diffusion.lora_card import StyleCard
from diffusion.pictures import color_fixed, enlarged, from_pixels, to_pixels
from diffusion.plan import Plan, make_plan
from diffusion.precision import dtype_name
from diffusion.progress import Cancelled, Clock, Pace, Progress
from diffusion.quantized import weight_bits
from diffusion.reading import DrawWarning, read_shots, text_warnings
from diffusion.recipe import machine, make_recipe
from diffusion.request import DrawSettings, Shot, shots_for
from diffusion.run import IsCancelled, OnStep, StageRun, chosen_engines, noise_of, timed
from diffusion.schedulers import make_schedule
from diffusion.stage import Stage
from diffusion.threads import one_thread
from jobspec import Shapes, StyleUse
from jobspec.prompts import AsTyped, PromptReader

__all__ = ["Cancelled", "DrawSettings", "DrawWarning", "Drawing", "Progress", "Shot", "TwoStagePipeline", "shots_for"]


class StyleShelf(Protocol):
    """LoRA styles by name; `applied` adds some to a U-Net and takes them away again, exactly; `each` and `add_up`: of
    several, each for itself, and whether they may be added.
    """

    def names(self) -> list[str]: ...

    def cards(self) -> list[StyleCard]: ...

    def check(self, name: str) -> None: ...

    def sha256(self, name: str) -> str: ...

    def applied(self, unet: torch.nn.Module, styles: Sequence[StyleUse]) -> AbstractContextManager[None]: ...

    def each(self, unet: torch.nn.Module, styles: Sequence[StyleUse]) -> list[Mapping[str, torch.Tensor]]: ...

    def add_up(self, styles: Sequence[StyleUse]) -> bool: ...


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
        self.weights: dict[str, str] = {}  # stage → "sha256:…" of its U-Net's file, where it was opened from one
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
    def row_guidance(self) -> float:
        """The guidance scale at which the base takes one row of its network a step, not two."""
        return self.stages["base"].own_guidance

    @property
    def upscale(self) -> float:
        """How much larger a refined picture's side is than the base's; 1 without a refiner."""
        return self.stages["refiner"].size / self.stages["base"].size if "refiner" in self.stages else 1.0

    @property
    def shapes(self) -> Shapes:
        """Which sizes the base draws for people."""
        return self.stages["base"].shapes

    def styles(self) -> list[str]:
        """Names of the LoRA styles that can be asked for."""
        return self._shelf.names() if self._shelf else []

    @contextmanager
    def between_draws(self) -> Iterator[None]:
        """Nothing is drawn inside."""
        with self._lock:
            yield

    def style_cards(self) -> list[StyleCard]:
        """What is known of each of them."""
        return self._shelf.cards() if self._shelf else []

    def warm_up(self) -> None:
        """Fit the preview maps, so that the first preview is not late."""
        for stage in self.stages.values():
            _ = stage.preview

    def draw(
        self,
        shots: Sequence[Shot],
        settings: DrawSettings | None = None,
        on_step: OnStep | None = None,
        cancelled: IsCancelled | None = None,
        conditioning: Mapping[str, Conditioning] | None = None,
    ) -> Drawing:
        """Draw every shot, by the checkpoint's own settings if none are given. `conditioning`: embeddings by stage,
        one row a shot, in place of the text encoder's (a recipe cannot hold them, and says "given" for the encoder).

        Raises ValueError for what this checkpoint cannot do, Cancelled once `cancelled()` is true, and
        whatever `on_step` raises; the pipeline is as before in each case.
        """
        # 1. Check everything before any work.
        settings = settings or DrawSettings()
        plan, reader = self.plan(shots, settings), self.reader.styled() if settings.is_styled else self.reader
        shots, given = read_shots(shots, reader), conditioning is not None
        warnings = (*plan.warnings, *(() if given else self.text_warnings(shots, plan)))
        with self.running(plan, len(shots), on_step, cancelled) as run:
            # 2. Text to conditioning.
            conditions, encode_seconds = timed(
                lambda: _ready(conditioning, plan, len(shots)) or self.encode([*shots], plan)
            )
            # 3. Base: noise (or a source picture and noise) to pictures.
            generators = [torch.Generator("cpu").manual_seed(shot.seed) for shot in shots]
            pixels, base_seconds = timed(lambda: self._draw_base(shots, plan, conditions["base"], generators, run))
            base_images = from_pixels(pixels)
            timings = {"encode": encode_seconds, "base": base_seconds}
            images = base_images
            # 4. Refiner: the same pictures, larger, with a little noise, drawn on.
            if plan.refine:
                refined, timings["refiner"] = timed(
                    lambda: self.refine(pixels, plan, conditions["refiner"], generators, run)
                )
                images = from_pixels(refined)
        # 5. Say how to draw them again.
        made_with = self.made_with(len(shots), given, run)
        recipes = [make_recipe(shot, vars(plan.settings()), made_with) for shot in shots]
        return Drawing(images, base_images, recipes, timings, plan.steps(), warnings)

    @contextmanager
    def running(
        self, plan: Plan, pictures: int, on_step: OnStep | None, cancelled: IsCancelled | None
    ) -> Iterator[StageRun]:
        """The pipeline for oneself, its base with the plan's style, while one run of it lasts."""
        with self._lock, torch.inference_mode(), self._styled(plan), chosen_engines(self.stages, plan) as engines:
            yield StageRun(plan, Clock(plan.work(self.stages, pictures), self._pace), on_step, cancelled, engines)

    def plan(self, shots: Sequence[Shot], settings: DrawSettings) -> Plan:
        """The settings without gaps; raises ValueError for what this checkpoint cannot do."""
        if not shots:
            raise ValueError("there is nothing to draw: give at least one shot")
        vary = shots[0].source is not None
        if any((shot.source is not None) != vary for shot in shots):
            raise ValueError("some shots have a source picture and some have none: draw them in two batches")
        plan = make_plan(self.stages, settings, vary)
        for style in plan.all_styles:
            if self._shelf is None:
                raise ValueError(f"style {style.name!r} is not here: this checkpoint has none")
            self._shelf.check(style.name)
        return plan

    def text_warnings(self, shots: list[Shot], plan: Plan) -> list[DrawWarning]:
        """What of the texts of read shots does not count."""
        return list(text_warnings(shots, self.text_encoder, plan.guidance(self.stages)))

    def _styled(self, plan: Plan) -> AbstractContextManager[None]:
        if not plan.all_styles or self._shelf is None:
            return nullcontext()
        stage, several = self.stages["base"], len({style.name for style in plan.all_styles}) > 1
        apart = several and not self._shelf.add_up(plan.all_styles)
        if apart and stage.defaults.unite_styles and not weight_bits(stage.unet):
            styles = self._shelf.each(stage.unet, plan.all_styles)
            if len(styles) > 1:
                return stage.with_styles(styles)
        return self._shelf.applied(stage.unet, plan.all_styles)

    def encode(self, shots: list[Shot], plan: Plan) -> dict[str, Conditioning]:
        """What each stage of the plan is told of read shots, a row a shot."""
        with one_thread():
            conditioning = {"base": self._encode_base(shots)}
            if plan.refine:
                conditioning["refiner"] = self._encode_refiner(shots)
        return conditioning

    def _encode_base(self, shots: list[Shot]) -> Conditioning:
        texts, positive, negative = _distinct(shots)
        stage = self.stages["base"]
        if not stage.is_pooled:
            hidden = self.text_encoder.base(texts).detach()  # (texts, 77, d)
            some = stage.own_guidance != 1.0 and any(texts[i] for i in negative)
            empty = self.text_encoder.base([""]).detach().expand_as(hidden[positive]) if some else None
            return Conditioning(hidden[positive], hidden[negative], empty=empty)
        # its heads were checked when the checkpoint was opened
        encoder: PooledTextEncoder = cast("PooledTextEncoder", self.text_encoder)
        hidden, pooled = (each.detach() for each in encoder.base_pooled(texts))
        unwanted, unwanted_pooled = hidden[negative], pooled[negative]
        if stage.zeros_for_empty:
            empty = torch.tensor([not texts[i] for i in negative], device=hidden.device)
            unwanted = unwanted.masked_fill(empty[:, None, None], 0.0)
            unwanted_pooled = unwanted_pooled.masked_fill(empty[:, None], 0.0)
        return Conditioning(hidden[positive], unwanted, pooled[positive], unwanted_pooled)

    def _encode_refiner(self, shots: list[Shot]) -> Conditioning:
        extra = self.stages["refiner"].defaults.quality_prompt
        texts, positive, negative = _distinct(shots, extra)
        hidden, pooled = (each.detach() for each in self.text_encoder.refiner(texts))
        return Conditioning(hidden[positive], hidden[negative], pooled[positive], pooled[negative])

    def _draw_base(
        self, shots: Sequence[Shot], plan: Plan, conditioning: Conditioning, generators: list[torch.Generator],
        run: StageRun,
    ) -> torch.Tensor:  # fmt: skip
        stage = self.stages["base"]
        run.check()
        latents = noise_of(stage, plan.size, generators)
        schedule = make_schedule(stage.scheduler, plan.scheduler, plan.base_steps, plan.strength, generators)
        if plan.vary:
            pixels = torch.cat([to_pixels(shot.source, plan.size) for shot in shots if shot.source is not None])
            latents = schedule.noised(stage.encode(pixels, run.check), latents)
        return run.stage(stage, latents, schedule, conditioning, plan.guidance_scale)

    def refine(
        self, pixels: torch.Tensor, plan: Plan, conditioning: Conditioning, generators: list[torch.Generator],
        run: StageRun,
    ) -> torch.Tensor:  # fmt: skip
        """The base's pixels (n, 3, h, w), larger and drawn on by the refiner."""
        stage = self.stages["refiner"]
        larger = enlarged(pixels, plan.refined_size)
        latents = stage.encode(larger, run.check)
        schedule = make_schedule(stage.scheduler, plan.refiner_scheduler, plan.refine_steps, plan.refine_strength)
        latents = schedule.noised(latents, noise_of(stage, plan.refined_size, generators))
        refined = run.stage(stage, latents, schedule, conditioning, plan.refiner_guidance)
        return color_fixed(refined, larger.to(refined), plan.color_fix) if plan.color_fix else refined

    def made_with(self, batch: int, given: bool, run: StageRun) -> dict[str, object]:
        """What of a recipe says by what its pictures were drawn."""
        unet, shelf = self.stages["base"].unet, self._shelf
        styles = {each.name: f"sha256:{shelf.sha256(each.name)}" for each in run.plan.all_styles} if shelf else {}
        encoder = getattr(self.text_encoder, "encoder_id", None) or dict(self.text_encoder.teachers)
        return {
            "checkpoint": self.checkpoint_id,
            **({"weights": dict(self.weights)} if self.weights else {}),
            "encoder": "given" if given else encoder,
            "dtype": dtype_name(unet.dtype),
            **({"weight_bits": bits} if (bits := weight_bits(unet)) else {}),
            "device": self.stages["base"].device.type,
            "engine": run.engine,
            "batch": batch,
            **({"styles": styles} if styles else {}),
            **machine(),
        }


def _ready(conditioning: Mapping[str, Conditioning] | None, plan: Plan, n: int) -> Mapping[str, Conditioning] | None:
    """Ready embeddings, checked: one row a shot for every stage that draws."""
    if conditioning is None:
        return None
    for role in plan.steps():
        ready = conditioning.get(role)
        if ready is None or len(ready.hidden) != n or ready.negative.shape != ready.hidden.shape:
            raise ValueError(f"ready embeddings need {n} rows, wanted and unwanted, for the {role} stage")
    return conditioning


def _distinct(shots: list[Shot], extra: str = "") -> tuple[list[str], list[int], list[int]]:
    """Every text once as it is drawn, and which of them each shot's prompt and negative prompt are."""
    prompts = [f"{shot.drawn_prompt}, {extra}" if extra else str(shot.drawn_prompt) for shot in shots]
    negatives = [str(shot.drawn_negative) for shot in shots]
    texts = list(dict.fromkeys(prompts + negatives))
    return texts, [texts.index(text) for text in prompts], [texts.index(text) for text in negatives]
