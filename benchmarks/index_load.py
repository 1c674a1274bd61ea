"""Queries while another process writes and a third rebuilds: their times, and wrong answers."""

from __future__ import annotations

import itertools
import multiprocessing
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.index_vectors import BLOCK, Source
from index import IndexOptions, PromptIndex, Record

DIM = 384
LONGEST = 60  # seconds of the rebuild that are looked at
PACE = 25  # queries a second of each of the 4 threads: more would leave a core's rebuild nothing and time the queue
QUIET = IndexOptions(background=False)


@dataclass
class Load:
    """What was seen; a wrong answer lacks the query's own prompt, or holds one that was removed before."""

    milliseconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)  # milliseconds of the thread's own work
    wrong: int = 0


def open_index(folder: Path, dim: int = DIM, engine: str = "annoy") -> PromptIndex:
    return PromptIndex(folder / "index", database(folder), dim, "benchmark", replace(QUIET, engine=engine))


def database(folder: Path) -> sa.Engine:
    """Open SQLite the way the service does."""
    engine = sa.create_engine(f"sqlite:///{folder / 'truth.db'}")

    @sa.event.listens_for(engine, "connect")
    def _(connection, _record) -> None:  # noqa: ANN001 - SQLAlchemy's own types
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA busy_timeout=5000")

    return engine


@dataclass(frozen=True)
class Pace:
    """What the writer did: additions and removals a second, and its processor time for 50 and 10 of them."""

    adds: float
    removes: float
    milliseconds: float


def under_load(folder: Path, source: Source) -> tuple[Load, Load, Pace]:
    """Return what 4 threads saw when idle and under load, and what was written meanwhile."""
    index, rows = open_index(folder), np.concatenate([source.block(0), source.block(1)])
    index.search(rows[0], 10)
    end = time.monotonic() + 6
    idle = query_from_threads(index, rows, lambda: time.monotonic() > end, lambda: 0)
    with writing(folder, source, source.rows - BLOCK) as writer:
        builder = threading.Thread(target=index.rebuild)
        started, before = time.monotonic(), [value.value for value in writer]
        builder.start()
        busy = query_from_threads(
            index, rows, lambda: not builder.is_alive() or time.monotonic() > started + LONGEST, lambda: writer[1].value
        )
        seconds = time.monotonic() - started
        written, gone, worked = (now.value - then for now, then in zip(writer, before, strict=True))
    builder.join()
    return idle, busy, Pace(written / seconds, gone / seconds, 1e3 * worked / max(1, written / 50))


def query_from_threads(
    index: PromptIndex, rows: np.ndarray, until: Callable[[], bool], gone: Callable[[], int]
) -> Load:
    """Search stored vectors from 4 threads; the rows beyond BLOCK are being removed in their order, `gone()` so far."""
    loads = [Load() for _ in range(4)]

    def search(load: Load, seed: int) -> None:
        chance, turn, begun = np.random.default_rng(seed), 0, time.monotonic()
        while not until():
            turn += 1
            time.sleep(max(0.0, begun + turn / PACE - time.monotonic()))
            row, removed = int(chance.integers(0, len(rows))), BLOCK + gone()
            started, worked = time.perf_counter(), time.thread_time()
            hits = index.search(rows[row], 10)
            load.processor.append(1e3 * (time.thread_time() - worked))
            load.milliseconds.append(1e3 * (time.perf_counter() - started))
            found = {int(hit.id[1:]) for hit in hits if hit.id[0] == "r"}
            load.wrong += (row < BLOCK and row not in found) or any(BLOCK <= one < removed for one in found)

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


def while_rebuilding(folder: Path, source: Source) -> Load:
    """Return what it took to find a commit while another process writes at full pace and a third rebuilds.

    There are as many fresh rows in the beginning as make a rebuild due.
    """
    index, found, rows = open_index(folder), Load(), source.block(0)
    names = [f"due{i}" for i in range(index.options.exact_below)]
    due = source.block(-1_000, len(names))
    index.add_many([Record(name, name, row, "w", True) for name, row in zip(names, due, strict=True)])
    index.search(rows[0], 10)
    with writing(folder, source, 0):
        builder = threading.Thread(target=index.rebuild)
        builder.start()
        watch(index, rows, builder, found)
    builder.join()
    return found


@contextmanager
def writing(folder: Path, source: Source, removable: int) -> Iterator[tuple[Synchronized, Synchronized, Synchronized]]:
    """Write from another process; yield how many it has added and removed and its processor time, once it has begun."""
    context = multiprocessing.get_context("spawn")
    stop, written, gone, worked = context.Event(), *(context.Value(kind, 0) for kind in "iid")
    writer = context.Process(target=write, args=(folder, source, stop, written, gone, worked, removable))
    writer.start()
    while written.value == 0 and writer.is_alive():
        time.sleep(0.05)
    try:
        yield written, gone, worked
    finally:
        stop.set()
        writer.join()


def write(
    folder: Path,
    source: Source,
    stop: Event,
    written: Synchronized,
    gone: Synchronized,
    worked: Synchronized,
    removable: int,
) -> None:
    """Twenty times a second: commit 50 additions of the same kind, then 10 removals, as long as there are records."""
    index, turn, run = open_index(folder), 0, uuid.uuid4().hex[:8]
    rows = (row for number in itertools.count(2) for row in source.block(-number))  # block -1 is for queries
    started = time.monotonic()
    while not stop.is_set():
        vectors = list(itertools.islice(rows, 50))
        names = [f"w{run}-{turn}-{i}" for i in range(50)]
        begun = time.thread_time()
        index.add_many([Record(name, name, row, "w", True) for name, row in zip(names, vectors, strict=True)])
        written.value += 50
        leaving = [f"r{BLOCK + i}" for i in range(gone.value, min(gone.value + 10, removable))]
        index.remove_many(leaving)
        worked.value += time.thread_time() - begun
        gone.value += len(leaving)
        turn += 1
        time.sleep(max(0.0, started + turn / 20 - time.monotonic()))


def watch(index: PromptIndex, rows: np.ndarray, builder: threading.Thread, found: Load) -> None:
    """While the builder runs: from a commit until a search has found what was committed."""
    turn, end = 0, time.monotonic() + LONGEST
    while builder.is_alive() and time.monotonic() < end:
        vector = rows[turn % len(rows)] + np.float32(0.02) * rows[(turn + 1) % len(rows)]
        index.add(f"watched{turn}", f"watched{turn}", vector, "w", True)
        started, worked = time.perf_counter(), time.thread_time()
        hits = index.search(vector, 10)
        found.processor.append(1e3 * (time.thread_time() - worked))
        found.milliseconds.append(1e3 * (time.perf_counter() - started))
        found.wrong += f"watched{turn}" not in {hit.id for hit in hits}
        turn += 1
        time.sleep(0.05)
