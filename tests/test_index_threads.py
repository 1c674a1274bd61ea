"""Adding, removing, building and searching at once: every answer is one that some moment of the search allows."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import numpy as np
from index_model import clustered, open_index, records

from index import IndexOptions, PromptIndex

VECTORS = clustered(4_000, clusters=500, spread=0.6)


def test_no_answer_is_wrong_while_everything_happens_at_once(tmp_path: Path) -> None:
    index = open_index(tmp_path, IndexOptions(exact_below=300, background=False))
    index.add_many(records(VECTORS[:2_000]))
    index.rebuild()
    committed, removing, wrong = Progress(2_000), set(), []
    stop = threading.Event()

    def search(seed: int) -> None:
        chance = np.random.default_rng(seed)
        while not stop.is_set():
            there, gone = committed.count, committed.removed
            row = int(chance.integers(0, there))
            hits = {hit.id for hit in index.search(VECTORS[row], 10)}
            if f"r{row}" not in hits and f"r{row}" not in removing:  # read after the search
                wrong.append(f"r{row} was committed and not found")
            if hits & gone:
                wrong.append(f"{hits & gone} was removed and found")

    threads = [threading.Thread(target=search, args=(seed,)) for seed in range(4)]
    threads.append(threading.Thread(target=index.rebuild))
    for thread in threads:
        thread.start()
    write(index, committed, removing)
    threads[-1].join()
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert index.verify() == []
    assert index.stats()["groups"] == 4_000 - len(removing)


class Progress:
    def __init__(self, count: int) -> None:
        self.count, self.removed = count, frozenset()


def write(index: PromptIndex, committed: Progress, removing: set[str]) -> None:
    """Commit fifty at a time, and take ten old ones away after each."""
    for start in range(2_000, 4_000, 50):
        index.add_many(records(VECTORS[: start + 50])[start:])
        committed.count = start + 50
        for i in range(10):
            id = f"r{(start - 2_000) // 5 + i}"
            removing.add(id)
            index.remove(id)
            committed.removed |= {id}
        time.sleep(0.01)


def test_a_commit_is_found_by_all_threads_at_once(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:100]))
    index.search(VECTORS[0], 1)
    barrier, found = threading.Barrier(4), []

    def search() -> None:
        for turn in range(20):
            if barrier.wait() == 0:
                index.add(f"new{turn}", f"new{turn}", VECTORS[200 + turn], "a", True)
            barrier.wait()
            found.append(index.search(VECTORS[200 + turn], 1)[0].id == f"new{turn}")

    threads = [threading.Thread(target=search) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80
