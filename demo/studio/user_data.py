"""A person's own things as a whole: counted, exported, moved to another owner."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.storage import DamagedFile, Storage
from demo.store.tables import Collection, CollectionItem, Generation, Image, Like, Post, new_id
from demo.studio.searching import Searcher
from demo.studio.views import Counts, Shown
from demo.studio.visibility import Viewer, all_of, is_public
from demo.studio.zipping import Pieces


class UserData:
    """Everything that one owner has."""

    def __init__(self, database: Database, storage: Storage, searcher: Searcher) -> None:
        self._database, self._storage, self._searcher = database, storage, searcher

    def count(self, viewer: Viewer) -> Counts:
        """How much is kept of this person."""
        mine = all_of(viewer)
        with self._database.read() as session:
            generations = session.scalar(select(func.count()).select_from(Generation).where(mine))
            open_jobs = Generation.status.in_(("queued", "running"))
            active = session.scalar(select(func.count()).select_from(Generation).where(mine, open_jobs))
            pictures = select(func.count(), func.coalesce(func.sum(Image.bytes), 0)).where(all_of(viewer, Image))
            images, size = session.execute(pictures).one()
        return Counts(generations or 0, active or 0, images, size)

    def rehome(self, session: Session, row: Generation) -> None:
        """Write a generation's index record anew under its new owner (records never change hands)."""
        if row.status != "succeeded" or row.vector is None:
            return
        connection, index = session.connection(), self._searcher.index
        self._searcher.forget(row.index_id, connection)
        row.index_id = new_id()
        import numpy as np

        vector = np.frombuffer(row.vector, dtype=np.float32)
        index.add(row.index_id, row.prompt_key, vector, row.owner_id, is_public(row), connection=connection)

    def export(self, viewer: Viewer, as_json: Callable[[Shown], dict[str, object]]) -> Iterator[bytes]:
        """A zip of all pictures, `generations.jsonl` and `closet.json`, piece by piece; files as they are kept."""
        out = Pieces()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("generations.jsonl", "\n".join(self._lines(viewer, as_json)) + "\n")
            archive.writestr("closet.json", json.dumps(self._closet(viewer), ensure_ascii=False, indent=1))
            yield out.take()
            for row in self._images(viewer):
                for stage, file in row.files.items():
                    if stage == "thumbnail":
                        continue
                    suffix = str(file["key"]).rsplit(".", 1)[-1]
                    folder = f"generations/{row.generation_id}" if row.generation_id else "uploads"
                    name = f"{folder}/{row.position:02}-{row.id}{'' if stage == 'final' else '-' + stage}.{suffix}"
                    try:
                        archive.writestr(name, self._storage.read(file))
                    except (FileNotFoundError, DamagedFile) as error:
                        archive.writestr(name + ".missing.txt", str(error))
                    yield out.take()
        yield out.take()

    def _lines(self, viewer: Viewer, as_json: Callable[[Shown], dict[str, object]]) -> Iterator[str]:
        query = select(Generation).where(all_of(viewer)).order_by(Generation.created_at)
        with self._database.read() as session:
            for row in session.scalars(query.execution_options(yield_per=200)):
                yield json.dumps(as_json(Shown(row, [], mine=True)), ensure_ascii=False)

    def _closet(self, viewer: Viewer) -> dict[str, object]:
        """What a person likes, collected and said of public pictures, by the pictures' ids."""
        items: dict[str, list[str]] = {}
        with self._database.read() as session:
            liked = select(Like.image_id).where(all_of(viewer, Like)).order_by(Like.created_at)
            rows = list(
                session.scalars(select(Collection).where(all_of(viewer, Collection)).order_by(Collection.place))
            )
            held = select(CollectionItem).where(CollectionItem.collection_id.in_([row.id for row in rows]))
            for item in session.scalars(held.order_by(CollectionItem.added_at)):
                items.setdefault(item.collection_id, []).append(item.image_id)
            posts = session.scalars(select(Post).where(all_of(viewer, Post)).order_by(Post.created_at))
            return {
                "liked": list(session.scalars(liked)),
                "collections": [{"name": row.name, "pictures": items.get(row.id, [])} for row in rows],
                "posts": [{"picture": one.image_id, "caption": one.caption, "author": one.author} for one in posts],
            }

    def _images(self, viewer: Viewer) -> list[Image]:
        with self._database.read() as session:
            query = select(Image).where(all_of(viewer, Image))
            return list(session.scalars(query.order_by(Image.created_at, Image.position)))
