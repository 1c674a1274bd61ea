"""The fresh tail: an append-only log of one scope in memory, searched exactly.

A row is a new leader of its group, or a tombstone (no id, a zero vector). Nothing is ever changed in place,
so whoever knows how many rows there were sees the scope as it was then, without a lock.
"""

from __future__ import annotations

import numpy as np

from index.records import Leader

_ROUNDING = 1e-5  # more than float32 sums of a unit vector's products can be off


class Tail:
    """Rows 0..len: `ids`, `numbers`, `groups` and the (rows, dim) float32 `vectors` go together."""

    def __init__(self, dim: int) -> None:
        self.ids: list[str | None] = []
        self.numbers: list[int] = []
        self.groups: list[str] = []
        self.vectors = np.zeros((16, dim), np.float32)
        self._first = max(1, dim // 3)  # numbers of a vector that are read of every row
        self._firsts, self._rests = np.zeros((16, self._first), np.float32), np.zeros(16, np.float32)
        self._rows_of: dict[str, list[int]] = {}

    def __len__(self) -> int:
        return len(self.groups)

    def append(self, leader: Leader) -> None:
        """Let `leader` stand for its group from now on."""
        self._append(leader.group, leader.id, leader.number, leader.vector)

    def bury(self, group: str) -> None:
        """Let nothing stand for `group` from now on."""
        self._append(group, None, -1, np.float32(0))

    def latest(self, group: str, rows: int) -> int | None:
        """Return the row that decided over `group` when there were `rows` rows; None if none did."""
        return next((row for row in reversed(self._rows_of.get(group, ())) if row < rows), None)

    def near(self, query: np.ndarray, rows: int, least: float) -> np.ndarray:
        """Return the rows that can score `least` or more, few others with them.

        A third of each vector is read. The rest adds no more than the product of the lengths that are left
        (Cauchy-Schwarz), so nothing is missed.
        """
        left = float(np.linalg.norm(query[self._first :]))
        bound = self._firsts[:rows] @ query[: self._first] + left * self._rests[:rows]
        return np.flatnonzero(bound >= least - _ROUNDING)

    def _append(self, group: str, id: str | None, number: int, vector: np.ndarray | np.float32) -> None:
        row = len(self.groups)
        if row == len(self.vectors):
            self.vectors, self._firsts, self._rests = map(_doubled, (self.vectors, self._firsts, self._rests))
        self.vectors[row] = vector
        self._firsts[row] = self.vectors[row, : self._first]
        self._rests[row] = np.linalg.norm(self.vectors[row, self._first :])
        self.ids.append(id)
        self.numbers.append(number)
        self._rows_of.setdefault(group, []).append(row)
        self.groups.append(group)  # last: a row counts once all of it is there


def _doubled(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows, np.zeros_like(rows)])
