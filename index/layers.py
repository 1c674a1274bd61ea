"""One generation and the memory segments over it, searched as one, at one moment of the store.

Both are read scope by scope: what everyone may see, and what the viewer alone may see. A memory segment's word on a
group goes before the generation's. Of a group in both scopes the newer record stands for it. Scores are
computed anew in float64 for what is answered, so that they depend on nothing but the two vectors.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from index.generation import DiskSegment, IndexGeneration
from index.memory_segment import MemorySegment
from index.near import fetched
from index.records import PUBLIC, Hit, Leader
from index.store import RecordChange, Store

_DECIMALS = 6  # what float32 vectors can tell apart; of equal scores the newer record comes first
_SAME_SCORE = 4e-6  # float32 scores this close may be equal in truth
_BATCH, _GENTLE, _PAUSE = 2_000, 200, 1e-3  # changes taken in at once, and so that searches hardly wait; seconds
_EFFORTS = (1, 8)  # how much harder the graph is searched when most of what it found has changed since


class Layers:
    """Searches `generation` (None: nothing) and everything the store has committed since."""

    def __init__(self, store: Store, generation: IndexGeneration | None) -> None:
        self.generation = generation
        self.seq = generation.seq if generation else 0  # every change up to here is in
        self.fresh = 0  # rows in all memory segments
        self.removed: set[int] = set()  # numbers of removed records whose texts the generation may still hold
        self.erasing_since: float | None = None  # monotonic time of the first removal that the generation has not seen
        self._store = store
        self._segments: dict[str, MemorySegment] = {}
        self._no_segment = MemorySegment(store.dim)
        self._newest = generation.newest() if generation else 0  # no record that was seen has a higher number
        self._keys: dict[int, tuple[str, str]] = {}  # number → what it led last, for the memory segments' rows
        self._catching_up, self._moment = threading.Lock(), threading.Lock()

    def catch_up(self, sequence: int, gently: bool = False) -> None:
        """Take in every change of the store up to `sequence`; `gently` lets other threads work in between."""
        if sequence <= self.seq:
            return
        with self._catching_up:
            while self.seq < sequence:
                changes = self._store.changes(self.seq, limit=_GENTLE if gently else _BATCH)
                self._take_in(changes)
                self.seq = changes[-1].seq if changes else sequence
                if gently:
                    time.sleep(_PAUSE)

    def search(self, query: np.ndarray, k: int, viewer: str | None) -> list[Hit]:
        """Return the `k` best groups for a (dim,) unit query, or all there are for the viewer if fewer."""
        scopes = (PUBLIC,) if viewer is None else (PUBLIC, viewer)
        with self._moment:
            views = [self._view(scope) for scope in scopes]
        rivals = reversed(views) if len(views) == 2 else [None]
        found = [hit for view, rival in zip(views, rivals, strict=True) for hit in view.best(query, k, rival)]
        if not found:
            return []
        return exact_best(query, found, k)

    def sizes(self) -> dict[str, int]:
        """Return how many groups each scope shows."""
        sizes = Counter[str]()
        if (generation := self.generation) is not None:
            for scope, disk in generation.segments.items():
                sizes[scope] = len(disk.vectors) - generation.erased_in(scope)
        for scope in list(self._segments):
            view = self._view(scope)
            for group in set(view.memory.groups[: view.rows]):
                sizes[scope] += (view.leader(group) >= 0) - (view.in_generation(group) is not None)
        return {scope: size for scope, size in sizes.items() if size}

    def erase_texts(self) -> set[int]:
        """Overwrite the texts of removed records in this process's copy; return their numbers, for other copies."""
        with self._catching_up:
            numbers, self.removed = self.removed, set()
            if self.generation is not None:
                self.generation.erase(numbers)
        return numbers

    def _take_in(self, changes: list[RecordChange]) -> None:
        """Let newer records lead their groups; ask the store who leads those that lost their leader."""
        lost = {
            key
            for change in changes
            for key in self._left_by(change)
            if self._view(key[0]).leader(key[1]) == change.number
        }
        heirs = self._store.leaders(lost) if lost else {}
        self._newest = max([self._newest, *(heir.number for heir in heirs.values())])
        standing: dict[tuple[str, str], Leader | None] = dict.fromkeys(lost) | heirs
        for now in (change.now for change in changes if change.now):
            key = (now.scope, now.group)
            if key in lost:
                continue
            if now.number > self._newest:  # newer than whatever leads
                self._newest = now.number
            elif now.number < self._number(key, standing):
                continue
            standing[key] = now
        by_scope: dict[str, list[tuple[str, Leader | None]]] = {}
        for (scope, group), leader in standing.items():
            by_scope.setdefault(scope, []).append((group, leader))
            if leader:
                self._keys[leader.number] = (scope, group)
        with self._moment:
            for scope, some in by_scope.items():
                self._segment(scope).extend(some)
            self.fresh = sum(map(len, self._segments.values()))

    def _number(self, key: tuple[str, str], standing: dict[tuple[str, str], Leader | None]) -> int:
        """Return the number of the record that leads a key, -1 if none does; `standing` has the last word."""
        leader = standing.get(key)
        return leader.number if leader else self._view(key[0]).leader(key[1])

    def _left_by(self, change: RecordChange) -> list[tuple[str, str]]:
        """Return every (scope, group) that the changed record may have led here and leads no more."""
        if change.group is None and self.generation:
            self.removed.add(change.number)
            self.erasing_since = self.erasing_since or time.monotonic()
        if change.number > self._newest:  # no record of it was ever seen
            return []
        if change.group is not None:
            here = change.now.scope if change.now else None
            return [(scope, change.group) for scope in (PUBLIC, change.owner) if scope is not None and scope != here]
        keys = [self._keys[change.number]] if change.number in self._keys else []
        generation = self.generation
        return keys + ([generation.key(row) for row in generation.rows_of(change.number)] if generation else [])

    def _view(self, scope: str) -> _View:
        memory = self._segments.get(scope, self._no_segment)
        disk = self.generation.segments.get(scope) if self.generation else None
        return _View(scope, self.generation, disk, memory, len(memory))

    def _segment(self, scope: str) -> MemorySegment:
        if scope not in self._segments:
            self._segments[scope] = MemorySegment(self._store.dim)
        return self._segments[scope]


class Candidate(NamedTuple):
    """A record that may be answered. `vector` is (dim,), unit."""

    number: int
    id: str
    group: str
    vector: np.ndarray


def exact_best(query: np.ndarray, found: Sequence[Candidate], k: int) -> list[Hit]:
    """The `k` best of what was found by exact cosine (float64, six decimals); of equal ones the newer comes first."""
    exact = np.array([candidate.vector for candidate in found], np.float64) @ query.astype(np.float64)
    scores = [max(-1.0, min(score, 1.0)) for score in exact.round(_DECIMALS).tolist()]
    best = sorted(zip(scores, found, strict=True), key=lambda pair: (-pair[0], -pair[1].number))
    return [Hit(candidate.id, candidate.group, score) for score, candidate in best[:k]]


@dataclass(frozen=True, slots=True)
class _View:
    """One scope at one moment: its rows in the generation, and the first `rows` rows in memory."""

    scope: str
    generation: IndexGeneration | None
    disk: DiskSegment | None
    memory: MemorySegment
    rows: int

    def leader(self, group: str) -> int:
        """Return the number of the record that stands for `group` here, -1 if none does."""
        row = self.memory.latest(group, self.rows) if self.rows else None
        if row is not None:
            return self.memory.numbers[row]
        if self.generation is None or (row := self.in_generation(group)) is None:
            return -1
        return self.generation.number(row)

    def in_generation(self, group: str) -> int | None:
        return None if self.disk is None or self.generation is None else self.generation.find(self.scope, group)

    def best(self, query: np.ndarray, k: int, rival: _View | None) -> list[Candidate]:
        """Return at least the `k` best, if there are that many, leaving out groups that `rival` has newer."""
        found: list[Candidate] = []
        if self.disk is not None and self.generation is not None:
            found = self._from_generation(self.disk, self.generation, query, k, rival)
        least = float(found[k - 1].vector @ query) if len(found) >= k else None  # what the memory has to reach
        return found + (self._from_memory(query, k, rival, least) if self.rows else [])

    def _from_memory(self, query: np.ndarray, k: int, rival: _View | None, least: float | None) -> list[Candidate]:
        memory = self.memory

        def candidate(row: int) -> Candidate | None:
            id, group, number = memory.ids[row], memory.groups[row], memory.numbers[row]
            if id is None or memory.latest(group, self.rows) != row:
                return None
            if rival and rival.leader(group) > number:
                return None
            return Candidate(number, id, group, memory.vector(row))

        rows, scores = memory.scores(query, self.rows, least)
        return _walk(scores, k, lambda i: candidate(int(rows[i])))

    def _from_generation(
        self, disk: DiskSegment, generation: IndexGeneration, query: np.ndarray, k: int, rival: _View | None
    ) -> list[Candidate]:
        def candidate(row: int) -> Candidate | None:
            number, group = generation.number(disk.start + row), generation.group(disk.start + row)
            if self.rows and self.memory.latest(group, self.rows) is not None:
                return None
            if rival and rival.leader(group) > number:
                return None
            if (id := generation.id(disk.start + row)).startswith("\0"):  # was removed: nothing of it is left
                return None
            return Candidate(number, id, group, disk.vectors[row])

        for effort in _EFFORTS if disk.near else ():
            near = disk.near.nearest(query, effort * fetched(k), effort) if disk.near else None
            if near is None:
                break
            found = _walk(near[1], k, _at(near[0].tolist(), candidate))
            if len(found) >= k:
                return found
        return _walk(disk.vectors @ query, k, candidate)


def _at(rows: list[int], candidate: Callable[[int], Candidate | None]) -> Callable[[int], Candidate | None]:
    return lambda place: candidate(rows[place])


def _walk(scores: np.ndarray, k: int, candidate: Callable[[int], Candidate | None]) -> list[Candidate]:
    """Return the `k` best that `candidate` accepts, and whatever else scores the same as the last of them."""
    found: list[Candidate] = []
    last = -np.inf
    for row, score in _descending(scores, fetched(k)):
        if len(found) >= k and score < last - _SAME_SCORE:
            break
        accepted = candidate(row)
        if accepted is not None:
            found.append(accepted)
            last = score if len(found) <= k else last
    return found


def _descending(scores: np.ndarray, first: int) -> Iterator[tuple[int, float]]:
    """Yield rows and scores from the best down; sorting them all only if more than `first` are asked for."""
    if len(scores) <= first:
        order = np.argsort(-scores)
        yield from zip(order.tolist(), scores[order].tolist(), strict=True)
        return
    top = np.argpartition(scores, -first)[-first:]
    top = top[np.argsort(-scores[top])]
    yield from zip(top.tolist(), scores[top].tolist(), strict=True)
    seen = set(top.tolist())
    yield from ((row, float(scores[row])) for row in np.argsort(-scores).tolist() if row not in seen)
