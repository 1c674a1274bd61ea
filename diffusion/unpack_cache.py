"""How much the cache of unpacked checkpoints may take: the folders that were used longest ago go first.

In: the cache's folder and a bound in bytes. A process holds a shared lock (flock) on every folder that it has opened,
as long as it runs; a folder that any process holds is never removed, so the cache may exceed its bound by what is in
use.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import FileLock, Timeout

logger = logging.getLogger(__name__)
KEPT_BYTES = 40 * 2**30  # about eight files of SDXL in half precision
UNPACKING = "unpacking-"  # how a folder is named that is being written
ABANDONED = 24 * 3600.0  # seconds after which such a folder is taken for what an interrupted process left
_held: dict[Path, IO[str]] = {}  # of this process, by folder; closed when it ends


def lock_of(folder: Path) -> FileLock:
    """The lock under which a folder of the cache is written, first held, or removed."""
    return FileLock(folder.parent / f"{folder.name}.lock")


def hold(folder: Path) -> None:
    """Mark a folder as used now, and keep it from being removed as long as this process runs."""
    os.utime(folder)
    if folder not in _held:
        file = (folder.parent / f"{folder.name}.used").open("a")
        fcntl.flock(file, fcntl.LOCK_SH)
        _held[folder] = file


def sweep(cache: Path, limit: int = KEPT_BYTES) -> None:
    """Remove folders that no process holds, the one used longest ago first, until the rest is at most `limit` bytes."""
    found = [path for path in cache.iterdir() if path.is_dir()]
    for path in found:
        if path.name.startswith(UNPACKING) and time.time() - path.stat().st_mtime > ABANDONED:
            shutil.rmtree(path, ignore_errors=True)
    whole = sorted((each for each in found if not each.name.startswith(UNPACKING)), key=lambda p: p.stat().st_mtime)
    sizes = {path: _size(path) for path in whole}
    for path in whole:
        if sum(sizes.values()) <= limit:
            break
        if _remove(path):
            freed = sizes.pop(path)
            logger.info("removed %s (%.1f GB), which was used longest ago", path, freed / 1e9)


def _remove(folder: Path) -> bool:
    """Remove a folder; False where a process holds it or is about to."""
    try:
        with lock_of(folder).acquire(timeout=0), _alone(folder):
            shutil.rmtree(folder, ignore_errors=True)
    except (Timeout, BlockingIOError):
        return False
    return not folder.exists()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Run inside while no process holds the folder. Raises BlockingIOError where one does."""
    with (folder.parent / f"{folder.name}.used").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield


def _size(folder: Path) -> int:
    """Bytes of the files in a folder that may be removed meanwhile."""
    sizes = 0
    for path in folder.rglob("*"):
        try:
            sizes += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue
    return sizes
