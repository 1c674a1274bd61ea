"""A person's closet: pictures that they like, and collections of pictures with a name, a cover and an order.

Any picture that one may see can be liked and collected. A picture that its owner takes back is no longer shown in
other people's closets; it comes back if it is published again.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from sqlalchemy import delete, func, select, update
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.tables import Collection, CollectionItem, Image, Like, new_id
from demo.studio import prompts
from demo.studio.generations import all_images
from demo.studio.views import Closet, Shelf
from demo.studio.visibility import Viewer, all_of, ensure_owner, image_visible_to

MOST_COLLECTIONS = 200  # of one person
MOST_ITEMS = 20_000  # of one collection


class Closets:
    """Likes and collections; safe from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def like(self, viewer: Viewer, image_id: str, liked: bool) -> int:
        """Like a picture that one may see, or no longer; returns how many people like it. Raises not_found."""
        with self._database.write() as session:
            row = seen_images(session, viewer, [image_id])[0]
            owner_id = ensure_owner(session, viewer.known_id)
            there = session.get(Like, (owner_id, image_id))
            if liked and there is None:
                session.add(Like(owner_id=owner_id, image_id=image_id, created_at=time.time()))
                row.likes += 1
            elif not liked and there is not None:
                session.delete(there)
                row.likes -= 1
            return row.likes

    def liked(self, viewer: Viewer, image_ids: Sequence[str]) -> set[str]:
        """Which of some pictures this person likes."""
        with self._database.look() as session:
            mine = all_of(viewer, Like)
            return set(session.scalars(select(Like.image_id).where(mine, Like.image_id.in_(image_ids))))

    def show(self, viewer: Viewer) -> Closet:
        """This person's collections in their order, each with its cover and how many of its pictures can be seen."""
        with self._database.read() as session:
            query = select(Collection).where(all_of(viewer, Collection)).order_by(Collection.place)
            shelves = [_shelf(session, viewer, row) for row in session.scalars(query)]
            seen = select(func.count()).select_from(Like).join(Image, Image.id == Like.image_id)
            mine = all_of(viewer, Like)
            return Closet(shelves, session.scalar(seen.where(mine, image_visible_to(viewer))) or 0)

    def holding(self, viewer: Viewer, image_id: str) -> list[str]:
        """The ids of this person's collections that a picture lies in."""
        with self._database.look() as session:
            query = select(Collection.id).join(CollectionItem, CollectionItem.collection_id == Collection.id)
            mine = all_of(viewer, Collection)
            return list(session.scalars(query.where(mine, CollectionItem.image_id == image_id)))

    def make(self, viewer: Viewer, name: str) -> Shelf:
        """A new collection, the last in order. Raises ServiceError closet_full, invalid_request."""
        named = _name(name)
        with self._database.write() as session:
            owner_id = ensure_owner(session, viewer.known_id)
            theirs = select(func.count(), func.max(Collection.place)).where(Collection.owner_id == owner_id)
            count, last = session.execute(theirs).one()
            if count >= MOST_COLLECTIONS:
                raise ServiceError("closet_full", limit=MOST_COLLECTIONS)
            row = Collection(
                id=new_id(), owner_id=owner_id, name=named, created_at=time.time(), place=(last or 0.0) + 1.0
            )
            session.add(row)
        return Shelf(row, 0, None)

    def change(
        self, viewer: Viewer, collection_id: str, name: str | None, cover: str | None, place: int | None
    ) -> Shelf:
        """Rename a collection, choose its cover among its pictures, or move it to a place (0 = first); None leaves
        what is. Raises ServiceError not_found, invalid_request.
        """
        with self._database.write() as session:
            row = _own(session, viewer, collection_id)
            if name is not None:
                row.name = _name(name)
            if cover is not None:
                if session.get(CollectionItem, (row.id, cover)) is None:
                    raise ServiceError("not_found", "cover")
                row.cover_id = cover
            if place is not None:
                _move(session, row, place)
            session.flush()
            return _shelf(session, viewer, row)

    def drop(self, viewer: Viewer, collection_id: str) -> None:
        """Delete a collection; its pictures stay where they are. Raises ServiceError not_found."""
        with self._database.write() as session:
            row = _own(session, viewer, collection_id)
            session.execute(delete(CollectionItem).where(CollectionItem.collection_id == row.id))
            session.delete(row)

    def put_in(self, viewer: Viewer, collection_id: str, image_ids: Sequence[str], source: str | None) -> int:
        """Put pictures that one may see into a collection, and out of another (`source`); returns how many are new in
        it. Raises ServiceError not_found, closet_full.
        """
        with self._database.write() as session:
            row = _own(session, viewer, collection_id)
            held = CollectionItem.collection_id == row.id
            ids = [image.id for image in seen_images(session, viewer, image_ids)]
            there = set(session.scalars(select(CollectionItem.image_id).where(held, CollectionItem.image_id.in_(ids))))
            count = session.scalar(select(func.count()).where(held)) or 0
            if count + len(ids) - len(there) > MOST_ITEMS:
                raise ServiceError("closet_full", limit=MOST_ITEMS)
            now = time.time()
            new = [id for id in ids if id not in there]
            session.add_all(
                CollectionItem(collection_id=row.id, image_id=id, added_at=now - i * 1e-5) for i, id in enumerate(new)
            )
            if source is not None and source != collection_id:
                _take_out(session, _own(session, viewer, source), ids)
            return len(new)

    def take_out(self, viewer: Viewer, collection_id: str, image_ids: Sequence[str]) -> int:
        """Take pictures out of a collection; returns how many lay in it. Raises ServiceError not_found."""
        with self._database.write() as session:
            return _take_out(session, _own(session, viewer, collection_id), image_ids)


def _name(text: str) -> str:
    name = prompts.clean(text, "name").strip()
    if not name:
        raise ServiceError("invalid_request", "name", reason="name_empty")
    return name


def _own(session: Session, viewer: Viewer, collection_id: str) -> Collection:
    row = session.get(Collection, collection_id)
    if row is None or not viewer.owns(row.owner_id):
        raise ServiceError("not_found")
    return row


def seen_images(session: Session, viewer: Viewer, image_ids: Sequence[str]) -> list[Image]:
    """Pictures that this person may see, in the order asked for. Raises ServiceError not_found where one is not."""
    return all_images(session, image_ids, image_visible_to(viewer))


def _shelf(session: Session, viewer: Viewer, row: Collection) -> Shelf:
    here = select(Image).join(CollectionItem, CollectionItem.image_id == Image.id)
    here = here.where(CollectionItem.collection_id == row.id, image_visible_to(viewer))
    count = session.scalar(here.with_only_columns(func.count())) or 0
    cover = session.scalar(here.where(Image.id == row.cover_id)) if row.cover_id else None
    newest = here.order_by(CollectionItem.added_at.desc(), CollectionItem.image_id.desc()).limit(1)
    return Shelf(row, count, cover or session.scalar(newest))


def _move(session: Session, row: Collection, place: int) -> None:
    """Put a collection at a place among those of its owner, which are numbered anew."""
    query = select(Collection).where(Collection.owner_id == row.owner_id, Collection.id != row.id)
    others = list(session.scalars(query.order_by(Collection.place)))
    others.insert(place, row)
    for i, one in enumerate(others):
        one.place = float(i)


def _take_out(session: Session, row: Collection, image_ids: Sequence[str]) -> int:
    gone = delete(CollectionItem).where(CollectionItem.collection_id == row.id, CollectionItem.image_id.in_(image_ids))
    count = session.execute(gone).rowcount  # type: ignore[attr-defined]  # a DML statement's result has one
    session.execute(
        update(Collection).where(Collection.id == row.id, Collection.cover_id.in_(image_ids)).values(cover_id=None)
    )
    return int(count)
