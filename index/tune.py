"""Measure what n_trees and search_k cost and find, over the vectors that are there, and keep the best setting.

In: an index whose largest scope is large enough for an Annoy file (hnswlib has no trees to tune). Out: one row per
measured point, and `tuned.json` in the index folder, which every later build uses.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from index.graphs import engine_named
from index.near import NearSearch, build_graph, choose_search_k, principal_axes
from index.options import write_tuned
from index.prompt_index import PromptIndex

MIN_ROWS = 1_000


@dataclass(frozen=True)
class Trial:
    """One point of the curve; search_k 0 means that exact search is cheaper at this recall."""

    n_trees: int
    search_k: int
    recall: float
    sure: float  # what other queries find too: see index.near.Point
    milliseconds: float
    build_seconds: float
    megabytes: float


def measure(index: PromptIndex, trees: Sequence[int], recall: float) -> Iterator[Trial]:
    """Yield the curve of each number of trees up to the smallest point that is sure of `recall`."""
    sizes = index.store.scope_sizes()
    scope = max(sizes, key=sizes.__getitem__, default=None)
    if scope is None or sizes[scope] < MIN_ROWS:
        largest = max(sizes.values(), default=0)
        raise ValueError(
            f"the largest scope has {largest} vectors: tuning takes {MIN_ROWS} or more, below that search "
            "is exact anyway"
        )
    index.folder.path.mkdir(parents=True, exist_ok=True)
    for n_trees in trees:
        with tempfile.TemporaryDirectory(dir=index.folder.path, prefix="tune-") as folder:
            yield from _curve(Path(folder) / "trial", index, scope, n_trees, recall)


def choose(trials: Sequence[Trial], recall: float) -> Trial:
    """Return the fastest trial that is sure of `recall`; of nearly equal ones the smaller file."""
    good = [trial for trial in trials if trial.sure >= recall]
    fastest = min(trial.milliseconds for trial in good)
    return min((trial for trial in good if trial.milliseconds <= 1.1 * fastest), key=lambda trial: trial.n_trees)


def keep(index: PromptIndex, trial: Trial, recall: float) -> None:
    """Write the setting that later builds use; each of them chooses its own search_k for `recall`."""
    write_tuned(replace(index.options, n_trees=trial.n_trees, recall=recall), index.folder.path)


def _curve(path: Path, index: PromptIndex, scope: str, n_trees: int, recall: float) -> Iterator[Trial]:
    started = time.monotonic()
    leaders = itertools.dropwhile(lambda leader: leader.scope != scope, index.store.every_leader())
    with (path.with_suffix(".f32")).open("wb") as flat:
        for leader in itertools.takewhile(lambda leader: leader.scope == scope, leaders):
            flat.write(leader.vector.astype("<f4").tobytes())
    vectors = np.memmap(path.with_suffix(".f32"), "<f4", "r").reshape(-1, index.store.dim)
    engine, axes = engine_named("annoy"), principal_axes(vectors)
    build_graph(engine, path, vectors, axes, n_trees)
    seconds, megabytes = time.monotonic() - started, path.stat().st_size / 1e6
    near = NearSearch(engine, engine.open(path, len(vectors), axes.shape[1]), vectors, axes, 0)
    for point in choose_search_k(near, recall):
        yield Trial(n_trees, point.search_k, point.recall, point.sure, point.milliseconds, seconds, megabytes)
