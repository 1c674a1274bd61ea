"""One immutable Annoy file: built on disk by one core, opened only after it was verified elsewhere.

Annoy stores its items first, each as a node of 12 bytes (descendants, norm) and dim × float32. So the file
itself is the memory-mapped matrix for exact scores, and no second copy of the vectors is needed;
`build_annoy` checks that layout on what it wrote.
Source: Annoy 1.17.3, https://github.com/spotify/annoy
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from annoy import AnnoyIndex

METRIC: Final = "angular"
_NODE_HEAD = 12
_SEED = 20_261  # the same vectors give the same file
_EXACT_IS_CHEAPER = 1 / 2  # share of items: beyond it, random access costs more than reading all in order
_UNSEEN = 1.5  # misses of other queries for one of a stored vector, around which trees were split: 1.0 to 1.5 measured
_WALKS = 64  # searches of a file that has just been opened: they map the pages that nearly all others start from


class AnnoyFile:
    """A verified file of `count` unit vectors; `vectors` is a (count, dim) float32 view of it."""

    def __init__(self, path: Path, dim: int, count: int, search_k: int) -> None:
        self.search_k = search_k
        self._annoy = AnnoyIndex(dim, METRIC)
        self._annoy.load(str(path))
        if self._annoy.get_n_items() != count:
            raise ValueError(f"{path.name} has {self._annoy.get_n_items()} items, the manifest says {count}")
        node = _NODE_HEAD + 4 * dim
        self.vectors = np.ndarray((count, dim), "<f4", map_file(path), offset=_NODE_HEAD, strides=(node, 4))
        for row in range(0, count, max(1, count // _WALKS)):
            self.nearest(self.vectors[row], 1)

    def nearest(self, query: np.ndarray, n: int, effort: int = 1) -> tuple[list[int], np.ndarray] | None:
        """Return about the `n` nearest rows and their cosines; None where reading every vector is cheaper."""
        search_k = self.search_k * effort
        if not 0 < search_k < len(self.vectors) * _EXACT_IS_CHEAPER * effort:
            return None
        rows, distances = self._annoy.get_nns_by_vector(query.tolist(), n, search_k, include_distances=True)
        return rows, 1 - np.square(distances) / 2


@dataclass(frozen=True)
class Point:
    """One setting measured with stored queries: mean recall@k against exact search, median time of one query."""

    search_k: int
    recall: float
    sure: float  # what other queries find too: three standard errors less, and _UNSEEN times the misses
    milliseconds: float


def build_annoy(path: Path, vectors: Iterable[np.ndarray], dim: int, n_trees: int) -> int:
    """Write a file of unit vectors, in their order; return how many. Raises OSError when the disk is full."""
    annoy = AnnoyIndex(dim, METRIC)
    annoy.set_seed(_SEED)
    annoy.on_disk_build(str(path))
    count, last = 0, np.zeros(dim, "<f4")
    for count, last in enumerate(vectors, 1):
        annoy.add_item(count - 1, last.tolist())
    annoy.build(n_trees, n_jobs=1)
    annoy.unload()
    with path.open("rb") as file:
        file.seek((count - 1) * (_NODE_HEAD + 4 * dim) + _NODE_HEAD)
        if file.read(4 * dim) != last.astype("<f4").tobytes():
            raise RuntimeError(f"annoy wrote {path.name} in an unknown layout: install annoy==1.17.3")
        os.fsync(file.fileno())
    return count


def choose_search_k(file: AnnoyFile, target: float, k: int = 10, queries: int = 500) -> list[Point]:
    """Measure recall at growing search_k until `target` is sure; the last point is the one to use.

    search_k is doubled until it is enough, then the last interval is halved four times. Queries are stored
    vectors, each without itself. A last point with search_k 0 says that exact search is cheaper.
    """
    count = len(file.vectors)
    rows = np.random.default_rng(_SEED).choice(count, min(queries, count), replace=False)
    truth = exact_neighbours(file.vectors, rows, k)
    points: list[Point] = []
    low, search_k, most = 0, 20 * k, int(count * _EXACT_IS_CHEAPER) - 1
    while search_k <= most:
        point = _measure(file, search_k, rows, truth, k)
        if point.sure >= target:
            break
        points.append(point)
        low, search_k = search_k, max(search_k + 1, min(2 * search_k, most))
    else:
        started = time.perf_counter()
        _ = file.vectors @ file.vectors[0]
        return [*points, Point(0, 1.0, 1.0, 1e3 * (time.perf_counter() - started))]
    for _ in range(4 if low else 0):  # below 20 · k candidates may run out, whatever the recall
        trial = _measure(file, (low + point.search_k) // 2, rows, truth, k)
        if trial.sure >= target:
            point = trial
        else:
            low = trial.search_k
            points.append(trial)
    return [*points, point]


def exact_neighbours(vectors: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Return (len(rows), k) rows: the nearest of each without itself, read block by block."""
    queries = vectors[rows]  # (q, dim)
    best = np.full((len(rows), k), -np.inf, np.float32)
    where = np.zeros((len(rows), k), np.int64)
    for start in range(0, len(vectors), 8_192):
        scores = queries @ vectors[start : start + 8_192].T  # (q, block)
        inside = (rows >= start) & (rows < start + scores.shape[1])
        scores[inside, rows[inside] - start] = -np.inf
        both = np.concatenate([best, scores], axis=1)
        top = np.argpartition(-both, min(k, both.shape[1] - 1), axis=1)[:, :k]
        where = np.take_along_axis(np.concatenate([where, _block(start, scores)], axis=1), top, axis=1)
        best = np.take_along_axis(both, top, axis=1)
    return where


def map_file(path: Path) -> mmap.mmap | bytes:
    """Map a file read-only, to be shared with every process that maps it; an empty one gives b''."""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def fetched(k: int) -> int:
    """How many candidates are taken for `k` results: room for those that changed since the file was built."""
    return 4 * k + 32


def _measure(file: AnnoyFile, search_k: int, rows: np.ndarray, truth: np.ndarray, k: int) -> Point:
    file.search_k = search_k
    recalls, seconds = [], []
    for row, expected in zip(rows, truth, strict=True):
        query = file.vectors[row]
        started = time.perf_counter()
        found = file.nearest(query, fetched(k))
        seconds.append(time.perf_counter() - started)
        top = [candidate for candidate in (found[0] if found else []) if candidate != row][:k]
        recalls.append(len(set(top) & set(expected.tolist())) / k)
    mean, error = float(np.mean(recalls)), float(np.std(recalls)) / len(recalls) ** 0.5
    sure = 1 - _UNSEEN * (1 - mean + 3 * error)
    return Point(search_k, mean, sure, 1e3 * float(np.median(seconds)))


def _block(start: int, scores: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
