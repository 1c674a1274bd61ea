"""A checkpoint's own safety checker, where it brings one: pictures that it flags are never shown.

In: a checkpoint folder with safety_checker/ and feature_extractor/ in the Stable Diffusion layout (safetensors). Out: a
pipeline whose drawings say, picture by picture, what was flagged.
Ref: diffusers, StableDiffusionSafetyChecker.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from diffusion.progress import Progress
from diffusion.reading import DrawWarning
from diffusion.request import DrawSettings, Shot
from jobspec import Shapes

if TYPE_CHECKING:
    from demo.worker.drawing import Drawn, Pipeline
    from diffusion.editing.request import EditSettings, EditShot
    from diffusion.lora_card import StyleCard

logger = logging.getLogger(__name__)
Judge = Callable[[Sequence[Image.Image]], list[bool]]


@dataclass(frozen=True)
class CheckedDrawing:
    """A drawing and which of its pictures the checker objects to."""

    images: list[Image.Image]
    base_images: list[Image.Image]
    recipes: list[dict]
    timings: dict[str, float]
    warnings: Sequence[DrawWarning]
    flagged: list[bool]


class CheckedPipeline:
    """A pipeline whose pictures are judged before anybody sees them; previews are held back."""

    def __init__(self, pipeline: Pipeline, judge: Judge) -> None:
        self._pipeline, self._judge = pipeline, judge
        self.checkpoint_id, self.domain = pipeline.checkpoint_id, pipeline.domain

    @property
    def shapes(self) -> Shapes:
        return self._pipeline.shapes

    @property
    def default_settings(self) -> DrawSettings:
        return self._pipeline.default_settings

    @property
    def row_guidance(self) -> float:
        return self._pipeline.row_guidance

    def style_cards(self) -> list[StyleCard]:
        return self._pipeline.style_cards()

    def draw(
        self, shots: Sequence[Shot], settings: DrawSettings, on_step: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Drawn:  # fmt: skip
        return self._judged(self._pipeline.draw(shots, settings, _blank(on_step), cancelled))

    def edit(
        self, edits: Sequence[EditShot], settings: DrawSettings, how: EditSettings,
        on_step: Callable[[Progress], None] | None = None, cancelled: Callable[[], bool] | None = None,
    ) -> Drawn:  # fmt: skip
        return self._judged(self._pipeline.edit(edits, settings, how, _blank(on_step), cancelled))

    def _judged(self, drawing: Drawn) -> Drawn:
        flagged = [a or b for a, b in zip(self._judge(drawing.images), self._judge(drawing.base_images), strict=True)]
        drawn = (drawing.images, drawing.base_images, drawing.recipes, drawing.timings, drawing.warnings)
        return CheckedDrawing(*drawn, flagged)


def _blank(on_step: Callable[[Progress], None] | None) -> Callable[[Progress], None] | None:
    """The same steps without their previews, which nobody has judged."""
    if on_step is None:
        return None
    return lambda progress: on_step(
        Progress(progress.stage, progress.step, progress.steps, progress.seconds_left, list)
    )


def with_safety_checker(pipeline: Pipeline, checkpoint: str) -> Pipeline:
    """The pipeline with the checkpoint's checker around it, or as it is where there is none."""
    folder = Path(checkpoint)
    if not (folder / "safety_checker" / "config.json").is_file():
        return pipeline
    logger.info("pictures are judged by the checkpoint's safety checker")
    return CheckedPipeline(pipeline, open_judge(folder))


def open_judge(folder: Path) -> Judge:
    """Open safety_checker/ and feature_extractor/. Raises OSError when a file is missing or is no safetensors."""
    import torch
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPImageProcessor

    checker = StableDiffusionSafetyChecker.from_pretrained(folder / "safety_checker", use_safetensors=True).eval()
    processor = CLIPImageProcessor.from_pretrained(folder / "feature_extractor")

    @torch.inference_mode()
    def judge(images: Sequence[Image.Image]) -> list[bool]:
        pixels = processor(list(images), return_tensors="pt").pixel_values  # (n, 3, 224, 224)
        copies = [np.asarray(image.convert("RGB"), dtype=np.float32) for image in images]  # it blackens what it flags
        return [bool(flag) for flag in checker(images=copies, clip_input=pixels)[1]]

    return judge
