"""What `benchmarks.index` puts beside the index: exact NumPy, hnswlib, and the ancestor's way."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.index_load import DIM, open_index
from benchmarks.index_measures import QUERIES, Times, both, built, recall, row, timed
from benchmarks.index_vectors import Source
from index import PromptIndex, Record
from index.graphs import ENGINES


def exact(source: Source, queries: np.ndarray) -> tuple[float, float]:
    """Return the median milliseconds, processor and wall, of reading every vector in memory."""
    matrix = np.concatenate(list(source.blocks()))
    _, cpu, wall = timed(lambda query: np.argpartition(-(matrix @ query), 10)[:10], queries[:30])
    return float(np.median(cpu)), float(np.median(wall))


def engines(folder: Path, rows: int) -> None:
    """Both engines through filter, removals and verification, beside bare hnswlib at the least ef that finds 95 %."""
    source = Source("variants", rows, DIM)
    queries = source.queries(QUERIES)
    truth = source.truth(queries)
    bare, ef, found, seconds = _bare_hnswlib(source, queries, truth)
    place = built(folder, source)
    for engine in ENGINES:
        index = open_index(place, engine=engine)
        if index.stats()["engine"] != engine:
            index.rebuild()
        answers, theirs, ours = _in_turns(index, bare, queries)
        build = index.stats()
        row(
            f"{rows:,} × {DIM} variants, engine {engine}: one query, p50 / p99",
            f"recall {recall(answers, truth):.3f}, {both(ours)}",
            f"hnswlib (M 16, ef {ef}, recall {found:.3f}, build {seconds:.0f} s) {both(theirs)}",
            f"{np.median(ours) / np.median(theirs):.1f}× slower, search_k {build['search_k'] or 'exact'}",
            "annoy: 2× (4× at most)",
        )


def _in_turns(
    index: PromptIndex, bare: Callable[[np.ndarray], list[int]], queries: np.ndarray
) -> tuple[list[list[int]], Times, Times]:
    """Return our answers, and milliseconds of both, asked in turns of fifty: other work meets both alike."""
    answers, theirs, ours = list[list[int]](), Times(), Times()
    for query in queries:
        index.search(query, 10, "b")
    for start in range(0, len(queries), 50):
        some = queries[start : start + 50]
        theirs += timed(bare, some)[1]
        hits, milliseconds, _ = timed(lambda query: index.search(query, 10, "b"), some)
        answers += [[int(hit.id[1:]) for hit in each] for each in hits]
        ours += milliseconds
    return answers, theirs, ours


def _bare_hnswlib(
    source: Source, queries: np.ndarray, truth: np.ndarray
) -> tuple[Callable[[np.ndarray], list[int]], int, float, float]:
    """Return a search, its ef, its recall and the processor seconds of its build."""
    import hnswlib

    graph = hnswlib.Index("cosine", source.dim)
    graph.init_index(source.rows, M=16, ef_construction=100)
    graph.set_num_threads(1)
    started, first = time.process_time(), 0
    for block in source.blocks():
        graph.add_items(block, np.arange(len(block)) + first)
        first += len(block)
    seconds = time.process_time() - started

    def search(query: np.ndarray) -> list[int]:
        nearest: list[int] = graph.knn_query(query, 10)[0][0].tolist()
        return nearest

    for ef in (10, 15, 20, 30, 40, 80, 160, 320, 640):
        graph.set_ef(ef)
        found = recall([search(query) for query in queries], truth)
        if found >= 0.95:
            break
    return search, ef, found, seconds


def ancestor(folder: Path, rows: int) -> None:
    """59,136 numbers a prompt, in an Annoy file that every query opens anew, beside ours with as many prompts."""
    from annoy import AnnoyIndex

    generator, size, prompts = np.random.default_rng(0), 77 * 768, min(rows, 1_000)
    forest, path = AnnoyIndex(size, "angular"), folder / "ancestor.ann"
    forest.on_disk_build(str(path))
    for row_number in range(prompts):
        forest.add_item(row_number, generator.standard_normal(size, np.float32).tolist())
    forest.build(10, n_jobs=1)
    forest.unload()

    def ask(query: np.ndarray) -> None:
        reloaded = AnnoyIndex(size, "angular")
        reloaded.load(str(path))
        reloaded.get_nns_by_vector(query, 10)

    (folder / "small").mkdir()
    index = open_index(folder / "small")
    vectors = Source("variants", prompts, DIM).block(0, prompts)
    index.add_many([Record(f"r{i}", f"g{i}", vector, "a", True) for i, vector in enumerate(vectors)])
    index.search(vectors[0], 10)
    ours = float(np.median(timed(lambda query: index.search(query, 10), vectors[:100])[1]))
    theirs = float(np.median(timed(ask, [generator.standard_normal(size, np.float32) for _ in range(20)])[1]))
    row(
        f"{prompts:,} prompts, one query, exact",
        f"{ours:.2f} ms",
        f"the ancestor's way {theirs:.1f} ms, {path.stat().st_size / 1e6:.0f} MB",
        f"{theirs / ours:.0f}× faster",
        "",
    )
