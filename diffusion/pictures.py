"""Between PIL pictures and pixel tensors (n, 3, h, w), float32 in 0..1."""

from __future__ import annotations

import math

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageOps

from jobspec import PictureSize


def to_pixels(image: Image.Image, size: PictureSize) -> torch.Tensor:
    """A picture as (1, 3, h, w): upright, transparency over white, cropped to the size's shape from its middle."""
    fitted = ImageOps.fit(flat(image), (size.width, size.height), Image.Resampling.LANCZOS)
    pixels = torch.from_numpy(np.asarray(fitted, dtype=np.float32) / 255)  # (h, w, 3)
    return pixels.permute(2, 0, 1)[None].contiguous()


def pixels_of(image: Image.Image) -> torch.Tensor:
    """A picture in its own size as (1, 3, h, w)."""
    return to_pixels(image, PictureSize(image.height, image.width))


def flat(image: Image.Image) -> Image.Image:
    """A picture in RGB: upright, transparency over white."""
    upright = ImageOps.exif_transpose(image).convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", upright.size, "white"), upright).convert("RGB")


def from_pixels(pixels: torch.Tensor) -> list[Image.Image]:
    """Pixels (n, 3, h, w) as RGB pictures."""
    levels = (pixels.clamp(0, 1) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()
    return [Image.fromarray(each) for each in levels]


def enlarged(pixels: torch.Tensor, size: PictureSize) -> torch.Tensor:
    """Pixels (n, 3, h, w) as large as `size`, as a refiner is given them."""
    return F.interpolate(pixels, size=tuple(size), mode="bicubic", antialias=False).clamp(0, 1)


def color_fixed(pixels: torch.Tensor, source: torch.Tensor, sigma: float) -> torch.Tensor:
    """`pixels` with the low frequencies of `source`, both (n, 3, h, w): what a Gaussian of `sigma` pixels leaves of
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
