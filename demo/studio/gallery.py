"""What a view calls: make, see, cancel and change generations, and find similar ones."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
import time
from dataclasses import dataclass

from sqlalchemy import select, tuple_
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from demo.queue import events, jobs
from demo.queue.places import Places
from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.storage import Storage
from demo.store.tables import ENDED, Generation, Idempotency, Image, Preview, Report, new_id
from demo.studio import present, prompts, words
from demo.studio.owners import Viewer, ensure_owner
from demo.studio.readiness import Readiness
from demo.studio.searching import Found, Searcher
from demo.web.schemas import NewGeneration
from fashion.meant import readings

SIMILAR = 8  # similar prompts in a 202


@dataclass(frozen=True)
class Made:
    """A generation that was asked for: its JSON, and whether an earlier request had made it."""

    body: dict
    replayed: bool


class Gallery:
    """The service over database, storage, searcher and settings; safe from any thread."""

    def __init__(
        self, settings: Settings, database: Database, storage: Storage, searcher: Searcher, readiness: Readiness
    ) -> None:
        self.settings, self.database, self.storage = settings, database, storage
        self.searcher, self.readiness = searcher, readiness
        self.places = Places(database)

    # Asking

    def make(self, viewer: Viewer, asked: NewGeneration, key: str | None) -> Made:
        """Take a request: similar prompts at once, and a row that will be drawn. Raises ServiceError."""
        digest = hashlib.sha256(asked.model_dump_json().encode()).hexdigest()
        if key and (row := self._used(viewer, key, digest)) is not None:
            return Made(self._accepted(row, viewer), True)
        self.readiness.require()
        row = self._new_row(viewer, asked)
        started = time.perf_counter()
        vector = self.searcher.vector(row.prompt)
        encoded = time.perf_counter()
        found = self.searcher.near(row.prompt, vector, SIMILAR, viewer.owner_id)
        row.vector, row.encoder_id = vector.tobytes(), self.searcher.require().encoder_id
        row.timings = {"encode": round(encoded - started, 4), "search": round(time.perf_counter() - encoded, 4)}
        try:
            with self.database.write() as session:
                self._enter(session, viewer, row, key, digest)
        except IntegrityError as error:  # the same key came twice at once, and the other was quicker
            if key and (other := self._used(viewer, key, digest)) is not None:
                return Made(self._accepted(other, viewer), True)
            raise ServiceError("database_busy") from error
        return Made(self._accepted(row, Viewer(row.owner_id, viewer.kind), found), False)

    def _used(self, viewer: Viewer, key: str, digest: str) -> Generation | None:
        with self.database.read() as session:
            used = session.get(Idempotency, (viewer.owner_id, key))
            if used is None:
                return None
            if used.body_digest != digest:
                raise ServiceError("idempotency_conflict")
            return session.get(Generation, used.generation_id)

    def _new_row(self, viewer: Viewer, asked: NewGeneration) -> Generation:
        prompt = prompts.accept(asked.prompt)
        style, style_words = self._style(asked.style)
        if asked.source_image is not None:
            self._source(viewer, asked.source_image)
        fields = asked.model_dump() | {
            "prompt": prompt,
            "negative_prompt": prompts.clean(asked.negative_prompt, "negative_prompt"),
            "seed": secrets.randbelow(2**32) if asked.seed is None else asked.seed,
            "strength": asked.strength if asked.source_image else None,
            "refine": asked.refine and self.readiness.refines(),
        }
        drawn = words.as_read(prompt, style_words)
        return Generation(
            **fields, id=new_id(), owner_id=viewer.owner_id, created_at=time.time(), status="queued",
            prompt_key=prompts.search_key(prompt), index_id=new_id(), attempt=0, hidden=False,
            shape=shape_of(fields, lora=None if style_words else style), warnings=self._warnings(asked, prompt, drawn),
        )  # fmt: skip

    def _enter(self, session: Session, viewer: Viewer, row: Generation, key: str | None, digest: str) -> None:
        jobs.admit(session, self.settings, viewer.owner_id)
        row.owner_id = ensure_owner(session, viewer.owner_id)
        if key:
            now = time.time()
            session.add(Idempotency(owner_id=row.owner_id, key=key, body_digest=digest, generation_id=row.id,
                                    created_at=now))  # fmt: skip
        session.add(row)
        session.flush()
        events.append(session, row.id, "queued")

    def _accepted(self, row: Generation, viewer: Viewer, found: list[Found] | None = None) -> dict:
        if found is None and row.vector:
            vector = self.searcher.vector(row.prompt)
            found = self.searcher.near(row.prompt, vector, SIMILAR, viewer.owner_id)
        return self.show(row, viewer) | {"similar": self.show_found(found or [], viewer)}

    def _style(self, name: str | None) -> tuple[str | None, object]:
        """A style's name, and its words if it is one of words."""
        if name is None:
            return None, None
        if name in (styles := words.prompt_styles()):
            return name, styles[name]
        worker = self.readiness.worker()
        if worker is None or name not in worker.detail.get("styles", ()):
            raise ServiceError("unknown_style", "style", style=name)
        return name, None

    def _source(self, viewer: Viewer, image_id: str) -> None:
        try:
            self.image(viewer, image_id)
        except ServiceError as error:
            raise ServiceError("unknown_source_image", "source_image") from error

    def _warnings(self, asked: NewGeneration, prompt: str, drawn: str) -> list[dict]:
        encoder = self.searcher.require()
        warnings: list[dict] = []
        if (tokens := encoder.count_tokens(drawn)) > encoder.max_tokens:
            warnings.append({"code": "prompt_cut", "values": {"tokens": tokens, "max_tokens": encoder.max_tokens}})
        if unknown := words.unknown_words(prompt):
            named = ", ".join(dict.fromkeys(word for word, _, _ in unknown[:8]))
            warnings.append({"code": "unknown_words", "values": {"words": named}})
        if otherwise := readings(prompt):
            warnings.append({"code": "read_as", "values": {"words": words.told(otherwise)}})
        if asked.style in words.prompt_styles() and asked.style_weight != 1.0:
            warnings.append({"code": "style_weight_unused", "values": {}})
        if asked.refine and "refine" in asked.model_fields_set and not self.readiness.refines():
            warnings.append({"code": "refiner_missing", "values": {}})
        return warnings

    # Seeing

    def get(self, viewer: Viewer, generation_id: str, own: bool = False) -> Generation:
        """A generation that this person may see (with `own`: theirs). Raises ServiceError not_found."""
        with self.database.read() as session:
            return visible(session.get(Generation, generation_id), viewer, own)

    def show(self, row: Generation, viewer: Viewer) -> dict:
        """A generation as JSON."""
        with self.database.read() as session:
            images = present.images_of(session, [row.id])[row.id]
        return present.generation(row, images, viewer, self.position(row))

    def show_found(self, found: list[Found], viewer: Viewer) -> list[dict]:
        with self.database.read() as session:
            images = present.images_of(session, [one.generation.id for one in found])
        return present.similar(found, images, viewer)

    def position(self, row: Generation) -> int | None:
        """The place in the queue, 0 = next."""
        return self.places.of(row.id) if row.status == "queued" else None

    def page(self, viewer: Viewer, cursor: str | None, limit: int, public: bool = False) -> dict:
        """Own generations, or everybody's public ones, newest first."""
        query = select(Generation).order_by(Generation.created_at.desc(), Generation.id.desc())
        if public:
            query = query.where(Generation.visibility == "public", ~Generation.hidden, Generation.status == "succeeded")
        else:
            query = query.where(Generation.owner_id == (viewer.owner_id or ""))
        if cursor:
            query = query.where(tuple_(Generation.created_at, Generation.id) < read_cursor(cursor))
        with self.database.read() as session:
            rows = list(session.scalars(query.limit(limit + 1)))
            images = present.images_of(session, [row.id for row in rows])
        items = [present.generation(row, images[row.id], viewer, self.position(row)) for row in rows[:limit]]
        return {"items": items, "next_cursor": write_cursor(rows[limit - 1]) if len(rows) > limit else None}

    def image(self, viewer: Viewer, image_id: str, own: bool = False) -> tuple[Image, Generation | None]:
        """A picture that this person may see, and its generation. Raises ServiceError not_found."""
        with self.database.read() as session:
            row = session.get(Image, image_id)
            if row is None:
                raise ServiceError("not_found")
            generation = session.get(Generation, row.generation_id) if row.generation_id else None
        if viewer.owns(row.owner_id):
            return row, generation
        if own or generation is None:
            raise ServiceError("not_found")
        visible(generation, viewer)
        return row, generation

    def preview(self, viewer: Viewer, generation_id: str, place: int) -> bytes:
        self.get(viewer, generation_id, own=True)
        with self.database.read() as session:
            row = session.get(Preview, (generation_id, place))
        if row is None:
            raise ServiceError("not_found")
        return row.data

    # Changing

    def cancel(self, viewer: Viewer, generation_id: str) -> Generation:
        """End an own job now; what is being drawn for it is thrown away. Raises not_found, already_finished."""
        with self.database.write() as session:
            row = visible(session.get(Generation, generation_id), viewer, own=True)
            if row.status in ENDED:
                raise ServiceError("already_finished")
            jobs.end(session, row, "cancelled")
            return row

    def set_visibility(self, viewer: Viewer, generation_id: str, visibility: str) -> Generation:
        with self.database.write() as session:
            row = visible(session.get(Generation, generation_id), viewer, own=True)
            row.visibility = visibility
            self._reindex(session, row)
            return row

    def report(self, viewer: Viewer, generation_id: str, reason: str) -> None:
        """Note that somebody finds a public generation out of place."""
        reason = prompts.normalize(reason.encode("utf-8", "replace").decode())
        with self.database.write() as session:
            row = visible(session.get(Generation, generation_id), viewer)
            if row.visibility != "public":
                raise ServiceError("not_found")
            session.add(Report(id=new_id(), generation_id=row.id, reporter=viewer.owner_id or "", reason=reason,
                               created_at=time.time()))  # fmt: skip

    def reports(self) -> list[dict]:
        with self.database.read() as session:
            query = select(Report, Generation).join(Generation, Generation.id == Report.generation_id)
            return [present.report(*pair) for pair in session.execute(query.order_by(Report.created_at.desc()))]

    def hide(self, generation_id: str, hidden: bool) -> None:
        """Take a public generation out of everybody's sight but its owner's, or bring it back (admin)."""
        with self.database.write() as session:
            row = session.get(Generation, generation_id)
            if row is None:
                raise ServiceError("not_found")
            row.hidden = hidden
            self._reindex(session, row)

    def _reindex(self, session: Session, row: Generation) -> None:
        if row.status == "succeeded":
            public = row.visibility == "public" and not row.hidden
            self.searcher.index.set_visibility(row.index_id, public, connection=session.connection())


def visible(row: Generation | None, viewer: Viewer, own: bool = False) -> Generation:
    """The row if this person may see it. Raises ServiceError not_found, as if it did not exist."""
    if row is not None and viewer.owns(row.owner_id):
        return row
    if row is None or own or row.visibility != "public" or row.hidden or row.status != "succeeded":
        raise ServiceError("not_found")
    return row


def shape_of(fields: dict, lora: str | None) -> str:
    """What jobs must share to be drawn in one batch."""
    names = ("steps", "guidance_scale", "refine", "refine_strength", "strength")
    weight = fields["style_weight"] if lora else None
    return repr((*(fields[name] for name in names), lora, weight, fields["source_image"] is not None))


def write_cursor(row: Generation | Image) -> str:
    return base64.urlsafe_b64encode(f"{row.created_at!r}|{row.id}".encode()).decode().rstrip("=")


def read_cursor(cursor: str) -> tuple[float, str]:
    """The place that a cursor names. Raises ServiceError bad_cursor."""
    try:
        created, _, id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition("|")
        if not id.isalnum() or not abs(float(created)) < 1e12:
            raise ValueError
        return float(created), id
    except (ValueError, binascii.Error) as error:
        raise ServiceError("bad_cursor", "cursor") from error
