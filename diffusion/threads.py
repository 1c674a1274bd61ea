"""How many threads torch computes in, for a while.

Beside other work every operation of torch in two threads waits for the slower one, and a thread that waits takes its
core from OpenVINO's: what is small is computed in one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def one_thread(wanted: bool = True) -> Iterator[None]:
    """Torch computes in one thread inside, if `wanted`."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1 if wanted else threads)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
