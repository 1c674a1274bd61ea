"""The rows that are the truth: people, generations, pictures, events, and what is still to be deleted.

Times are seconds since 1970 (UTC). Ids are 32 random hexadecimal digits. `migrations/` creates these tables; a test
compares the two.
"""

from __future__ import annotations

import hashlib
import secrets
from functools import partial
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Connection,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Text,
    event,
    false,
    update,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

ENDED = ("succeeded", "failed", "cancelled")
TURN, BYTES = "turn", "picture_bytes"  # names of counters
Count = BigInteger().with_variant(Integer, "sqlite")
END_EVENTS = ("done", "failed", "cancelled")  # after one of these a generation has no further event


new_id = partial(secrets.token_hex, 16)


def picture_prefix(generation_id: str) -> str:
    """What the ids of a generation's pictures begin with: its files are known by it where no row names them."""
    return hashlib.sha256(generation_id.encode()).hexdigest()[:16]


def new_picture_id(generation_id: str) -> str:
    return picture_prefix(generation_id) + secrets.token_hex(8)


class Base(DeclarativeBase):
    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON, str: Text, bytes: LargeBinary}


class Owner(Base):
    """A person as the service knows one: a random id in a signed cookie, nothing else."""

    __tablename__ = "owners"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    served_turn: Mapped[int] = mapped_column(Count, default=0)  # the turn in which a job of theirs last began
    member: Mapped[bool] = mapped_column(default=False)  # was let in by a code (ACCESS=token)
    moved_to: Mapped[str | None] = mapped_column(index=True)  # went over to this owner by a code: cookies follow


class Token(Base):
    """An API token of an owner; only its SHA-256 is kept."""

    __tablename__ = "tokens"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), index=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[float]


class Code(Base):
    """A code that makes another browser this owner, once; only its SHA-256 is kept."""

    __tablename__ = "codes"
    digest: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), index=True)
    expires_at: Mapped[float]
    used: Mapped[bool] = mapped_column(default=False)


class Generation(Base):
    """One job, and what became of it. `spec` is the job itself; the other columns of it are there to be asked for."""

    __tablename__ = "generations"
    __table_args__ = (
        Index("generations_owner_created", "owner_id", "created_at", "id"),
        Index("generations_status_created", "status", "created_at"),
        Index("generations_public_created", "visibility", "hidden", "status", "created_at", "id"),
    )
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    created_at: Mapped[float]
    started_at: Mapped[float | None]
    finished_at: Mapped[float | None]
    status: Mapped[str]  # queued, running, succeeded, failed, cancelled
    kind: Mapped[str] = mapped_column(server_default="draw")  # of jobspec.KINDS
    prompt: Mapped[str]  # the job's text
    prompt_key: Mapped[str]  # search key: prompts with one key are one result
    n: Mapped[int]
    seed: Mapped[int] = mapped_column(Count)
    spec: Mapped[dict[str, Any]] = mapped_column(server_default="{}")  # jobspec.Job.to_row()
    visibility: Mapped[str]
    hidden: Mapped[bool] = mapped_column(default=False)  # by the admin, after a report
    approved: Mapped[bool] = mapped_column(default=False, server_default=false())  # by the admin, for the first page
    trashed_at: Mapped[float | None]  # since when all of its pictures lie in the trash
    batch_key: Mapped[str]  # jobs with one key can be run in one batch
    vector: Mapped[bytes | None]  # (search_dim,) float32 of the prompt
    encoder_id: Mapped[str]
    index_id: Mapped[str] = mapped_column(unique=True)
    warnings: Mapped[list[Any]]
    timings: Mapped[dict[str, Any]]
    progress: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    attempt: Mapped[int] = mapped_column(default=0)
    weights: Mapped[str] = mapped_column(default="", server_default="")  # of which it is to be drawn; "": of any
    request_id: Mapped[str] = mapped_column(default="", server_default="")  # of the request that asked for it
    worker: Mapped[str | None]
    lease_until: Mapped[float | None]  # a mark that changes while its worker lives: see demo/queue/leases.py
    turn: Mapped[int] = mapped_column(Count, default=0)  # the turn in which it came: the order of waiting
    address: Mapped[str | None] = mapped_column(index=True)  # keyed hash of the client's address, until the job ends
    address_turn: Mapped[int] = mapped_column(Count, default=0)  # the turn in which a job of that address last began
    event_count: Mapped[int] = mapped_column(default=0)  # events written about it: the next one's number less one


class Image(Base):
    """A picture: drawn (position in its generation) or uploaded. Its files belong to it alone."""

    __tablename__ = "images"
    __table_args__ = (Index("images_owner_created", "owner_id", "created_at", "id"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    generation_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id"), index=True)
    parent_id: Mapped[str | None] = mapped_column(index=True)  # the picture it was made from, deleted or not
    position: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str]  # generation, upload
    created_at: Mapped[float]
    width: Mapped[int]
    height: Mapped[int]
    seed: Mapped[int | None] = mapped_column(Count)
    media_type: Mapped[str]
    recipe: Mapped[dict[str, Any] | None]
    source_type: Mapped[str | None]  # IPTC digital source type
    files: Mapped[dict[str, Any]]  # stage ("final", "base", "thumbnail") -> {"key", "bytes", "sha256"}
    bytes: Mapped[int] = mapped_column(Count)
    withheld: Mapped[bool] = mapped_column(default=False, server_default=false())  # of a public set: its owner's alone
    trashed_at: Mapped[float | None] = mapped_column(index=True)  # lies in its owner's trash since then
    likes: Mapped[int] = mapped_column(default=0, server_default="0")  # rows of `likes` that name it


class Like(Base):
    """Somebody likes a picture."""

    __tablename__ = "likes"
    __table_args__ = (Index("likes_owner_created", "owner_id", "created_at", "image_id"),)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), primary_key=True)
    image_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    created_at: Mapped[float]


class Collection(Base):
    """A named part of somebody's closet."""

    __tablename__ = "collections"
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), index=True)
    name: Mapped[str]
    created_at: Mapped[float]
    place: Mapped[float]  # among its owner's collections, the smallest first
    cover_id: Mapped[str | None] = mapped_column(index=True)  # a picture in it; None: the one that came last


class CollectionItem(Base):
    """A picture lies in a collection; it may lie in several."""

    __tablename__ = "collection_items"
    __table_args__ = (Index("collection_items_added", "collection_id", "added_at", "image_id"),)
    collection_id: Mapped[str] = mapped_column(ForeignKey("collections.id"), primary_key=True)
    image_id: Mapped[str] = mapped_column(primary_key=True, index=True)
    added_at: Mapped[float]


class Post(Base):
    """What its owner says of a public picture."""

    __tablename__ = "posts"
    image_id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"), index=True)
    caption: Mapped[str]
    author: Mapped[str]  # a name of their choice; empty: none is shown
    created_at: Mapped[float]


class WordUse(Base):
    """A word of the drawn domain that a generation's text has. One row with empty words: the text has been read."""

    __tablename__ = "word_uses"
    __table_args__ = (Index("word_uses_word", "field", "word", "generation_id"),)
    generation_id: Mapped[str] = mapped_column(primary_key=True)
    field: Mapped[str] = mapped_column(primary_key=True)
    word: Mapped[str] = mapped_column(primary_key=True)


class Event(Base):
    """What happened to a generation, in order; streams replay it."""

    __tablename__ = "events"
    __table_args__ = (Index("events_generation_seq", "generation_id", "seq"), {"sqlite_autoincrement": True})
    seq: Mapped[int] = mapped_column(Count, primary_key=True, autoincrement=True)  # of everybody's: no client sees it
    generation_id: Mapped[str]
    number: Mapped[int]  # within its generation
    kind: Mapped[str]
    data: Mapped[dict[str, Any]]


class Preview(Base):
    """The picture so far, small; gone when the job ends."""

    __tablename__ = "previews"
    generation_id: Mapped[str] = mapped_column(primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    data: Mapped[bytes]


class Idempotency(Base):
    """What an Idempotency-Key was used for."""

    __tablename__ = "idempotency"
    owner_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    body_digest: Mapped[str]
    generation_id: Mapped[str] = mapped_column(index=True)
    created_at: Mapped[float]


class Receipt(Base):
    """Proof of a deletion; knows nothing about whose."""

    __tablename__ = "receipts"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    generations: Mapped[int]
    images: Mapped[int]
    children_kept: Mapped[int] = mapped_column(default=0)  # pictures made from the deleted ones, which stay
    vectors: Mapped[list[Any]]  # index ids not yet known to be gone from every index file
    completed_at: Mapped[float | None]


class Trash(Base):
    """A file whose row is gone and that is still to be removed."""

    __tablename__ = "trash"
    key: Mapped[str] = mapped_column(primary_key=True)
    receipt_id: Mapped[str | None] = mapped_column(index=True)


class AbuseReport(Base):
    """Somebody's remark that a public generation should not be there."""

    __tablename__ = "reports"
    id: Mapped[str] = mapped_column(primary_key=True)
    generation_id: Mapped[str] = mapped_column(index=True)
    reporter: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[float]


class WorkerRow(Base):
    """What a worker process last said of itself; gone with the process."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(primary_key=True)  # machine, process id and a random part: demo/queue/identity.py
    state: Mapped[str]  # starting, ready, missing
    detail: Mapped[dict[str, Any]]  # {"code", "message"} when missing; checkpoint_id, defaults, domain when ready
    heartbeat: Mapped[float]


class StyleRow(Base):
    """A LoRA style that can be drawn with: as a worker last found it, or as `demo styles add` put it there."""

    __tablename__ = "styles"
    name: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    trigger: Mapped[str]
    example: Mapped[str]
    base: Mapped[str]


class StudioNote(Base):
    """Small facts of the installation, by name."""

    __tablename__ = "notes"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[dict[str, Any]]


class Counter(Base):
    """Whole numbers that change with other rows, in the same transaction."""

    __tablename__ = "counters"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[int] = mapped_column(Count, default=0)


class RateCount(Base):
    """How often somebody did something in a window of time, where several web processes count in the database."""

    __tablename__ = "rate_counts"
    key: Mapped[str] = mapped_column(primary_key=True)  # a keyed hash of what is counted, and for whom
    count: Mapped[int]
    ends: Mapped[float] = mapped_column(index=True)  # by the database's clock


_counters = Counter.__table__.c
_TAKE_TURN = (
    update(Counter.__table__)  # type: ignore[arg-type]  # declared as FromClause, it is a Table
    .where(_counters.name == TURN).values(value=_counters.value + 1).returning(_counters.value)
)  # fmt: skip


def next_turn(session: Session) -> int:
    """The next turn of the queue: a clock that no wall clock moves. Others who take one wait until this commits."""
    turn: int = session.connection().execute(_TAKE_TURN).scalar_one()
    return turn


def change_counter(connection: Connection, name: str, change: int) -> None:
    connection.execute(update(Counter).where(Counter.name == name).values(value=Counter.value + change))


@event.listens_for(Image, "after_insert")
def _count_more(_mapper: object, connection: Connection, image: Image) -> None:
    change_counter(connection, BYTES, image.bytes)


@event.listens_for(Image, "after_delete")
def _count_less(_mapper: object, connection: Connection, image: Image) -> None:
    change_counter(connection, BYTES, -image.bytes)
