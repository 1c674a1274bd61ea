"""The rows that are the truth: people, generations, pictures, events, and what is still to be deleted.

Times are seconds since 1970 (UTC). Ids are 32 random hexadecimal digits. `migrations/` creates these tables; a test
compares the two.
"""

from __future__ import annotations

import secrets
from functools import partial
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

ENDED = ("succeeded", "failed", "cancelled")
Json = dict[str, Any]
JsonList = list[Any]
END_EVENTS = ("done", "failed", "cancelled")  # after one of these a generation has no further event


new_id = partial(secrets.token_hex, 16)


class Base(DeclarativeBase):
    type_annotation_map = {Json: JSON, JsonList: JSON, str: Text, bytes: LargeBinary}


class Owner(Base):
    """A person as the service knows one: a random id in a signed cookie, nothing else."""

    __tablename__ = "owners"
    id: Mapped[str] = mapped_column(primary_key=True)
    created_at: Mapped[float]
    served_at: Mapped[float] = mapped_column(default=0.0)  # when a job of theirs last began: the fair order
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
    seed: Mapped[int]
    spec: Mapped[Json] = mapped_column(server_default="{}")  # jobspec.Job.to_row()
    visibility: Mapped[str]
    hidden: Mapped[bool] = mapped_column(default=False)  # by the admin, after a report
    batch_key: Mapped[str]  # jobs with one key can be run in one batch
    vector: Mapped[bytes | None]  # (search_dim,) float32 of the prompt
    encoder_id: Mapped[str]
    index_id: Mapped[str] = mapped_column(unique=True)
    warnings: Mapped[JsonList]
    timings: Mapped[Json]
    progress: Mapped[Json | None]
    error: Mapped[Json | None]
    attempt: Mapped[int] = mapped_column(default=0)
    worker: Mapped[str | None]
    lease_until: Mapped[float | None]
    event_count: Mapped[int] = mapped_column(default=0)  # events written about it: the next one's number less one


class Image(Base):
    """A picture: drawn (position in its generation) or uploaded. Its files belong to it alone."""

    __tablename__ = "images"
    __table_args__ = (Index("images_owner_created", "owner_id", "created_at", "id"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    owner_id: Mapped[str] = mapped_column(ForeignKey("owners.id"))
    generation_id: Mapped[str | None] = mapped_column(ForeignKey("generations.id"), index=True)
    position: Mapped[int] = mapped_column(default=0)
    kind: Mapped[str]  # generation, upload
    created_at: Mapped[float]
    width: Mapped[int]
    height: Mapped[int]
    seed: Mapped[int | None]
    media_type: Mapped[str]
    recipe: Mapped[Json | None]
    source_type: Mapped[str | None]  # IPTC digital source type
    files: Mapped[Json]  # stage ("final", "base", "thumbnail") -> {"key", "bytes", "sha256"}
    bytes: Mapped[int]


class Event(Base):
    """What happened to a generation, in order; streams replay it."""

    __tablename__ = "events"
    __table_args__ = (Index("events_generation_seq", "generation_id", "seq"), {"sqlite_autoincrement": True})
    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)  # of everybody's: no client sees it
    generation_id: Mapped[str]
    number: Mapped[int]  # within its generation
    kind: Mapped[str]
    data: Mapped[Json]


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
    vectors: Mapped[JsonList]  # index ids not yet known to be gone from every index file
    completed_at: Mapped[float | None]


class Trash(Base):
    """A file whose row is gone and that is still to be removed."""

    __tablename__ = "trash"
    key: Mapped[str] = mapped_column(primary_key=True)
    receipt_id: Mapped[str | None] = mapped_column(index=True)


class Report(Base):
    """Somebody's remark that a public generation should not be there."""

    __tablename__ = "reports"
    id: Mapped[str] = mapped_column(primary_key=True)
    generation_id: Mapped[str] = mapped_column(index=True)
    reporter: Mapped[str]
    reason: Mapped[str]
    created_at: Mapped[float]


class WorkerRow(Base):
    """What a worker last said of itself."""

    __tablename__ = "workers"
    name: Mapped[str] = mapped_column(primary_key=True)
    incarnation: Mapped[str]
    state: Mapped[str]  # starting, ready, missing
    detail: Mapped[Json]  # {"code", "message"} when missing; checkpoint_id, defaults, styles when ready
    heartbeat: Mapped[float]


class Note(Base):
    """Small facts of the installation, by name."""

    __tablename__ = "notes"
    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[Json]
