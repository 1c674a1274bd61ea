"""kill -9 at random moments of adding, removing and building loses nothing and brings nothing back."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from index_model import SMALL, clustered, open_index, unit

from index import IndexOptions, PromptIndex, Record
from index.tables import prompts

VECTORS = clustered(4_096)
CHILD = IndexOptions(exact_below=50, background=False, own_process=True)


def vector_of(id: str) -> np.ndarray:
    return VECTORS[int(id[1:]) % len(VECTORS)]


def work(folder: Path, options: IndexOptions, first: int, seed: int) -> None:
    """Add, remove and build until killed; a line is written before each act, and one after it."""
    index, chance = open_index(folder, options), random.Random(seed)
    log = os.open(folder / "log", os.O_WRONLY | os.O_APPEND)
    mine: list[str] = []

    def act(name: str, ids: list[str]) -> None:
        line = f"{name} {' '.join(ids)}\n"
        os.write(log, f"will {line}".encode())
        if name == "add":
            index.add_many([record_of(id) for id in ids])
        else:
            index.remove(ids[0])
        os.write(log, f"did {line}".encode())

    while True:
        step = chance.random()
        if step < 0.5 or not mine:
            ids = [f"r{first + len(mine) + i}" for i in range(chance.randrange(1, 20))]
            act("add", ids)
            mine += ids
            first += 1_000
        elif step < 0.85:
            act("remove", [mine.pop(chance.randrange(len(mine)))])
        elif step < 0.95:
            index.rebuild()
        else:
            index.search(vector_of(mine[0]), 10, "a")


def record_of(id: str) -> Record:
    return Record(id, f"group {id}", vector_of(id), "a", public=int(id[1:]) % 2 == 0)


def killed(folder: Path, options: IndexOptions, first: int, seed: int) -> None:
    """Run `work` in a child and kill it at a random moment of a random act, however slow the machine is."""
    chance, before = random.Random(seed), written(folder)
    child = os.fork()
    if child == 0:
        try:
            work(folder, options, first, seed)
        finally:
            os._exit(1)
    acts, end = chance.randrange(12), time.monotonic() + 60
    while written(folder) < before + acts and time.monotonic() < end:
        time.sleep(0.005)
    time.sleep(chance.uniform(0, 0.05))
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the child failed before it was killed"


def written(folder: Path) -> int:
    return (folder / "log").read_bytes().count(b"\n")


def acknowledged(folder: Path) -> tuple[set[str], set[str], set[str]]:
    """Return ids that must be found, that must not be, and that may be either (in the act that was killed)."""
    live: set[str] = set()
    gone: set[str] = set()
    unsure: set[str] = set()
    for line in (folder / "log").read_text().splitlines():
        when, name, *ids = line.split()
        if when == "will":
            unsure |= set(ids)
            continue
        unsure -= set(ids)
        (live if name == "add" else gone).update(ids)
    return live - gone - unsure, gone, unsure


def survives(folder: Path, rounds: range) -> None:
    (folder / "log").touch()
    for turn in rounds:
        killed(folder, CHILD if turn % 5 == 0 else SMALL, turn * 1_000_000, turn)
        check(open_index(folder), folder)


def check(index: PromptIndex, folder: Path) -> None:
    live, gone, unsure = acknowledged(folder)
    known = present(index)
    assert live <= known <= live | unsure
    for id in random.Random(0).sample(sorted(live), min(len(live), 15)):
        best = index.search(vector_of(id), 100, "a")
        assert id in {hit.id for hit in best if hit.score > 0.999} or len(best) == 100
    for id in sorted(gone)[-15:]:
        assert id not in {hit.id for hit in index.search(vector_of(id), 100, "a")}
    index.rebuild()
    assert index.verify() == []
    assert all(index.removed(id) for id in gone)
    assert len(index.search(unit(np.ones(16)), 1_000, "a")) == min(1_000, len(known))


def present(index: PromptIndex) -> set[str]:
    """Return the ids of all live records."""
    with index.store.engine.connect() as connection:
        return set(connection.execute(sa.select(prompts.c.id).where(prompts.c.scope.is_not(None))).scalars())


def test_kill_9_at_random_moments_loses_nothing(tmp_path: Path) -> None:
    survives(tmp_path, range(8))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_kill_9_at_two_hundred_random_moments(tmp_path: Path) -> None:
    for part in range(10):  # a fresh database now and then, so that the checks stay quick
        folder = tmp_path / str(part)
        folder.mkdir()
        survives(folder, range(100 + 20 * part, 120 + 20 * part))
