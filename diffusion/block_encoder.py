"""An autoencoder's encoder that is linear in blocks of pixels, as one convolution.

`diffusion.training.blocks` writes principal components into the stock encoder of an `AutoencoderTiny`, whose
convolutions carry a channel for every pixel of a block. The same map is one convolution with a stride of the block's
side, which holds no layer at the pictures' own size.
"""

from __future__ import annotations

import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny, EncoderTiny
from torch import nn

TOLERANCE = 1e-4  # of latents, where float32 differs in its last digits


@torch.no_grad()
def block_convolution(vae: nn.Module) -> nn.Conv2d | None:
    """From pictures (n, 3, h, w) in -1..1 to latents (n, c, h/f, w/f), read off the encoder's answers to single pixels.

    None where the encoder of `vae` is not linear in blocks of f × f pixels, or is not in float32.
    """
    if not isinstance(vae, AutoencoderTiny) or not isinstance(vae.encoder, EncoderTiny) or vae.dtype != torch.float32:
        return None
    if not all(isinstance(layer, nn.Conv2d) for layer in vae.encoder.layers):
        return None
    parameter = next(vae.encoder.parameters())
    if parameter.is_meta:
        return None
    factor, colors = 2 ** (len(vae.config["encoder_block_out_channels"]) - 1), int(vae.config["in_channels"])
    values = colors * factor**2
    pixels = torch.cat([torch.zeros(1, values), torch.eye(values)]).view(-1, colors, factor, factor)
    answers = vae.encoder(pixels.to(parameter))[:, :, 0, 0]  # (1 + values, c)
    convolution = nn.Conv2d(colors, answers.shape[1], factor, factor).to(parameter)
    convolution.weight.copy_((answers[1:] - answers[0]).T.reshape(convolution.weight.shape))
    assert convolution.bias is not None
    convolution.bias.copy_(answers[0])
    trial = torch.rand(1, colors, 3 * factor, 2 * factor, generator=torch.Generator().manual_seed(0)).to(parameter)
    if not torch.allclose(convolution(trial), vae.encoder(trial), atol=TOLERANCE):
        return None
    return convolution.requires_grad_(False)
