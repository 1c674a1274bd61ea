"""Draw drafts while no job waits: one picture of the base stage, given up as soon as a job or a newer draft comes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping

import jobspec
from demo.queue.drafts import DRAWN, FAILED, FLAGGED, NONE, Answer, Draft, DraftDesk
from demo.queue.jobs import JobQueue
from demo.store.settings import Settings
from demo.studio import pictures
from jobspec import Cancelled, Draw, Order, Runner

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.05  # between two looks for jobs while a draft is drawn


def draws_drafts(settings: Settings, facts: Mapping[str, object]) -> bool:
    """Whether this worker draws drafts: as DRAFTS says; auto: unless a public checkpoint runs without a GPU."""
    if settings.drafts != "auto":
        return settings.drafts == "on"
    return bool(facts.get("domain")) or facts.get("device") == "cuda"


class Drafter:
    """Draws what waits at the desk, one at a time."""

    def __init__(self, desk: DraftDesk, queue: JobQueue, stop: threading.Event) -> None:
        self._desk, self._queue, self._stop = desk, queue, stop

    def draw_one(self, runners: Mapping[str, Runner]) -> bool:
        """Draw the next draft; False when none waits."""
        draft = self._desk.take()
        if draft is None:
            return False
        try:
            draft.answer(self._drawn(draft, runners))
        except Cancelled:
            draft.answer(Answer(NONE))
        except Exception as error:
            logger.warning("a draft failed: %s", type(error).__name__)  # the message may quote the prompt
            draft.answer(Answer(FAILED, detail=str(error) if isinstance(error, ValueError) else ""))
        return True

    def _drawn(self, draft: Draft, runners: Mapping[str, Runner]) -> Answer:
        job = jobspec.of_row(draft.spec)
        if not isinstance(job, Draw) or job.n != 1 or job.refine or job.source_pictures():
            raise ValueError(f"a draft is one picture of the base stage, not {job.kind} of {job.n}")
        (result,) = runners[job.kind].run([Order(job)], None, _GivenUp(draft, self._desk, self._queue, self._stop))
        if result.flagged:
            return Answer(FLAGGED)
        return Answer(DRAWN, pictures.encode(result.pictures[0].image, "image/webp", pictures.GENERATED))


class _GivenUp:
    """Asked after every step of a draft: whether it is in anybody's way, or nobody waits for it."""

    def __init__(self, draft: Draft, desk: DraftDesk, queue: JobQueue, stop: threading.Event) -> None:
        self._draft, self._desk, self._queue, self._stop = draft, desk, queue, stop
        self._looked = time.monotonic()

    def __call__(self) -> bool:
        if self._stop.is_set() or self._desk.newer(self._draft) or not self._draft.wanted():
            return True
        if time.monotonic() - self._looked < LOOK_SECONDS:
            return False
        self._looked = time.monotonic()
        return self._queue.any_waits()
