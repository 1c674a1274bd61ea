"""What the services answer: rows with what belongs to them, for whoever shows them. JSON is made in demo/web."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from demo.store.tables import AbuseReport, Generation, Image, Receipt

T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """A generation as one person sees it. `position`: its place in the queue, 0 = next; None when it does not wait."""

    generation: Generation
    images: Sequence[Image]
    mine: bool
    position: int | None = None


@dataclass(frozen=True)
class Similar:
    """A past generation near to a prompt; `score`: 0-1, letters and meaning together."""

    generation: Generation
    images: Sequence[Image]
    mine: bool
    score: float


@dataclass(frozen=True)
class Asked:
    """A generation that was asked for; `replayed`: an earlier request with the same key had made it."""

    shown: Shown
    similar: Sequence[Similar]
    replayed: bool = False


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some of a list, newest first; `next_cursor`: where it goes on, None at its end."""

    items: Sequence[T]
    next_cursor: str | None


@dataclass(frozen=True)
class Erased:
    """What a deletion has done so far."""

    receipt: Receipt
    files_left: int


@dataclass(frozen=True)
class Family:
    """What a picture was made from and what was made from it, as far as one may see it.

    `parent_state`: none, shown, hidden (to all but the picture's owner: private or deleted, which is nobody else's
    business), private (somebody else's) or deleted.
    """

    parent_state: str
    parent: Image | None
    children: Sequence[Image]


@dataclass(frozen=True)
class Reported:
    report: AbuseReport
    generation: Generation


@dataclass(frozen=True)
class Counts:
    """How much is kept of a person."""

    generations: int
    active: int
    images: int
    bytes: int


@dataclass(frozen=True)
class Missing:
    """Something that keeps the service from drawing: a code of the message table and its values."""

    code: str
    values: dict[str, object] = field(default_factory=dict)
