"""Search of one scope's vectors: a graph over their first principal axes proposes rows, their true cosines decide.

An engine (graphs.py) sees (rows, 96) projections, a quarter of the numbers; what it proposes is scored from the
vectors themselves, one contiguous (rows, dim) float32 matrix that every process maps. Every build measures how hard
the engine has to search (`search_k`), and says 0 where one pass over all vectors is cheaper.
"""

from __future__ import annotations

import mmap
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from index.graphs import Graph, GraphEngine

_SEED = 20_261  # the same vectors give the same choice
MOST_AXES = 96  # of 384, a quarter to read: 76 proposals by them hold 97 to 100 % of the 10 nearest of 100,000
_SAMPLE = 5_000  # vectors that the axes are taken from
_BLOCK = 8_192  # rows that are read at once
_EXACT_IS_CHEAPER = 1 / 3  # share of rows: inspecting one in a graph takes so much longer than reading all in order
_UNSEEN = 1.5  # misses of other queries for one of a stored vector, around which trees were split: 1.0 to 1.5 measured
_WALKS = 64  # searches of a file that has just been opened: they map the pages that nearly all others start from


class NearSearch:
    """An engine's open file over `vectors`, (rows, dim) float32 of length 1, and the (dim, axes) that it saw."""

    def __init__(self, engine: GraphEngine, graph: Graph, vectors: np.ndarray, axes: np.ndarray, search_k: int) -> None:
        self.engine, self.search_k, self.vectors = engine, search_k, vectors
        self._graph, self._axes = graph, axes
        for row in range(0, len(vectors), max(1, len(vectors) // _WALKS)) if search_k else ():
            self.nearest(vectors[row], 1)

    def nearest(self, query: np.ndarray, n: int, effort: int = 1) -> tuple[np.ndarray, np.ndarray] | None:
        """Return about the `n` nearest rows and their cosines; None where reading every vector is cheaper."""
        search_k = self.search_k * effort
        if not 0 < search_k < self.most(len(self.vectors)) * effort:
            return None
        rows = self._graph.rows_near(query @ self._axes, n, search_k)
        return rows, self.vectors.take(rows, axis=0) @ query

    def most(self, rows: int) -> float:
        """The search_k from which on one pass over all vectors is cheaper."""
        return rows * _EXACT_IS_CHEAPER / self.engine.inspected


@dataclass(frozen=True)
class Point:
    """One setting measured with stored queries: mean recall@k against exact search, median time of one query."""

    search_k: int
    recall: float
    sure: float  # what other queries find too: three standard errors less, and _UNSEEN times the misses
    milliseconds: float


def principal_axes(vectors: np.ndarray) -> np.ndarray:
    """Return (dim, axes) float32: the directions in which the vectors differ most; all of them up to 96 dimensions."""
    rows, dim = vectors.shape
    if dim <= MOST_AXES:
        return np.eye(dim, dtype="<f4")
    sample = vectors[np.unique(np.linspace(0, rows - 1, min(rows, _SAMPLE)).astype(np.int64))].astype(np.float64)
    _, directions = np.linalg.eigh(sample.T @ sample)  # (dim, dim), the most important last
    return np.ascontiguousarray(directions[:, : -MOST_AXES - 1 : -1], "<f4")


def build_graph(engine: GraphEngine, path: Path, vectors: np.ndarray, axes: np.ndarray, n_trees: int) -> None:
    """Write the file of an engine over (rows, dim) unit vectors, in their order. Raises OSError."""
    engine.build(path, projected(vectors, axes), len(vectors), axes.shape[1], n_trees)


def projected(vectors: np.ndarray, axes: np.ndarray) -> Iterator[np.ndarray]:
    """Yield (some, axes) projections of all vectors in their order."""
    for start in range(0, len(vectors), _BLOCK):
        yield vectors[start : start + _BLOCK] @ axes


def choose_search_k(near: NearSearch, target: float, k: int = 10, queries: int = 500) -> list[Point]:
    """Measure recall at growing search_k until `target` is sure; the last point is the one to use.

    search_k is doubled until it is enough, then the last interval is halved four times. Queries are stored
    vectors, each without itself. A last point with search_k 0 says that exact search is cheaper.
    """
    count = len(near.vectors)
    rows = np.random.default_rng(_SEED).choice(count, min(queries, count), replace=False)
    truth = exact_neighbours(near.vectors, rows, k)
    points: list[Point] = []
    low, search_k, most = 0, max(20 * k // near.engine.inspected, fetched(k)), int(near.most(count)) - 1
    while search_k <= most:
        point = _measure(near, search_k, rows, truth, k)
        if point.sure >= target:
            break
        points.append(point)
        low, search_k = search_k, max(search_k + 1, min(2 * search_k, most))
    else:
        started = time.perf_counter()
        _ = near.vectors @ near.vectors[0]
        return [*points, Point(0, 1.0, 1.0, 1e3 * (time.perf_counter() - started))]
    for _ in range(4 if low else 0):  # below the first search_k candidates may run out, whatever the recall
        trial = _measure(near, (low + point.search_k) // 2, rows, truth, k)
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
    for start in range(0, len(vectors), _BLOCK):
        scores = queries @ vectors[start : start + _BLOCK].T  # (q, block)
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
        at_once = getattr(mmap, "MAP_POPULATE", 0)  # it was read a moment ago, to be verified: searches need not wait
        return mmap.mmap(file.fileno(), 0, flags=mmap.MAP_SHARED | at_once, prot=mmap.PROT_READ)


def fetched(k: int) -> int:
    """How many candidates are taken for `k` results: room for those that changed since the file was built."""
    return 4 * k + 32


def _measure(near: NearSearch, search_k: int, rows: np.ndarray, truth: np.ndarray, k: int) -> Point:
    near.search_k = search_k
    recalls, seconds = [], []
    for row, expected in zip(rows, truth, strict=True):
        query = near.vectors[row]
        started = time.perf_counter()
        found = near.nearest(query, fetched(k))
        seconds.append(time.perf_counter() - started)
        recalls.append(len(_best(found, row, k) & set(expected.tolist())) / k)
    mean, error = float(np.mean(recalls)), float(np.std(recalls)) / len(recalls) ** 0.5
    sure = 1 - _UNSEEN * (1 - mean + 3 * error)
    return Point(search_k, mean, sure, 1e3 * float(np.median(seconds)))


def _best(found: tuple[np.ndarray, np.ndarray] | None, apart: int, k: int) -> set[int]:
    """The k best rows of what was found, without the query's own."""
    if found is None:
        return set()
    rows, scores = found
    return set([row for row in rows[np.argsort(-scores)].tolist() if row != apart][:k])


def _block(start: int, scores: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(start, start + scores.shape[1]), scores.shape)
