"""Train the refiner U-Net: larger pictures from the base's of 128 px, at low noise only, with the SDXL refiner's
conditioning. Over an autoencoder of its own (`checkpoints/refiner_vae`) they are 512 px wide, over the base's 256.

In: drawn pictures, and what the base stage would have made of them: each is shrunk, disturbed and drawn again by the
shipped base, decoded, enlarged and encoded. Out: `checkpoints/refiner`. From x(t0) = (1 - t0)·enlarged + t0·noise the
way to the true picture is a straight line, so a few steps, or one, walk it: the network predicts (x_t - x0) / t,
which is what diffusers' flow schedulers ask for. With `--reward` the steering scorer takes part: its features of the
picture to come are compared with those of the true one, and the base's own pictures are refined as well, in which the
colours and patterns that it reads wrong count, and with `--styles` the drawing styles. With `--critic` beside it a
critic learns to tell refined pictures from drawings, and the refiner to draw lines that it cannot tell.
Ref: Podell et al. 2023, arXiv:2307.01952, section 2.5; a straight path from a degraded start as in Liu et al. 2022,
arXiv:2209.03003.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

from diffusion.training.autoencoder import STAGES
from diffusion.training.base import CAPTIONS_DROPPED, open_frozen, open_vae, unet_of
from diffusion.training.base import SIZE as BASE_SIZE
from diffusion.training.blocks import component_weights
from diffusion.training.critic import Critic, UNetWithCritic
from diffusion.training.flow import TIMESTEPS, TextTower, euler_sample, scheduler_config
from diffusion.training.latents import Enlarger, LatentPool, weights_mark
from diffusion.training.manifest import GUIDANCE, is_distilled
from diffusion.training.own_pictures import OwnPictures
from diffusion.training.reading import SteeringReader
from diffusion.training.unet import UNetShape
from fashion.captions import caption
from fashion.pool import PicturePool, open_pool
from fashion.scorer import as_input
from training.command import run_command
from training.optimizers import OptimizerSettings
from training.parts import sample_grid, save_part, trained_part, warm_start
from training.run import Run, add_training_options, open_run, trainer_settings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
LOWEST_START, USUAL_START, HIGHEST_START = 0.04, 0.2, 0.6  # the pipeline starts below the middle one in one step
WEIGHED_START = 0.3  # an error there counts once; in between by what it does to the picture
VAE_COMMAND = "python -m diffusion.training.autoencoder --stage refiner"
TIME_IDS = 5  # numbers beside the text: original size, crop, aesthetic score, as the SDXL refiner's conditioning has it
CELLS = STAGES["refiner"].size // STAGES["refiner"].shape.factor  # of a latent's side, over either autoencoder
REDRAWN_FROM = (0.05, 0.6)  # how much of a picture the base draws anew: its details, and somewhat more
BASE_STEPS = 2
UNLIKENESS_SHARE = 10.0  # of the loss, what the scorer's features differ from the true picture's


SHAPE = UNetShape(channels=(64, 64, 96), heads=(1, 2, 3), plain=2)
TIME_WIDTH = 32


def build(latent_channels: int, text_width: int, pooled_width: int) -> UNet2DConditionModel:
    """The refiner U-Net with fresh weights and the SDXL refiner's added conditioning."""
    return SHAPE.build(
        CELLS, latent_channels, text_width, addition_embed_type="text_time", addition_time_embed_dim=TIME_WIDTH,
        projection_class_embeddings_input_dim=pooled_width + TIME_IDS * TIME_WIDTH,
    )  # fmt: skip


def straight_start(
    clean: torch.Tensor, enlarged: torch.Tensor, noise: torch.Tensor, start: torch.Tensor, share: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """A point on the line from x(t0) to the clean latents, its time, and what is to be predicted there.

    clean, enlarged, noise (n, c, h, w); start (n,) is t0, share (n,) in 0..1 how much of the way is still to go.
    """
    t0 = start.view(-1, 1, 1, 1)
    t = t0 * share.view(-1, 1, 1, 1)
    goal = noise - clean + (1 - t0) / t0 * (enlarged - clean)
    return clean + t * goal, t.view(-1), goal


class BaseOutputs:
    """What the base makes of a picture: shrunk, disturbed, drawn again with its caption, enlarged.

    `vae` is the base's, `refiner_vae` that of the refiner.
    """

    def __init__(
        self, unet: UNet2DConditionModel, vae: AutoencoderTiny, refiner_vae: AutoencoderTiny, run: Run
    ) -> None:  # fmt: skip
        self.unet, self.vae, self.refiner_vae, self.run = unet.eval().requires_grad_(False), vae, refiner_vae, run
        self.size = CELLS * 2 ** (len(refiner_vae.config["block_out_channels"]) - 1)  # pixels of a side
        self.enlarge = Enlarger(refiner_vae, self.size)  # the base's pictures to the refiner's latents (n, c, 64, 64)

    @torch.no_grad()
    def enlarged_latents(
        self, small: torch.Tensor, hidden: torch.Tensor, noise: torch.Tensor, first_time: float
    ) -> torch.Tensor:
        """Scaled latents (n, c, 64, 64) of the enlarged redrawn pictures, from the base's (n, c, 32, 32).

        `first_time` is how far they are disturbed before, 0 to 1.
        """

        def predict(x: torch.Tensor, times: torch.Tensor, guided: bool) -> torch.Tensor:
            with self.run.autocast():
                return self.unet(x, times * TIMESTEPS, hidden).sample.float()

        start = (1 - first_time) * small + first_time * noise
        redrawn = euler_sample(predict, start, BASE_STEPS, first_time=first_time)
        with self.run.autocast():
            pictures = self.vae.decoder(redrawn / self.vae.config["scaling_factor"]).clamp(-1, 1)
            return self.enlarge(pictures.float())


@dataclass(frozen=True)
class Way:
    """Where n pictures stand on their way from the enlarged one to the true one, and what leads there."""

    texts: list[str]
    noisy: torch.Tensor  # (n, c, 64, 64)
    times: torch.Tensor  # (n,) in 0..1
    goal: torch.Tensor  # as `noisy`
    clean: torch.Tensor  # as `noisy`: the end of the way
    start: torch.Tensor  # (n,): where the way began
    indexes: np.ndarray  # of the true pictures in the pool
    flips: np.ndarray  # which of them are mirrored


class RefinerLesson:
    """Ways to drawn pictures, each batch decided by its step."""

    def __init__(
        self, outputs: BaseOutputs, conditioning: TextTower, pool: PicturePool, small: LatentPool, large: LatentPool
    ) -> None:
        self._outputs, self._conditioning = outputs, conditioning
        self._pool, self._small, self._large = pool, small, large
        self._device, self.size = outputs.run.device, outputs.size

    def batch(self, step: int, rows: int) -> Way:
        rng, generator = np.random.default_rng((31, step)), torch.Generator().manual_seed(step)
        indexes, flips = rng.integers(0, len(self._pool), rows), rng.random(rows) < 0.5
        texts = [caption(self._pool.scene(int(i)), "en", seed=step * 100_003 + n).text for n, i in enumerate(indexes)]
        captions = ["" if rng.random() < CAPTIONS_DROPPED else text for text in texts]
        small, clean = (pool.read(indexes, flips).to(self._device) for pool in (self._small, self._large))
        small_noise = torch.randn(small.shape, generator=generator).to(self._device)
        noise = torch.randn(clean.shape, generator=generator).to(self._device)
        hidden = self._conditioning.base(texts)
        enlarged = self._outputs.enlarged_latents(small, hidden, small_noise, float(rng.uniform(*REDRAWN_FROM)))
        start, share = (value.to(self._device) for value in starts(rows, generator))
        noisy, times, goal = straight_start(clean, enlarged, noise, start, share)
        return Way(captions, noisy, times, goal, clean, start, indexes, flips)

    def truth(self, way: Way) -> torch.Tensor:
        """The pictures (n, 3, 256, 256) in -1..1 at the end of the ways."""
        pictures = self._pool.pictures(way.indexes)
        pictures[way.flips] = pictures[way.flips, :, ::-1]
        return as_input(pictures).to(self._device)


def refiner_flow(
    unet: UNet2DConditionModel, conditioning: TextTower, run: Run, noisy: torch.Tensor, times: torch.Tensor,
    texts: list[str], size: int,
) -> torch.Tensor:  # fmt: skip
    """The refiner's prediction for latents (n, c, 64, 64) at times (n,), conditioned as the SDXL refiner's is on
    pictures of `size` px."""
    hidden, pooled = conditioning.refiner(texts)
    ids = torch.tensor([[float(size), float(size), 0.0, 0.0, 6.0]], device=run.device).expand(len(texts), TIME_IDS)
    added = {"text_embeds": pooled, "time_ids": ids}
    noisy = noisy.contiguous(memory_format=run.memory_format)
    with run.autocast():
        return unet(noisy, times * TIMESTEPS, hidden, added_cond_kwargs=added).sample.float()


def starts(rows: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    """Times (rows,) at which a way begins, and shares (rows,) of it still to go: half of the rows as the pipeline ships
    it, in one step from a low start; the other half from any start and anywhere on the way."""
    usual = torch.arange(rows) % 2 == 0
    low = LOWEST_START + (USUAL_START - LOWEST_START) * torch.rand(rows, generator=generator)
    any_start = LOWEST_START + (HIGHEST_START - LOWEST_START) * torch.rand(rows, generator=generator)
    share = torch.rand(rows, generator=generator).sqrt().clamp(min=0.02)
    return torch.where(usual, low, any_start), torch.where(usual, torch.ones(rows), share)


@dataclass(frozen=True)
class Judges:
    """Who looks at the pictures to come, the base's own among them, and what share of the loss they have."""

    reading: SteeringReader
    own: OwnPictures
    reading_share: float
    style_share: float
    critic: Critic | None
    critic_share: float


class RefinerLosses:
    """What one step gets wrong: the way to the drawings and, where there are judges, what they see at its end."""

    def __init__(
        self, unet: UNet2DConditionModel, lesson: RefinerLesson, conditioning: TextTower, weights: torch.Tensor,
        run: Run, batch: int, judges: Judges | None,
    ) -> None:  # fmt: skip
        self._unet, self._lesson, self._conditioning, self._weights = unet, lesson, conditioning, weights
        self._run, self._batch, self._judges = run, batch, judges

    def __call__(self, step: int) -> Mapping[str, torch.Tensor]:
        way = self._lesson.batch(step, self._batch)
        if self._judges is None:
            prediction = self._predicted(way.noisy, way.times, way.texts)
            return {"loss": self._refined(way, prediction)}
        return self._judged(step, way, self._judges)

    def _judged(self, step: int, way: Way, judges: Judges) -> Mapping[str, torch.Tensor]:
        reading, mine = judges.reading, judges.own.batch(step, self._batch)
        noisy, times = torch.cat([way.noisy, mine.noisy]), torch.cat([way.times, mine.times])
        prediction = self._predicted(noisy, times, way.texts + mine.texts)
        foreseen = reading.decoded(noisy - times.view(-1, 1, 1, 1) * prediction)
        refined = self._refined(way, prediction[: self._batch])
        unlike = reading.unlikeness(foreseen[: self._batch], self._lesson.truth(way))
        read = reading.errors(foreseen[self._batch :], mine.scenes)
        misread = read["color"] + read["pattern"]  # cloth; where a sleeve ends is for the base to say
        loss = refined + UNLIKENESS_SHARE * unlike + judges.reading_share * misread
        parts = {"refined": refined, "unlike": unlike, "misread": misread, "pattern": read["pattern"]}
        if judges.style_share:
            parts["style"] = reading.style_error(foreseen[self._batch :], mine.scenes)
            loss = loss + judges.style_share * parts["style"]
        if judges.critic is None:
            return {"loss": loss, **parts}
        with torch.no_grad():
            true = reading.decoded(way.clean)
        with self._run.autocast():
            mistaken, found_out = judges.critic.mistaken(true, foreseen), judges.critic.found_out(foreseen)
        loss = loss + mistaken + judges.critic_share * found_out
        return {"loss": loss, **parts, "mistaken": mistaken, "found_out": found_out}

    def _predicted(self, noisy: torch.Tensor, times: torch.Tensor, texts: list[str]) -> torch.Tensor:
        return refiner_flow(self._unet, self._conditioning, self._run, noisy, times, texts, self._lesson.size)

    def _refined(self, way: Way, prediction: torch.Tensor) -> torch.Tensor:
        squared = (prediction - way.goal).square() * (way.start / WEIGHED_START).square().view(-1, 1, 1, 1)
        return (self._weights * squared).mean()


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.refiner", description=__doc__)
    add_training_options(parser, steps=8000, batch=4, learning_rate=2e-3)
    parser.add_argument("--reward", type=float, default=0.0, help="share of what the steering scorer reads wrong (0.3)")
    parser.add_argument("--styles", type=float, default=0.0, help="share of misread styles, with --reward (0.3)")
    parser.add_argument("--critic", type=float, default=0.0, help="share of what a critic finds untrue, with --reward")
    parser.add_argument("--own", type=int, default=512, help="how many pictures the base draws anew for --reward")
    options = parser.parse_args(argv)
    if (options.critic or options.styles) and not options.reward:
        parser.error("--critic and --styles judge the base's own pictures: give --reward too (0.3), which draws them")
    run = open_run(options, "refiner-judged" if options.critic else "refiner", part="refiner")
    vae, conditioning = open_frozen(options.checkpoints, run)
    own_vae = options.checkpoints / STAGES["refiner"].part
    refiner_vae = open_vae(own_vae, VAE_COMMAND, run) if own_vae.is_dir() else vae
    # first: it may be untrained
    reading = SteeringReader(options.checkpoints, refiner_vae, run, options.styles > 0) if options.reward else None
    text, latent = conditioning.clip.config, refiner_vae.config["latent_channels"]
    unet = build(latent, text.text_config.hidden_size, text.projection_dim)
    latents = weights_mark(refiner_vae.encoder)  # a network of other latents is a start at most
    first_step = warm_start(unet, run, latents=latents)
    learner = UNetWithCritic(unet) if options.critic else unet
    learner.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
    base_folder = trained_part(options.checkpoints / "base", "python -m diffusion.training.base")
    base = UNet2DConditionModel.from_pretrained(base_folder, torch_dtype=torch.float32).to(run.device)
    outputs = BaseOutputs(base, vae, refiner_vae, run)
    pool = open_pool(options.pool, options.pictures)
    small = LatentPool(pool, vae, BASE_SIZE, run)
    large = LatentPool(open_pool(options.pool, options.pictures, size=outputs.size), refiner_vae, outputs.size, run)
    lesson = RefinerLesson(outputs, conditioning, pool, small, large)
    judges = None
    if reading is not None:
        guidance = 1.0 if is_distilled(options.checkpoints) else GUIDANCE
        span = (LOWEST_START, USUAL_START)
        own = OwnPictures(base, vae, conditioning, pool, run, options.own, span, outputs.enlarge, guidance)
        critic = learner.critic if isinstance(learner, UNetWithCritic) else None
        judges = Judges(reading, own, options.reward, options.styles, critic, options.critic)
    losses = RefinerLosses(unet, lesson, conditioning, component_weights(refiner_vae), run, options.batch, judges)

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        shown = build(latent, text.text_config.hidden_size, text.projection_dim).eval()
        shown.to(run.device)  # type: ignore[arg-type]  # diffusers wraps Module.to without binding self
        shown.load_state_dict(refiner_of(average))
        sheet = _before_and_after(shown, outputs, conditioning, pool, small, run)
        sample_grid(sheet, run.folder / f"sample-{step:06d}.png", columns=6)

    def refiner_of(average: Mapping[str, torch.Tensor]) -> Mapping[str, torch.Tensor]:
        return unet_of(average) if isinstance(learner, UNetWithCritic) else average

    parts = {"refiner": ("unet",), "critic": ("critic",)} if options.critic else {"refiner": ("",)}
    trainer = Trainer(
        learner, losses, trainer_settings(options), run.folder, first_step=first_step, on_sample=on_sample,
        optimizers={name: OptimizerSettings(options.learning_rate, parts=part) for name, part in parts.items()},
    )  # fmt: skip
    result = trainer.run()
    unet.load_state_dict(refiner_of(result.average))
    loss = round(result.losses.get("loss", float("nan")), 5)
    save_part(unet, run.part, step=result.step, facts={"loss": loss, "latents": latents})
    DPMSolverMultistepScheduler.from_config(scheduler_config()).save_pretrained(run.part / "scheduler")


@torch.no_grad()
def _before_and_after(
    unet: UNet2DConditionModel, outputs: BaseOutputs, conditioning: TextTower, pool: PicturePool, small: LatentPool,
    run: Run, start: float = 0.3, steps: int = 3,
) -> torch.Tensor:  # fmt: skip
    """Pictures (18, 3, h, w): six enlarged base outputs, the same refined, and the drawings."""
    indexes = np.arange(6)
    generator = torch.Generator().manual_seed(5)
    texts = [caption(pool.scene(int(i)), "en", seed=3).text for i in indexes]
    low = small.read(indexes, np.zeros(6, bool)).to(run.device)
    noise = torch.randn(low.shape, generator=generator).to(run.device)
    enlarged = outputs.enlarged_latents(low, conditioning.base(texts), noise, sum(REDRAWN_FROM) / 2)

    def predict(x: torch.Tensor, times: torch.Tensor, guided: bool) -> torch.Tensor:
        return refiner_flow(unet, conditioning, run, x, times, texts, outputs.size)

    noise = torch.randn(enlarged.shape, generator=generator).to(run.device)
    refined = euler_sample(predict, (1 - start) * enlarged + start * noise, steps, first_time=start)
    vae = outputs.refiner_vae
    decoded = [vae.decoder(x / vae.config["scaling_factor"]).cpu() for x in (enlarged, refined)]
    true = F.interpolate(as_input(pool.pictures(indexes)), size=(outputs.size, outputs.size), mode="nearest")
    return torch.cat([*decoded, true])


if __name__ == "__main__":
    sys.exit(run_command(main))
