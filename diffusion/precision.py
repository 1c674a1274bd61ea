"""Which device and number format to draw with, chosen by what the machine has.

bfloat16 on a CPU only where AVX512-BF16 exists: without it every product is emulated, many times slower.
"""

from __future__ import annotations

import torch

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def choose_device(device: str | torch.device | None = None) -> torch.device:
    """The asked device, else CUDA's GPU if there is one, else the CPU; raises ValueError for an absent GPU."""
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    chosen = torch.device(device)
    if chosen.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(f"device is {device}, but torch sees no GPU here: use cpu")
    if chosen.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError(f"device is {device}, but torch sees none of Apple's GPUs here: use cpu")
    return chosen


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The asked format, else the fastest that the device has; raises ValueError where it would be emulated."""
    if dtype is None:
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
        return torch.bfloat16 if has_bfloat16() else torch.float32
    chosen = DTYPES.get(dtype) if isinstance(dtype, str) else dtype
    if chosen is None or chosen not in DTYPES.values():
        raise ValueError(f"dtype is {dtype!r}: choose one of {', '.join(DTYPES)}")
    if device.type == "cpu" and chosen is torch.float16:
        raise ValueError("dtype float16 needs a GPU: use float32, or bfloat16 where the CPU has AVX512-BF16")
    if device.type == "cpu" and chosen is torch.bfloat16 and not has_bfloat16():
        raise ValueError("dtype bfloat16 needs AVX512-BF16, which this CPU lacks: use float32")
    return chosen


def has_bfloat16() -> bool:
    """Whether this CPU multiplies bfloat16 itself (AVX512-BF16)."""
    return bool(torch.cpu.get_capabilities().get("avx512_bf16", False))


def dtype_name(dtype: torch.dtype) -> str:
    """torch.bfloat16 → "bfloat16"."""
    return str(dtype).removeprefix("torch.")
