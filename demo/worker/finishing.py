"""What goes beside drawing, in threads of their own: its steps are told, and what was run is ended.

Telling: where steps are quick, drawing does not wait for the database; a step that comes while the last one is still
being written is not told. Where they are slow it waits, so that a cancelled job ends at the step at which it is known.

Ending: files first, then one commit with rows, events and the index record. Nothing stays of a job that is not this
worker's any more: cancelled, deleted, or taken back meanwhile.
"""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor

import numpy as np
from sqlalchemy import select

from demo.queue import jobs
from demo.queue.jobs import JobQueue
from demo.store.database import Database
from demo.store.errors import from_failure, is_away, is_busy
from demo.store.remote import StorageAway
from demo.store.space import Space
from demo.store.storage import Storage
from demo.store.tables import Generation, Image, new_picture_id
from demo.studio import pictures, prompts
from demo.studio.searching import Searcher
from demo.studio.visibility import is_public
from jobspec import SEEDS, BatchStep, Result, ResultPicture

logger = logging.getLogger(__name__)
REPORT_SECONDS = 0.25  # steps faster than this share a report; what is known of a batch is not asked again before
BUSY_PAUSES = (0.05, 0.2, 0.5, 1.0, 2.0)  # seconds between attempts to commit
AWAY_SECONDS, AGAIN_SECONDS = 180.0, 2.0  # how long a picture waits for a store that is away, and between attempts


class Stopping(Exception):
    """The worker was asked to end while it draws: its jobs go back to the queue."""


class Telling:
    """One draw's callbacks: reports steps by `beside`, an executor of one thread; asks whether anybody still waits."""

    def __init__(
        self, queue: JobQueue, batch: Sequence[Generation], stop: threading.Event, beside: Executor
    ) -> None:  # fmt: skip
        self._queue, self._batch, self._stop, self._beside = queue, batch, stop, beside
        self._jobs = [job for job in batch for _ in range(job.n)]  # of each picture
        self._done = 0
        self._stepped = time.perf_counter()
        self._slow = False  # whether the last step took longer than REPORT_SECONDS
        self._reported = self._seen = float("-inf")  # when a report began; when a job was last known to be ours
        self._report: Future[set[str]] | None = None

    def on_step(self, progress: BatchStep) -> None:
        self._done += 1
        now = time.perf_counter()
        self._slow, self._stepped = now - self._stepped >= REPORT_SECONDS, now
        if progress.step not in (1, progress.steps) and now - self._reported < REPORT_SECONDS:
            return
        if self._report is not None and not self._report.done() and progress.step != progress.steps:
            return
        self._settle()
        self._reported = now
        previews: dict[str, list[bytes]] = {job.id: [] for job in self._batch}
        for job, picture in zip(self._jobs, progress.previews(), strict=False):  # none where pictures are judged
            previews[job.id].append(pictures.preview(picture))
        step = {"stage": progress.stage, "step": progress.step, "steps": progress.steps, "done": self._done,
                "seconds_left": round(progress.seconds_left, 2)}  # fmt: skip
        self._report = self._beside.submit(self._queue.report, [job.id for job in self._batch], step, previews)

    def cancelled(self) -> bool:
        """Whether nobody waits for the batch any more. Raises Stopping when the worker is to end."""
        if self._stop.is_set():
            raise Stopping
        if self._report is not None and not self._slow and not self._report.done():
            return False
        self._settle()
        if time.perf_counter() - self._seen < REPORT_SECONDS:
            return False
        try:
            if not self._queue.still_running(self._batch):
                return True
        except Exception as error:
            if not is_away(error):
                raise
        self._seen = time.perf_counter()  # of a database that is away, too: what is drawn is stored when it is back
        return False

    def _settle(self) -> None:
        """Wait for the last report, and take note of what it found. Raises what it raised, but of a busy database."""
        report, self._report = self._report, None
        if report is None:
            return
        try:
            if report.result():
                self._seen = self._reported
        except Exception as error:
            if not is_busy(error):
                raise
            logger.warning("a step is not told: %s", error)  # the next one is


class Finishing:
    """Finishes a batch in a thread of its own, while the next one is drawn: encoding and the disk cost a core little.

    One batch at a time: whoever brings another waits until the one before is stored.
    """

    def __init__(self, finisher: Finisher) -> None:
        self._finisher = finisher
        self._thread = ThreadPoolExecutor(1, "finishing")
        self._work: Future[None] | None = None
        self.jobs: Sequence[Generation] = ()  # whose leases go on meanwhile

    def begin(self, jobs: Sequence[Generation], results: Sequence[Result]) -> None:
        self.wait()
        self.jobs = jobs
        self._work = self._thread.submit(self._finish, jobs, results)

    def wait(self) -> None:
        """Until everything that was brought is stored."""
        if self._work is not None:
            self._work.result()
        self._work = None

    def _finish(self, jobs: Sequence[Generation], results: Sequence[Result]) -> None:
        for job, result in zip(jobs, results, strict=True):
            try:
                self._finisher.finish(job, result)
            except Exception as error:  # of the database: its lease ends, and it is drawn again
                if (known := from_failure(error)) is None:
                    logger.exception("job %s cannot be ended", job.id)
                else:
                    logger.warning("%s; job %s is drawn again: %s", known.code, job.id, error)
        self.jobs = ()


class Finisher:
    """Stores what was made for a job and ends it, at most once."""

    def __init__(self, database: Database, storage: Storage, searcher: Searcher, queue: JobQueue, space: Space) -> None:
        self._database, self._storage, self._searcher, self._queue = database, storage, searcher, queue
        self._space = space

    def finish(self, job: Generation, result: Result) -> None:
        """Files, then one commit with rows, events and index record; nothing stays of a job that is not ours."""
        if result.flagged:
            self._queue.fail(job, "content_flagged")
            return
        if job.id not in self._queue.still_running([job]):
            return
        started, rows = time.perf_counter(), []
        try:
            for position, picture in enumerate(result.pictures):
                rows.append(self._store_patiently(job, result, picture, position))
            committed = self._commit_patiently(job, result, rows, time.perf_counter() - started)
        except Exception as error:
            if self._are_kept(rows):
                return
            self._remove(rows)
            known = from_failure(error)
            if known is None:
                logger.exception("job %s cannot be stored", job.id)
            self._queue.fail(job, known.code if known else "draw_failed")
            return
        if not committed and not self._are_kept(rows):
            self._remove(rows)

    def _are_kept(self, rows: Sequence[Image]) -> bool:
        """Whether the pictures' rows are in the database: the answer to a commit may be lost where the server dies.

        Raises what the database raises; files without rows are found later and removed, rows without files are not
        mended by anybody.
        """
        with self._database.look() as session:
            ids = [row.id for row in rows]
            return bool(ids) and session.scalar(select(Image.id).where(Image.id.in_(ids)).limit(1)) is not None

    def _store_patiently(self, job: Generation, result: Result, picture: ResultPicture, position: int) -> Image:
        """Write one picture's files; while the store is away the drawn picture waits, for as long as its job is ours.

        Raises StorageAway after AWAY_SECONDS.
        """
        deadline = time.monotonic() + AWAY_SECONDS
        while True:
            try:
                return self._store(job, result, picture, position)
            except StorageAway as error:
                if time.monotonic() >= deadline or job.id not in self._queue.still_running([job]):
                    raise
                logger.warning("job %s waits to be stored: %s", job.id, error)
            time.sleep(AGAIN_SECONDS)

    def _store(self, job: Generation, result: Result, picture: ResultPicture, position: int) -> Image:
        """Write one picture's files and give its row."""
        id, image = new_picture_id(job.id), picture.image
        source_type = pictures.EDITED if result.job.source_pictures() else pictures.GENERATED
        files: dict[str, dict] = {}
        for stage, made in {"final": image, **picture.stages}.items():
            data = pictures.encode(made, "image/png", source_type, picture.recipe)
            files[stage] = self._storage.write(id, stage, "image/png", data)
        small = pictures.thumbnail(image, source_type)
        files["thumbnail"] = self._storage.write(id, "thumbnail", "image/webp", small)
        return Image(
            id=id, owner_id=job.owner_id, generation_id=job.id, position=position, kind="generation",
            parent_id=result.job.parent(),
            created_at=time.time(), width=image.width, height=image.height, seed=(job.seed + position) % SEEDS,
            media_type="image/png", recipe=picture.recipe, source_type=source_type, files=files,
            bytes=sum(file["bytes"] for file in files.values()),
        )  # fmt: skip

    def _commit_patiently(self, job: Generation, result: Result, rows: list[Image], seconds: float) -> bool:
        """The commit, again where the database was busy or gave up one of two that waited for each other, and for as
        long as its server is away.
        """
        deadline, pauses = time.monotonic() + AWAY_SECONDS, iter(BUSY_PAUSES)
        while True:
            try:
                return self._commit(job, result, rows, seconds)
            except Exception as error:
                away = is_away(error) and time.monotonic() < deadline
                pause = AGAIN_SECONDS if away else next(pauses, None)
                if pause is None or not is_busy(error):
                    raise
                logger.warning("job %s waits to be ended: %s", job.id, error)
            time.sleep(pause * (0.5 + random.random()))

    def _commit(self, job: Generation, result: Result, rows: list[Image], seconds: float) -> bool:
        encoder_id = self._searcher.require().encoder_id
        vector = self._searcher.vector(job.prompt) if job.encoder_id != encoder_id or not job.vector else None
        with self._database.write() as session:
            row = self._queue.own(session, job)
            if row is None:
                return False
            if vector is not None:
                row.vector, row.encoder_id = vector.tobytes(), encoder_id
            for image in rows:
                image.owner_id = row.owner_id  # may have moved to another browser meanwhile
            session.add_all(rows)
            self._space.require_kept(session)
            stages = {stage: round(spent, 4) for stage, spent in result.seconds.items()}
            row.timings = row.timings | stages | {"store": round(seconds, 4)}
            row.spec = result.job.to_row()
            row.warnings = prompts.with_new(row.warnings, result.warnings)
            vector_now = np.frombuffer(row.vector or b"", dtype=np.float32)
            self._searcher.index.add(row.index_id, row.prompt_key, vector_now, row.owner_id, is_public(row),
                                     connection=session.connection())  # fmt: skip
            jobs.end(session, row, "succeeded")
            return True

    def _remove(self, rows: Sequence[Image]) -> None:
        """Take back what was written; what cannot be reached now is a stray file later."""
        for file in (file for row in rows for file in row.files.values()):
            with contextlib.suppress(StorageAway):
                self._storage.remove(file["key"])
