"""Checkpoints that draw in few steps, known by their settings or, as single files, by their names; their defaults.

In: scheduler_config.json and the U-Net's config.json of a folder, or a file's name. Out: `StageDefaults`.
LCM (arXiv:2310.04378): the scheduler is LCMScheduler, and a U-Net with `time_cond_proj_dim` is told the guidance scale
in place of being run twice. Turbo (arXiv:2311.17042), Lightning (arXiv:2402.13929) and their like: Euler's steps,
spaced from the last timestep ("trailing"), without guidance. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

EULERS = ("EulerDiscreteScheduler", "EulerAncestralDiscreteScheduler")
LCM = "LCMScheduler"
LCM_STEPS, LCM_GUIDANCE = 4, 8.5  # as published with LCM
TURBO_STEPS = 4  # one is enough for a picture, four draw it sharp; and varying needs more than one


@dataclass(frozen=True)
class FewSteps:
    """A kind of distillation. `predicts_picture`: the U-Net gives clean latents, not noise. `told_by`: what says so."""

    kind: str
    steps: int
    told_by: str = "its name"
    predicts_picture: bool = False


def few_steps_by_name(*names: str) -> FewSteps | None:
    """What file names and titles such as "sdxl_lightning_4step" say; None where they say nothing."""
    text = " ".join(names).lower()
    kinds = {"lightning": "lightning", "turbo": "turbo", "hyper": r"(?<![a-z])hyper[ _-]?sd", "lcm": "(?<![a-z])lcm"}
    kind = next((each for each, words in kinds.items() if re.search(words, text)), "")
    if not kind:
        return None
    count = re.search(r"(\d+)[ _-]*s(teps?)?(?![a-z])", text)
    steps = int(count[1]) if count and 1 <= int(count[1]) <= 16 else TURBO_STEPS
    return FewSteps(kind, steps, predicts_picture="x0" in text and steps == 1)


def is_few_step(scheduler: Mapping[str, object]) -> bool:
    """Whether a scheduler's settings are those of a checkpoint distilled to few Euler steps (turbo, lightning)."""
    return (
        scheduler.get("_class_name") in EULERS
        and scheduler.get("timestep_spacing") == "trailing"
        and not scheduler.get("rescale_betas_zero_snr")  # all steps of such a checkpoint are spaced so
        and scheduler.get("prediction_type", "epsilon") == "epsilon"
    )


def is_lcm(scheduler: Mapping[str, object]) -> bool:
    return scheduler.get("_class_name") == LCM


def is_distilled(scheduler: Mapping[str, object]) -> bool:
    return is_lcm(scheduler) or is_few_step(scheduler)


def distilled_defaults(scheduler: Mapping[str, object], unet: Mapping[str, object]) -> tuple[int, float] | None:
    """(steps, guidance scale) of a distilled base; None for any other checkpoint."""
    if unet.get("time_cond_proj_dim") is not None:
        return LCM_STEPS, LCM_GUIDANCE
    if is_lcm(scheduler):
        return LCM_STEPS, 1.0
    return (TURBO_STEPS, 1.0) if is_few_step(scheduler) else None
