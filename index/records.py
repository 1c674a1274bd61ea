"""What goes into the index and what comes out of it, checked where it enters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

PUBLIC = ""  # the scope of what everyone may see; every other scope is an owner's own
MAX_NAME = 512  # characters of an id, a group or an owner
MAX_K = 1_000


class UnknownId(ValueError):
    """The store has no live record of this id."""


class RefusedRecord(ValueError):
    """The record contradicts what the store already holds under its id."""


@dataclass(frozen=True)
class Record:
    """One prompt to be found: `vector` is (dim,), of any positive length; `group` names equal prompts."""

    id: str
    group: str
    vector: np.ndarray
    owner: str
    public: bool

    def __post_init__(self) -> None:
        for field in ("id", "group", "owner"):
            check_name(field, getattr(self, field))
        if not isinstance(self.public, bool | np.bool_):
            raise ValueError(f"public is {self.public!r}: it must be True or False")

    @property
    def scope(self) -> str:
        return PUBLIC if self.public else self.owner


@dataclass(frozen=True, slots=True)
class Hit:
    """One group found: the id of its newest record that the viewer may see, and that record's cosine."""

    id: str
    group: str
    score: float


class Leader(NamedTuple):
    """A record that can stand for its (scope, group): the newest of it does. `vector` is (dim,), unit."""

    number: int
    id: str
    group: str
    scope: str
    vector: np.ndarray


def check_name(field: str, value: str) -> str:
    """Return `value` if it can be stored and compared anywhere: non-empty text without NUL or surrogates."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise ValueError(f"{field} is {value!r}: it must be text of 1 to {MAX_NAME} characters")
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"{field} is {value!r}: NUL and lone surrogates cannot be stored")
    return value


def check_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int | np.integer) or not 1 <= k <= MAX_K:
        raise ValueError(f"k is {k!r}: it must be a whole number from 1 to {MAX_K}")
    return int(k)


def unit(vector: np.ndarray, dim: int) -> np.ndarray:
    """Return (dim,) float32 of length 1; raise ValueError for another shape, NaN, infinity or zero."""
    row: np.ndarray = unit_rows([vector], dim)[0]
    return row


def unit_rows(vectors: Sequence[np.ndarray], dim: int) -> np.ndarray:
    """Return (len(vectors), dim) float32 rows of length 1, or raise as `unit` does."""
    for vector in vectors:
        if np.shape(vector) != (dim,):
            raise ValueError(f"vector has shape {np.shape(vector)}, the index has dim {dim}: it must be ({dim},)")
    rows = np.array(vectors, dtype=np.float64).reshape(len(vectors), dim)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)  # (rows, 1)
    if not np.isfinite(lengths).all():
        raise ValueError("vector holds NaN or infinity: only finite numbers have a direction")
    if (lengths < 1e-12).any():
        raise ValueError("vector is zero: it has no direction to compare")
    return np.asarray(rows / lengths, dtype="<f4")
