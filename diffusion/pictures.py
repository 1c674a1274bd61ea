"""Between PIL pictures and pixel tensors (n, 3, s, s), float32 in 0..1."""

from __future__ import annotations

import numpy as np
import torch
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
