"""What draws: the seam to diffusion/, and the one place where a checkpoint is opened."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Protocol

from PIL import Image as Picture

from demo.store.settings import Settings
from demo.studio.searching import Encoder
from demo.worker.safety import with_safety_checker
from diffusion.progress import Progress
from diffusion.request import DrawSettings, Shot


class Drawn(Protocol):
    """What `diffusion.pipeline.Drawing` gives."""

    images: list[Picture.Image]
    base_images: list[Picture.Image]
    recipes: list[dict[str, object]]
    timings: dict[str, float]


class Pipeline(Protocol):
    """What `diffusion.pipeline.TwoStagePipeline` gives."""

    checkpoint_id: str
    default_settings: DrawSettings

    def styles(self) -> list[str]: ...

    def draw(
        self, shots: Sequence[Shot], settings: DrawSettings, on_step: Callable[[Progress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Drawn: ...  # fmt: skip


def open_pipeline(settings: Settings, encoder: Encoder) -> Pipeline:
    """The checkpoint, drawing from the Korean encoder's conditioning."""
    import torch

    from diffusion.load import load_pipeline

    torch.set_num_threads(os.cpu_count() or 1)
    pipeline = load_pipeline(settings.checkpoint, text_encoder=encoder)
    pipeline.warm_up()
    return with_safety_checker(pipeline, settings.checkpoint)
