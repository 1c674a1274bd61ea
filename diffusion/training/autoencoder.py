"""Train the tiny autoencoder whose latents base and refiner share.

In: drawn pictures, as 64-px crops of both stages' sizes (an autoencoder learns as well on crops and much faster).
Out: an `AutoencoderTiny`, factor 8. Loss: absolute error, squared error and the error of image gradients (edges),
with noise on the latents so that the decoder forgives what a denoiser leaves.
Ref: the layout of TAESD, https://github.com/madebyollin/taesd.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from torch import nn

from fashion.pool import PicturePool, halved
from fitting.loop import fit
from fitting.parts import add_fit_options, fit_config, latest_weights, open_run, sample_grid, save_part

logger = logging.getLogger(__name__)
CROP = 64
MAX_LATENT_NOISE = 0.1
SMALL_PICTURE_SCALE = 2.0
DETAIL_DEVIATION = 0.6


@dataclass(frozen=True)
class AutoencoderShape:
    width: int = 32
    latent_channels: int = 12

    def build(self) -> AutoencoderTiny:
        widths = (self.width,) * 4
        vae = AutoencoderTiny(
            latent_channels=self.latent_channels, encoder_block_out_channels=widths, decoder_block_out_channels=widths,
            num_encoder_blocks=(1, 3, 3, 3), num_decoder_blocks=(3, 3, 3, 1), scaling_factor=1.0,
        )  # fmt: skip
        _initialise(vae)
        return vae


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
    for last in (vae.encoder.layers[-1], vae.decoder.layers[-1]):
        nn.init.normal_(last.weight, std=0.02)


def encode_and_decode(
    vae: AutoencoderTiny, crops: torch.Tensor, noise: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Latents (batch, c, 8, 8) of crops (batch, 3, 64, 64) in -1..1, and what comes back with `noise` laid on them."""
    latents = vae.encoder(crops)
    return latents, vae.decoder(latents + noise)


def reconstruction_losses(crops: torch.Tensor, latents: torch.Tensor, output: torch.Tensor) -> dict[str, torch.Tensor]:
    """What is minimised ("loss") and what is worth following.

    The first three latent channels are drawn to the picture at an eighth of its size, the others to mean 0 and
    `DETAIL_DEVIATION`: coarse before fine for the denoiser, and a preview that costs nothing.
    """
    absolute, squared = F.l1_loss(output, crops), F.mse_loss(output, crops)
    edges = F.l1_loss(output.diff(dim=-1), crops.diff(dim=-1)) + F.l1_loss(output.diff(dim=-2), crops.diff(dim=-2))
    small = SMALL_PICTURE_SCALE * F.avg_pool2d(crops, 8)  # (batch, 3, 8, 8)
    anchor = F.mse_loss(latents[:, :3], small)
    mean, deviation = latents[:, 3:].mean(dim=(0, 2, 3)), latents[:, 3:].std(dim=(0, 2, 3))
    scale = mean.square().mean() + (deviation - DETAIL_DEVIATION).square().mean()
    loss = absolute + 2 * squared + 0.5 * edges + 0.5 * anchor + 0.02 * scale
    psnr = 10 * torch.log10(4 / squared.detach())
    return {"loss": loss, "absolute": absolute, "psnr": psnr, "anchor": anchor, "detail": deviation.mean()}


def crop_batch(pool: PicturePool, step: int, batch: int, pictures: int) -> torch.Tensor:
    """Crops (batch, 3, 64, 64) in -1..1 of pool pictures at 256 px or 128 px, mirrored half the time; set by the step.

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
        mask = F.interpolate((labels > 0).float()[:, None], size=256, mode="nearest")
        error += ((output - picture).div(2).square().mean(1, keepdim=True) * mask).sum()
        pixels += mask.sum()
    return float(-10 * torch.log10(error / pixels))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m diffusion.training.autoencoder", description=__doc__)
    add_fit_options(parser, steps=9000, batch=32, learning_rate=1e-3)
    parser.add_argument("--width", type=int, default=AutoencoderShape.width)
    parser.add_argument("--latent-channels", type=int, default=AutoencoderShape.latent_channels)
    parser.add_argument(
        "--decoder-only", action="store_true", help="leave the encoder, and so every latent others learn from, as it is"
    )
    options = parser.parse_args(argv)
    run = open_run(options, "vae-decoder" if options.decoder_only else "vae", part="vae")
    shape = AutoencoderShape(options.width, options.latent_channels)
    if options.decoder_only:
        vae, first_step = AutoencoderTiny.from_pretrained(run.part, torch_dtype=torch.float32), 0
    else:
        vae = shape.build()
        first_step = latest_weights(vae, run)
    vae.to(run.device, memory_format=torch.channels_last)
    vae.encoder.requires_grad_(not options.decoder_only)
    pool = PicturePool(options.pool, options.pictures)
    held_out = PicturePool(options.pool, options.held_out, seed=9, split="held_out")

    def step_losses(step: int) -> Mapping[str, torch.Tensor]:
        crops = crop_batch(pool, step, options.batch, options.pictures)
        generator = torch.Generator().manual_seed(step)
        noise = torch.randn((len(crops), options.latent_channels, CROP // 8, CROP // 8), generator=generator)
        noise *= torch.rand((len(crops), 1, 1, 1), generator=generator) * MAX_LATENT_NOISE
        crops = crops.to(run.device, memory_format=torch.channels_last)
        with run.autocast():
            latents, output = encode_and_decode(vae, crops, noise.to(run.device))
        return reconstruction_losses(crops, latents.float(), output.float())

    def on_sample(step: int, average: Mapping[str, torch.Tensor]) -> None:
        shown = shape.build()
        shown.load_state_dict(average)
        logger.info(
            "held-out psnr inside masks %.2f dB", masked_psnr(shown, held_out, np.arange(min(48, options.held_out)))
        )
        with torch.no_grad():
            pictures = torch.from_numpy(held_out.pictures(np.arange(8))).permute(0, 3, 1, 2).float().div(127.5).sub(1)
            outputs = shown.decoder(shown.encoder(pictures)).clamp(-1, 1)
        sample_grid(torch.cat([pictures, outputs]), run.folder / f"sample-{step:06d}.png", columns=8)

    result = fit(vae, step_losses, fit_config(options), run.folder, first_step=first_step, on_sample=on_sample)
    vae.load_state_dict(result.average)
    if not options.decoder_only:
        _measure_scale(vae, pool)
    psnr = masked_psnr(vae, held_out, np.arange(min(256, options.held_out)))
    logger.info("held-out psnr inside masks %.2f dB at step %d", psnr, result.step)
    save_part(vae, run.part, step=result.step, facts={"held_out_psnr_inside_masks_db": round(psnr, 2)})


@torch.no_grad()
def _measure_scale(vae: AutoencoderTiny, pool: PicturePool) -> None:
    """Record 1 / standard deviation of the latents, by which pipelines scale them."""
    pictures = (
        torch.from_numpy(pool.pictures(np.arange(min(128, len(pool))))).permute(0, 3, 1, 2).float().div(127.5).sub(1)
    )
    deviation = torch.cat([vae.encoder(part) for part in pictures.split(16)]).std().item()
    vae.register_to_config(scaling_factor=round(1 / deviation, 5))


if __name__ == "__main__":
    main()
