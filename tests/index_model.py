"""What the index must answer, computed the slow and obvious way, and what its tests share."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from index import Hit, IndexOptions, PromptIndex, Record

DIM = 16
SMALL = IndexOptions(exact_below=50, background=False, own_process=False)


def database(folder: Path) -> sa.Engine:
    """Open (or make) the SQLite file of a test, the way the service does."""
    engine = sa.create_engine(f"sqlite:///{folder / 'truth.db'}")
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA journal_mode=WAL")
    return engine


def open_index(folder: Path, options: IndexOptions = SMALL, dim: int = DIM, encoder: str = "encoder") -> PromptIndex:
    return PromptIndex(folder / "index", database(folder), dim, encoder, options)


def clustered(n: int, dim: int = DIM, clusters: int = 40, spread: float = 0.5, seed: int = 0) -> np.ndarray:
    """Return (n, dim) float32 unit rows around a few centres."""
    generator = np.random.default_rng(seed)
    centres = generator.standard_normal((clusters, dim))
    centres /= np.linalg.norm(centres, axis=1, keepdims=True)
    noise = generator.standard_normal((n, dim)) * spread / np.sqrt(dim)
    rows = centres[generator.integers(0, clusters, n)] + noise
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def records(vectors: np.ndarray, owner: str = "a", public: bool = True, prefix: str = "r") -> list[Record]:
    """Return one record per row, each a group of its own."""
    return [Record(f"{prefix}{i}", f"group {prefix}{i}", row, owner, public) for i, row in enumerate(vectors)]


@dataclass
class Model:
    """Every live record in the order of its first addition; search looks at all of them."""

    live: dict[str, Record] = field(default_factory=dict)

    def add(self, record: Record) -> None:
        self.live[record.id] = record  # a known id keeps its place

    def search(self, vector: np.ndarray, k: int, viewer: str | None) -> list[Hit]:
        newest = {
            record.group: (place, record)
            for place, record in enumerate(self.live.values())
            if record.public or record.owner == viewer
        }
        query = unit(vector).astype(np.float64)
        scored = [
            (round(float(unit(record.vector).astype(np.float64) @ query), 6), place, record)
            for place, record in newest.values()
        ]
        scored.sort(key=lambda row: (-row[0], -row[1]))
        return [Hit(record.id, record.group, score) for score, _, record in scored[:k]]


def unit(vector: np.ndarray) -> np.ndarray:
    vector = np.asarray(vector, np.float64)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def assert_same(found: list[Hit], expected: list[Hit]) -> None:
    """Compare answers; scores may differ by one in the sixth decimal, and then order among them may."""
    assert len(found) == len(expected)
    np.testing.assert_allclose([hit.score for hit in found], [hit.score for hit in expected], atol=2e-6)
    if found != expected:
        last = expected[-1].score + 3e-6
        assert {hit.id for hit in found if hit.score > last} == {hit.id for hit in expected if hit.score > last}
        gaps = np.diff([hit.score for hit in expected])
        assert (np.abs(gaps) < 3e-6).any(), (found, expected)
