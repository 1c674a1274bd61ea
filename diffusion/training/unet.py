"""The shape that base and refiner share: a small U-Net whose finest levels only convolve, as in SDXL.

In: channels of the levels from fine to coarse and the attention heads of each. Out: a stock `UNet2DConditionModel`
over latents, which attends to the text at every level but the first `plain` ones. Noise passes through the finest
level on its way out, so that level needs several times as many channels as the latents have: with twice as many, the
details of sixteen-channel latents were predicted less well than by a constant.
Ref: Podell et al. 2023, arXiv:2307.01952, section 2.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


@dataclass(frozen=True)
class UNetShape:
    channels: tuple[int, ...]
    heads: tuple[int, ...]
    plain: int = 1

    def __post_init__(self) -> None:
        if len(self.channels) != len(self.heads):
            raise ValueError(f"channels {self.channels} and heads {self.heads}: give one number of heads a level")
        if not 0 <= self.plain < len(self.channels):
            raise ValueError(f"plain is {self.plain}: of {len(self.channels)} levels at least one attends to the text")

    def build(self, side: int, latent_channels: int, text_width: int, **conditioning: object) -> UNet2DConditionModel:
        """A U-Net with fresh weights over latents (n, latent_channels, side, side)."""
        attending = len(self.channels) - self.plain
        return UNet2DConditionModel(
            sample_size=side, in_channels=latent_channels, out_channels=latent_channels,
            block_out_channels=self.channels, layers_per_block=1, attention_head_dim=self.heads,
            down_block_types=("DownBlock2D",) * self.plain + ("CrossAttnDownBlock2D",) * attending,
            up_block_types=("CrossAttnUpBlock2D",) * attending + ("UpBlock2D",) * self.plain,
            cross_attention_dim=text_width, norm_num_groups=16, use_linear_projection=True, **conditioning,
        )  # fmt: skip
