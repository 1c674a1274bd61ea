"""The local layered index and pgvector beside each other: build, size, recall@10, one query, one addition.

`python -m benchmarks.index_pgvector [--rows 20000] [--dim 384]` starts a PostgreSQL of its own. Recall is
measured beside brute force.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.index_vectors import Source
from index import IndexOptions, PromptIndex, Record
from index.pgvector_index import PgVectorIndex
from testing.cluster_servers import PostgresServer

QUERIES, K = 200, 10
Index = PromptIndex | PgVectorIndex


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.index_pgvector", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=384)
    arguments = parser.parse_args(argv)
    source = Source("variants", arguments.rows, arguments.dim)
    server = PostgresServer()
    server.start()
    lines = [
        "| engine | build s | size MB | recall@10 | query p50 / p99 ms | add, then search ms |",
        "|---|---|---|---|---|---|",
    ]
    try:
        with tempfile.TemporaryDirectory() as folder:
            engine = sa.create_engine(server.database("bench"))
            made: dict[str, Callable[[], Index]] = {
                "layered Annoy": lambda: PromptIndex(
                    Path(folder) / "index", engine, arguments.dim, "bench", IndexOptions(background=False)
                ),
                "pgvector": lambda: PgVectorIndex(engine, arguments.dim, "bench"),
            }
            fill(made["layered Annoy"](), source)
            lines += [measured(name, open_index, source) for name, open_index in made.items()]
            engine.dispose()
    finally:
        server.close()
    print(f"{arguments.rows} × {arguments.dim}\n\n" + "\n".join(lines))
    return 0


def fill(index: Index, source: Source) -> None:
    """All of them public, each prompt once."""
    number = 0
    for block in source.blocks():
        for start in range(0, len(block), 2000):
            some = block[start : start + 2000]
            index.add_many([Record(f"r{number + i}", f"g {number + i}", row, "b", True) for i, row in enumerate(some)])
            number += len(some)


def measured(name: str, open_index: Callable[[], Index], source: Source) -> str:
    started = time.perf_counter()
    index = open_index()
    if isinstance(index, PromptIndex):
        index.rebuild()
    built = time.perf_counter() - started
    queries, seconds, found = source.queries(QUERIES), [], 0
    for query, best in zip(queries, source.truth(queries, K), strict=True):
        began = time.perf_counter()
        hits = index.search(query, K, None)
        seconds.append(time.perf_counter() - began)
        found += len(set(best.tolist()) & {int(hit.id[1:]) for hit in hits})
    fresh = []
    for i in range(20):
        began = time.perf_counter()
        index.add(f"{name} {i}", f"{name} {i}", queries[i], "somebody", False)
        assert index.search(queries[i], 1, "somebody")
        fresh.append(time.perf_counter() - began)
    p50, p99 = np.percentile(seconds, (50, 99)) * 1000
    size, recall = float(index.stats()["generation_bytes"] or 0) / 1e6, found / (K * len(queries))
    cells = [name, f"{built:.1f}", f"{size:.0f}", f"{recall:.3f}", f"{p50:.1f} / {p99:.1f}"]
    return f"| {' | '.join([*cells, f'{np.median(fresh) * 1000:.0f}'])} |"


if __name__ == "__main__":
    sys.exit(main())
