"""Delete for good: rows at once, then files, thumbnails and vectors, with a receipt that says when all is gone.

The rows' transaction also writes the files' keys to `trash` and erases the index records; so whatever happens next,
`sweep` finishes the work.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from demo.queue import jobs
from demo.store.database import Database
from demo.store.errors import ServiceError, is_busy
from demo.store.space import Reserve
from demo.store.storage import Storage
from demo.store.tables import (
    ENDED,
    AbuseReport,
    Code,
    Event,
    Generation,
    Idempotency,
    Image,
    Owner,
    Preview,
    Receipt,
    Token,
    Trash,
    WordUse,
    new_id,
    picture_prefix,
)
from demo.studio.closet_rows import forget_closet, forget_pictures
from demo.studio.generations import find, reindex
from demo.studio.publishing import own_images, retire_without
from demo.studio.searching import Searcher
from demo.studio.trash_state import follow_pictures
from demo.studio.views import Erased
from demo.studio.visibility import Viewer

logger = logging.getLogger(__name__)
RECEIPT_DAYS = 90


class Deletion:
    """Deletes generations, pictures and whole people; on a full disk too, with the room that `reserve` holds."""

    def __init__(self, database: Database, storage: Storage, searcher: Searcher, reserve: Reserve) -> None:
        self._database, self._storage, self._searcher, self._reserve = database, storage, searcher, reserve

    def generation(self, viewer: Viewer, generation_id: str) -> Erased:
        """Delete an own generation with its pictures; a job that has not ended is cancelled first."""
        return self._committed(
            lambda session: self._erase(session, [find(session, viewer, generation_id, own=True)], [])
        )

    def image(self, viewer: Viewer, image_id: str) -> Erased:
        """Delete one own picture; with its last picture a generation goes too."""
        return self.images(viewer, [image_id])

    def images(self, viewer: Viewer, image_ids: Sequence[str]) -> Erased:
        """Delete own pictures, all or none; with its last picture a generation goes too. Raises not_found."""
        return self.chosen(lambda session: own_images(session, viewer, image_ids))

    def chosen(self, choose: Callable[[Session], Sequence[Image]]) -> Erased:
        """Delete the pictures that `choose(session)` gives, with generations of which nothing would be left."""

        def erase(session: Session) -> Receipt:
            rows = choose(session)
            whole, single = _whole_generations(session, rows)
            changed = retire_without(session, {row.id for row in single})
            receipt = self._erase(session, whole, single)
            changed += follow_pictures(session, {row.generation_id for row in single if row.generation_id})
            reindex(self._searcher, session, *changed)
            return receipt

        return self._committed(erase)

    def owner(self, owner_id: str) -> Erased:
        """Forget a person: everything of theirs, tokens and codes included."""

        def erase(session: Session) -> Receipt:
            generations = list(session.scalars(select(Generation).where(Generation.owner_id == owner_id)))
            uploads = list(session.scalars(select(Image).where(Image.owner_id == owner_id, Image.kind == "upload")))
            receipt = self._erase(session, generations, uploads)
            forget_closet(session, owner_id)
            for table in (Token, Code, Idempotency):
                session.execute(delete(table).where(table.owner_id == owner_id))
            session.execute(delete(AbuseReport).where(AbuseReport.reporter == owner_id))
            session.execute(delete(Owner).where(or_(Owner.id == owner_id, Owner.moved_to == owner_id)))
            return receipt

        return self._committed(erase)

    def expire(self, before: float, spare: str = "starter") -> int:
        """Delete what was made before a moment, but what `spare` owns; returns how many rows went."""
        old = (Generation.created_at < before, Generation.owner_id != spare, Generation.status.in_(ENDED))
        with self._database.write() as session:
            rows = list(session.scalars(select(Generation).where(*old).limit(200)))
            uploads = select(Image).where(Image.created_at < before, Image.kind == "upload").limit(200)
            images = list(session.scalars(uploads))
            if rows or images:
                self._erase(session, rows, images)
        if rows or images:
            self.sweep()
        return len(rows) + len(images)

    def receipt(self, receipt_id: str) -> Erased:
        with self._database.read() as session:
            if session.get(Receipt, receipt_id) is None:
                raise ServiceError("not_found")
        return self._finished(receipt_id)

    def sweep(self) -> None:
        """Remove the files that are in the trash and see which vectors have left every index file."""
        with self._database.read() as session:
            keys = list(session.scalars(select(Trash.key)))
            unfinished = list(session.scalars(select(Receipt.id).where(Receipt.completed_at.is_(None))))
        self._remove(keys)
        for id in unfinished:
            try:
                self._complete(id)
            except Exception as error:
                if is_busy(error):  # so it is for the others
                    raise
                logger.warning("receipt %s stays unfinished: %s", id, error, exc_info=True)  # the others do not wait
        with self._database.write() as session:
            past = time.time() - RECEIPT_DAYS * 86400
            session.execute(delete(Receipt).where(Receipt.completed_at < past))
        self._database.checkpoint()

    def _committed(self, erase: Callable[[Session], Receipt]) -> Erased:
        """Commit an erasure, then do now what can be done now."""

        def commit() -> str:
            with self._database.write() as session:
                return erase(session).id

        return self._finished(self._reserve.run(commit))

    def _finished(self, receipt_id: str) -> Erased:
        """What is left after what can be done now. Whatever fails, the sweep does it: the rows are gone, so an error
        would let the client ask again, and be told that there is nothing.
        """
        try:
            return self._reserve.run(lambda: self._finish(receipt_id))
        except Exception as error:
            logger.warning("receipt %s is left to the next sweep: %s", receipt_id, error, exc_info=not is_busy(error))
            return self._seen(receipt_id)

    def _erase(self, session: Session, rows: Sequence[Generation], images: Sequence[Image]) -> Receipt:
        """Delete rows in the caller's transaction; files and vectors go to trash and receipt."""
        ids = [row.id for row in rows]
        locked = select(Generation).where(Generation.id.in_(ids)).order_by(Generation.id).with_for_update()
        rows = list(session.scalars(locked.execution_options(populate_existing=True)))  # no worker ends one meanwhile
        mine = list(session.scalars(select(Image).where(Image.generation_id.in_(ids)))) + list(images)
        receipt = Receipt(
            id=new_id(), created_at=time.time(), generations=len(rows), images=len(mine), vectors=[],
            children_kept=_children_kept(session, mine),
        )  # fmt: skip
        session.add(receipt)
        session.add_all(Trash(key=f"{picture_prefix(id)}*", receipt_id=receipt.id) for id in ids)
        for image in mine:
            session.add_all(Trash(key=file["key"], receipt_id=receipt.id) for file in image.files.values())
            session.delete(image)
        forget_pictures(session, [image.id for image in mine])
        # The counter of bytes before that of the index, as whoever ends a job takes them: in another order two of them
        # wait for each other on PostgreSQL, and one is given up.
        session.flush()
        vectors = []
        for row in rows:
            if row.status not in ENDED:
                jobs.end(session, row, "cancelled")
            elif row.status == "succeeded" and self._searcher.forget(row.index_id, session.connection()):
                vectors.append(row.index_id)
        receipt.vectors = vectors
        session.flush()
        for table in (Event, Preview, AbuseReport, Idempotency, WordUse):
            session.execute(delete(table).where(table.generation_id.in_(ids)))
        for row in rows:
            session.delete(row)
        return receipt

    def _finish(self, receipt_id: str) -> Erased:
        """Do now what can be done now, and say what is left."""
        with self._database.read() as session:
            keys = list(session.scalars(select(Trash.key).where(Trash.receipt_id == receipt_id)))
        self._remove(keys)
        self._complete(receipt_id)
        self._database.checkpoint()
        return self._seen(receipt_id)

    def _seen(self, receipt_id: str) -> Erased:
        with self._database.read() as session:
            left = session.scalar(select(func.count()).select_from(Trash).where(Trash.receipt_id == receipt_id))
            return Erased(session.get_one(Receipt, receipt_id), left or 0)

    def _remove(self, keys: Sequence[str]) -> None:
        """Remove files, then their trash rows; what fails stays in the trash for the next sweep."""
        gone = []
        for key in keys:
            try:
                if key.endswith("*"):
                    self._storage.remove_all_of(key[:-1])
                else:
                    self._storage.remove(key)
                gone.append(key)
            except OSError as error:
                logger.warning("cannot remove %s yet: %s", key, error)
        if gone:
            with self._database.write() as session:
                for start in range(0, len(gone), 500):
                    session.execute(delete(Trash).where(Trash.key.in_(gone[start : start + 500])))

    def _complete(self, receipt_id: str) -> None:
        with self._database.read() as session:
            row = session.get_one(Receipt, receipt_id)
        if row.completed_at is not None:
            return
        left = [id for id in row.vectors if not self._has_left(id)]
        with self._database.write() as session:
            row = session.get_one(Receipt, receipt_id)
            row.vectors = left
            files = session.scalar(select(func.count()).select_from(Trash).where(Trash.receipt_id == receipt_id))
            if not left and not files:
                row.completed_at = time.time()

    def _has_left(self, index_id: str) -> bool:
        """Whether no index file holds a vector any more."""
        try:
            return self._searcher.index.removed(index_id)
        except ServiceError:  # no encoder to open the index with: ask again later
            return False


def _whole_generations(session: Session, rows: Sequence[Image]) -> tuple[list[Generation], list[Image]]:
    """The generations all of whose pictures are among the rows, and the other rows."""
    going: dict[str, set[str]] = {}
    for row in rows:
        if row.generation_id:
            going.setdefault(row.generation_id, set()).add(row.id)
    count = select(Image.generation_id, func.count()).where(Image.generation_id.in_(going))
    counts = dict(session.execute(count.group_by(Image.generation_id)).all())
    whole = {id for id, ids in going.items() if counts[id] == len(ids)}
    return [session.get_one(Generation, id) for id in whole], [row for row in rows if row.generation_id not in whole]


def _children_kept(session: Session, going: Sequence[Image]) -> int:
    """How many pictures of the same people were made from those that go, and stay. What others made is not counted:
    it may be private.
    """
    ids, owners = [image.id for image in going], {image.owner_id for image in going}
    made: set[str] = set()
    for start in range(0, len(ids), 500):
        some = Image.parent_id.in_(ids[start : start + 500])
        made |= set(session.scalars(select(Image.id).where(some, Image.owner_id.in_(owners))))
    return len(made - set(ids))
