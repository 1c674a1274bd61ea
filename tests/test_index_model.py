"""Any sequence of adding, removing, searching, building, reopening and crashing gives the model's answer."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from index_model import Model, assert_same, clustered, database, records

from index import IndexOptions, PromptIndex, Record
from index.folder import IndexFolder

OWNERS, GROUPS = ("a", "b", "c"), ("가", "나", "다", "라", "마")
VIEWERS = st.sampled_from((*OWNERS, "stranger", None))
FEW = np.vstack([np.eye(4), -np.eye(4), np.ones((1, 4)), [[1, 2, 0, 0], [0, 0, 1, -1], [3, -1, 2, 5]]])


class Exact(RuleBasedStateMachine):
    """Few groups, few directions: ties, duplicates and moves between scopes at every step."""

    dim, vectors = 4, FEW
    options = IndexOptions(exact_below=3, fresh_share=0, background=False, own_process=False, erase_within=0)

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="index-"))
        self.model, self.removed, self.count = Model(), [], 0
        self.engine = database(self.folder)
        self.reopen()

    def teardown(self) -> None:
        self.engine.dispose()
        shutil.rmtree(self.folder)

    @rule()
    def reopen(self) -> None:
        """As after any crash: whatever was only in memory is gone."""
        self.index = PromptIndex(self.folder / "index", self.engine, self.dim, "encoder", self.options)

    @rule(n=st.integers(1, 6), data=st.data())
    def add(self, n: int, data: st.DataObject) -> None:
        batch = [self.draw(data) for _ in range(n)]
        self.index.add_many(batch)
        for record in batch:
            self.model.add(record)

    @precondition(lambda self: self.model.live)
    @rule(data=st.data())
    def add_again(self, data: st.DataObject) -> None:
        old, vector = self.pick(data), self.vectors[data.draw(st.integers(0, len(self.vectors) - 1))]
        record = Record(old.id, old.group, vector, old.owner, data.draw(st.booleans()))
        self.index.add_many([record])
        self.model.add(record)

    @precondition(lambda self: self.model.live)
    @rule(data=st.data(), public=st.booleans())
    def show_or_hide(self, data: st.DataObject, public: bool) -> None:
        old = self.pick(data)
        self.index.set_visibility(old.id, public)
        self.model.add(Record(old.id, old.group, old.vector, old.owner, public))

    @precondition(lambda self: self.model.live)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id = self.pick(data).id
        self.index.remove(id)
        del self.model.live[id]
        self.removed.append(id)

    @rule(data=st.data(), k=st.integers(1, 12), viewer=VIEWERS)
    def search(self, data: st.DataObject, k: int, viewer: str | None) -> None:
        query = self.vectors[data.draw(st.integers(0, len(self.vectors) - 1))]
        self.compare(query, k, viewer)

    @rule()
    def rebuild(self) -> None:
        self.index.rebuild()
        assert all(self.index.removed(id) for id in self.removed)

    @rule()
    def tend(self) -> None:
        self.index.tend()

    @rule()
    def crash_while_building(self) -> None:
        """A generation was half written, and nobody is there to finish it."""
        half = IndexFolder(self.folder / "index").new_generation(self.index.store.sequence())
        (half / "flat.f32").write_bytes(b"half")
        self.reopen()

    @rule()
    def lose_the_folder(self) -> None:
        shutil.rmtree(self.folder / "index", ignore_errors=True)

    @invariant()
    def nothing_is_wrong(self) -> None:
        if hasattr(self, "index"):
            self.check_all()

    def check_all(self) -> None:
        for viewer in ("a", "stranger"):
            self.compare(np.ones(4), 12, viewer)

    def compare(self, query: np.ndarray, k: int, viewer: str | None) -> None:
        assert_same(self.index.search(query, k, viewer), self.model.search(query, k, viewer))

    def pick(self, data: st.DataObject) -> Record:
        return self.model.live[data.draw(st.sampled_from(sorted(self.model.live)))]

    def draw(self, data: st.DataObject) -> Record:
        self.count += 1
        vector = self.vectors[data.draw(st.integers(0, len(self.vectors) - 1))]
        owner, group = data.draw(st.sampled_from(OWNERS)), data.draw(st.sampled_from(GROUPS))
        return Record(f"r{self.count}", group, vector, owner, data.draw(st.booleans()))


class Approximate(Exact):
    """A file large enough that Annoy answers: the score of each place is the model's, for 95 % of them."""

    dim, vectors = 16, clustered(3_000, clusters=300, spread=0.6)
    options = IndexOptions(exact_below=500, recall=0.97, background=False, own_process=False, erase_within=0)

    @initialize()
    def start(self) -> None:
        self.found = self.expected = 0
        super().start()
        batch = records(self.vectors, owner="b", prefix="old ")
        self.index.add_many(batch)
        for record in batch:
            self.model.add(record)
        self.index.rebuild()
        (segment,) = self.index._current_layers().generation.segments.values()
        assert segment.near.search_k > 0, "the graph must be what is tested here"

    def check_all(self) -> None:
        """Comparing thousands after every step would only test the model."""

    def compare(self, query: np.ndarray, k: int, viewer: str | None) -> None:
        found, expected = self.index.search(query, k, viewer), self.model.search(query, k, viewer)
        assert len(found) == len(expected)
        scores = {hit.id: hit.score for hit in self.model.search(query, len(self.model.live), viewer)}
        assert all(abs(hit.score - scores[hit.id]) < 2e-6 for hit in found), "a wrong score, or one not to be seen"
        assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)
        self.found += len({hit.id for hit in found} & {hit.id for hit in expected})
        self.expected += len(expected)

    def teardown(self) -> None:
        for query in self.vectors[::75]:  # 40 more: recall is a mean, and two hard queries are always found
            self.compare(query, 10, None)
        super().teardown()
        assert self.found >= 0.95 * self.expected


class ApproximateHnswlib(Approximate):
    """The same by the other engine."""

    options = replace(Approximate.options, engine="hnswlib")


TestExact = Exact.TestCase
TestExact.settings = settings(
    max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
TestApproximate, TestApproximateHnswlib = Approximate.TestCase, ApproximateHnswlib.TestCase
TestApproximate.settings = TestApproximateHnswlib.settings = settings(
    max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
