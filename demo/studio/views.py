"""What the services answer: rows with what belongs to them, for whoever shows them. JSON is made in demo/web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

from demo.store.tables import AbuseReport, Collection, Generation, Image, Post, Receipt

T = TypeVar("T")


@dataclass(frozen=True)
class Shown:
    """A generation as one person sees it. `position`: its place in the queue, 0 = next; None when it does not wait."""

    generation: Generation
    images: Sequence[Image]
    mine: bool
    position: int | None = None


class PastPrompt(NamedTuple):
    """What a result shows of a generation."""

    id: str
    owner_id: str
    created_at: float
    status: str
    prompt: str
    prompt_key: str
    seed: int
    visibility: str
    hidden: bool
    index_id: str


@dataclass(frozen=True)
class Similar:
    """A past generation near to a prompt; `score`: 0-1, letters and meaning together."""

    generation: PastPrompt
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
    business), private (somebody else's) or deleted. `ancestors`: the parent, its parent and so on, as far as they can
    be seen; `line_state`: the same of the parent of the last of them. `prompts`: of all of them, by generation.
    """

    parent_state: str
    parent: Image | None
    children: Sequence[Image]
    ancestors: Sequence[Image] = ()
    line_state: str = "none"
    prompts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Posted:
    """A public picture with what its owner says of it; `post` is None where that is nothing."""

    image: Image
    generation: Generation
    post: Post | None
    mine: bool


@dataclass(frozen=True)
class Shelf:
    """A collection: how many of its pictures can be seen, and its cover, None where it is empty."""

    collection: Collection
    count: int
    cover: Image | None


@dataclass(frozen=True)
class Closet:
    """A person's collections in order, and how many pictures they like."""

    shelves: Sequence[Shelf]
    liked: int


class OnePicture(NamedTuple):
    """A picture of a list, with what the list says of it. An upload has an empty prompt and is private."""

    image: Image
    moment: float
    prompt: str
    visibility: str
    mine: bool
    liked: bool


@dataclass(frozen=True)
class Pictures(Page[OnePicture]):
    """Some pictures of a list; `total`: how many the whole list has, on its first page only."""

    total: int | None = None


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
