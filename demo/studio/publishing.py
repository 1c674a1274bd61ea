"""Single pictures of a set, shown to everyone or to their owner alone, and what their owner says of them.

A set is public while any of its pictures is; those that are not are `withheld`. Captions and names pass the rules for
public texts.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.errors import ServiceError
from demo.store.tables import Generation, Image, Post
from demo.studio import prompts
from demo.studio.generations import all_images, check_publishing, reindex
from demo.studio.searching import Searcher
from demo.studio.views import Posted
from demo.studio.visibility import NOBODY, Viewer, image_visible_to, owned_by, shown_to


class Publishing:
    """Shows and takes back single pictures; safe from any thread."""

    def __init__(self, database: Database, searcher: Searcher) -> None:
        self._database, self._searcher = database, searcher

    def show(self, viewer: Viewer, image_ids: Sequence[str], visibility: str) -> int:
        """Show own pictures to everyone (`public`) or to oneself alone (`private`), all or none; returns how many.

        Raises ServiceError not_found, upload_private, publishing_rejected.
        """
        with self._database.write() as session:
            rows = own_images(session, viewer, image_ids)
            self._change(session, rows, visibility == "public")
            if visibility == "private":
                session.execute(delete(Post).where(Post.image_id.in_(image_ids)))
        return len(rows)

    def post(self, viewer: Viewer, image_id: str, caption: str, author: str) -> Posted:
        """Show an own picture to everyone with a caption and a name, which may both be empty; a second call changes
        them. Raises ServiceError not_found, upload_private, publishing_rejected.
        """
        said = {"caption": prompts.clean(caption, "caption"), "author": prompts.clean(author, "author")}
        prompts.check_said(said)
        with self._database.write() as session:
            rows = own_images(session, viewer, [image_id])
            self._change(session, rows, public=True)
            known = session.get(Post, image_id)
            made = known.created_at if known else time.time()
            row = Post(image_id=image_id, owner_id=rows[0].owner_id, created_at=made, **said)
            session.merge(row)
        return self.get(viewer, image_id)

    def get(self, viewer: Viewer, image_id: str) -> Posted:
        """A public picture with what its owner says of it. Raises ServiceError not_found."""
        with self._database.read() as session:
            query = select(Image, Generation, Post).join(Generation, Generation.id == Image.generation_id)
            query = query.outerjoin(Post, Post.image_id == Image.id)
            found = session.execute(query.where(Image.id == image_id, image_visible_to(NOBODY))).first()
        if found is None or not found[1].visibility == "public":
            raise ServiceError("not_found")
        image, generation, post = found
        return Posted(image, generation, post, viewer.owns(image.owner_id))

    def take_back(self, viewer: Viewer, image_id: str) -> None:
        """Show a picture to its owner alone again; what was said of it is erased. Raises ServiceError not_found."""
        self.show(viewer, [image_id], "private")

    def _change(self, session: Session, rows: Iterable[Image], public: bool) -> None:
        sets: dict[str, set[str]] = {}
        for row in rows:
            if row.generation_id is None:
                raise ServiceError("upload_private")
            sets.setdefault(row.generation_id, set()).add(row.id)
        changed = [session.get_one(Generation, generation_id) for generation_id in sets]
        for generation in changed:
            if public:
                check_publishing(generation)
            show_in_set(session, generation, sets[generation.id], public)
        reindex(self._searcher, session, *changed)


def own_images(session: Session, viewer: Viewer, image_ids: Sequence[str]) -> list[Image]:
    """Own pictures, in the order asked for. Raises ServiceError not_found where one is not there or not theirs."""
    return all_images(session, image_ids, owned_by(viewer, Image))


def show_in_set(session: Session, generation: Generation, ids: Collection[str], public: bool) -> None:
    """Show some pictures of a set to everyone, or to their owner alone; the set is public while any of them is."""
    rows = list(session.scalars(select(Image).where(Image.generation_id == generation.id)))
    shown = (
        {row.id for row in rows if not row.withheld and row.trashed_at is None}
        if generation.visibility == "public"
        else set()
    )
    shown = shown | set(ids) if public else shown - set(ids)
    generation.visibility = "public" if shown else "private"
    for row in rows:
        row.withheld = bool(shown) and row.id not in shown


def retire_without(session: Session, image_ids: Collection[str]) -> list[Generation]:
    """Make those public sets private that would show nothing any more without some pictures; returns them."""
    touched = select(Image.generation_id).where(Image.id.in_(image_ids), Image.withheld.is_(False)).distinct()
    retired = []
    for generation_id in list(session.scalars(touched)):
        generation = session.get(Generation, generation_id) if generation_id else None
        if generation is None or generation.visibility != "public":
            continue
        left = select(Image.id).where(
            Image.generation_id == generation_id, shown_to(NOBODY), Image.id.not_in(image_ids)
        )
        if session.scalar(left.limit(1)) is None:
            show_in_set(session, generation, image_ids, public=False)
            retired.append(generation)
    return retired
