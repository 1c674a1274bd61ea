"""What the parts of `benchmarks.index` share: an index built once, times of queries, recall, rows of the table."""

from __future__ import annotations

import json
import os
import resource
import shutil
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import numpy as np

from benchmarks.index_load import open_index
from benchmarks.index_vectors import Source
from index import Record

QUERIES = 500
BUILT = "built.json"  # beside each index: what its build took
Answer = TypeVar("Answer")
Times = list[float]


def built(folder: Path, source: Source) -> Path:
    """Return the folder of an index over all of the source, made on first use."""
    place = folder / f"{source.kind}-{source.dim}-{source.rows}"
    if not place.exists():
        place.mkdir()
        index, first = open_index(place, source.dim), 0
        for block in source.blocks():
            names = [f"r{first + i}" for i in range(len(block))]
            index.add_many([Record(name, name, vector, "a", True) for name, vector in zip(names, block, strict=True)])
            first += len(block)
        (place / BUILT).write_text(json.dumps(watched(index.rebuild)))
    return place


def copied(folder: Path, source: Source, name: str) -> Path:
    """Return a copy to be written to; it has reached the disk, so that writing it slows down nothing later."""
    place = folder / name
    shutil.copytree(built(folder, source), place)
    os.sync()
    return place


def watched(rebuild: Callable[[], None]) -> dict[str, float]:
    """Return the processor seconds of a rebuild's child process, and its largest memory that is no file, in MB."""
    before, largest = resource.getrusage(resource.RUSAGE_CHILDREN), 0
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(rebuild)
        while not building.done():
            for child in Path(f"/proc/{os.getpid()}/task").glob("*/children"):
                for process in read(child).split():
                    lines = read(Path(f"/proc/{process}/status")).splitlines()
                    largest = max([largest, *(int(line.split()[1]) for line in lines if line.startswith("RssAnon"))])
            time.sleep(0.1)
        building.result()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"processor": seconds, "anonymous": largest / 1024}


def read(path: Path) -> str:
    """Return a file of /proc, nothing if its process or thread has ended."""
    try:
        return path.read_text()
    except OSError:
        return ""


def recall(found: list[list[int]], truth: np.ndarray) -> float:
    hits = sum(len(set(ids) & set(expected)) for ids, expected in zip(found, truth.tolist(), strict=True))
    return hits / truth.size


def timed(ask: Callable[[np.ndarray], Answer], queries: Iterable[np.ndarray]) -> tuple[list[Answer], Times, Times]:
    """Return the answers, and the milliseconds of each: of the thread's own work, and of the wall clock."""
    answers, cpu, wall = [], [], []
    for query in queries:
        started, worked = time.perf_counter(), time.thread_time()
        answers.append(ask(query))
        cpu.append(1e3 * (time.thread_time() - worked))
        wall.append(1e3 * (time.perf_counter() - started))
    return answers, cpu, wall


def both(milliseconds: Times) -> str:
    return "{:.2f} / {:.2f} ms".format(*np.percentile(milliseconds, [50, 99]))


def row(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)
