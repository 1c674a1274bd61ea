"""How much of a picture do its latents hold? `python -m benchmarks.latents [--pictures 200]`

In: held-out drawings at 256 px. Out: PSNR inside the garments' masks of principal components of blocks, by factor and
number of channels, linearly decoded, beside what they cost a U-Net; and of the autoencoder that ships.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from diffusers import AutoencoderTiny

from benchmarks.checkpoint import autoencoder_psnr
from diffusion.training.blocks import as_blocks
from fashion.drawing import draw, draw_masks
from fashion.scene import scenes

TRIED = ((8, 4), (8, 12), (8, 16), (8, 32), (4, 4), (4, 8), (4, 12), (4, 16))
SIZE, BASE_SIZE = 256, 128


def linear_psnr(learnt: np.ndarray, pictures: np.ndarray, masks: np.ndarray, factor: int, channels: int) -> float:
    """PSNR in dB inside masks (n, h, w) after keeping `channels` components that `learnt` pictures gave."""
    known = as_blocks(learnt, factor)
    mean = known.mean(0)
    basis = np.linalg.eigh(np.cov((known - mean).T))[1][:, ::-1][:, :channels].astype(np.float32)
    blocks = as_blocks(pictures, factor) - mean
    error = (blocks - blocks @ basis @ basis.T) / 2
    cells = (len(pictures), SIZE // factor, SIZE // factor, factor, factor, 3)
    squared = np.square(error).reshape(cells).mean(-1).transpose(0, 1, 3, 2, 4)
    return -10 * float(np.log10(squared.reshape(masks.shape)[masks].mean()))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latents", description=__doc__)
    parser.add_argument("--pictures", type=int, default=200)
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    options = parser.parse_args(argv)
    learnt = np.stack([draw(scene, SIZE) for scene in scenes(94, options.pictures, "train")])
    asked = list(scenes(95, options.pictures, "held_out"))
    pictures = np.stack([draw(scene, SIZE) for scene in asked])
    masks = np.stack([draw_masks(scene, SIZE).any(axis=0) for scene in asked])
    print("| autoencoder | factor | channels | latent cells of the base | PSNR inside masks |")
    print("|---|---:|---:|---:|---:|")
    for factor, channels in TRIED:
        value = linear_psnr(learnt, pictures, masks, factor, channels)
        print(f"| linear | {factor} | {channels} | {(BASE_SIZE // factor) ** 2} | {value:.1f} dB |")
    vae = AutoencoderTiny.load_config(options.checkpoints / "vae")
    factor = 2 ** (len(vae["decoder_block_out_channels"]) - 1)
    value = autoencoder_psnr(options.checkpoints, asked)
    cells = (BASE_SIZE // factor) ** 2
    print(f"| **ships**: learnt decoder | {factor} | {vae['latent_channels']} | {cells} | {value:.1f} dB |")


if __name__ == "__main__":
    main()
