"""The worker process: owns the runners, runs what waits, and has each result committed once.

A batch of jobs with one batch key is run together; each job ends by itself, beside the next batch (finishing.py). What
a dead worker held is run again with the same seed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from PIL import Image as Picture
from sqlalchemy import delete, select

import jobspec
from demo.queue.drafts import DraftDesk
from demo.queue.identity import new_identity
from demo.queue.jobs import JobQueue
from demo.queue.leases import Leases
from demo.queue.relay import open_relay
from demo.queue.wake import open_wake
from demo.queue.weights import Weights
from demo.store import request_id
from demo.store.database import Database
from demo.store.errors import ServiceError, from_failure, is_busy
from demo.store.installation import belong_together
from demo.store.settings import Settings
from demo.store.space import Space
from demo.store.storage import Storage
from demo.store.tables import Generation, Image, WorkerRow
from demo.studio import pictures
from demo.studio.readiness import missing_checkpoint
from demo.studio.searching import Encoder, Searcher
from demo.studio.styles import KnownStyle, Styles
from demo.studio.visibility import Viewer, image_visible_to
from demo.studio.weights import FABRIC, fabric_weights, weights_of
from demo.worker.drafts import Drafter, draws_drafts
from demo.worker.finishing import Finisher, Finishing, Stopping, Telling
from demo.worker.runners import MISSING, facts_of
from jobspec import BatchStep, Cancelled, Order, Runner

logger = logging.getLogger(__name__)
BEAT_SECONDS = 2.0
OPEN_AGAIN_SECONDS = 5.0
STALL_SECONDS = 900.0  # without a step, in which a run counts as hung and its lease is not renewed


class Worker:
    """Claims, draws, commits; one thread draws, another keeps the leases."""

    def __init__(
        self, settings: Settings, database: Database, storage: Storage, searcher: Searcher,
        open_runners: Callable[[Settings, Callable[[], Encoder]], Mapping[str, Runner]],
    ) -> None:  # fmt: skip
        self._settings, self._database, self._storage = settings, database, storage
        self._searcher, self._open_runners = searcher, open_runners
        self._relay = open_relay(settings)
        self._weights = Weights(
            database, weights_of(settings.checkpoint), settings.lease_seconds, fabric=fabric_weights(settings)
        )
        database.tell = self._relay.tell
        self._queue = JobQueue(database, settings, new_identity(), self._relay, self._weights)
        self._leases = Leases(database, settings.lease_seconds)
        self._wake = open_wake(settings)
        self._space = Space(settings, database, storage)
        self._styles = Styles(database)
        self._beside = ThreadPoolExecutor(1, "telling")
        self._finishing = Finishing(Finisher(database, storage, searcher, self._queue, self._space))
        self._runners: Mapping[str, Runner] = {}
        self._running: list[Generation] = []
        self._stop, self._attention = threading.Event(), threading.Event()  # `_attention`: something is to be done
        self._desk = DraftDesk(
            settings.drafts_dir, self._queue.worker.partition(":")[2].replace(":", "-"), self._attention
        )
        self._drafter = Drafter(self._desk, self._queue, self._stop)
        self._state: tuple[str, dict] = ("starting", {})
        self._moved = time.monotonic()  # when the running batch last showed that it goes on

    def stop(self) -> None:
        """Ask to end: within one step, and what is being drawn waits again."""
        self._stop.set()
        self._attention.set()

    def run(self) -> None:
        """Work until `stop`."""
        self._begin()
        beat = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        beat.start()
        while not self._stop.is_set() and not self._open():
            self._stop.wait(OPEN_AGAIN_SECONDS)
        while not self._stop.is_set():
            try:
                if not self._draw_next() and not self._drafter.draw_one(self._runners):
                    self._wake.wait(self._attention)
                    self._attention.clear()
            except Exception as error:
                known = from_failure(error)
                logger.warning("%s; trying again: %s", known.code, error) if known else logger.exception("worker")
                self._stop.wait(1.0)
        self._wake.close()
        self._finishing.wait()
        self._desk.close()
        beat.join(timeout=BEAT_SECONDS * 2)
        with self._database.write() as session:
            session.execute(delete(WorkerRow).where(WorkerRow.name == self._queue.worker))

    def close(self) -> None:
        """Let go of the database; the last process that does leaves it whole, without a log beside it."""
        self._beside.shutdown()
        self._relay.close()
        self._database.close()

    def work_once(self) -> bool:
        """Draw one batch and store it; False when nothing waits."""
        drawn = self._draw_next()
        self._finishing.wait()
        return drawn

    def _draw_next(self) -> bool:
        """Draw one batch, which is stored beside the drawing of the next; False when nothing waits."""
        batch = self._queue.claim()
        if not batch:
            return False
        self._running, self._moved = batch, time.monotonic()
        request_id.set_current(batch[0].request_id)
        for job in batch:
            about = {"job": job.id, "request_id": job.request_id}
            logger.info("%s %s begins, attempt %d", job.kind, job.id, job.attempt, extra=about)
        try:
            self._run(batch)
        except Stopping:
            self._queue.give_back(batch)
        finally:
            self._running = []
        return True

    # Opening, and what people may know

    def _begin(self) -> None:
        """Say that this worker is here; what workers held that died on this machine waits again at once."""
        belong_together(self._database, self._storage)
        self._leases.take_back()
        self._leases.forget_workers()
        self._publish("starting", {})

    def _open(self) -> bool:
        """Open the models; False, with the reason for everybody to read, when that cannot be done."""
        problem = missing_checkpoint(self._settings.checkpoint)
        if problem is None:
            try:
                self._weights.own = weights_of(self._settings.checkpoint)
                if not self._searcher.ready:
                    self._searcher.open()
                self._searcher.require()
                self._runners = self._open_runners(self._settings, self._searcher.require)
            except ServiceError:
                problem = None  # the encoder is missing: the web process says so itself
                self._publish("starting", {})
                return False
            except Exception as error:
                if self._state[0] != "missing":
                    logger.exception("the checkpoint cannot be opened")
                problem = str(error).replace(f"{Path(self._settings.checkpoint).resolve().parent}/", "")
        if problem is not None:
            if self._state[0] != "missing":
                logger.warning("no checkpoint to draw with: %s", problem)
            self._publish("missing", {"code": "checkpoint_missing", "message": problem})
            return False
        self._weights.fabric = fabric_weights(self._settings) if any(kind in self._runners for kind in FABRIC) else ""
        facts = facts_of(self._runners)
        self._styles.replace(KnownStyle(**style) for style in cast("list[dict[str, str]]", facts.pop("styles", [])))
        facts["drafts"] = draws_drafts(self._settings, facts) and self._desk.open()
        usual = cast("dict[str, float | None]", facts.get("defaults", {}))
        self._queue.usual_guidance = usual.get("guidance_scale")
        self._queue.row_guidance = cast("float", facts.get("row_guidance", 1.0))
        self._publish("ready", facts)
        logger.info("checkpoint %s is open", facts.get("checkpoint_id"))
        return True

    def _publish(self, state: str, detail: dict) -> None:
        self._state = (state, detail | self._weights.told())
        state, detail = self._state
        row = WorkerRow(name=self._queue.worker, state=state, detail=detail, heartbeat=time.time())
        with self._database.write() as session:
            session.merge(row)

    def _keep_beating(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._publish(*self._state)
                if time.monotonic() - self._moved < STALL_SECONDS:
                    self._queue.renew([*self._running, *self._finishing.jobs])
                self._leases.take_back()
            except Exception as error:
                logger.warning("heartbeat: %s", error)
            if self._database.replaced():
                logger.warning("another database lies in the place of the one that was opened: ending, to open that")
                self.stop()

    # Running

    def _run(self, batch: list[Generation]) -> None:
        orders: list[tuple[Generation, Order]] = []
        for row in batch:
            if not self._out_of_room(row) and (order := self._order(row)) is not None:
                orders.append((row, order))
        if not orders:
            return
        rows = [row for row, _ in orders]
        telling = Telling(self._queue, rows, self._stop, self._beside)

        def on_step(progress: BatchStep) -> None:
            self._moved = time.monotonic()
            telling.on_step(progress)

        try:
            results = self._runners[rows[0].kind].run([order for _, order in orders], on_step, telling.cancelled)
        except Cancelled:
            return  # all of them were cancelled
        except Stopping:
            raise
        except Exception as error:
            self._fail(rows, error)
            return
        self._finishing.begin(rows, results)

    def _fail(self, batch: Sequence[Generation], error: Exception) -> None:
        """One bad job must not take others of its batch with it: what failed together is run alone once."""
        logger.warning("%s failed: %s", batch[0].kind, error, exc_info=not isinstance(error, ValueError))
        if is_busy(error):  # nobody's fault: they wait again
            self._queue.try_again(batch)
            return
        if len(batch) == 1:
            known = from_failure(error)
            if known is None and isinstance(error, ValueError):  # what this checkpoint cannot do, in words
                self._queue.fail(batch[0], "bad_settings", detail=error)
                return
            self._queue.fail(batch[0], known.code if known else "draw_failed", **(known.values if known else {}))
            return
        for job in batch:
            if job.id in self._queue.still_running([job]):
                self._run([job])

    def _out_of_room(self, job: Generation) -> bool:
        if not self._space.has_spare():
            return self._queue.fail(job, "disk_full")
        return False

    def _order(self, row: Generation) -> Order | None:
        """The job of a row with the pictures that it starts from; None, and the job failed, where it cannot begin."""
        try:
            job = jobspec.of_row(row.spec)
            if job.kind not in self._runners and job.kind in MISSING:
                self._queue.fail(row, MISSING[job.kind])
                return None
            if job.kind not in self._runners:
                raise ValueError(f"this worker runs {', '.join(self._runners)}, not {job.kind}")
        except ValueError as error:
            logger.warning("job %s cannot be run: %s", row.id, error)
            self._queue.fail(row, "bad_settings", detail=error)
            return None
        try:
            viewer = Viewer(row.owner_id)
            found = {field: self._picture(id, viewer) for field, id in job.source_pictures().items()}
            recipes = {field: recipe for field, (_, recipe) in found.items() if recipe is not None}
            return Order(job, {field: picture for field, (picture, _) in found.items()}, recipes)
        except (ServiceError, OSError, ValueError) as error:
            logger.warning("job %s cannot begin: %s", row.id, error)
            self._queue.fail(row, "source_gone")
            return None

    def _picture(self, image_id: str, viewer: Viewer) -> tuple[Picture.Image, dict[str, object] | None]:
        """A picture to start from and its recipe, if the job's owner may still see it. Raises ServiceError, OSError."""
        with self._database.read() as session:
            row = session.scalar(select(Image).where(Image.id == image_id, image_visible_to(viewer)))
        if row is None:
            raise ServiceError("source_gone")
        return pictures.decode(self._storage.read(row.files["final"])).convert("RGB"), row.recipe
