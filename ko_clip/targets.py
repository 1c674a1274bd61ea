"""Outputs of the teachers, kept on disk so that each text is encoded once.

In: rows of a corpus (index, English text). Out: for each head, states (rows, 77, dim) and pooled (rows, p) in
float16, read from memory-mapped files that fill as training goes. The same values are used whether a row was just
computed or read back, so that a resumed run equals an uninterrupted one.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ko_clip.teachers import Target, Teacher

logger = logging.getLogger(__name__)
_MARGIN = 2 << 30  # bytes of disk that a cache must leave free


class Targets:
    """One teacher's outputs for one corpus. `mode` full: everything on disk; pooled: no states; none: nothing."""

    def __init__(self, folder: Path, teacher: Teacher, rows: int, mode: str = "auto", chunk: int = 64) -> None:
        self.folder, self.teacher, self.rows, self.chunk = folder, teacher, rows, chunk
        self.mode = choose_mode(folder, teacher, rows) if mode == "auto" else mode
        if self.mode == "pooled" and any(what == "states" for _, what, _ in array_shapes(teacher, rows)):
            self.mode = "none"  # the states must be asked every time, and the pooled embedding comes with them
        self.arrays: dict[tuple[str, str], np.memmap] = {}
        if self.mode != "none":
            self._open()

    def fetch(self, indices: Sequence[int], texts: Sequence[str]) -> dict[str, Target]:
        """Targets of these rows, in this order; what is missing is computed, and kept if there is room for it."""
        if self.mode == "none":
            return self._ask(list(texts))
        self.fill(indices, texts)
        at = np.asarray(indices)
        return {
            name: Target(*(self._read(name, what, at) for what in ("states", "pooled"))) for name in self.teacher.heads
        }

    def fill(self, indices: Sequence[int], texts: Sequence[str]) -> None:
        """Compute and store the rows that are missing, in the order given."""
        if self.mode == "none":
            return
        missing = {i: text for i, text in zip(indices, texts, strict=True) if not self.done[i]}
        if not missing:
            return
        at = np.fromiter(missing, dtype=np.int64)
        for name, target in self._ask(list(missing.values())).items():
            for what, values in (("states", target.states), ("pooled", target.pooled)):
                if (name, what) in self.arrays and values is not None:
                    self.arrays[name, what][at] = values
        self.done[at] = 1

    def _ask(self, texts: list[str]) -> dict[str, Target]:
        parts = [self.teacher.encode(texts[i : i + self.chunk]) for i in range(0, len(texts), self.chunk)]
        return {
            name: Target(_join([p[name].states for p in parts]), _join([p[name].pooled for p in parts]))
            for name in parts[0]
        }

    def _open(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, what, shape in array_shapes(self.teacher, self.rows):
            if what == "pooled" or self.mode == "full":
                self.arrays[name, what] = _memmap(self.folder / f"{name}.{what}.f16", np.float16, shape)
        self.done = _memmap(self.folder / "done.u8", np.uint8, (self.rows,))

    def _read(self, name: str, what: str, at: np.ndarray) -> np.ndarray | None:
        return self.arrays[name, what][at] if (name, what) in self.arrays else None


def array_shapes(teacher: Teacher, rows: int) -> list[tuple[str, str, tuple[int, ...]]]:
    """(head, states or pooled, shape) of everything that a teacher gives for a corpus."""
    found: list[tuple[str, str, tuple[int, ...]]] = []
    for name in teacher.heads:
        dim, pooled = teacher.widths(name)
        found += [(name, "states", (rows, teacher.slots, dim))] if dim else []
        found += [(name, "pooled", (rows, pooled))] if pooled else []
    return found


def choose_mode(folder: Path, teacher: Teacher, rows: int) -> str:
    """full where the disk has room, else pooled, else none. The size is logged first.

    Files fill as training goes: what the caches beside this one have yet to fill is no longer free.
    """
    shapes = array_shapes(teacher, rows)
    full = sum(2 * int(np.prod(shape)) for _, _, shape in shapes)
    pooled = sum(2 * int(np.prod(shape)) for _, what, shape in shapes if what == "pooled")
    folder.mkdir(parents=True, exist_ok=True)
    kept = sum(file.stat().st_blocks * 512 for file in folder.iterdir())
    others = [file.stat() for file in folder.parent.glob("*/*") if file.parent != folder]
    promised = sum(max(0, facts.st_size - facts.st_blocks * 512) for facts in others)
    room = shutil.disk_usage(folder).free + kept - promised - _MARGIN
    mode = "full" if full <= room else "pooled" if pooled <= room else "none"
    logger.info(
        "teacher outputs of %d rows take %.2f GB (pooled alone %.2f GB), %.2f GB of disk may be used: cache %s",
        rows, full / 1e9, pooled / 1e9, max(0, room) / 1e9, mode,
    )  # fmt: skip
    return mode


def _memmap(path: Path, dtype: type, shape: tuple[int, ...]) -> np.memmap:
    """Open or make a sparse file of this shape; one of another size is begun anew."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if not path.is_file() or path.stat().st_size != size:
        with path.open("wb") as file:
            file.truncate(size)
    return np.memmap(path, dtype=dtype, mode="r+", shape=shape)


def _join(parts: Sequence[np.ndarray | None]) -> np.ndarray | None:
    """Parts of a target joined, rounded to float16 as the files hold them."""
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays).astype(np.float16) if arrays else None
