"""See, cancel and change generations."""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Iterable, Sequence
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, select, tuple_, update
from sqlalchemy.orm import Session, defer

from demo.queue import events, jobs
from demo.queue.places import Places
from demo.queue.relay import NoRelay, Relay
from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.tables import ENDED, AbuseReport, Event, Generation, Image, Preview, new_id
from demo.studio import prompts
from demo.studio.searching import Found, Searcher
from demo.studio.views import Family, Page, Reported, Shown, Similar
from demo.studio.visibility import (
    NOBODY,
    Viewer,
    image_visible_to,
    is_public,
    on_first_page,
    owned_by,
    shown_to,
    visible_to,
)
from hangul.normalize import clean
from jobspec import KINDS

Row = TypeVar("Row", Generation, Image)
MOST_PREVIEWS = 100
MOST_ANCESTORS = 20  # of one picture in an answer
MOST_CHILDREN = 100  # of one picture in an answer, the oldest first


class Generations:
    """What is there of generations, for whoever asks; safe from any thread."""

    def __init__(self, database: Database, searcher: Searcher, relay: Relay | None = None) -> None:
        self.database, self._searcher, self._relay = database, searcher, relay or NoRelay()
        self.places = Places(database)

    # Seeing

    def get(self, viewer: Viewer, generation_id: str, own: bool = False) -> Generation:
        """A generation that this person may see (with `own`: theirs). Raises ServiceError not_found."""
        with self.database.look() as session:
            return find(session, viewer, generation_id, own)

    def show(self, row: Generation, viewer: Viewer) -> Shown:
        images: Sequence[Image] = ()
        if row.status == "succeeded":  # before that there are none
            with self.database.look() as session:
                images = images_of(session, [row.id], viewer)[row.id]
        return Shown(row, images, viewer.owns(row.owner_id), self.position(row))

    def show_found(self, found: Sequence[Found], viewer: Viewer) -> list[Similar]:
        with self.database.look() as session:
            images = images_of(session, [one.generation.id for one in found], viewer)
        return [
            Similar(one.generation, images[one.generation.id], viewer.owns(one.generation.owner_id), one.score)
            for one in found
        ]

    def position(self, row: Generation) -> int | None:
        """The place in the queue, 0 = next."""
        return self.places.of(row.id) if row.status == "queued" else None

    def page(
        self, viewer: Viewer, cursor: str | None, limit: int, public: bool = False, liked_by: int = 0
    ) -> Page[Shown]:
        """Own generations, or everybody's public ones, newest first; `liked_by`: of these, what so many others like, or
        the admin approved.
        """
        query = select(Generation).where(visible_to(NOBODY) if public else owned_by(viewer))
        if liked_by:
            query = query.where(on_first_page(liked_by))
        with self.database.read() as session:
            rows, next_cursor = read_page(session, query, Generation, cursor, limit)
            images = images_of(session, [row.id for row in rows], viewer)
        shown = [Shown(row, images[row.id], viewer.owns(row.owner_id), self.position(row)) for row in rows]
        return Page(shown, next_cursor)

    def image(self, viewer: Viewer, image_id: str) -> tuple[Image, bool]:
        """A picture that this person may see, and whether everybody may. Raises ServiceError not_found."""
        with self.database.look() as session:
            query = select(Image, image_visible_to(NOBODY).label("for_all"))
            found = session.execute(query.where(Image.id == image_id, image_visible_to(viewer))).first()
        if found is None:
            raise ServiceError("not_found")
        return found[0], bool(found[1])

    def family(self, viewer: Viewer, row: Image) -> Family:
        """Parent and children of a picture that this person may see; both only if they may see these too."""
        with self.database.read() as session:
            seen = image_visible_to(viewer)
            children = session.scalars(
                select(Image).where(Image.parent_id == row.id, seen).order_by(Image.created_at, Image.position)
            )
            found = list(children.fetchmany(MOST_CHILDREN))
            ancestors: list[Image] = []
            states = [_parent_state(session, viewer, row)]
            while (above := states[-1][1]) is not None and len(ancestors) < MOST_ANCESTORS:
                ancestors.append(above)
                states.append(_parent_state(session, viewer, above))
            ids = {one.generation_id for one in (*found, *ancestors)}
            told = session.execute(select(Generation.id, Generation.prompt).where(Generation.id.in_(ids)))
            return Family(*states[0], found, ancestors, states[-1][0], {row.id: row.prompt for row in told})

    def sees_image(self, viewer: Viewer, image_id: str) -> bool:
        with self.database.look() as session:
            return session.scalar(select(Image.id).where(Image.id == image_id, image_visible_to(viewer))) is not None

    def events(self, generation_id: str, last: int) -> list[Event]:
        """What has happened to a generation after its event number `last`, in order."""
        with self.database.look() as session:
            return events.since(session, generation_id, last)

    def preview(self, viewer: Viewer, generation_id: str, place: int) -> bytes:
        self.get(viewer, generation_id, own=True)
        if place >= MOST_PREVIEWS:  # a number too long for the database, too
            raise ServiceError("not_found")
        if (relayed := self._relay.preview(generation_id, place)) is not None:
            return relayed
        with self.database.read() as session:
            row = session.get(Preview, (generation_id, place))
        if row is None:
            raise ServiceError("not_found")
        return row.data

    # Changing

    def cancel(self, viewer: Viewer, generation_id: str) -> Generation:
        """End an own job now; what is being drawn for it is thrown away. Raises not_found, already_finished."""
        with self.database.write() as session:
            row = find(session, viewer, generation_id, own=True, lock=True)
            if row.status in ENDED:
                raise ServiceError("already_finished")
            jobs.end(session, row, "cancelled")
            return row

    def set_visibility(self, viewer: Viewer, generation_id: str, visibility: str) -> Generation:
        """Show an own generation with all its pictures to everyone, or to oneself alone.

        Raises not_found, publishing_rejected.
        """
        with self.database.write() as session:
            row = find(session, viewer, generation_id, own=True, lock=True)
            if visibility == "public":
                check_publishing(row)
            row.visibility = visibility
            session.execute(update(Image).where(Image.generation_id == row.id).values(withheld=False))
            reindex(self._searcher, session, row)
            return row

    def report(self, viewer: Viewer, generation_id: str, reason: str) -> None:
        """Note that somebody finds a public generation out of place."""
        reason = clean(reason.encode("utf-8", "replace").decode())
        with self.database.write() as session:
            row = find(session, viewer, generation_id)
            if row.visibility != "public":
                raise ServiceError("not_found")
            mine = AbuseReport.reporter == (viewer.owner_id or "")
            known = select(AbuseReport.id).where(AbuseReport.generation_id == row.id, mine)
            if session.scalar(known.limit(1)) is not None:  # once is enough from anybody, known or not
                return
            session.add(AbuseReport(id=new_id(), generation_id=row.id, reporter=viewer.owner_id or "", reason=reason,
                               created_at=time.time()))  # fmt: skip

    def reports(self) -> list[Reported]:
        with self.database.read() as session:
            query = select(AbuseReport, Generation).join(Generation, Generation.id == AbuseReport.generation_id)
            return [Reported(*pair) for pair in session.execute(query.order_by(AbuseReport.created_at.desc()))]

    def approve(self, generation_id: str, approved: bool) -> None:
        """Let a public generation stand on everybody's first page, or no longer (admin)."""
        with self.database.write() as session:
            row = session.get(Generation, generation_id)
            if row is None or row.visibility != "public":
                raise ServiceError("not_found")
            row.approved = approved

    def hide(self, generation_id: str, hidden: bool) -> None:
        """Take a public generation out of everybody's sight but its owner's, or bring it back (admin)."""
        with self.database.write() as session:
            row = session.get(Generation, generation_id)
            if row is None:
                raise ServiceError("not_found")
            row.hidden = hidden
            reindex(self._searcher, session, row)


def reindex(searcher: Searcher, session: Session, *rows: Generation) -> None:
    """Tell the index, in the caller's transaction, whether everybody may find generations.

    Rows are written first: whoever has the index's counter waits for no row, so that no two wait for each other.
    """
    session.flush()
    for row in rows:
        if row.status == "succeeded":
            searcher.index.set_visibility(row.index_id, is_public(row), connection=session.connection())


def check_publishing(row: Generation) -> None:
    """Refuse to show strangers a generation whose texts have no place there. Raises publishing_rejected."""
    beside = KINDS[row.kind].OTHER_TEXTS if row.kind in KINDS else ()
    prompts.check_publishing(row.prompt, (str(row.spec.get(name, "")) for name in beside))


def _parent_state(session: Session, viewer: Viewer, row: Image) -> tuple[str, Image | None]:
    """Whether this person may see the parent of a picture, and the parent if so."""
    if row.parent_id is None:
        return "none", None
    parent = session.scalar(select(Image).where(Image.id == row.parent_id, image_visible_to(viewer)))
    if parent is not None:
        return "shown", parent
    if not viewer.owns(row.owner_id):
        return "hidden", None
    there = session.scalar(select(Image.id).where(Image.id == row.parent_id))
    return ("private" if there else "deleted"), None


def find(session: Session, viewer: Viewer, generation_id: str, own: bool = False, lock: bool = False) -> Generation:
    """The row if this person may see it (with `own`: if it is theirs). Raises ServiceError not_found, as if it did not
    exist. `lock`: as it is now, and nobody else changes or deletes it before the caller commits.
    """
    row = session.get(Generation, generation_id, with_for_update=lock or None, populate_existing=lock)
    if row is None or not visible_to(viewer, row) or (own and not viewer.owns(row.owner_id)):
        raise ServiceError("not_found")
    return row


def all_images(session: Session, image_ids: Sequence[str], condition: ColumnElement[bool]) -> list[Image]:
    """The pictures with these ids that meet a condition, in the order asked for.

    Raises ServiceError not_found where none is asked for, or one is not there or does not meet it.
    """
    found = {row.id: row for row in session.scalars(select(Image).where(Image.id.in_(image_ids), condition))}
    if not found or len(found) != len(set(image_ids)):
        raise ServiceError("not_found")
    return [found[id] for id in dict.fromkeys(image_ids)]


def images_of(session: Session, generation_ids: Iterable[str], viewer: Viewer) -> dict[str, list[Image]]:
    """The pictures of several generations that this person may see, whose pictures may be shown, in order, by
    generation; recipes, which are long, are left out.
    """
    ids = list(generation_ids)
    found: dict[str, list[Image]] = {id: [] for id in ids}
    query = select(Image).where(Image.generation_id.in_(ids), shown_to(viewer))
    query = query.order_by(Image.generation_id, Image.position)
    for row in session.scalars(query.options(defer(Image.recipe, raiseload=True))):
        found[str(row.generation_id)].append(row)
    return found


def read_page(
    session: Session, query: Select[Row], table: type[Row], cursor: str | None, limit: int
) -> tuple[list[Row], str | None]:
    """The rows of one page, newest first, and the cursor of the next. Raises ServiceError bad_cursor."""
    if cursor:
        query = query.where(tuple_(table.created_at, table.id) < read_cursor(cursor))
    query = query.order_by(table.created_at.desc(), table.id.desc()).limit(limit + 1)
    rows = list(session.scalars(query))
    return rows[:limit], write_cursor(rows[limit - 1]) if len(rows) > limit else None


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
