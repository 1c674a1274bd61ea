"""The processes and the number type that a training runs with, by accelerate.

In: the name of a precision. Out: an `Accelerator` for one process or several, by how the command was started
(`accelerate launch`, `torchrun`), and the part of each step that is this process's.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from torch import Tensor, nn


@dataclass(frozen=True)
class Share:
    """The rows of a step that one of `count` processes computes. All of them choose all rows of a step alike and keep
    their own, so that n processes with batch b train as one with batch n·b does.
    """

    index: int = 0
    count: int = 1

    def all_rows(self, batch: int) -> int:
        """How many rows a step has over all processes, of which `batch` are this one's."""
        return batch * self.count

    def own(self, rows: int) -> slice:
        """Which of so many rows are this process's."""
        each = rows // self.count
        return slice(self.index * each, (self.index + 1) * each)


ONE_PROCESS = Share()


def share_of(accelerator: Accelerator) -> Share:
    return Share(accelerator.process_index, accelerator.num_processes)


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


def prepared(model: nn.Module, accelerator: Accelerator) -> nn.Module:
    """What to call in the place of `model`, so that several processes share its gradients; one process calls itself."""
    if accelerator.num_processes == 1:
        return model
    shared: nn.Module = accelerator.prepare_model(model)
    return shared


@contextmanager
def one_writes_first(accelerator: Accelerator) -> Iterator[None]:
    """Within, the main process writes what the others find; where they do not, as on another machine without a shared
    disk, one process of each machine writes it for the others there.
    """
    with accelerator.main_process_first(), accelerator.local_main_process_first():
        yield


def mean_over_processes(value: Tensor, accelerator: Accelerator) -> Tensor:
    """The mean of one value of each process."""
    if accelerator.num_processes == 1:
        return value
    mean: Tensor = accelerator.reduce(value, "mean")
    return mean
