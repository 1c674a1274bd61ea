"""The linear half of the autoencoder that ships: principal components of 4 × 4 blocks, as codecs transform pictures.

In: drawn pictures. Out: an orthogonal basis of what distinguishes their blocks, written into the stock encoder of an
`AutoencoderTiny` without any block of its own, so that encoding is one linear map. A learned encoder reached
19.8 dB after 2,500 steps at factor 8; sixteen components at factor 4 hold 29.1 dB before anything is learned, and what
others learn from (latents) is settled before the decoder is trained.
Ref: Hotelling 1933; the block transforms of JPEG.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from torch import nn

from fashion.pool import PicturePool, halved

FACTOR = 4
DETAIL_GAIN = 1.05
REACH = 2.5  # the stock decoder bends values beyond 3 back (3·tanh(x/3))


@dataclass(frozen=True)
class BlockTransform:
    """mean (48,), basis (components, 48) with orthonormal rows, deviations and extents (components,).

    Blocks are in -1..1, their numbers laid out as (row, column, colour). An extent is what one value in a thousand
    exceeds.
    """

    mean: np.ndarray
    basis: np.ndarray
    deviations: np.ndarray
    extents: np.ndarray

    @property
    def gains(self) -> np.ndarray:
        """By how much each component is multiplied to be a latent.

        Latents deviate by the square root of what the pictures do: details stay smaller than the coarse, so that a
        denoiser settles them later, and large enough not to drown in its noise. Saturated colours, rare and far out,
        are held within the decoder's reach.
        """
        return np.minimum(DETAIL_GAIN / np.sqrt(self.deviations), REACH / self.extents)


def as_blocks(pictures: np.ndarray, factor: int = FACTOR) -> np.ndarray:
    """Blocks (n, 3·factor²) in -1..1 of pictures (m, h, w, 3) uint8."""
    n, height, width, colors = pictures.shape
    rows = pictures.reshape(n, height // factor, factor, width // factor, factor, colors)
    return rows.transpose(0, 1, 3, 2, 4, 5).reshape(-1, factor * factor * colors).astype(np.float32) / 127.5 - 1


def principal_blocks(pool: PicturePool, components: int, pictures: int = 512) -> BlockTransform:
    """The transform of the pool's first pictures, at both stages' sizes."""
    large = pool.pictures(np.arange(min(pictures, len(pool))))
    blocks = np.concatenate([as_blocks(large)[::4], as_blocks(halved(large))])
    mean = blocks.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov((blocks - mean).T))
    order = np.argsort(variances)[::-1][:components]
    basis = vectors[:, order].T
    basis *= np.where(basis.sum(axis=1, keepdims=True) < 0, -1, 1)  # a sign that does not hang on the library
    extents = np.quantile(np.abs((blocks - mean) @ basis.T), 0.999, axis=0)
    return BlockTransform(mean, basis, np.sqrt(variances[order]), extents)


@torch.no_grad()
def write_encoder(vae: AutoencoderTiny, transform: BlockTransform) -> None:
    """Write the transform into the encoder of `vae`: two halvings that gather pixels, then a gain and a shift.

    The encoder reads pixels as (x + 1) / 2. Raises ValueError where `vae` has another factor or blocks of its own.
    """
    layers = list(vae.encoder.layers)
    if len(layers) != 4:
        raise ValueError(f"the encoder has {len(layers)} layers: 4 are needed (num_encoder_blocks of three zeros)")
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    first, gather, project, last = convolutions
    for layer in convolutions:
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    components = len(transform.basis)
    for color in range(3):
        first.weight[color, color, 1, 1] = 1.0
    for channel in range(12):
        gather.weight[channel, channel % 3, 1 + channel // 6, 1 + channel // 3 % 2] = 1.0
    basis = torch.from_numpy(transform.basis.astype(np.float32)).view(components, 2, 2, 2, 2, 3)
    for channel in range(12):
        down, right, color = channel // 6, channel // 3 % 2, channel % 3
        project.weight[:components, channel, 1:, 1:] = basis[:, :, down, :, right, color]
    gain = transform.gains
    for component in range(components):
        last.weight[component, component, 1, 1] = 2 * gain[component]
    assert last.bias is not None
    last.bias.copy_(torch.from_numpy(-gain * (transform.basis @ (transform.mean + 1))).float())


def component_weights(vae: AutoencoderTiny) -> torch.Tensor:
    """Weights (c, 1, 1) of mean 1 by which errors of latents count: by how far one step of each moves the picture,
    so that what a person sees first is learnt first.
    """
    last = vae.encoder.layers[-1]
    assert isinstance(last, nn.Conv2d)
    gains = last.weight.diagonal()[1, 1]  # (c,), the middle of the last convolution
    weights = 1 / gains.float()
    return (weights / weights.mean()).view(-1, 1, 1)
