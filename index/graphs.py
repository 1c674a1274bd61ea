"""Which library keeps the neighbours of a scope: Annoy by default, hnswlib as a setting (INDEX_ENGINE).

An engine writes one immutable file over (rows, dim) vectors and opens it again. The rest is the same for all of them:
privacy by scope, removals, verification before a file is opened, exact scores (near.py). Both release the GIL and may
be asked by several threads at once. Sources: Annoy 1.17.3, https://github.com/spotify/annoy;
hnswlib 0.8.0, https://github.com/nmslib/hnswlib (Malkov & Yashunin 2016, arXiv:1603.09320).
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Protocol

import numpy as np

METRIC: Final = "angular"
_SEED = 20_261  # the same vectors give the same file
_LINKS, _BREADTH = 16, 100  # hnswlib's M and ef_construction


class Graph(Protocol):
    """An open file: for a (dim,) query the rows of about the `n` nearest, the harder it searches the more of them."""

    def rows_near(self, query: np.ndarray, n: int, search_k: int) -> np.ndarray: ...


class GraphEngine(Protocol):
    """A library that builds such files; `inspected`: vectors that it looks at for one unit of search_k."""

    name: str
    suffix: str
    inspected: int

    def build(self, path: Path, blocks: Iterable[np.ndarray], rows: int, dim: int, n_trees: int) -> None:
        """Write a file over blocks of (some, dim) rows, `rows` in all. Raises OSError when the disk is full."""

    def open(self, path: Path, rows: int, dim: int) -> Graph:
        """Open a verified file. Raises ValueError where it is not what the manifest says."""

    def bytes_needed(self, rows: int, dim: int, n_trees: int) -> int:
        """The largest size of the file while it is written, about."""


class Annoy:
    """Random trees in a file that every process maps."""

    name, suffix, inspected = "annoy", ".ann", 1
    _node_head = 12  # bytes of a node before its vector

    def build(self, path: Path, blocks: Iterable[np.ndarray], rows: int, dim: int, n_trees: int) -> None:
        from annoy import AnnoyIndex

        trees = AnnoyIndex(dim, METRIC)
        trees.set_seed(_SEED)
        trees.on_disk_build(str(path))
        for row, vector in enumerate(itertools.chain.from_iterable(block.tolist() for block in blocks)):
            trees.add_item(row, vector)
        trees.build(n_trees, n_jobs=1)
        trees.unload()

    def open(self, path: Path, rows: int, dim: int) -> Graph:
        return _AnnoyGraph(path, rows, dim)

    def bytes_needed(self, rows: int, dim: int, n_trees: int) -> int:
        nodes = rows * (1 + 4 * n_trees / dim)  # leaves hold about dim items, half full
        return int(1.3 * nodes * (self._node_head + 4 * dim))  # Annoy grows its file by 1.3


class Hnswlib:
    """A graph of small worlds, which every process that searches loads into its memory."""

    name, suffix, inspected = "hnswlib", ".hnsw", 8

    def build(self, path: Path, blocks: Iterable[np.ndarray], rows: int, dim: int, n_trees: int) -> None:
        import hnswlib

        graph = hnswlib.Index("cosine", dim)
        graph.init_index(max(rows, 1), M=_LINKS, ef_construction=_BREADTH, random_seed=_SEED)
        graph.set_num_threads(1)
        for block in blocks:
            graph.add_items(block)
        graph.save_index(str(path))

    def open(self, path: Path, rows: int, dim: int) -> Graph:
        return _HnswlibGraph(path, rows, dim)

    def bytes_needed(self, rows: int, dim: int, n_trees: int) -> int:
        return rows * (4 * dim + 4 * (2 * _LINKS + 1) + 32)


class _AnnoyGraph:
    def __init__(self, path: Path, rows: int, dim: int) -> None:
        from annoy import AnnoyIndex

        self._trees = AnnoyIndex(dim, METRIC)
        self._trees.load(str(path), prefault=True)
        _check_rows(path, self._trees.get_n_items(), rows)

    def rows_near(self, query: np.ndarray, n: int, search_k: int) -> np.ndarray:
        return np.array(self._trees.get_nns_by_vector(query.tolist(), n, search_k), np.int64)


class _HnswlibGraph:
    def __init__(self, path: Path, rows: int, dim: int) -> None:
        import hnswlib

        self._graph = hnswlib.Index("cosine", dim)
        try:
            self._graph.load_index(str(path))
        except RuntimeError as error:
            raise ValueError(f"{path.name}: {error}") from error
        self._graph.set_num_threads(1)
        self._rows = rows
        _check_rows(path, self._graph.get_current_count(), rows)

    def rows_near(self, query: np.ndarray, n: int, search_k: int) -> np.ndarray:
        breadth = min(max(n, search_k), self._rows)  # set_ef would change it for other threads, too
        try:
            rows, _ = self._graph.knn_query(query, breadth)
        except RuntimeError:  # fewer can be reached from where it starts
            return np.zeros(0, np.int64)
        return np.asarray(rows[0, :n], np.int64)


ENGINES: dict[str, GraphEngine] = {engine.name: engine for engine in (Annoy(), Hnswlib())}


def engine_named(name: str) -> GraphEngine:
    """Return an engine that can be used here. Raises ValueError for an unknown one, or one that is not installed."""
    if name not in ENGINES:
        raise ValueError(f"index engine is {name!r}: it must be one of {', '.join(ENGINES)}")
    if importlib.util.find_spec(name) is None:
        raise ValueError(f"index engine {name} is not installed: pip install -r requirements-index.txt, or use annoy")
    return ENGINES[name]


def _check_rows(path: Path, found: int, rows: int) -> None:
    if found != rows:
        raise ValueError(f"{path.name} has {found} items, the manifest says {rows}")
