"""The base's own pictures, drawn once, so that a refiner learns from what it will be handed.

In: the base that ships, scenes of a pool, of each drawing style as many. Out: the refiner's latents of the enlarged
pictures, noisy as where refining starts, with their captions and scenes. There are no true pictures for them; what a
scorer must read after refining is known all the same: what was right must stay, what was wrong may still come right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import zip_longest

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from diffusion.training.flow import TIMESTEPS, TextTower, disturb, euler_sample
from diffusion.training.latents import weights_mark
from diffusion.training.manifest import DEFAULTS
from fashion.captions import caption
from fashion.pool import PicturePool
from fashion.scene import Scene
from training.run import Run

logger = logging.getLogger(__name__)
_BATCH = 16


@dataclass(frozen=True)
class OwnBatch:
    """n of the base's pictures where refining starts, and what they were to show."""

    scenes: list[Scene]
    texts: list[str]
    noisy: torch.Tensor  # (n, c, 64, 64)
    times: torch.Tensor  # (n,) in 0..1


class OwnPictures:
    """`count` pictures of one base; its mark is in the file's name, so another base draws its own.

    `guidance`: the scale at which the base is asked twice a step (1: once, its guidance is distilled). `enlarge`: the
    base's pictures (n, 3, h, w) to a refiner's scaled latents. Batches start at times of `span`.
    """

    def __init__(
        self, base: UNet2DConditionModel, vae: AutoencoderTiny, conditioning: TextTower, pool: PicturePool, run: Run,
        count: int, span: tuple[float, float], enlarge: Callable[[torch.Tensor], torch.Tensor], guidance: float,
    ) -> None:  # fmt: skip
        self._guidance = guidance
        self._base, self._vae, self._conditioning, self._enlarge = base, vae, conditioning, enlarge
        self._pool, self._run, self._span = pool, run, span
        self._indexes = style_by_style(pool, count)
        self.count = len(self._indexes)
        path = run.folder / f"own-{weights_mark(base)}-{self.count}-by-style.safetensors"
        if not path.exists():
            run.folder.mkdir(parents=True, exist_ok=True)
            beside = path.with_suffix(".writing")
            save_file({"enlarged": self._draw_all()}, beside)
            beside.replace(path)
        self._enlarged = load_file(path)["enlarged"]  # (count, c, 64, 64) float16

    def batch(self, step: int, rows: int) -> OwnBatch:
        """`rows` pictures, decided by the step."""
        generator = torch.Generator().manual_seed(step)
        picked = torch.randint(self.count, (rows,), generator=generator)
        enlarged = self._enlarged[picked].float().to(self._run.device)
        times = self._span[0] + (self._span[1] - self._span[0]) * torch.rand(rows, generator=generator)
        noise, times = torch.randn(enlarged.shape, generator=generator).to(self._run.device), times.to(self._run.device)
        indexes = [self._indexes[int(i)] for i in picked]
        scenes, texts = [self._pool.scene(i) for i in indexes], [self._text(i) for i in indexes]
        return OwnBatch(scenes, texts, disturb(enlarged, noise, times)[0], times)

    def _text(self, index: int) -> str:
        return caption(self._pool.scene(index), "en", seed=index).text

    def _draw_all(self) -> torch.Tensor:
        parts = []
        for start in range(0, self.count, _BATCH):
            parts.append(self._draw(self._indexes[start : start + _BATCH]))
            logger.info("drew %d of %d of the base's own pictures", start + _BATCH, self.count)
        return torch.cat(parts)

    @torch.no_grad()
    def _draw(self, indexes: Sequence[int]) -> torch.Tensor:
        config = self._base.config
        shape = (len(indexes), config["in_channels"], config["sample_size"], config["sample_size"])
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(indexes[0])).to(self._run.device)
        with self._run.autocast():
            hidden = self._conditioning.base([self._text(i) for i in indexes])
            empty = self._conditioning.base([""]).expand_as(hidden)

        def predict(x: torch.Tensor, times: torch.Tensor, guided: bool) -> torch.Tensor:
            x = x.contiguous(memory_format=self._run.memory_format)
            with self._run.autocast():
                return self._base(x, times * TIMESTEPS, hidden if guided else empty).sample.float()

        latents = euler_sample(predict, noise, int(DEFAULTS["base"]["steps"]), self._guidance)
        with self._run.autocast():
            pictures = self._vae.decoder(latents / self._vae.config["scaling_factor"]).clamp(-1, 1).float()
            return self._enlarge(pictures).half().cpu().contiguous()


def style_by_style(pool: PicturePool, count: int) -> list[int]:
    """`count` scenes of a pool, fewer where it has fewer: the first of each drawing style in turn."""
    styles: dict[str, list[int]] = {}
    for index in range(len(pool)):
        styles.setdefault(pool.scene(index).style, []).append(index)
    return [index for turn in zip_longest(*styles.values()) for index in turn if index is not None][:count]
