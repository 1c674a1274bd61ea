"""What goes with a picture or a person: likes, places in collections, posts; in the transaction of the caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from demo.store.tables import Collection, CollectionItem, Image, Like, Post

AT_ONCE = 500  # ids in one statement


def forget_pictures(session: Session, image_ids: Sequence[str]) -> None:
    """Erase what was attached to pictures that go."""
    for ids in _some(image_ids):
        for table in (Like, CollectionItem, Post):
            session.execute(delete(table).where(table.image_id.in_(ids)))
        session.execute(update(Collection).where(Collection.cover_id.in_(ids)).values(cover_id=None))


def forget_closet(session: Session, owner_id: str) -> None:
    """Erase a person's likes, collections and posts."""
    _unlike(session, list(session.scalars(select(Like.image_id).where(Like.owner_id == owner_id))), owner_id)
    theirs = select(Collection.id).where(Collection.owner_id == owner_id)
    session.execute(delete(CollectionItem).where(CollectionItem.collection_id.in_(theirs)))
    session.execute(delete(Collection).where(Collection.owner_id == owner_id))
    session.execute(delete(Post).where(Post.owner_id == owner_id))


def move_closet(session: Session, old: str, new: str) -> None:
    """Give a person's likes, collections and posts to another; what both like is liked once."""
    both = select(Like.image_id).where(Like.owner_id == new)
    twice = select(Like.image_id).where(Like.owner_id == old, Like.image_id.in_(both))
    _unlike(session, list(session.scalars(twice)), old)
    for table in (Like, Collection, Post):
        session.execute(update(table).where(table.owner_id == old).values(owner_id=new))


def _unlike(session: Session, image_ids: Sequence[str], owner_id: str) -> None:
    for ids in _some(image_ids):
        session.execute(delete(Like).where(Like.owner_id == owner_id, Like.image_id.in_(ids)))
        session.execute(update(Image).where(Image.id.in_(ids)).values(likes=Image.likes - 1))


def _some(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
