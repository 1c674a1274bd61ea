"""End a job that was drawn: files first, then one commit with rows, events and the index record.

Nothing stays of a job that is not this worker's any more: cancelled, deleted, or taken back meanwhile.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np

from demo.queue import jobs
from demo.queue.jobs import Desk
from demo.store.database import Database
from demo.store.errors import from_failure
from demo.store.storage import Storage
from demo.store.tables import Generation, Image, new_id
from demo.studio import pictures
from demo.studio.searching import Searcher
from demo.worker.drawing import Drawn

logger = logging.getLogger(__name__)


class Finisher:
    """Stores what was drawn for a job and ends it, at most once."""

    def __init__(self, database: Database, storage: Storage, searcher: Searcher, desk: Desk) -> None:
        self._database, self._storage, self._searcher, self._desk = database, storage, searcher, desk

    def finish(self, job: Generation, drawing: Drawn, places: list[int]) -> None:
        """Files, then one commit with rows, events and index record; nothing stays of a job that is not ours."""
        if any(_flagged(drawing, place) for place in places):
            self._desk.fail(job, "content_flagged")
            return
        if job.id not in self._desk.still_running([job]):
            return
        started, rows = time.perf_counter(), []
        try:
            for position, place in enumerate(places):
                rows.append(self._store(job, drawing, position, place))
            committed = self._commit(job, rows, drawing.timings, time.perf_counter() - started)
        except Exception as error:
            self._remove(rows)
            known = from_failure(error)
            if known is None:
                logger.exception("job %s cannot be stored", job.id)
            self._desk.fail(job, known.code if known else "draw_failed")
            return
        if not committed:
            self._remove(rows)

    def _store(self, job: Generation, drawing: Drawn, position: int, place: int) -> Image:
        """Write one picture's files and give its row."""
        id, image, base = new_id(), drawing.images[place], drawing.base_images[place]
        source_type = pictures.EDITED if job.source_image else pictures.GENERATED
        recipe = dict(drawing.recipes[place]) | {"asked": {"prompt": job.prompt, "style": job.style}}
        data = pictures.encode(image, "image/png", source_type, recipe)
        files = {"final": self._storage.write(id, "final", "image/png", data)}
        small = pictures.thumbnail(image, source_type)
        files["thumbnail"] = self._storage.write(id, "thumbnail", "image/webp", small)
        if job.refine and base is not image:
            files["base"] = self._storage.write(
                id, "base", "image/png", pictures.encode(base, "image/png", source_type, recipe)
            )
        return Image(
            id=id, owner_id=job.owner_id, generation_id=job.id, position=position, kind="generation",
            created_at=time.time(), width=image.width, height=image.height, seed=(job.seed + position) % 2**32,
            media_type="image/png", recipe=recipe, source_type=source_type, files=files,
            bytes=sum(file["bytes"] for file in files.values()),
        )  # fmt: skip

    def _commit(self, job: Generation, rows: list[Image], timings: dict[str, float], seconds: float) -> bool:
        encoder_id = self._searcher.require().encoder_id
        vector = self._searcher.vector(job.prompt) if job.encoder_id != encoder_id or not job.vector else None
        with self._database.write() as session:
            row = self._desk.own(session, job)
            if row is None:
                return False
            if vector is not None:
                row.vector, row.encoder_id = vector.tobytes(), encoder_id
            for image in rows:
                image.owner_id = row.owner_id  # may have moved to another browser meanwhile
            session.add_all(rows)
            session.flush()
            drawn = {name: round(timings[name], 4) for name in ("base", "refiner") if name in timings}
            row.timings = row.timings | {"base": 0.0, "refiner": 0.0} | drawn | {"store": round(seconds, 4)}
            row.refine = any("base" in image.files for image in rows)  # what was done, where no refiner was
            public = row.visibility == "public" and not row.hidden
            self._searcher.index.add(row.index_id, row.prompt_key, np.frombuffer(row.vector, dtype=np.float32),
                                     row.owner_id, public, connection=session.connection())  # fmt: skip
            jobs.end(session, row, "succeeded")
            return True

    def _remove(self, rows: Sequence[Image]) -> None:
        for row in rows:
            for file in row.files.values():
                self._storage.remove(file["key"])


def _flagged(drawing: Drawn, place: int) -> bool:
    """Whether the checkpoint's safety checker, where it has one, objects to a picture."""
    flagged = getattr(drawing, "flagged", None)
    return bool(flagged and flagged[place])
