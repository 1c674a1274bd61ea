"""Keep freed memory in the process, so that large pictures are not paged in anew at every layer.

glibc gives blocks over 128 kB back to the system when they are freed; a 256-pixel decoder allocates and frees 4 MB at
every layer and spends a tenth of its time in page faults. With both thresholds raised, AutoencoderTiny of width 32 in
bfloat16 decodes a picture in 52 ms of processor time instead of 57, and encodes one in 44 instead of 50.
Ref: mallopt(3).
"""

from __future__ import annotations

import ctypes
import logging

logger = logging.getLogger(__name__)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_BLOCK = 32 * 2**20
KEPT = 256 * 2**20


def keep_freed_memory() -> bool:
    """Raise this process's thresholds; False where the C library has no such setting (not glibc)."""
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # musl, macOS; Windows has no library without a name
        logger.debug("no mallopt here: freed memory goes back to the system")
        return False
    return bool(mallopt(M_MMAP_THRESHOLD, LARGEST_BLOCK) and mallopt(M_TRIM_THRESHOLD, KEPT))


def give_back_freed_memory() -> bool:
    """Give what was freed until now back to the system, as weights are that were read and then stored in fewer bits;
    False where the C library cannot.
    """
    try:
        return bool(ctypes.CDLL(None).malloc_trim(0))
    except (AttributeError, OSError, TypeError):
        return False
