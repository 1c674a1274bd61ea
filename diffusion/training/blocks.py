"""The linear half of the autoencoders that ship: principal components of 4 × 4 or 8 × 8 blocks, as in codecs.

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

FACTOR = 4  # of the base's autoencoder
DETAIL_GAIN = 1.05
REACH = 2.5  # the stock decoder bends values beyond 3 back (3·tanh(x/3))


@dataclass(frozen=True)
class BlockTransform:
    """mean (m,), basis (components, m) with orthonormal rows, deviations and extents (components,); m = 3·factor².

    Blocks are in -1..1, their numbers laid out as (row, column, colour). An extent is what one value in a thousand
    exceeds.
    """

    factor: int
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


def principal_blocks(pool: PicturePool, components: int, pictures: int = 512, factor: int = FACTOR) -> BlockTransform:
    """The transform of the pool's first pictures, at their size and at half of it."""
    large = pool.pictures(np.arange(min(pictures, len(pool))))
    blocks = np.concatenate([as_blocks(large, factor)[::4], as_blocks(halved(large), factor)])
    mean = blocks.mean(axis=0)
    variances, vectors = np.linalg.eigh(np.cov((blocks - mean).T))
    order = np.argsort(variances)[::-1][:components]
    basis = vectors[:, order].T
    basis *= np.where(basis.sum(axis=1, keepdims=True) < 0, -1, 1)  # a sign that does not hang on the library
    extents = np.quantile(np.abs((blocks - mean) @ basis.T), 0.999, axis=0)
    return BlockTransform(factor, mean, basis, np.sqrt(variances[order]), extents)


@torch.no_grad()
def write_encoder(vae: AutoencoderTiny, transform: BlockTransform) -> None:
    """Write the transform into the encoder of `vae`: halvings that gather pixels, then a gain and a shift.

    The encoder reads pixels as (x + 1) / 2. Raises ValueError where `vae` has another factor or blocks of its own.
    """
    layers, halvings = list(vae.encoder.layers), transform.factor.bit_length() - 1
    if len(layers) != halvings + 2:
        raise ValueError(
            f"the encoder has {len(layers)} layers: factor {transform.factor} needs {halvings + 2}, of no blocks"
        )
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv2d)]
    for layer in convolutions:
        layer.weight.zero_()
        if layer.bias is not None:
            layer.bias.zero_()
    first, *gathering, last = convolutions
    for color in range(3):
        first.weight[color, color, 1, 1] = 1.0
    # What each channel holds after the halvings so far: (row, column, colour) of a pixel in its block.
    held = [(0, 0, color) for color in range(3)]
    components = len(transform.basis)
    basis = torch.from_numpy(transform.basis.astype(np.float32)).view(components, transform.factor, transform.factor, 3)
    for halving, layer in enumerate(gathering):
        reach, before, held = 2**halving, held, []
        for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
            for channel, (row, column, color) in enumerate(before):
                pixel = (row + down * reach, column + right * reach, color)
                if layer is gathering[-1]:
                    layer.weight[:components, channel, 1 + down, 1 + right] = basis[:, *pixel]
                else:
                    layer.weight[len(held), channel, 1 + down, 1 + right] = 1.0
                held.append(pixel)
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
