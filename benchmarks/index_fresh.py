"""What a search pays for what was written since the file: processor time of the thread that asks."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.index_load import open_index
from benchmarks.index_vectors import BLOCK, Source
from index import Record

TURNS = 40
FRESH = 20_000  # rows of the memory segment that is searched in the end
Times = list[float]


def costs(folder: Path, source: Source) -> dict[str, Times]:
    """Return milliseconds of each act, and of the searches after it; the index in `folder` is written to."""
    index, serial = open_index(folder, source.dim), itertools.count()
    rows = (row for number in itertools.count(2) for row in source.block(-number))  # block -1 is for queries
    queries, leaving = itertools.cycle(source.queries(100)), iter(range(BLOCK, source.rows))

    def search() -> None:
        index.search(next(queries), 10)

    def add(count: int = 50) -> None:
        vectors = list(itertools.islice(rows, count))
        names = [f"fresh{next(serial)}" for _ in range(count)]
        index.add_many([Record(name, name, row, "w", True) for name, row in zip(names, vectors, strict=True)])

    def remove() -> None:
        index.remove_many([f"r{number}" for number in itertools.islice(leaving, 10)])

    for _ in range(100):
        search()
    found = {"a search": [timed(search) for _ in range(2 * TURNS)]}
    for act, name in ((add, "adding 50"), (remove, "removing 10")):
        turns = [(timed(act), timed(search)) for _ in range(TURNS)]
        found[name], found[f"the search after {name}"] = map(list, zip(*turns, strict=True))
    for _ in range(0, FRESH, 1_000):
        add(1_000)
    found[f"the search after adding {FRESH:,}"] = [timed(search)]
    found[f"a search over {index.stats()['fresh_rows']:,} fresh rows"] = [timed(search) for _ in range(2 * TURNS)]
    return found


def timed(act: Callable[[], None]) -> float:
    started = time.thread_time()
    act()
    return 1e3 * (time.thread_time() - started)
