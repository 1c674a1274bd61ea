"""Between PIL pictures and pixel tensors (n, 3, s, s), float32 in 0..1."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps


def to_pixels(image: Image.Image, size: int) -> torch.Tensor:
    """A picture as (1, 3, size, size): upright, transparency over white, cropped to a square from its middle."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    flat = Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")
    square = ImageOps.fit(flat, (size, size), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.asarray(square, dtype=np.float32) / 255)  # (size, size, 3)
    return pixels.permute(2, 0, 1)[None].contiguous()


def from_pixels(pixels: torch.Tensor) -> list[Image.Image]:
    """Pixels (n, 3, s, s) as RGB pictures."""
    levels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return [Image.fromarray(each) for each in levels]


def enlarged(pixels: torch.Tensor, size: int) -> torch.Tensor:
    """Pixels (n, 3, s, s) at `size`, as a refiner is given them."""
    return F.interpolate(pixels, size=(size, size), mode="bicubic", antialias=False).clamp(0, 1)


def color_fixed(pixels: torch.Tensor, source: torch.Tensor, sigma: float) -> torch.Tensor:
    """`pixels` with the low frequencies of `source`, both (n, 3, s, s): what a Gaussian of `sigma` pixels leaves of
    either is exchanged, so that what is broad stays while lines change.

    Ref: Wang et al. 2024, arXiv:2305.07015, who exchange a wavelet's lowest band.
    """
    return (pixels + blurred(source - pixels, sigma)).clamp(0, 1)


def blurred(pixels: torch.Tensor, sigma: float) -> torch.Tensor:
    """Blur (n, c, h, w) along rows, then columns; the rim repeats the edge."""
    reach = math.ceil(3 * sigma)
    steps = torch.arange(-reach, reach + 1, dtype=pixels.dtype, device=pixels.device)
    weights = torch.exp(-0.5 * (steps / sigma).square())
    n, channels, rows, columns = pixels.shape
    planes = pixels.reshape(n * channels, 1, rows, columns)
    kernel = (weights / weights.sum()).view(1, 1, 1, -1)
    planes = F.conv2d(F.pad(planes, (reach, reach, 0, 0), mode="replicate"), kernel)
    planes = F.conv2d(F.pad(planes, (0, 0, reach, reach), mode="replicate"), kernel.transpose(2, 3))
    return planes.view_as(pixels)
