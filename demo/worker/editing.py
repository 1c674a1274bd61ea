"""Edit: orders of the kind `edit` as the pipeline takes them, and its drawings as results."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from demo.studio import prompts
from demo.studio.editing import EditTexts, texts_of
from diffusion.editing.request import EditShot, edits_for, settings_for
from diffusion.progress import Progress
from diffusion.recipe import read_recipe
from diffusion.request import DrawSettings
from jobspec import Edit, Order, Result, ResultPicture, Warned

if TYPE_CHECKING:
    from demo.worker.drawing import Drawn, Pipeline


def run_edits(
    pipeline: Pipeline, orders: Sequence[Order], on_step: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
) -> list[Result]:  # fmt: skip
    """Edit the pictures of one batch, which share source, mask, prompt and keep. Raises ValueError, Cancelled."""
    shots = [_shots(order, pipeline.domain) for order in orders]
    flat = [shot for each in shots for shot in each]
    recipe = orders[0].recipes.get("source_image")
    how = settings_for(_texts(orders[0], pipeline.domain).changed, _job(orders[0]).keep)
    drawing = pipeline.edit(flat, settings_of(recipe), how, on_step, cancelled)
    ends = [sum(map(len, shots[: place + 1])) for place in range(len(shots))]
    return [
        _result(_job(order), drawing, range(end - len(each), end))
        for order, each, end in zip(orders, shots, ends, strict=True)
    ]


def recipe_of(path: Path) -> dict[str, object] | None:
    """What a picture was drawn from, as its file says; None where it does not."""
    try:
        return read_recipe(path)
    except ValueError:
        return None


def settings_of(recipe: Mapping[str, object] | None) -> DrawSettings:
    """The settings that drew a picture; the checkpoint's where it was not drawn here, or by another version."""
    settings = recipe.get("settings") if recipe is not None else None
    if not isinstance(settings, Mapping):
        return DrawSettings()
    try:
        return DrawSettings(**settings)
    except TypeError:
        return DrawSettings()


def _shots(order: Order, domain: str) -> list[EditShot]:
    job = _job(order)
    texts = _texts(order, domain)
    first = EditShot(
        source=order.pictures["source_image"],
        source_prompt=texts.source,
        prompt=texts.target,
        seed=job.seed or 0,
        source_seed=texts.seed,
        negative_prompt=texts.negative,
        mask=order.pictures.get("mask_image"),
        whole="style" in texts.changed,
        typed=texts.prompt,
    )
    return edits_for(first, job.n)


def _texts(order: Order, domain: str) -> EditTexts:
    return texts_of(_job(order), order.recipes.get("source_image"), prompts.reader_for(domain))


def _job(order: Order) -> Edit:
    if not isinstance(order.job, Edit):
        raise ValueError(f"a {order.job.kind} job is no edit")
    return order.job


def _result(job: Edit, drawing: Drawn, places: Sequence[int]) -> Result:
    pictures = []
    for place in places:
        image, base = drawing.images[place], drawing.base_images[place]
        recipe = dict(drawing.recipes[place]) | {"asked": {"prompt": job.prompt}}
        pictures.append(ResultPicture(image, recipe, {"base": base} if base is not image else {}))
    seconds = {stage: drawing.timings.get(stage, 0.0) for stage in ("base", "refiner")}
    flagged = getattr(drawing, "flagged", None) or []
    warned = [Warned(one.code, one.values) for one in drawing.warnings]
    return Result(job, pictures, seconds, warned, flagged=any(flagged[place] for place in places if flagged))
