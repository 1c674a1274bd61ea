"""The memory segment: an append-only log of one scope in memory, searched exactly.

A row is a new leader of its group, or a tombstone (no id, a zero vector). Nothing is ever changed in place,
so whoever knows how many rows there were sees the scope as it was then, without a lock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from index.records import Leader

_ROUNDING = 1e-5  # more than float32 sums of a unit vector's products can be off
_BLOCK = 2_048  # rows that lie together: a full segment grows by one more block, and copies nothing
_FIRST = (16, 256, _BLOCK)  # what its first block has room for: most scopes are small, and no copy is large


class MemorySegment:
    """Rows 0..len: `ids`, `numbers`, `groups` and the (dim,) float32 `vector` of each go together."""

    def __init__(self, dim: int) -> None:
        self.ids: list[str | None] = []
        self.numbers: list[int] = []
        self.groups: list[str] = []
        self._dim, self._first = dim, max(1, dim // 3)  # numbers of a vector that are read of every row
        self._blocks = [_Block(_FIRST[0], dim, self._first)]
        self._latest: dict[str, int] = {}
        self._before: list[int] = []  # the row that decided over the same group before, -1 if none did

    def __len__(self) -> int:
        return len(self.groups)

    def extend(self, standing: Sequence[tuple[str, Leader | None]]) -> None:
        """Let each group's leader stand for it from now on; None: nothing does."""
        nothing, leaders = np.zeros(self._dim, np.float32), [leader for _, leader in standing]
        self._write(np.concatenate([leader.vector if leader else nothing for leader in leaders]))
        self.ids += [leader.id if leader else None for leader in leaders]
        self.numbers += [leader.number if leader else -1 for leader in leaders]
        for row, (group, _) in enumerate(standing, len(self.groups)):
            self._before.append(self._latest.get(group, -1))
            self._latest[group] = row
        self.groups += [group for group, _ in standing]  # last: a row counts once all of it is there

    def latest(self, group: str, rows: int) -> int | None:
        """Return the row that decided over `group` when there were `rows` rows; None if none did."""
        row = self._latest.get(group, -1)
        while row >= rows:
            row = self._before[row]
        return None if row < 0 else row

    def vector(self, row: int) -> np.ndarray:
        vector: np.ndarray = self._blocks[row // _BLOCK].vectors[row % _BLOCK]
        return vector

    def scores(self, query: np.ndarray, rows: int, least: float | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the first `rows` rows that can score `least` or more, few others with them, and their scores.

        A third of each vector is read. The rest adds no more than the product of the lengths that are left
        (Cauchy-Schwarz), so nothing is missed. Where that leaves out too little, all of every row is read.
        """
        bound, found = least, list[tuple[np.ndarray, np.ndarray]]()
        for start, block in self._until(rows):
            n = min(rows - start, _BLOCK)
            near = block.near(query, n, bound) if bound is not None else None
            if near is not None and len(near) < n / 2:
                found.append((start + near, block.vectors[near] @ query))
            else:
                bound = None
                found.append((np.arange(start, start + n), block.vectors[:n] @ query))
        which, scores = zip(*found, strict=True)
        return np.concatenate(which), np.concatenate(scores)

    def _until(self, rows: int) -> Iterator[tuple[int, _Block]]:
        return ((start, self._blocks[start // _BLOCK]) for start in range(0, rows, _BLOCK))

    def _write(self, numbers: np.ndarray) -> None:
        row, vectors = len(self.groups), numbers.reshape(-1, self._dim)
        while len(vectors):
            if row == len(self._blocks) * _BLOCK:
                self._blocks.append(_Block(_BLOCK, self._dim, self._first))
            start, some = row % _BLOCK, vectors[: _BLOCK - row % _BLOCK]
            if start + len(some) > self._blocks[-1].capacity:
                self._blocks[-1] = self._blocks[-1].grown(start + len(some))
            self._blocks[-1].write(start, some)
            row, vectors = row + len(some), vectors[len(some) :]


class _Block:
    """Up to _BLOCK rows, and what a first look reads of them."""

    def __init__(self, capacity: int, dim: int, first: int) -> None:
        self.capacity, self.first = capacity, first
        self.vectors = np.zeros((capacity, dim), np.float32)
        self.firsts = np.zeros((capacity, first), np.float32)
        self.rests = np.zeros(capacity, np.float32)  # lengths of what `firsts` leaves out

    def near(self, query: np.ndarray, n: int, least: float) -> np.ndarray:
        """Return which of the first `n` rows can score `least`."""
        left = np.linalg.norm(query[self.first :])
        bound = self.firsts[:n] @ query[: self.first]
        bound += left * self.rests[:n]
        return np.flatnonzero(bound >= least - _ROUNDING)

    def write(self, start: int, vectors: np.ndarray) -> None:
        rows = slice(start, start + len(vectors))
        self.vectors[rows], self.firsts[rows] = vectors, vectors[:, : self.first]
        self.rests[rows] = np.linalg.norm(vectors[:, self.first :], axis=1)

    def grown(self, least: int) -> _Block:
        """Return a copy with room for `least` rows at the least."""
        larger = _Block(next(size for size in _FIRST if size >= least), self.vectors.shape[1], self.first)
        for mine, copy in ((self.vectors, larger.vectors), (self.firsts, larger.firsts), (self.rests, larger.rests)):
            copy[: self.capacity] = mine
        return larger
