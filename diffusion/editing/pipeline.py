"""Edit pictures with the two stages that drew them: draw what words change, keep what they do not.

In: a pipeline, edits (a picture, what it shows, what it is to show) and settings. Out: pictures, recipes, timings.
    source → base latents → mask (cross-attention of both texts) → base U-Net under the mask → refiner → pasted
    into the source's own pixels → of a new colour: mixed with the recoloured source
The base begins with the noise that the source was drawn from, where that is known, and walks the same schedule; after
each step what lies outside the mask is put back on the source's straight path from that noise to its latents.
Refs: Hertz et al. 2022, arXiv:2208.01626 (local blending); Avrahami et al. 2022, arXiv:2206.02779 (blended latents);
Kulikov et al. 2024, arXiv:2412.08629 (FlowEdit).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
import torch.nn.functional as F
from PIL import Image

from diffusion.conditioning import Conditioning
from diffusion.editing import masks
from diffusion.editing.cycle import CycleSettings, cycle
from diffusion.editing.flow import flow_edit
from diffusion.editing.levels import at, levels_of
from diffusion.editing.recolor import recolored
from diffusion.editing.request import EditSettings, EditShot
from diffusion.pictures import blurred, flat, from_pixels, to_pixels
from diffusion.pipeline import Drawing, TwoStagePipeline
from diffusion.plan import Plan
from diffusion.recipe import make_recipe
from diffusion.request import DrawSettings
from diffusion.run import IsCancelled, OnStep, StageRun, noise_of, timed
from diffusion.schedulers import FLOW, Schedule, make_schedule, prediction_type, real_steps, scheduler_names
from diffusion.stage import Stage, Watch
from jobspec import PictureSize
from pictures import squared, unsquared

STEPS = 12  # at least, of a redraw: what is drawn beside what is kept takes more than a picture from noise
OWN_STRENGTH, STRENGTH = 1.0, 0.9  # of noise that an edit begins with: pictures drawn here, others
SOFT = 2.0  # deviation in pixels of the blur on a mask's edge, at the final size


Conditionings = tuple[dict[str, Conditioning], dict[str, Conditioning]]  # by stage: of sources, of targets


@dataclass
class _Work:
    """What one batch of edits walks with; rows are edits."""

    schedule: Schedule
    clean: torch.Tensor  # (n, c, h, w) latents of the sources
    own: torch.Tensor  # (n, c, h, w) noise of the sources' straight paths
    new: torch.Tensor  # (n, c, h, w) noise that the edits begin with
    mask: torch.Tensor  # (n, 1, h, w), 1 where an edit may change
    source: Conditioning
    target: Conditioning


class EditingPipeline(TwoStagePipeline):
    """The two stages, and edits with them."""

    def edit(
        self, edits: Sequence[EditShot], settings: DrawSettings | None = None, how: EditSettings | None = None,
        on_step: OnStep | None = None, cancelled: IsCancelled | None = None,
    ) -> Drawing:  # fmt: skip
        """Make every edit, by the settings that drew the sources. One that changes nothing gives its source back.
        A picture keeps its shape: what is drawn is a square with its edge repeated beside it, and that is cut off.

        Raises ValueError for what this checkpoint cannot do, Cancelled once `cancelled()` is true.
        """
        return _edit(self, edits, settings or DrawSettings(), how or EditSettings(), on_step, cancelled)


def _edit(
    pipeline: TwoStagePipeline, edits: Sequence[EditShot], settings: DrawSettings, how: EditSettings,
    on_step: OnStep | None, cancelled: IsCancelled | None,
) -> Drawing:  # fmt: skip
    flats = [flat(each.source) for each in edits]
    edits = [_squared(each, source) for each, source in zip(edits, flats, strict=True)]
    settings = replace(settings, width=None, height=None)
    how = _settled(how, pipeline.stages["base"], edits)
    shots = [each.target() for each in edits]
    plan = _planned(pipeline, edits, settings, how)
    warnings = (*plan.warnings, *pipeline.text_warnings(shots, plan))
    with pipeline.running(plan, len(edits), on_step, cancelled) as run:
        conditionings, encoding = timed(lambda: _encoded(pipeline, edits, plan))
        generators = [torch.Generator("cpu").manual_seed(each.seed) for each in edits]
        (drawn, kept), drawing = timed(lambda: _drawn(pipeline, edits, plan, how, conditionings, generators, run))
        timings, final = {"encode": encoding, "base": drawing}, drawn
        if plan.refine:
            refiner = conditionings[1]["refiner"]
            final, timings["refiner"] = timed(lambda: pipeline.refine(drawn, plan, refiner, generators, run))
    recipes = [
        make_recipe(shot, vars(plan.settings()), pipeline.made_with(len(edits), False, run))
        | {"edit": _edit_facts(each, how)}
        for shot, each in zip(shots, edits, strict=True)
    ]
    images, bases = (_shaped(from_pixels(_pasted(edits, each, kept, how.recolored)), flats) for each in (final, drawn))
    return Drawing(images, bases, recipes, timings, plan.steps(), warnings)


def _squared(each: EditShot, source: Image.Image) -> EditShot:
    """An edit over the square that a network draws. The noise of a picture that was no square is not that of one."""
    seed = each.source_seed if source.width == source.height else None
    return replace(each, source=squared(source), mask=each.mask and squared(each.mask), source_seed=seed)


def default_method(stage: Stage) -> str:
    """Redraw under a mask on flow weights; CycleDiffusion on those that predict epsilon or v."""
    return "redraw" if prediction_type(stage.scheduler) == FLOW else "cycle"


def _settled(how: EditSettings, base: Stage, edits: Sequence[EditShot]) -> EditSettings:
    """The settings without gaps."""
    if not edits:
        raise ValueError("there is nothing to edit: give at least one picture")
    method = how.method or default_method(base)
    own = all(each.source_seed is not None for each in edits)
    usual = CycleSettings().strength if method == "cycle" else OWN_STRENGTH if own else STRENGTH
    return replace(how, method=method, strength=how.strength or usual)


def _planned(pipeline: TwoStagePipeline, edits: Sequence[EditShot], settings: DrawSettings, how: EditSettings) -> Plan:
    assert how.strength is not None
    base = pipeline.stages["base"]
    plan = pipeline.plan([replace(each.target(), source=None) for each in edits], settings)
    guidance = CycleSettings().guidance_scale if how.method == "cycle" else plan.guidance_scale
    changes: dict[str, object] = {"guidance_scale": how.guidance_scale or guidance}
    changes |= {"scheduler": "ddim"} if how.method == "cycle" and "ddim" in scheduler_names(base.scheduler) else {}
    steps = real_steps(max(plan.steps_asked, STEPS if how.method == "redraw" else 1), how.strength)
    return replace(plan, base_steps=steps, strength=how.strength, **changes)  # type: ignore[arg-type]


def _encoded(pipeline: TwoStagePipeline, edits: Sequence[EditShot], plan: Plan) -> Conditionings:
    """The conditioning of all sources and of all targets, each text encoded once."""
    n = len(edits)
    both = pipeline.encode([*(each.before() for each in edits), *(each.target() for each in edits)], plan)
    return {role: each.picked(slice(n)) for role, each in both.items()}, {
        role: each.picked(slice(n, None)) for role, each in both.items()
    }


def _drawn(
    pipeline: TwoStagePipeline, edits: Sequence[EditShot], plan: Plan, how: EditSettings, conditionings: Conditionings,
    generators: list[torch.Generator], run: StageRun,
) -> tuple[torch.Tensor, torch.Tensor]:  # fmt: skip
    """The base's pixels (n, 3, s, s) of the edits, and what of them counts, (n, 1, h, w) over latents."""
    stage = pipeline.stages["base"]
    work = _begun(stage, edits, plan, how, conditionings, generators, run)
    watch = run.watch(stage, work.schedule, plan.guidance_scale)
    if how.method == "cycle":
        settings = CycleSettings(plan.strength, plan.guidance_scale)
        noise = partial(noise_of, stage, plan.size, generators)
        latents = cycle(stage, work.schedule, work.clean, work.source, work.target, settings, noise, watch)
    elif how.method == "flow":
        latents = flow_edit(stage, work.schedule, work.clean, work.new, work.mask, work.source, work.target,
                            plan.guidance_scale, watch)  # fmt: skip
    else:
        latents = _redrawn(stage, work, plan.guidance_scale, watch)
    return run.decode(stage, latents, work.schedule, work.target), work.mask


def _begun(
    stage: Stage, edits: Sequence[EditShot], plan: Plan, how: EditSettings, conditionings: Conditionings,
    generators: list[torch.Generator], run: StageRun,
) -> _Work:  # fmt: skip
    """Latents, noise and masks of the edits."""
    pixels = torch.cat([to_pixels(each.source, plan.size) for each in edits])
    clean = stage.encode(pixels, run.check)
    new = noise_of(stage, plan.size, generators)
    seeds = [each.seed if each.source_seed is None else each.source_seed for each in edits]
    own = noise_of(stage, plan.size, [torch.Generator("cpu").manual_seed(seed) for seed in seeds])
    schedule = make_schedule(stage.scheduler, plan.scheduler, plan.base_steps, plan.strength, generators)
    source, target = conditionings[0]["base"], conditionings[1]["base"]
    look = make_schedule(stage.scheduler, plan.scheduler, plan.steps_asked)
    maps = masks.difference_maps(stage, look, clean, own, source, target)
    mask = _masked(masks.cut(maps, how.widened), edits, how.keep)
    mixed = (mask * new + (1 - mask) * own) / (mask.square() + (1 - mask).square()).sqrt()  # of deviation 1
    return _Work(schedule, clean, own, torch.where(new == own, own, mixed), mask, source, target)


def _masked(found: torch.Tensor, edits: Sequence[EditShot], keep: float) -> torch.Tensor:
    """Masks (n, 1, h, w) as they count: a person's own, everything or nothing where known, less what to keep."""
    for row, each in enumerate(edits):
        if each.mask is not None:
            found[row] = masks.painted([each.mask], found.shape[-1])[0]
        elif each.whole:
            found[row] = 1.0
        found[row] = 1 - keep * (1 - found[row]) if each.changes else 0.0
    return found


def _redrawn(stage: Stage, work: _Work, guidance: float, watch: Watch) -> torch.Tensor:
    """The part under the mask drawn anew; the rest stays on the source's straight path."""
    levels = levels_of(work.schedule)

    def between(i: int, latents: torch.Tensor) -> torch.Tensor:
        return work.mask * latents + (1 - work.mask) * at(work.clean, work.own, levels[i + 1])

    begun = at(work.clean, work.new, levels[0])
    return stage.denoise(begun, work.schedule, work.target, guidance, watch, between)


def _pasted(
    edits: Sequence[EditShot], drawn: torch.Tensor, kept: torch.Tensor, recolored_share: float
) -> torch.Tensor:  # fmt: skip
    """Drawn pixels (n, 3, s, s) where they count, the sources' own elsewhere, with a soft edge; of that, mixed with the
    recoloured sources by a share.
    """
    side, drawn = drawn.shape[-1], drawn.cpu()
    sources = torch.cat([to_pixels(each.source, PictureSize.square(side)) for each in edits])
    wide = F.interpolate(kept.cpu(), (side, side), mode="bilinear")
    soft = blurred(wide, SOFT * side / 256).clamp(0, 1)
    pasted = soft * drawn + (1 - soft) * sources
    if not recolored_share:
        return pasted
    return soft * recolored(sources, pasted, recolored_share) + (1 - soft) * pasted


def _shaped(squares: Sequence[Image.Image], sources: Sequence[Image.Image]) -> list[Image.Image]:
    """Pictures in the shapes of their sources."""
    return [unsquared(square, *source.size) for square, source in zip(squares, sources, strict=True)]


def _edit_facts(each: EditShot, how: EditSettings) -> dict[str, object]:
    """What a recipe says of an edit beside its target."""
    texts = {"source_prompt": each.source_prompt, "source_seed": each.source_seed, "whole": each.whole}
    return texts | {
        "keep": how.keep, "method": how.method, "strength": how.strength, "recolored": how.recolored
    }  # fmt: skip
