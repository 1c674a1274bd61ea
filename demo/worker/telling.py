"""What a batch tells while it is drawn: its steps, written by a thread beside, and whether anybody still waits for it.

Where steps are quick, drawing does not wait for the database: a step that comes while the last one is still being
written is not told. Where they are slow it waits, so that a cancelled job ends at the step at which it is known.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, Future

from demo.queue.jobs import JobQueue
from demo.store.errors import is_away, is_busy
from demo.store.tables import Generation
from demo.studio import pictures
from jobspec import BatchStep

logger = logging.getLogger(__name__)
REPORT_SECONDS = 0.25  # steps faster than this share a report; what is known of a batch is not asked again before


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
