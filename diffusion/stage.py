"""One stage: a U-Net, an autoencoder, a schedule, and the arithmetic between pixels, latents and noise.

Pixels are (n, 3, h, w) float32 in 0..1; latents (n, c, h/f, w/f) float32. Only the two networks run in the
chosen dtype: noise, guidance and the solver stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

from diffusion.conditioning import Conditioning, ask, guidance_embedding
from diffusion.engines import Engine, TorchEngine
from diffusion.lora_united import composing_steps, exchanged, united
from diffusion.parts import Autoencoder
from diffusion.preview import PreviewMap
from diffusion.quantized import weight_count
from diffusion.schedulers import Schedule
from diffusion.specs import StageDefaults
from diffusion.weights import is_finite
from jobspec import PictureSize, Shapes

AESTHETIC = 6.0  # what stock SDXL tells its refiner


# Called after each step: step (0-based), latents before it, the network's output.
Watch = Callable[[int, torch.Tensor, torch.Tensor], None]
# What the latents are to be after a step: step, latents after it. An edit keeps what lies outside its mask so.
Between = Callable[[int, torch.Tensor], torch.Tensor]
# Called after each picture that the autoencoder encodes or decodes: it may raise.
Check = Callable[[], None]


class BrokenPicture(ValueError):
    """A decoded picture that holds NaN or infinite values; says what made it so."""


class Stage:
    """A stage's parts, opened; nothing in it changes while it draws, but for a LoRA that is put back."""

    def __init__(
        self,
        role: str,
        unet: UNet2DConditionModel,
        vae: Autoencoder,
        scheduler: dict[str, object],
        defaults: StageDefaults,
        size: int | None = None,
        zeros_for_empty: bool = False,
        squares_only: bool = False,
    ) -> None:
        self.role = role
        self.unet = unet
        self.vae = vae
        self.scheduler = scheduler
        self.defaults = defaults
        self.zeros_for_empty = zeros_for_empty  # an empty negative prompt is zeros, not the text encoder's answer to ""
        self.is_pooled = unet.config.get("addition_embed_type") == "text_time"
        self.told_width = int(unet.config.get("time_cond_proj_dim") or 0)  # of the guidance that an LCM is told
        self.own_guidance = defaults.distilled_guidance  # the scale of one row
        if self.own_guidance != 1.0 and (self.is_pooled or self.told_width):
            raise ValueError(f"the {role} has distilled_guidance {self.own_guidance}: only a U-Net that is told hidden "
                             "states alone can have it, leave it out")  # fmt: skip
        widths = vae.config.get("block_out_channels") or vae.config["encoder_block_out_channels"]
        self.factor = 2 ** (len(widths) - 1)
        self.size = size or int(unet.config["sample_size"]) * self.factor
        self.unit = self.factor * 2 ** (len(unet.config["block_out_channels"]) - 1)
        self.shapes = Shapes(self.size, self.unit, squares_only)
        self.unet_parameters = weight_count(unet)
        self.vae_parameters = sum(each.numel() for each in vae.parameters())
        self.pictures_at_once: int | None = None  # None: all of a batch in one call of the U-Net
        self.torch = TorchEngine(unet, vae)
        self.compiled: Engine | None = None  # set when it is there, perhaps while the stage draws
        self.engine: Engine = self.torch  # of the draw that runs; see `choose_engine`
        self._styles: Sequence[Mapping[str, torch.Tensor]] = ()  # of the draw that runs; see `with_styles`

    @property
    def device(self) -> torch.device:
        return self.torch.device

    @device.setter
    def device(self, device: torch.device) -> None:
        self.torch.device = device

    def choose_engine(self, size: PictureSize, *, changed: bool) -> None:
        """Run the next draw by the compiled engine where there is one for pictures of `size`; `changed`: the torch
        module's weights are not the checkpoint's (a style is merged)."""
        compiled = self.compiled
        self.engine = compiled if compiled is not None and not changed and compiled.takes(size) else self.torch

    @contextmanager
    def by_torch(self) -> Iterator[None]:
        """The torch modules themselves run inside: their attention can be watched, and they take every size."""
        chosen, self.engine = self.engine, self.torch
        try:
            yield
        finally:
            self.engine = chosen

    @contextmanager
    def with_styles(self, styles: Sequence[Mapping[str, torch.Tensor]]) -> Iterator[None]:
        """Draw inside with several styles, each given by the weights of the layers that it changes."""
        self._styles = styles
        try:
            yield
        finally:
            self._styles = ()

    def check_size(self, size: PictureSize) -> None:
        """Raise ValueError for a side that the U-Net cannot halve often enough, or a shape that it has not learnt."""
        for side in size:
            if side % self.unit:
                raise ValueError(f"the {self.role} cannot draw {side} pixels: give a multiple of {self.unit}")
        if self.shapes.squares_only and not size.is_square:
            raise ValueError(f"this checkpoint draws squares only, {size} was asked for: give one side for both")

    def latent_shape(self, size: PictureSize) -> tuple[int, int, int]:
        return self.unet.config["in_channels"], *size.cells(self.factor)

    @cached_property
    def preview(self) -> PreviewMap:
        """The cheap map from latents to pictures, fitted on first use."""
        with self.by_torch():
            return PreviewMap.fit(self.encode)

    @torch.inference_mode()
    def encode(self, pixels: torch.Tensor, check: Check = lambda: None) -> torch.Tensor:
        """Latents of pictures, one picture at a time (faster than a batch on a CPU, and the same in any
        batch).
        """
        scale, shift = self._scaling()
        rows = _each(self.engine.encode, pixels * 2 - 1, check)
        return (torch.cat(rows).float() - shift) * scale

    @torch.inference_mode()
    def decode(self, latents: torch.Tensor, check: Check = lambda: None) -> torch.Tensor:
        """Pictures (n, 3, h, w) on the CPU, from latents, one at a time as well. Raises BrokenPicture."""
        scale, shift = self._scaling()
        pixels = torch.cat(_each(self.engine.decode, latents / scale + shift, check))
        if not is_finite(pixels):
            raise BrokenPicture(f"the {self.role}'s autoencoder gives NaN or infinite pixels: {self._cause(latents)}")
        return (pixels / 2 + 0.5).clamp(0, 1)

    def _cause(self, latents: torch.Tensor) -> str:
        dtype = str(self.vae.dtype).removeprefix("torch.")
        cure = "its weights are damaged" if dtype == "float32" else f"draw with dtype float32 in place of {dtype}"
        return cure if is_finite(latents) else "so did the steps before it"

    def denoise(
        self, latents: torch.Tensor, schedule: Schedule, conditioning: Conditioning, guidance: float, watch: Watch,
        between: Between = lambda _, latents: latents,
    ) -> torch.Tensor:  # fmt: skip
        """Walk latents (n, c, h, w) from the schedule's first level to clean ones."""
        self._check(conditioning)
        for i in range(len(schedule)):
            output = self.predict(latents, schedule, i, conditioning, guidance)
            before, latents = latents, between(i, schedule.step(output, i, latents))
            watch(i, before, output)
        return latents

    def guided_steps(self, schedule: Schedule, guidance: float) -> list[bool]:
        """Which steps use guidance: none at scale 1 or where the U-Net is told it, else those whose noise level lies in
        the stage's interval.
        """
        if self.told_width:
            return [False] * len(schedule)
        low, high = self.defaults.guidance_interval
        return [guidance > 1.0 and low <= schedule.share(i) <= high for i in range(len(schedule))]

    def predict(
        self, latents: torch.Tensor, schedule: Schedule, i: int, conditioning: Conditioning, guidance: float
    ) -> torch.Tensor:
        """The network's output before step i, guided where the stage guides; row by row. Several styles compose it
        (`diffusion.lora_united`).
        """
        asked = (latents, schedule, i, conditioning, guidance)
        if not self._styles:
            return self._predict(*asked)
        with exchanged(self.unet, self._styles[0]):
            first = self._predict(*asked)
        if i < composing_steps(len(schedule)):
            return first
        styled = [first]
        for style in self._styles[1:]:
            with exchanged(self.unet, style):
                styled.append(self._predict(*asked))
        return united(self._predict(*asked), styled)

    def _predict(
        self, latents: torch.Tensor, schedule: Schedule, i: int, conditioning: Conditioning, guidance: float
    ) -> torch.Tensor:
        scale = self._scales(schedule, guidance)[i]
        rows = []
        for part in self._parts(len(latents)):
            asked = ask(conditioning.picked(part), scale, self.own_guidance)
            x = latents[part]
            x = torch.cat([x[asked.away], x, x[asked.untold]])  # all in one call: further rows cost less than the first
            told = guidance_embedding(guidance, self.told_width, len(x)) if self.told_width else None
            output = self._call(x, schedule.timesteps[i], asked.hidden, asked.pooled, len(asked.away) > 0, told)
            rows.append(asked.guided(output, scale, self.own_guidance))
        return torch.cat(rows)

    def rows(self, schedule: Schedule, guidance: float) -> list[int]:
        """Rows of the network that each step takes for a picture without a negative prompt."""
        rows = [1 if scale == self.own_guidance else 2 for scale in self._scales(schedule, guidance)]
        if not self._styles:
            return rows
        alone = composing_steps(len(schedule))
        return [each * (1 if i < alone else len(self._styles) + 1) for i, each in enumerate(rows)]

    def _scales(self, schedule: Schedule, guidance: float) -> list[float]:
        """The scale of each step, 1 where none is used."""
        return [guidance if guided else 1.0 for guided in self.guided_steps(schedule, guidance)]

    def _call(
        self, x: torch.Tensor, t: torch.Tensor, hidden: torch.Tensor, pooled: torch.Tensor | None, guided: bool,
        told: torch.Tensor | None,
    ) -> torch.Tensor:  # fmt: skip
        added = None
        if pooled is not None:
            added = {"text_embeds": pooled, "time_ids": self.time_ids(x, pooled.shape[1], guided)}
        return self.engine.predict(x, t, hidden, added, told)

    @property
    def pooled_width(self) -> int:
        """Numbers of the pooled embedding, of a U-Net that is told sizes (a base: six numbers) or size and score."""
        config, numbers = self.unet.config, 6 if self.role == "base" else 5
        return int(config["projection_class_embeddings_input_dim"]) - numbers * int(config["addition_time_embed_dim"])

    def time_ids(self, x: torch.Tensor, pooled_width: int, guided: bool) -> torch.Tensor:
        """(n, 5) size, crop and aesthetic score as SDXL's refiner takes them, or (n, 6) with a target size as its base
        does.
        """
        config = self.unet.config
        count = (config["projection_class_embeddings_input_dim"] - pooled_width) // config["addition_time_embed_dim"]
        size = [side * self.factor for side in x.shape[-2:]]  # height, width
        if count == 6:
            return torch.tensor([[*size, 0, 0, *size]] * len(x), dtype=torch.float32)
        scores = [AESTHETIC] * len(x)
        if guided:
            scores[: len(x) // 2] = [self.defaults.negative_aesthetic] * (len(x) // 2)
        return torch.tensor([[*size, 0, 0, score] for score in scores], dtype=torch.float32)

    def _parts(self, n: int) -> Iterator[slice]:
        size = self.pictures_at_once or n
        return (slice(start, start + size) for start in range(0, n, size))

    def _check(self, conditioning: Conditioning) -> None:
        wanted = self.unet.config["cross_attention_dim"]
        if conditioning.hidden.ndim != 3 or conditioning.hidden.shape[-1] != wanted:
            shape = tuple(conditioning.hidden.shape)
            raise ValueError(f"the {self.role} U-Net reads hidden states (n, 77, {wanted}), the encoder gives {shape}")
        if self.is_pooled != (conditioning.pooled is not None):
            raise ValueError(f"the {self.role} U-Net and its conditioning disagree on a pooled embedding")

    def _scaling(self) -> tuple[float, float]:
        return float(self.vae.config["scaling_factor"]), float(self.vae.config.get("shift_factor") or 0.0)


def _each(work: Callable[[torch.Tensor], torch.Tensor], rows: torch.Tensor, check: Check) -> list[torch.Tensor]:
    """`work` on one row (1, …) after the other, checking after each."""
    done = []
    for row in rows.split(1):
        done.append(work(row))
        check()
    return done
