"""From settings with gaps to a plan without: every default filled in, everything checked against the
checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from diffusion.distilled import is_distilled
from diffusion.reading import DrawWarning
from diffusion.request import DrawSettings
from diffusion.schedulers import (
    Schedule,
    build_scheduler,
    default_scheduler,
    make_schedule,
    own_scheduler,
    real_steps,
    scheduler_names,
)
from diffusion.stage import Stage
from jobspec import PictureSize, StyleUse

FALLBACK_STEPS = 25
FALLBACK_STRENGTH = 0.3


@dataclass(frozen=True)
class Plan:
    """One batch's resolved settings. `base_steps` and `refine_steps` are real ones; `strength` is 1 but for
    vary. `color_fix`: pixels from which on what is broad stays as the base drew it (0: nothing is held).
    """

    steps_asked: int
    base_steps: int
    guidance_scale: float
    size: PictureSize
    scheduler: str
    vary: bool
    strength: float
    strength_asked: float
    style: str | None
    style_weight: float
    refine: bool
    refined_size: PictureSize = PictureSize(0, 0)
    refine_steps: int = 0
    refine_strength: float = FALLBACK_STRENGTH
    refiner_scheduler: str = ""
    refiner_guidance: float = 1.0
    color_fix: float = 0.0
    warnings: tuple[DrawWarning, ...] = ()
    styles: tuple[StyleUse, ...] = ()

    def settings(self) -> DrawSettings:
        """The same as settings in which nothing is left open."""
        return DrawSettings(
            steps=self.steps_asked,
            guidance_scale=self.guidance_scale,
            size=self.size.width if self.size.is_square else None,
            refine=self.refine,
            refine_strength=self.refine_strength,
            scheduler=self.scheduler,
            style=self.style,
            style_weight=self.style_weight,
            strength=self.strength_asked,
            refine_steps=self.refine_steps or None,
            refine_guidance=self.refiner_guidance if self.refine else None,
            styles=self.styles,
            width=None if self.size.is_square else self.size.width,
            height=None if self.size.is_square else self.size.height,
        )

    @property
    def all_styles(self) -> tuple[StyleUse, ...]:
        """Every style that is drawn with."""
        return self.settings().all_styles

    def steps(self) -> dict[str, int]:
        """Real steps per stage."""
        return {"base": self.base_steps} | ({"refiner": self.refine_steps} if self.refine else {})

    def size_of(self, stage: Stage) -> PictureSize:
        return self.size if stage.role == "base" else self.refined_size

    def step_work(self, stage: Stage, rows: int) -> float:
        """Work of one step: U-Net parameters × latent cells × rows of the network (see `Stage.rows`)."""
        cells = self.size_of(stage).cells(stage.factor)
        return stage.unet_parameters * cells.pixels * rows

    def decode_work(self, stage: Stage, pictures: int) -> float:
        """Work of decoding: decoder parameters × pixels, most of its layers being at the full size."""
        return stage.vae_parameters * self.size_of(stage).pixels * pictures / 2

    def work(self, stages: Mapping[str, Stage], pictures: int) -> dict[str, float]:
        """All the work of this plan by part."""
        parts: dict[str, float] = {}
        for role, schedule in self.schedules(stages).items():
            stage = stages[role]
            parts[role] = self.step_work(stage, pictures * sum(stage.rows(schedule, self.scale(role))))
            parts[f"{role} decode"] = self.decode_work(stages[role], pictures)
        return parts

    def schedules(self, stages: Mapping[str, Stage]) -> dict[str, Schedule]:
        """Every stage's steps."""
        found = {}
        for role, steps in self.steps().items():
            name, strength = self.scheduler, self.strength
            if role == "refiner":
                name, strength = self.refiner_scheduler, self.refine_strength
            found[role] = make_schedule(stages[role].scheduler, name, steps, strength)
        return found

    def guidance(self, stages: Mapping[str, Stage]) -> dict[str, float]:
        """The scale of each stage that guides any step: where none does, a negative prompt does nothing."""
        scales = {role: (self.scale(role), schedule) for role, schedule in self.schedules(stages).items()}
        return {role: scale for role, (scale, steps) in scales.items() if any(stages[role].guided_steps(steps, scale))}

    def scale(self, role: str) -> float:
        return self.guidance_scale if role == "base" else self.refiner_guidance


def make_plan(stages: Mapping[str, Stage], settings: DrawSettings, vary: bool) -> Plan:
    """Fill in the checkpoint's defaults and check the result; raises ValueError naming what cannot be done.

    Without a refiner in the checkpoint, `refine` is resolved to False (and the recipe says so).
    """
    base = stages["base"]
    steps = settings.steps or base.defaults.steps or FALLBACK_STEPS
    scheduler = settings.scheduler or default_scheduler(base.scheduler)
    build_scheduler(base.scheduler, scheduler)
    size = PictureSize(*(side or settings.size or base.size for side in (settings.height, settings.width)))
    base.check_size(size)
    guidance = base.defaults.guidance_scale if settings.guidance_scale is None else settings.guidance_scale
    plan = Plan(
        steps_asked=steps,
        base_steps=real_steps(steps, settings.strength) if vary else steps,
        guidance_scale=guidance,
        size=size,
        scheduler=scheduler,
        vary=vary,
        strength=settings.strength if vary else 1.0,
        strength_asked=settings.strength,
        style=settings.style,
        style_weight=settings.style_weight,
        styles=settings.styles,
        refine=settings.refine and "refiner" in stages,
        warnings=_scheduler_warnings(base, settings.scheduler, scheduler),
    )
    return _with_refiner(plan, stages, settings) if plan.refine else plan


def _scheduler_warnings(base: Stage, asked: str | None, used: str) -> tuple[DrawWarning, ...]:
    own = own_scheduler(base.scheduler)
    if asked or not own or own == used:
        return ()
    return (DrawWarning("scheduler_replaced", {"named": own, "used": used}),)


def _with_refiner(plan: Plan, stages: Mapping[str, Stage], settings: DrawSettings) -> Plan:
    base, refiner = stages["base"], stages["refiner"]
    size = plan.size.times(refiner.size / base.size)
    refiner.check_size(size)
    usual = refiner.defaults.strength or FALLBACK_STRENGTH
    strength = settings.refine_strength or usual
    # The few steps of a distilled base say nothing of how many its refiner needs.
    whole = max(plan.steps_asked, FALLBACK_STEPS) if is_distilled(base.scheduler) else plan.steps_asked
    steps = settings.refine_steps or refiner.defaults.steps or real_steps(whole, strength)
    allowed = plan.scheduler in scheduler_names(refiner.scheduler)
    guidance = settings.refine_guidance
    return replace(
        plan,
        refined_size=size,
        refine_steps=steps,
        refine_strength=strength,
        refiner_scheduler=plan.scheduler if allowed else default_scheduler(refiner.scheduler),
        refiner_guidance=refiner.defaults.guidance_scale if guidance is None else guidance,
        color_fix=refiner.defaults.color_fix * max(1.0, strength / usual),  # what is drawn anew more widely may change
    )
