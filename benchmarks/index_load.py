"""Queries from four threads while another process writes and a third rebuilds: p50, p99 and wrong answers."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from index import IndexOptions, PromptIndex, Record

DIM = 384
LONGEST = 60  # seconds of the rebuild that are looked at
QUIET = IndexOptions(background=False)


@dataclass
class Load:
    """What the four threads saw; a wrong answer lacks the query's own prompt or holds a removed one."""

    milliseconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # milliseconds of the thread's own work
    wrong: int = 0


def open_index(folder: Path, dim: int = DIM) -> PromptIndex:
    return PromptIndex(folder / "index", database(folder), dim, "benchmark", QUIET)


def database(folder: Path) -> sa.Engine:
    """Open SQLite the way the service does."""
    engine = sa.create_engine(f"sqlite:///{folder / 'truth.db'}")

    @sa.event.listens_for(engine, "connect")
    def _(connection, _record) -> None:  # noqa: ANN001 - SQLAlchemy's own types
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000")

    return engine


def query_from_threads(index: PromptIndex, rows: np.ndarray, first_live: int, until: Callable[[], bool]) -> Load:
    """Search stored vectors from 4 threads; rows before `first_live` may be removed and are not asked."""
    loads = [Load() for _ in range(4)]

    def search(load: Load, seed: int) -> None:
        chance = np.random.default_rng(seed)
        while not until():
            row = int(chance.integers(first_live, len(rows)))
            started, worked = time.perf_counter(), time.thread_time()
            hits = index.search(rows[row], 10)
            load.processor.append(1e3 * (time.thread_time() - worked))
            load.milliseconds.append(1e3 * (time.perf_counter() - started))
            load.wrong += all(hit.id != f"r{row}" for hit in hits)

    threads = [threading.Thread(target=search, args=(load, seed)) for seed, load in enumerate(loads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Load(
        sum((load.milliseconds for load in loads), []),
        sum((load.processor for load in loads), []),
        sum(load.wrong for load in loads),
    )


def under_load(folder: Path, rows: np.ndarray, removable: int) -> tuple[Load, Load, float, Load]:
    """Return the idle load, the busy one, the adds a second, and what it took to be found."""
    index = open_index(folder)
    index.search(rows[0], 10)
    end = time.monotonic() + 6
    idle = query_from_threads(index, rows, removable, lambda: time.monotonic() > end)
    context = multiprocessing.get_context("spawn")
    stop, written, found = context.Event(), context.Value("i", 0), Load()
    writer = context.Process(target=write, args=(folder, stop, written, removable))
    writer.start()
    while written.value == 0:
        time.sleep(0.05)
    builder = threading.Thread(target=index.rebuild)
    started, before = time.monotonic(), written.value
    builder.start()
    watcher = threading.Thread(target=watch, args=(index, rows, builder, found))
    watcher.start()
    busy = query_from_threads(
        index, rows, removable, lambda: not builder.is_alive() or time.monotonic() > started + LONGEST
    )
    rate = (written.value - before) / (time.monotonic() - started)
    stop.set()
    for each in (builder, watcher, writer):
        each.join()
    return idle, busy, rate, found


def write(folder: Path, stop: Event, written, removable: int) -> None:  # noqa: ANN001 - a shared integer
    """Twenty times a second: commit 50 additions, then 10 removals."""
    index, chance, turn = open_index(folder), np.random.default_rng(1), 0
    started = time.monotonic()
    while not stop.is_set():
        vectors = chance.standard_normal((50, DIM), np.float32)
        names = [f"w{turn}-{i}" for i in range(50)]
        index.add_many([Record(name, name, row, "w", True) for name, row in zip(names, vectors, strict=True)])
        with index.store.engine.begin() as connection:
            for i in range(10 * turn, min(10 * turn + 10, removable)):
                index.remove(f"r{i}", connection)
        written.value += 50
        turn += 1
        time.sleep(max(0.0, started + turn / 20 - time.monotonic()))


def watch(index: PromptIndex, rows: np.ndarray, builder: threading.Thread, found: Load) -> None:
    """While the builder runs: from a commit until a search has found what was committed."""
    turn = 0
    while builder.is_alive():
        vector = rows[turn % len(rows)] + np.float32(0.02) * rows[(turn + 1) % len(rows)]
        index.add(f"watched{turn}", f"watched{turn}", vector, "w", True)
        started, worked = time.perf_counter(), time.thread_time()
        hits = index.search(vector, 10)
        found.processor.append(1e3 * (time.thread_time() - worked))
        found.milliseconds.append(1e3 * (time.perf_counter() - started))
        found.wrong += f"watched{turn}" not in {hit.id for hit in hits}
        turn += 1
        time.sleep(0.05)
