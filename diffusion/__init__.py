"""Drawing in two stages with any checkpoint in the Hugging Face layout: see diffusion/pipeline.py and load.py.

    from diffusion import load_pipeline, Shot
    load_pipeline("checkpoints").draw([Shot("a red dress", seed=7)]).images[0]

Names are opened when first used: `import diffusion` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusion.load import load_pipeline, text_fingerprints
    from diffusion.pipeline import Drawing, TwoStagePipeline
    from diffusion.progress import Cancelled, Progress
    from diffusion.reading import DrawWarning
    from diffusion.recipe import png_bytes, read_recipe, read_settings
    from diffusion.request import DrawSettings, Shot, shots_for
    from diffusion.specs import domain_of
    from jobspec.prompts import PromptReader

__all__ = [
    "Cancelled", "DrawSettings", "DrawWarning", "Drawing", "Progress", "PromptReader", "Shot", "TwoStagePipeline",
    "domain_of", "load_pipeline", "png_bytes", "read_recipe", "read_settings", "shots_for", "text_fingerprints",
]  # fmt: skip
_HOMES = {
    "diffusion.load": ("load_pipeline", "text_fingerprints"),
    "diffusion.pipeline": ("Drawing", "TwoStagePipeline"),
    "diffusion.progress": ("Cancelled", "Progress"),
    "diffusion.reading": ("DrawWarning",),
    "diffusion.recipe": ("png_bytes", "read_recipe", "read_settings"),
    "diffusion.request": ("DrawSettings", "Shot", "shots_for"),
    "diffusion.specs": ("domain_of",),
    "jobspec.prompts": ("PromptReader",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'diffusion' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
