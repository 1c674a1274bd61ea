"""Python's collector of cycles, at rest while a process begins.

Imports make some 150,000 objects that stay. At Python's own thresholds (700, 10, 10) the collector looks through them
all several times, which is a sixth of the processor time of a start.
"""

from __future__ import annotations

import gc

RUNNING = (10_000, 10, 10)  # thresholds once a process runs


def rest() -> None:
    """Collect next to nothing until `go_on`."""
    gc.set_threshold(500_000, 10, 10)


def go_on() -> None:
    gc.set_threshold(*RUNNING)
