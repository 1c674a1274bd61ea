"""The texts of a generation (ids and groups of its rows), in a file whose parts can be overwritten with zeros.

`text.utf8` holds them one after another; `text_sums.u64` holds a hash of each block of it. Whoever overwrites a text
writes the hashes of its blocks anew, so the file is verified like every other one, and a crash in between only makes
the generation a damaged one, which is built again. Both files are locked while they are changed or copied.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

TEXT, SUMS, ENDS, NUMBERS = "text.utf8", "text_sums.u64", "text_ends.i64", "numbers.i64"
BLOCK = 1 << 16  # bytes of text that share a hash


def write_sums(folder: Path) -> None:
    """Write the hashes of a generation's finished text file."""
    with (folder / TEXT).open("rb") as text:
        sums = b"".join(_sum(block) for block in iter(lambda: text.read(BLOCK), b""))
    (folder / SUMS).write_bytes(sums)


def check_texts(folder: Path, size: int) -> None:
    """Raise ValueError unless the text file has `size` bytes and every block has its hash."""
    with (folder / TEXT).open("rb") as text, (folder / SUMS).open("rb") as sums:
        if os.fstat(text.fileno()).st_size != size:
            raise ValueError(f"{TEXT} has {os.fstat(text.fileno()).st_size} bytes, not {size}")
        for block in iter(lambda: text.read(BLOCK), b""):
            if sums.read(8) != _sum(block):
                raise ValueError(f"{TEXT} does not have the hashes of {SUMS}")
        if sums.read(1):
            raise ValueError(f"{SUMS} has more hashes than {TEXT} has blocks")


@contextmanager
def locked(folder: Path, exclusive: bool) -> Iterator[None]:
    """Hold the lock that keeps the texts as they are (`exclusive`: to change them)."""
    with (folder / SUMS).open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH)
        yield


def erase(folder: Path, numbers: Iterable[int]) -> int:
    """Overwrite id and group of the rows with these record numbers, and wait until that is on the disk.

    Returns how many texts were overwritten; 0 where they had been, or where the folder is gone or still being written.
    """
    try:
        kept = np.fromfile(folder / NUMBERS, "<i8")
        rows = np.flatnonzero(np.isin(kept, np.fromiter(numbers, np.int64)))
        if not len(rows) or (folder / ENDS).stat().st_size < 16 * len(kept):
            return 0
        ends = np.memmap(folder / ENDS, "<i8", "r")
        spans = [(int(ends[2 * row - 1]) if row else 0, int(ends[2 * row + 1])) for row in rows.tolist()]
        with locked(folder, exclusive=True):
            return _overwrite(folder, spans)
    except FileNotFoundError:  # swept meanwhile, or not finished yet: what is published later is looked at again
        return 0


def _overwrite(folder: Path, spans: list[tuple[int, int]]) -> int:
    text, sums = (os.open(folder / name, os.O_RDWR) for name in (TEXT, SUMS))
    try:
        size, blocks, done = os.fstat(text).st_size, set(), 0
        for start, end in spans:
            if start < end <= size and os.pread(text, 1, start) != b"\0":
                os.pwrite(text, bytes(end - start), start)
                blocks |= set(range(start // BLOCK, (end - 1) // BLOCK + 1))
                done += 1
        if blocks:
            os.fsync(text)
            for block in blocks:
                os.pwrite(sums, _sum(os.pread(text, BLOCK, block * BLOCK)), 8 * block)
            os.fsync(sums)
        return done
    finally:
        os.close(text)
        os.close(sums)


def _sum(block: bytes) -> bytes:
    return hashlib.blake2b(block, digest_size=8).digest()
