"""Draw and vary: the runner over the two-stage pipeline, and the one place where a checkpoint is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol, cast

from PIL import Image as Picture

from demo.store.settings import Settings
from demo.studio import prompts
from demo.studio.readiness import missing_checkpoint
from demo.studio.searching import Encoder
from demo.worker.editing import edit_batch
from demo.worker.safety import with_safety_checker
from diffusion.progress import Progress
from diffusion.reading import DrawWarning
from diffusion.request import DrawSettings, Shot, shots_for
from jobspec import Draw, Edit, Job, Order, Result, ResultPicture, Shapes, Warned

if TYPE_CHECKING:
    from diffusion.editing.request import EditSettings, EditShot
    from diffusion.encoder import TextEncoder
    from diffusion.lora_card import StyleCard


class Drawn(Protocol):
    """What `diffusion.pipeline.Drawing` gives."""

    @property
    def images(self) -> list[Picture.Image]: ...

    @property
    def base_images(self) -> list[Picture.Image]: ...

    @property
    def recipes(self) -> list[dict[str, object]]: ...

    @property
    def timings(self) -> dict[str, float]: ...

    @property
    def warnings(self) -> Sequence[DrawWarning]: ...


class Pipeline(Protocol):
    """What `diffusion.pipeline.TwoStagePipeline` gives."""

    @property
    def checkpoint_id(self) -> str: ...

    @property
    def domain(self) -> str: ...

    @property
    def shapes(self) -> Shapes: ...

    @property
    def default_settings(self) -> DrawSettings: ...

    @property
    def row_guidance(self) -> float: ...

    def style_cards(self) -> list[StyleCard]: ...

    def draw(
        self, shots: Sequence[Shot], settings: DrawSettings, on_step: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Drawn: ...  # fmt: skip

    def edit(
        self, edits: Sequence[EditShot], settings: DrawSettings, how: EditSettings,
        on_step: Callable[[Progress], None] | None = None, cancelled: Callable[[], bool] | None = None,
    ) -> Drawn: ...  # fmt: skip


class DrawRunner:
    """Runs jobs of the kinds draw, form, vary and edit over a pipeline that reads prompts as its domain means them."""

    def __init__(self, pipeline: Pipeline, device: str = "cpu") -> None:
        self.pipeline, self._device = pipeline, device

    def facts(self) -> dict[str, object]:
        defaults = self.pipeline.default_settings
        return {
            "checkpoint_id": self.pipeline.checkpoint_id,
            "defaults": {each.name: getattr(defaults, each.name) for each in fields(defaults)},
            "row_guidance": self.pipeline.row_guidance,
            "styles": [
                {name: getattr(card, name) for name in ("name", "sha256", "trigger", "example", "base")}
                for card in self.pipeline.style_cards()
            ],
            "domain": self.pipeline.domain,
            "shapes": vars(self.pipeline.shapes),
            "device": self._device,
        }

    def run(
        self, orders: Sequence[Order], on_step: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:  # fmt: skip
        """Draw the orders in one batch; they share their batch key. Raises ValueError, Cancelled."""
        if isinstance(orders[0].job, Edit):
            drawing = edit_batch(self.pipeline, orders, on_step, cancelled)
        else:
            shots = [shot for order in orders for shot in self._shots(order)]
            drawing = self.pipeline.draw(shots, settings_for(_job(orders[0])), on_step, cancelled)
        ends = accumulate(order.job.n for order in orders)
        return [_result(order, drawing, range(end - order.job.n, end)) for order, end in zip(orders, ends, strict=True)]

    def _shots(self, order: Order) -> list[Shot]:
        job = _job(order)
        prompt = prompts.with_style(job.prompt, job.style)
        shots = shots_for(prompt, job.n, job.seed or 0, job.negative_prompt, order.pictures.get("source_image"))
        setting = setting_of(order.recipes.get("source_image"))
        styled = settings_for(job).is_styled
        return shots if setting is None else [self._varied(shot, setting, styled) for shot in shots]

    def _varied(self, shot: Shot, setting: int, styled: bool) -> Shot:
        """A variation of a picture drawn here, with what its prompt leaves open said as it was for that picture."""
        reader = prompts.reader_for(self.pipeline.domain)
        reader = reader.styled() if styled else reader
        negative = ", ".join(text for text in (shot.negative_prompt, reader.unwanted(shot.prompt)) if text)
        text = reader.varied(reader.read(shot.prompt), shot.seed, reader.read_negative(negative), setting)
        return replace(shot, drawn_prompt=text)


def open_drawing(settings: Settings, encoder: Callable[[], Encoder]) -> DrawRunner:
    """The checkpoint, drawing from the Korean encoder's conditioning. Raises FileNotFoundError, ValueError."""
    if (problem := missing_checkpoint(settings.checkpoint)) is not None:
        raise FileNotFoundError(problem)
    import torch

    from diffusion.load import load_pipeline
    from diffusion.specs import domain_of

    torch.set_num_threads(os.cpu_count() or 1)
    reader = prompts.reader_for(domain_of(settings.checkpoint))
    given = encoder()
    drawn_by = getattr(given, "drawn_by", given)  # where another searches, it is not drawn with
    pipeline = load_pipeline(
        settings.checkpoint, text_encoder=cast("TextEncoder", drawn_by), reader=reader,
        engine=settings.engine, engine_cache=settings.engines_dir,
        low_memory=settings.low_memory, weight_bits=settings.weight_bits or None,
    )  # fmt: skip
    pipeline.warm_up()
    device = pipeline.stages["base"].device.type
    return DrawRunner(with_safety_checker(pipeline, settings.checkpoint), device)


def settings_for(job: Draw) -> DrawSettings:
    """What the jobs of a batch share, as the pipeline takes it; the checkpoint's defaults where nothing was asked."""
    style = None if job.style in prompts.prompt_styles() else job.style
    apart = {"style", "style_weight", "styles"}
    shared = {each.name for each in fields(DrawSettings)} & set(type(job).model_fields) - apart
    given = {name: value for name in shared if (value := getattr(job, name)) is not None}
    weight = job.style_weight if style else 1.0
    return DrawSettings(**given, style=style, style_weight=weight, styles=tuple(job.styles))


def setting_of(recipe: Mapping[str, object] | None) -> int | None:
    """The seed that chose background, style and clothes of a picture; None where nothing chose them: an upload, or a
    picture drawn from its prompt as it stands.
    """
    if recipe is None or "drawn_prompt" not in recipe:
        return None
    asked = recipe.get("asked")
    found = asked.get("setting", recipe.get("seed")) if isinstance(asked, Mapping) else recipe.get("seed")
    return found if isinstance(found, int) else None


def _job(order: Order) -> Draw:
    if not isinstance(order.job, Draw):
        raise ValueError(f"a {order.job.kind} job cannot be drawn by the two-stage pipeline")
    return order.job


def _result(order: Order, drawing: Drawn, places: Sequence[int]) -> Result:
    job, setting = order.job, setting_of(order.recipes.get("source_image"))
    pictures = [_picture(job, drawing, place, setting) for place in places]
    seconds = {stage: drawing.timings.get(stage, 0.0) for stage in ("base", "refiner")}
    flagged = getattr(drawing, "flagged", None) or []
    done = job
    if isinstance(job, Draw):
        done = job.changed(refine=any(picture.stages for picture in pictures))  # what was done, where no refiner was
    warned = [Warned(one.code, one.values) for one in drawing.warnings]
    return Result(done, pictures, seconds, warned, flagged=any(flagged[place] for place in places if flagged))


def _picture(job: Job, drawing: Drawn, place: int, setting: int | None) -> ResultPicture:
    image, base = drawing.images[place], drawing.base_images[place]
    asked: dict[str, object] = {"prompt": job.main_text}
    if isinstance(job, Draw):
        asked |= {"style": job.style} | ({"styles": [each.model_dump() for each in job.styles]} if job.styles else {})
        asked |= {} if setting is None else {"setting": setting}  # for a variation of this one
    refined = base is not image and (not isinstance(job, Draw) or job.refine)
    recipe = dict(drawing.recipes[place]) | {"asked": asked}
    return ResultPicture(image, recipe, {"base": base} if refined else {})
