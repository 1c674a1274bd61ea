"""Train the decoder of a stage's tiny autoencoder.

In: drawn pictures, as 64-px crops at two sizes (a decoder learns as well on crops and much faster). Out: an
`AutoencoderTiny` with sixteen channels, factor 4 at 128 and 256 px for the base, factor 8 at 256 and 512 px for the
refiner (`--stage refiner`). The encoder is not trained: it is the linear transform of
`diffusion.training.blocks`, so that the networks that learn from latents can start at once and need not start again
when the decoder gets better. Loss: absolute error, squared error and the error of image gradients (edges), with noise
on the latents so that the decoder forgives what a denoiser leaves.
Ref: the layout of TAESD, https://github.com/madebyollin/taesd.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn

from diffusion.training.blocks import FACTOR, principal_blocks, write_encoder
from fashion.pool import PicturePool, halved, open_pool
from training.command import run_command
from training.parts import sample_grid, save_part, warm_start
from training.run import add_training_options, open_run, trainer_settings
from training.trainer import Trainer

logger = logging.getLogger(__name__)
CROP = 64
MAX_LATENT_NOISE = 0.1
SCALE = 2.0  # what diffusion multiplies latents by: the decoder wants them small, a denoiser near its noise


@dataclass(frozen=True)
class AutoencoderShape:
    """`decoder_blocks`: residual blocks from the coarsest level to that of the pixels."""

    width: int = 32
    latent_channels: int = 16
    factor: int = FACTOR
    decoder_blocks: tuple[int, ...] = (3, 3, 1)

    def build(self) -> AutoencoderTiny:
        levels = len(self.decoder_blocks)  # a factor of 4 is two halvings
        gathered = max(self.latent_channels, 3 * (self.factor // 2) ** 2)  # channels before the last halving
        vae = AutoencoderTiny(
            latent_channels=self.latent_channels, encoder_block_out_channels=(gathered,) * levels,
            decoder_block_out_channels=(self.width,) * levels, num_encoder_blocks=(0,) * levels,
            num_decoder_blocks=self.decoder_blocks, scaling_factor=SCALE,
        )  # fmt: skip
        _initialise(vae)
        vae.encoder.requires_grad_(False)
        return vae


@dataclass(frozen=True)
class StageAutoencoder:
    """What a stage's autoencoder is called, how it is built, and the larger of the two sizes that it learns."""

    part: str
    shape: AutoencoderShape
    size: int


# At 512 px a block at the pixels' own level would cost as much as all others: what it would add, the level before has.
STAGES = {
    "base": StageAutoencoder("vae", AutoencoderShape(), 256),
    "refiner": StageAutoencoder("refiner_vae", AutoencoderShape(factor=8, decoder_blocks=(3, 3, 3, 0)), 512),
}


def _initialise(vae: AutoencoderTiny) -> None:
    """Start every layer at unit gain and every residual branch small, so that colours come within minutes."""
    for module in vae.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    for module in vae.modules():
        if isinstance(module, AutoencoderTinyBlock):
            with torch.no_grad():
                module.conv[-1].weight.mul_(0.2)
    last = vae.decoder.layers[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.normal_(last.weight, std=0.02)


def decode_noisy(vae: AutoencoderTiny, crops: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
    """What comes back of crops (batch, 3, 64, 64) in -1..1 when `noise` (batch, c, 16, 16) is laid on their latents."""
    with torch.no_grad():
        latents = vae.encoder(crops)
    return vae.decoder(latents + noise)


def reconstruction_losses(crops: torch.Tensor, output: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is minimised ("loss") and what is worth following."""
    absolute, squared = F.l1_loss(output, crops), F.mse_loss(output, crops)
    edges = F.l1_loss(output.diff(dim=-1), crops.diff(dim=-1)) + F.l1_loss(output.diff(dim=-2), crops.diff(dim=-2))
    psnr = 10 * torch.log10(4 / squared.detach())
    return {"loss": absolute + 2 * squared + 0.5 * edges, "absolute": absolute, "psnr": psnr}


def crop_batch(pool: PicturePool, step: int, batch: int, pictures: int) -> torch.Tensor:
    """Crops (batch, 3, 64, 64) in -1..1 of pool pictures at their size or half of it, mirrored half the time; set by
    the step.

    Three in four lie around a cell of a garment, since that is where the detail is.
    """
    rng = np.random.default_rng((17, step))
    crops = np.empty((batch, CROP, CROP, 3), np.uint8)
    for row, index in enumerate(rng.integers(0, pictures, batch)):
        picture, labels = pool.pictures(np.array([index])), pool.labels(np.array([index]))[0]
        if rng.random() < 0.5:
            picture = halved(picture)
        cells = np.argwhere(labels) if rng.random() < 0.75 else labels[:0].reshape(-1, 2)
        side = picture.shape[1]
        middle = cells[rng.integers(len(cells))] * side // labels.shape[0] if len(cells) else rng.integers(0, side, 2)
        top, left = np.clip(middle - rng.integers(CROP // 4, CROP * 3 // 4, 2), 0, side - CROP)
        crops[row] = picture[0, top : top + CROP, left : left + CROP]
    tensor = torch.from_numpy(crops).permute(0, 3, 1, 2).float().div_(127.5).sub_(1)
    flips = torch.from_numpy(rng.random(batch) < 0.5)
    tensor[flips] = tensor[flips].flip(-1)
    return tensor


@torch.no_grad()
def masked_psnr(vae: AutoencoderTiny, pool: PicturePool, indexes: np.ndarray) -> float:
    """PSNR in dB inside the garments' masks, of the mean squared error over all such pixels of the pictures."""
    error = torch.zeros(())
    pixels = torch.zeros(())
    for index in indexes:
        picture = torch.from_numpy(pool.pictures(np.array([index]))).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        output = vae.decoder(vae.encoder(picture)).clamp(-1, 1)
        labels = torch.from_numpy(pool.labels(np.array([index])).copy())
        mask = F.interpolate((labels > 0).float()[:, None], size=pool.size, mode="nearest")
        error += ((output - picture).div(2).square().mean(1, keepdim=True) * mask).sum()
        pixels += mask.sum()
    return float(-10 * torch.log10(error / pixels))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.autoencoder", description=__doc__)
    add_training_options(parser, steps=9000, batch=32, learning_rate=1e-3)
    parser.add_argument("--stage", choices=STAGES, default="base", help="whose autoencoder (default %(default)s)")
    parser.add_argument("--width", type=int, help="of the decoder")
    parser.add_argument("--latent-channels", type=int)
    options = parser.parse_args(argv)
    stage = STAGES[options.stage]
    run = open_run(options, stage.part)
    asked = {"width": options.width, "latent_channels": options.latent_channels}
    shape = replace(stage.shape, **{name: value for name, value in asked.items() if value})
    vae = shape.build()
    pool = open_pool(options.pool, options.pictures, size=stage.size)
    first_step = warm_start(vae, run)
    if first_step == 0:
        write_encoder(vae, principal_blocks(pool, shape.latent_channels, factor=shape.factor))
        vae.encoder.half().float()  # as it will ship, so that no latent changes after training
    # diffusers wraps Module.to without binding self.
    vae.to(run.device, memory_format=torch.channels_last)  # type: ignore[arg-type]
    held_out = open_pool(options.pool, options.held_out, seed=9, split="held_out", size=stage.size)

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        crops = crop_batch(pool, step, options.batch, options.pictures)
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn(
            (len(crops), shape.latent_channels, CROP // shape.factor, CROP // shape.factor), generator=generator
        )
        noise *= torch.rand((len(crops), 1, 1, 1), generator=generator) * MAX_LATENT_NOISE
        crops = crops.to(run.device, memory_format=torch.channels_last)
        with run.autocast():
            output = decode_noisy(vae, crops, noise.to(run.device))
        return reconstruction_losses(crops, output.float())

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> dict[str, float]:
        shown = shape.build()
        shown.load_state_dict(average)
        with torch.no_grad():
            pictures = torch.from_numpy(held_out.pictures(np.arange(8))).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            outputs = shown.decoder(shown.encoder(pictures)).clamp(-1, 1)
        sample_grid(torch.cat([pictures, outputs]), run.folder / f"sample-{step:06d}.png", columns=8)
        return {"psnr_inside_masks": masked_psnr(shown, held_out, np.arange(min(48, options.held_out)))}

    trainer = Trainer(
        vae, step_losses, trainer_settings(options), run.folder, first_step=first_step, on_sample=on_sample
    )
    result = trainer.run()
    vae.load_state_dict(result.average)
    psnr = masked_psnr(vae, held_out, np.arange(min(256, options.held_out)))
    logger.info("held-out psnr inside masks %.2f dB at step %d", psnr, result.step)
    save_part(vae, run.part, step=result.step, facts={"held_out_psnr_inside_masks_db": round(psnr, 2)})


if __name__ == "__main__":
    sys.exit(run_command(main))
