"""Latents of a picture pool, encoded once by the autoencoder that ships and read from one memory-mapped file after.

In: a `PicturePool` and an autoencoder. Out: scaled latents (n, c, size/factor, size/factor), float32 (stored as
float16), of the pictures and of their mirror images.
"""

from __future__ import annotations

import hashlib
import logging

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import nn

from diffusion.block_encoder import block_convolution
from fashion.pool import PicturePool
from training.run import Run

logger = logging.getLogger(__name__)
BATCH = 64


def weights_mark(network: nn.Module) -> str:
    """Twelve hex digits that tell these weights from others."""
    mark = hashlib.sha256()
    for _, value in sorted(network.state_dict().items()):
        mark.update(value.float().cpu().numpy().tobytes())
    return mark.hexdigest()[:12]


def linear_encoder(vae: AutoencoderTiny) -> nn.Conv2d:
    """Pictures (n, 3, h, w) in -1..1 to unscaled latents. Raises ValueError where the encoder is not one linear map."""
    convolution = block_convolution(vae)
    if convolution is None:
        raise ValueError("the autoencoder's encoder is not linear: train it with diffusion.training.autoencoder")
    return convolution


class Enlarger:
    """Enlarged pictures as latents, as the pipeline hands them to a refiner, whose autoencoder `vae` is."""

    def __init__(self, vae: AutoencoderTiny, size: int) -> None:
        self._encoder, self._scale, self._size = linear_encoder(vae), float(vae.config["scaling_factor"]), size

    def __call__(self, pictures: torch.Tensor) -> torch.Tensor:
        """Scaled latents (n, c, size/f, size/f) of pictures (n, 3, h, w) in -1..1 enlarged to `size` px a side."""
        large = F.interpolate(pictures.float(), size=(self._size, self._size), mode="bicubic", antialias=False)
        with torch.autocast(large.device.type, enabled=False):
            return self._encoder(large.clamp(-1, 1)) * self._scale


class LatentPool:
    """Every picture of `pool` at `size` px as latents; the file's name holds a mark of the encoder that made them."""

    def __init__(self, pool: PicturePool, vae: AutoencoderTiny, size: int, run: Run) -> None:
        self.path = pool.folder / f"latents-{size}-{weights_mark(vae.encoder)}-{len(pool)}.npy"
        self.size = size
        if not self.path.exists():
            self._encode(pool, vae, run)
        self._latents = np.load(self.path, mmap_mode="r")  # (n, 2, c, h, w)

    def read(self, indexes: np.ndarray, flips: np.ndarray) -> torch.Tensor:
        """Latents (len(indexes), c, h, w); the mirror image's where `flips`."""
        return torch.from_numpy(self._latents[indexes, flips.astype(int)]).float()

    @torch.no_grad()
    def _encode(self, pool: PicturePool, vae: AutoencoderTiny, run: Run) -> None:
        encoder = linear_encoder(vae)
        side = self.size // 2 ** (len(vae.config["block_out_channels"]) - 1)
        channels = vae.config["latent_channels"]
        beside = self.path.with_suffix(".writing.npy")
        file = np.lib.format.open_memmap(beside, "w+", np.float16, (len(pool), 2, channels, side, side))
        for start in range(0, len(pool), BATCH):
            indexes = np.arange(start, min(start + BATCH, len(pool)))
            pictures = torch.from_numpy(pool.pictures(indexes)).to(run.device).permute(0, 3, 1, 2).float()
            if self.size != pictures.shape[-1]:
                pictures = F.interpolate(pictures, size=(self.size, self.size), mode="area")
            pictures = pictures.div(127.5).sub(1)
            for flip, view in enumerate((pictures, pictures.flip(-1))):
                latents = encoder(view) * vae.config["scaling_factor"]
                file[indexes, flip] = latents.half().cpu().numpy()
            if start // BATCH % 20 == 0:
                logger.info("encoded %d of %d pictures at %d px", start, len(pool), self.size)
        file.flush()
        beside.replace(self.path)
