"""Reward a style by what the steering scorer, taught its look, reads in the pictures that the style draws.

In: a base whose guidance was distilled, a look of `fashion.looks`, factors that are trained. Each step draws fresh
scenes in the look by four steps of one row, as the pipeline does, and what is read wrong in them goes back to the
factors (`diffusion.training.reward`). Out: losses beside the flow on true drawings, which keeps pictures drawings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import nn

from diffusion.training.look_reading import LookReader
from diffusion.training.lora_base import FlowDisturbance, StyleBase
from diffusion.training.reading import LatentReader
from diffusion.training.reward import Reward
from fashion.captions import caption
from fashion.look_scorer import look_scene
from fashion.looks import LOOKS
from fashion.scene import Scene
from training.processes import ONE_PROCESS, Share
from training.run import Run

SEED = 79  # of the scenes; shares none with other sets
FEW = 4  # steps from noise to picture
LOOK_SHARE = 5.0  # of the reward, what a look that is not seen is worth beside what is misread


@dataclass(frozen=True)
class RewardSettings:
    """`share` of the loss: of what is misread; `likeness`: of how far the scorer's features are from those of true
    drawings of the same scenes; `rows`: pictures of `look` that are read a step.

    The gradient of what is misread is a hundred times that of the flow and of the likeness: at a share of 0.2 garments
    came out right in a background that was no palace any more.
    """

    look: str
    share: float
    likeness: float = 4.0
    rows: int = 8

    def __post_init__(self) -> None:
        if self.look not in LOOKS:
            raise ValueError(f"look is {self.look!r}: choose {', '.join(LOOKS)}")
        if not self.share > 0:
            raise ValueError(f"reward is {self.share}: give a share above 0, say 0.03")
        if not self.likeness >= 0:
            raise ValueError(f"likeness is {self.likeness}: give a share of 0 or more")
        if self.rows < 1:
            raise ValueError(f"rewarded is {self.rows}: give at least 1 picture a step")


class LookReward:
    """What is read wrong in pictures that are drawn with the factors that train."""

    def __init__(
        self, settings: RewardSettings, reading: LatentReader, base: StyleBase, language: str = "ko",
        share: Share = ONE_PROCESS,
    ) -> None:  # fmt: skip
        if base.stage.own_guidance == 1.0 or not isinstance(base.disturb, FlowDisturbance):
            raise ValueError(
                "a style is rewarded in pictures of four steps of one row: give a base whose guidance was distilled "
                "(python -m diffusion.training.guidance), or leave --reward out"
            )
        self.settings, self._base, self._language, self._share = settings, base, language, share
        run = Run(Path(), Path(), base.stage.device, bfloat16=False)
        self._reward = Reward(reading, _Told(base), run, FEW, guidance=1.0)

    def asked(self, step: int, trigger: str) -> tuple[list[Scene], list[str]]:
        """This process's scenes and captions of a step; every other caption has the trigger before it, since a style
        draws without the word too.
        """
        rows = self._share.all_rows(self.settings.rows)
        seeds = range(SEED * 10**7 + step * rows, SEED * 10**7 + (step + 1) * rows)[self._share.own(rows)]
        scenes = [look_scene(self.settings.look, seed) for seed in seeds]
        texts = [caption(scene, self._language, seed=seed).text for scene, seed in zip(scenes, seeds, strict=True)]
        return scenes, [text if i % 2 else f"{trigger}, {text}" for i, text in enumerate(texts)]

    def losses(self, step: int, trigger: str, through: nn.Module) -> dict[str, torch.Tensor]:
        """ "loss" with its gradient to what `through` trains; beside it what was read wrong of what."""
        seed = step * self._share.count + self._share.index
        read = self._reward.losses(self._base.unet, *self.asked(step, trigger), seed, through)
        wrong = read.pop("loss")
        loss = self.settings.share * (wrong + LOOK_SHARE * read["look"]) + self.settings.likeness * read["unlike"]
        return {**read, "misread": wrong, "loss": loss}


class _Told:
    """What the U-Net is told of texts."""

    def __init__(self, base: StyleBase) -> None:
        self._base = base

    def base(self, texts: Sequence[str]) -> torch.Tensor:
        return self._base.condition(texts).hidden


def look_reader(look: str, folder: Path, base: StyleBase) -> LookReader:
    """The taught scorer of `folder` behind the base's decoder. Raises ValueError for a base with another one."""
    vae = base.stage.vae
    if not isinstance(vae, AutoencoderTiny):
        raise ValueError(
            f"the base's autoencoder is a {type(vae).__name__}: a style is rewarded behind AutoencoderTiny"
        )
    return LookReader(look, folder, vae, Run(Path(), Path(), base.stage.device, bfloat16=False))
