"""A linear encoder is one convolution: the same latents, and no other encoder is taken for one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from diffusion.block_encoder import block_convolution
from diffusion.engines import TorchEngine
from diffusion.training.autoencoder import STAGES
from diffusion.training.blocks import BlockTransform, write_encoder


@pytest.fixture(params=sorted(STAGES))
def vae(request: pytest.FixtureRequest) -> AutoencoderTiny:
    """An autoencoder as the training of a stage writes it, of some orthonormal basis."""
    shape, rng = STAGES[request.param].shape, np.random.default_rng(5)
    values = 3 * shape.factor**2
    basis = np.linalg.qr(rng.normal(size=(values, shape.latent_channels)))[0].T
    ones = np.ones(shape.latent_channels)
    vae = shape.build()
    write_encoder(vae, BlockTransform(shape.factor, rng.uniform(-0.5, 0.5, values), basis, ones, ones))
    return vae.eval()


@torch.no_grad()
def test_a_linear_encoder_is_one_convolution_with_the_same_latents(vae: AutoencoderTiny) -> None:
    convolution = block_convolution(vae)
    assert convolution is not None
    pictures = torch.rand(2, 3, 64, 96) * 2 - 1
    assert torch.allclose(convolution(pictures), vae.encoder(pictures), atol=1e-4)


def test_drawing_encodes_by_it(vae: AutoencoderTiny, monkeypatch: pytest.MonkeyPatch) -> None:
    engine, picture = TorchEngine(None, vae), torch.rand(1, 3, 64, 64) * 2 - 1  # type: ignore[arg-type]
    with torch.no_grad():
        expected = vae.encode(picture).latents
        monkeypatch.setattr(vae, "encode", None)
        assert torch.allclose(engine.encode(picture), expected, atol=1e-4)


@pytest.mark.parametrize("blocks", [0, 1])
def test_an_encoder_that_is_not_linear_in_blocks_is_run_as_it_is(blocks: int) -> None:
    vae = AutoencoderTiny(
        encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), num_encoder_blocks=(blocks, blocks),
        num_decoder_blocks=(1, 1),
    )  # fmt: skip
    assert block_convolution(vae) is None
    engine, picture = TorchEngine(None, vae), torch.rand(1, 3, 16, 16) * 2 - 1  # type: ignore[arg-type]
    with torch.no_grad():
        assert torch.allclose(engine.encode(picture), vae.encode(picture).latents, atol=1e-5)


def test_another_number_format_is_run_as_it_is(vae: AutoencoderTiny) -> None:
    assert block_convolution(vae.half()) is None
