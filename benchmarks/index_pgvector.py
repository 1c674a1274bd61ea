"""The local layered index and pgvector beside each other and beside brute force: build, memory, recall@10, queries.

`python -m benchmarks.index_pgvector [--rows 20000] [--dim 384] [--memory 1GB]` starts a PostgreSQL of its own, which
may use so much memory for its pages, and as much for building a graph (3.7 kB a row). A line is printed as soon as its
engine is measured. Memory is the growth of this process and of PostgreSQL together (PSS).
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import psycopg
import sqlalchemy as sa

from benchmarks.index_vectors import Source
from index import IndexOptions, PromptIndex, Record
from index.pgvector_index import PgVectorIndex
from testing.cluster_servers import PostgresServer

QUERIES, K, FRESH = 200, 10, 20
LOOK_SECONDS = 0.5
Index = PromptIndex | PgVectorIndex


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.index_pgvector", description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--dim", type=int, default=384)
    parser.add_argument("--memory", default="1GB", help="of PostgreSQL, as it writes numbers (default %(default)s)")
    arguments = parser.parse_args(argv)
    source = Source("variants", arguments.rows, arguments.dim)
    server = PostgresServer()
    server.start()
    try:
        with tempfile.TemporaryDirectory() as folder:
            url = server.database("bench")
            give_memory(server, url, arguments.memory)
            engine = sa.create_engine(url)
            made: dict[str, Callable[[], Index]] = {
                "layered Annoy": lambda: PromptIndex(
                    Path(folder) / "index", engine, arguments.dim, "bench", IndexOptions(background=False)
                ),
                "pgvector": lambda: PgVectorIndex(engine, arguments.dim, "bench"),
            }
            began = time.perf_counter()
            fill(made["layered Annoy"](), source)
            stored = time.perf_counter() - began
            print(f"{arguments.rows} × {arguments.dim}, written to the store in {stored:.0f} s\n")
            compare(source, made)
            engine.dispose()
    finally:
        server.close()
    return 0


def give_memory(server: PostgresServer, url: str, memory: str) -> None:
    """Settings that need a restart."""
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for name in ("shared_buffers", "maintenance_work_mem"):
            connection.execute(f"ALTER SYSTEM SET {name} = '{memory}'".encode())
    server.restart()


def compare(source: Source, made: dict[str, Callable[[], Index]]) -> None:
    print("| engine | build s | memory MB building / asked | on disk MB | recall@10 | query p50 / p99 ms "
          "| add, then search ms |\n|---|---|---|---|---|---|---|")  # fmt: skip
    queries = source.queries(QUERIES)
    best = source.truth(queries, K)
    print(brute_force(source, queries), flush=True)
    for name, open_index in made.items():
        print(measured(name, open_index, queries, best), flush=True)


def fill(index: Index, source: Source) -> None:
    """All of them public, each prompt once."""
    number = 0
    for block in source.blocks():
        for start in range(0, len(block), 2000):
            some = block[start : start + 2000]
            index.add_many([Record(f"r{number + i}", f"g {number + i}", row, "b", True) for i, row in enumerate(some)])
            number += len(some)


def brute_force(source: Source, queries: np.ndarray) -> str:
    """Every row compared, all of them in memory."""
    rows, seconds = np.concatenate(list(source.blocks())), []
    for query in queries[:50]:
        began = time.perf_counter()
        scores = rows @ query
        np.argpartition(-scores, K)[:K]
        seconds.append(time.perf_counter() - began)
    p50, p99 = np.percentile(seconds, (50, 99)) * 1000
    return f"| brute force | 0 | 0 / {rows.nbytes / 1e6:.0f} | - | 1.000 | {p50:.1f} / {p99:.1f} | - |"


def measured(name: str, open_index: Callable[[], Index], queries: np.ndarray, best: np.ndarray) -> str:
    before, started = memory_of_all(), time.perf_counter()
    with Peak() as peak:
        index = open_index()
        if isinstance(index, PromptIndex):
            index.rebuild()
    built, seconds, found = time.perf_counter() - started, [], 0
    for query, nearest in zip(queries, best, strict=True):
        began = time.perf_counter()
        hits = index.search(query, K, None)
        seconds.append(time.perf_counter() - began)
        found += len(set(nearest.tolist()) & {int(hit.id[1:]) for hit in hits})
    asked = memory_of_all() - before
    fresh = []
    for i in range(FRESH):
        began = time.perf_counter()
        index.add(f"{name} {i}", f"{name} {i}", queries[i], "somebody", False)
        assert index.search(queries[i], 1, "somebody")
        fresh.append(time.perf_counter() - began)
    p50, p99 = np.percentile(seconds, (50, 99)) * 1000
    size, recall = float(index.stats()["generation_bytes"] or 0) / 1e6, found / (K * len(queries))
    index.close()
    cells = [name, f"{built:.1f}", f"{peak.bytes - before:.0f} / {asked:.0f}", f"{size:.0f}", f"{recall:.3f}",
             f"{p50:.1f} / {p99:.1f}", f"{np.median(fresh) * 1000:.0f}"]  # fmt: skip
    return f"| {' | '.join(cells)} |"


class Peak:
    """The most memory while it is entered."""

    def __enter__(self) -> Peak:
        self.bytes, self._over = memory_of_all(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.bytes = max(self.bytes, memory_of_all())


def memory_of_all() -> float:
    """MB of this process and of all that it started, what they share counted once."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(entry.name))
    waiting, total = [os.getpid()], 0
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        with contextlib.suppress(OSError, IndexError):
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            total += next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1000


if __name__ == "__main__":
    sys.exit(main())
