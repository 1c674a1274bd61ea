"""Vectors to search: three kinds, from those that a log of prompts holds to those that no index can help with.

- variants: a prompt is tried again in small changes. Ideas of 33 variants on average, cosine 0.74 within one.
- captions: two levels (topics, ideas), a falling spectrum and ideas of very different sizes. Mean cosine (0.03),
  nearest (0.75) and hundredth neighbour (0.26-0.33) and share of the first dimensions are those that
  all-MiniLM-L6-v2 gives 6,889 English captions (0.04, 0.74, 0.33).
- isotropic: no structure at all, the worst case.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

BLOCK = 10_000
KINDS = ("variants", "captions", "isotropic")


class Source:
    """Blocks of (BLOCK, dim) float32 unit rows; the same block is the same rows again."""

    def __init__(self, kind: str, rows: int, dim: int) -> None:
        self.kind, self.rows, self.dim = kind, rows, dim
        generator = np.random.default_rng(7)
        if kind == "variants":
            self._ideas = _unit(generator.standard_normal((max(1, rows // 33), dim), np.float32))
        elif kind == "captions":
            spectrum = np.arange(1, dim + 1, dtype=np.float32) ** -0.35
            self._spectrum = spectrum / np.linalg.norm(spectrum)
            topics = self._cloud(generator, int(340 * (rows / 7_000) ** 0.6) or 1)
            count = max(1, rows // 12)
            self._ideas = 0.57 * topics[generator.integers(0, len(topics), count)]
            self._ideas += 0.57 * self._cloud(generator, count)
            self._ideas[:, 0] += 0.2
            weights = generator.exponential(size=count)
            self._weights = weights / weights.sum()

    def block(self, number: int, rows: int = BLOCK) -> np.ndarray:
        """Return (rows, dim); numbers below 0 are held out, for queries."""
        generator = np.random.default_rng([11, number % 2**32])
        if self.kind == "isotropic":
            return _unit(generator.standard_normal((rows, self.dim), np.float32))
        if self.kind == "variants":
            noise = generator.standard_normal((rows, self.dim), np.float32) * np.float32(0.6 / self.dim**0.5)
            return _unit(self._ideas[generator.integers(0, len(self._ideas), rows)] + noise)
        ideas = self._ideas[generator.choice(len(self._ideas), rows, p=self._weights)]
        return _unit(ideas + np.float32(0.55) * self._cloud(generator, rows))

    def blocks(self) -> Iterator[np.ndarray]:
        for start in range(0, self.rows, BLOCK):
            yield self.block(start // BLOCK, min(BLOCK, self.rows - start))

    def queries(self, count: int) -> np.ndarray:
        return self.block(-1, count)

    def truth(self, queries: np.ndarray, k: int = 10) -> np.ndarray:
        """Return (queries, k): the rows that are nearest, by reading all of them."""
        best, where = np.full((len(queries), k), -np.inf, np.float32), np.zeros((len(queries), k), np.int64)
        for number, block in enumerate(self.blocks()):
            rows = np.arange(len(block)) + number * BLOCK
            scores = np.concatenate([best, queries @ block.T], axis=1)
            all_rows = np.concatenate([where, np.broadcast_to(rows, (len(queries), len(rows)))], axis=1)
            top = np.argpartition(-scores, k, axis=1)[:, :k]
            best, where = np.take_along_axis(scores, top, axis=1), np.take_along_axis(all_rows, top, axis=1)
        return where

    def _cloud(self, generator: np.random.Generator, rows: int) -> np.ndarray:
        return generator.standard_normal((rows, self.dim), np.float32) * self._spectrum


def _unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
