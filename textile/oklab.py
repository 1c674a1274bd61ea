"""OKLab and linear light: the space in which a colour that is lit less by the factor k is k times its three numbers.

A matte surface under k³ times the light has k³ times the linear RGB, so k times the cube roots of its cone responses,
so k times L, a and b. Hue and chroma of a pattern therefore stay right in shade, which multiplying sRGB does not do.
Ref: Björn Ottosson 2020, "A perceptual color space for image processing" (OKLab); IEC 61966-2-1 (sRGB).
"""

from __future__ import annotations

import numpy as np

_CONES = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]], np.float32,
)  # fmt: skip
_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]], np.float32,
)  # fmt: skip


def _to_linear(levels: np.ndarray) -> np.ndarray:
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4).astype(np.float32)


_LINEAR = _to_linear(np.arange(256) / 255)


def linear(rgb: np.ndarray) -> np.ndarray:
    """sRGB uint8 of any shape as linear light, float32 from 0 to 1."""
    return _LINEAR[rgb]


def srgb(light: np.ndarray) -> np.ndarray:
    """Linear light as sRGB levels from 0 to 255, float32; what is brighter than white is white."""
    light = np.clip(light, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def oklab(rgb: np.ndarray) -> np.ndarray:
    """sRGB uint8 (..., 3) as OKLab float32 (..., 3): L from 0 to 1, a and b around 0."""
    return np.cbrt(linear(rgb) @ _CONES.T) @ _LAB.T
