"""The trash (setting TRASH_DAYS, off by default): pictures that their owner put away and can still have back.

What lies in it is hidden from everyone at once, its owner included, but for the list here: the expressions of
demo/studio/visibility.py know it. After so many days, or at its owner's word, it is deleted for good.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, defer

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.store.tables import Image
from demo.studio.deletion import Deletion
from demo.studio.generations import all_images, reindex
from demo.studio.keyset import Key, after, read_place, write_place
from demo.studio.publishing import own_images, retire_without
from demo.studio.searching import Searcher
from demo.studio.trash_state import follow_pictures
from demo.studio.views import Erased, Page
from demo.studio.visibility import Viewer, in_trash_of


class TrashCan:
    """Puts pictures away and gives them back; safe from any thread."""

    def __init__(self, settings: Settings, database: Database, searcher: Searcher, deletion: Deletion) -> None:
        self._days, self._database, self._searcher = settings.trash_days, database, searcher
        self._deletion = deletion

    def put(self, viewer: Viewer, image_ids: Sequence[str]) -> int:
        """Put own pictures into the trash, all or none; returns how many. Raises ServiceError not_found, trash_off."""
        if not self._days:
            raise ServiceError("trash_off")
        with self._database.write() as session:
            rows = own_images(session, viewer, image_ids)
            for row in rows:
                row.trashed_at = time.time()
            changed = follow_pictures(session, _generations_of(rows))
            whole = {generation.id for generation in changed}
            changed += retire_without(session, {row.id for row in rows if row.generation_id not in whole})
            reindex(self._searcher, session, *changed)
        return len(rows)

    def restore(self, viewer: Viewer, image_ids: Sequence[str]) -> int:
        """Give pictures back, all or none; returns how many. Raises ServiceError not_found."""
        with self._database.write() as session:
            rows = _trashed(session, viewer, image_ids)
            for row in rows:
                row.trashed_at = None
            reindex(self._searcher, session, *follow_pictures(session, _generations_of(rows)))
        return len(rows)

    def page(self, viewer: Viewer, cursor: str | None, limit: int) -> Page[Image]:
        """What lies in a person's trash, what came last first. Raises ServiceError bad_cursor."""
        keys = [Key(Image.trashed_at.expression), Key(Image.id.expression, text=True)]
        query = select(Image).where(in_trash_of(viewer)).options(defer(Image.recipe, raiseload=True))
        if cursor:
            query = query.where(after(keys, read_place(cursor, keys)))
        with self._database.read() as session:
            rows = list(session.scalars(query.order_by(*(key.order for key in keys)).limit(limit + 1)))
        last = rows[limit - 1] if len(rows) > limit else None
        return Page(rows[:limit], None if last is None else write_place([last.trashed_at or 0.0, last.id]))

    def get(self, viewer: Viewer, image_id: str) -> Image:
        """A picture in a person's trash. Raises ServiceError not_found."""
        with self._database.read() as session:
            return _trashed(session, viewer, [image_id])[0]

    def delete(self, viewer: Viewer, image_ids: Sequence[str]) -> Erased:
        """Delete pictures that lie in the trash for good, all or none. Raises ServiceError not_found."""
        return self._deletion.chosen(lambda session: _trashed(session, viewer, image_ids))

    def expire(self) -> int:
        """Delete what has lain in the trash for too long; returns how many pictures."""
        before = time.time() - self._days * 86400
        with self._database.read() as session:
            old = list(session.scalars(select(Image.id).where(Image.trashed_at < before).limit(200)))
        if old:
            self._deletion.chosen(lambda session: list(session.scalars(select(Image).where(Image.id.in_(old)))))
        return len(old)


def _generations_of(rows: Iterable[Image]) -> set[str]:
    return {row.generation_id for row in rows if row.generation_id}


def _trashed(session: Session, viewer: Viewer, image_ids: Sequence[str]) -> list[Image]:
    return all_images(session, image_ids, in_trash_of(viewer))
