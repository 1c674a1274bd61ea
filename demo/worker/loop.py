"""The worker process: owns the diffusion models, draws what waits, and has each result committed once.

A batch of same-shape jobs is drawn together; each job ends by itself (finishing.py). What a dead worker held is drawn
again with the same seed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL import Image as Picture

from demo.queue import jobs
from demo.queue.jobs import Desk
from demo.store.database import Database
from demo.store.errors import ServiceError, from_failure
from demo.store.settings import Settings
from demo.store.storage import Storage
from demo.store.tables import Generation, Image, WorkerRow, new_id
from demo.studio import pictures, words
from demo.studio.gallery import visible
from demo.studio.owners import Viewer
from demo.studio.readiness import missing_checkpoint
from demo.studio.searching import Encoder, Searcher
from demo.worker.drawing import Pipeline
from demo.worker.finishing import Finisher
from diffusion.progress import Cancelled, Progress
from diffusion.request import DrawSettings, Shot, shots_for

logger = logging.getLogger(__name__)
IDLE_SECONDS = 0.1
BEAT_SECONDS = 2.0
REPORT_SECONDS = 0.25  # steps faster than this share a report
OPEN_AGAIN_SECONDS = 5.0
RESERVE = 50 * 2**20  # bytes of disk that stay free


class Stopping(Exception):
    """The worker was asked to end while it draws: its jobs go back to the queue."""


class Worker:
    """Claims, draws, commits; one thread draws, another keeps the leases."""

    def __init__(
        self, settings: Settings, database: Database, storage: Storage, searcher: Searcher,
        open_pipeline: Callable[[Settings, Encoder], Pipeline], name: str = "worker-1",
    ) -> None:  # fmt: skip
        self._settings, self._database, self._storage = settings, database, storage
        self._searcher, self._open_pipeline, self._name = searcher, open_pipeline, name
        self._desk = Desk(database, settings, f"{name}:{new_id()[:12]}")
        self._finisher = Finisher(database, storage, searcher, self._desk)
        self._pipeline: Pipeline | None = None
        self._drawing: list[Generation] = []
        self._stop = threading.Event()
        self._state: tuple[str, dict] = ("starting", {})

    def stop(self) -> None:
        """Ask to end: within one step, and what is being drawn waits again."""
        self._stop.set()

    def run(self) -> None:
        """Work until `stop`."""
        self._take_over()
        beat = threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True)
        beat.start()
        while not self._stop.is_set() and not self._open():
            self._stop.wait(OPEN_AGAIN_SECONDS)
        while not self._stop.is_set():
            try:
                if not self.work_once():
                    self._stop.wait(IDLE_SECONDS)
            except Exception as error:
                known = from_failure(error)
                logger.warning("%s; trying again: %s", known.code, error) if known else logger.exception("worker")
                self._stop.wait(1.0)
        beat.join(timeout=BEAT_SECONDS * 2)
        self._say("stopped", {})

    def work_once(self) -> bool:
        """Draw one batch; False when nothing waits."""
        batch = self._desk.claim()
        if not batch:
            return False
        self._drawing = batch
        try:
            self._draw(batch)
        except Stopping:
            self._desk.give_back(batch)
        finally:
            self._drawing = []
        return True

    # Opening and speaking

    def _take_over(self) -> None:
        """The worker of this name before us is dead (we hold its lock): its jobs wait again."""
        with self._database.write() as session:
            before = session.get(WorkerRow, self._name)
            if before is not None:
                jobs.take_back(session, before.incarnation)
        self._say("starting", {})

    def _open(self) -> bool:
        """Open the models; False, with the reason for everybody to read, when that cannot be done."""
        problem = missing_checkpoint(self._settings.checkpoint)
        if problem is None:
            try:
                if not self._searcher.ready:
                    self._searcher.open()
                self._pipeline = self._open_pipeline(self._settings, self._searcher.require())
            except ServiceError:
                problem = None  # the encoder is missing: the web process says so itself
                self._say("starting", {})
                return False
            except Exception as error:
                if self._state[0] != "missing":
                    logger.exception("the checkpoint cannot be opened")
                problem = str(error).replace(f"{Path(self._settings.checkpoint).resolve().parent}/", "")
        if problem is not None:
            if self._state[0] != "missing":
                logger.warning("no checkpoint to draw with: %s", problem)
            self._say("missing", {"code": "checkpoint_missing", "message": problem})
            return False
        defaults = vars(self._pipeline.default_settings)
        known = {"checkpoint_id": self._pipeline.checkpoint_id, "defaults": dict(defaults),
                 "styles": self._pipeline.styles()}  # fmt: skip
        self._say("ready", known)
        logger.info("checkpoint %s is open", self._pipeline.checkpoint_id)
        return True

    def _say(self, state: str, detail: dict) -> None:
        self._state = (state, detail)
        row = WorkerRow(
            name=self._name, incarnation=self._desk.worker, state=state, detail=detail, heartbeat=time.time()
        )
        with self._database.write() as session:
            session.merge(row)

    def _keep_beating(self) -> None:
        while not self._stop.wait(BEAT_SECONDS):
            try:
                self._say(*self._state)
                self._desk.renew(self._drawing)
                with self._database.write() as session:
                    jobs.take_back(session)
            except Exception as error:
                logger.warning("heartbeat: %s", error)

    # Drawing

    def _draw(self, batch: list[Generation]) -> None:
        batch = [job for job in batch if not self._out_of_room(job)]
        shots: list[tuple[Generation, Shot]] = []
        for job in batch:
            try:
                shots += [(job, shot) for shot in self._shots(job)]
            except (ServiceError, OSError, ValueError) as error:
                logger.warning("job %s cannot begin: %s", job.id, error)
                self._desk.fail(job, "source_gone")
        batch = [job for job in batch if any(owner is job for owner, _ in shots)]
        if not batch:
            return
        run = _Run(self._desk, batch, [job for job, _ in shots], self._stop)
        try:
            drawing = self._pipeline.draw([shot for _, shot in shots], _settings(batch[0]), run.on_step, run.cancelled)
        except Cancelled:
            return  # all of them were cancelled, or we are stopping: the caller knows
        except Stopping:
            raise
        except Exception as error:
            self._fail(batch, error)
            return
        for job in batch:
            places = [place for place, (owner, _) in enumerate(shots) if owner is job]
            self._finisher.finish(job, drawing, places)

    def _fail(self, batch: Sequence[Generation], error: Exception) -> None:
        """One bad job must not take others of its batch with it: what failed together is drawn alone once."""
        logger.warning("drawing failed: %s", error, exc_info=not isinstance(error, ValueError))
        if len(batch) == 1:
            known = from_failure(error)
            if known is None and isinstance(error, ValueError):  # what this checkpoint cannot do, in words
                self._desk.fail(batch[0], "bad_settings", detail=error)
                return
            self._desk.fail(batch[0], known.code if known else "draw_failed")
            return
        for job in batch:
            if job.id in self._desk.still_running([job]):
                self._draw([job])

    def _out_of_room(self, job: Generation) -> bool:
        if not self._storage.has_room(RESERVE):
            return self._desk.fail(job, "disk_full")
        return False

    def _shots(self, job: Generation) -> list[Shot]:
        styles = words.prompt_styles()
        prompt = words.as_read(job.prompt, styles.get(job.style))
        return shots_for(prompt, job.n, job.seed, job.negative_prompt, self._source(job))

    def _source(self, job: Generation) -> Picture.Image | None:
        """The picture to start from, if its owner may still see it. Raises ServiceError, OSError."""
        if job.source_image is None:
            return None
        with self._database.read() as session:
            row = session.get(Image, job.source_image)
            if row is None:
                raise ServiceError("source_gone")
            viewer = Viewer(job.owner_id)
            if not viewer.owns(row.owner_id):
                visible(session.get(Generation, row.generation_id) if row.generation_id else None, viewer)
        return pictures.decode(self._storage.read(row.files["final"])).convert("RGB")


class _Run:
    """One draw's callbacks: reports steps, asks whether anybody still waits."""

    def __init__(self, desk: Desk, batch: list[Generation], owners: list[Generation], stop: threading.Event) -> None:
        self._desk, self._batch, self._owners, self._stop = desk, batch, owners, stop
        self._reported = self._asked = 0.0
        self._done = 0

    def on_step(self, progress: Progress) -> None:
        self._done += 1
        now = time.perf_counter()
        if progress.step not in (1, progress.steps) and now - self._reported < REPORT_SECONDS:
            return
        self._reported = now
        previews: dict[str, list[bytes]] = {job.id: [] for job in self._batch}
        for job, picture in zip(self._owners, progress.previews(), strict=False):  # none where pictures are judged
            previews[job.id].append(pictures.preview(picture))
        step = {"stage": progress.stage, "step": progress.step, "steps": progress.steps, "done": self._done,
                "seconds_left": round(progress.seconds_left, 2)}  # fmt: skip
        self._desk.report([job.id for job in self._batch], step, previews)

    def cancelled(self) -> bool:
        """Whether nobody waits for the batch any more. Raises Stopping when the worker is to end."""
        if self._stop.is_set():
            raise Stopping
        return not self._desk.still_running(self._batch)


def _settings(job: Generation) -> DrawSettings:
    """What the jobs of a batch share, as the pipeline takes it; the checkpoint's defaults where nothing was asked."""
    style = None if job.style in words.prompt_styles() else job.style
    given = {} if job.strength is None else {"strength": job.strength}
    return DrawSettings(
        steps=job.steps, guidance_scale=job.guidance_scale, refine=job.refine, refine_strength=job.refine_strength,
        style=style, style_weight=job.style_weight if style else 1.0, **given,
    )  # fmt: skip
