"""Edit: orders of the kind `edit` as the pipeline takes them, by the settings that drew their sources."""

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
from jobspec import Edit, Order

if TYPE_CHECKING:
    from demo.worker.drawing import Drawn, Pipeline


def edit_batch(
    pipeline: Pipeline, orders: Sequence[Order], on_step: Callable[[Progress], None] | None,
    cancelled: Callable[[], bool] | None,
) -> Drawn:  # fmt: skip
    """Edit the pictures of one batch, which share source, mask, prompt and keep. Raises ValueError, Cancelled."""
    flat = [shot for order in orders for shot in _shots(order, pipeline.domain)]
    recipe = orders[0].recipes.get("source_image")
    how = settings_for(_texts(orders[0], pipeline.domain).changed, _job(orders[0]).keep)
    return pipeline.edit(flat, settings_of(recipe), how, on_step, cancelled)


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
