"""The processes and the number type that a training runs with, by accelerate.

In: the name of a precision. Out: an `Accelerator` for one process or several, by how the command was started
(`accelerate launch`, `torchrun`).
"""

from __future__ import annotations

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs


def open_accelerator(precision: str = "float32", threads: int = 0, *, cpu: bool | None = None) -> Accelerator:
    """An accelerator of this precision (auto, float32, bfloat16).

    `threads`: CPU threads, 0 leaves them to torch. `cpu`: use no GPU though one is at hand (default: only where there
    is none).
    """
    if threads:
        torch.set_num_threads(threads)
    AcceleratorState._reset_state()  # a second training in one process may have another precision
    return Accelerator(
        mixed_precision=mixed_precision(precision),
        cpu=not torch.cuda.is_available() if cpu is None else cpu,
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def mixed_precision(wanted: str) -> str:
    """accelerate's name of a precision: "auto" is bfloat16 only where the hardware computes in it."""
    if wanted == "bfloat16" or (wanted == "auto" and has_bfloat16(torch.cuda.is_available())):
        return "bf16"
    return "no"


def has_bfloat16(cuda: bool) -> bool:
    """Whether the hardware computes in bfloat16; a CPU that only emulates it is many times slower than in float32."""
    return bool(torch.cuda.is_bf16_supported() if cuda else torch.cpu._is_avx512_bf16_supported())
