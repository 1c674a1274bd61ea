"""Drafts: a small picture of a prompt while it is being written, drawn when no job waits, and kept nowhere."""

from __future__ import annotations

import threading

from demo.queue import drafts
from demo.store.errors import ServiceError
from demo.store.settings import Settings
from demo.studio.asking import Asking
from demo.studio.readiness import Readiness
from demo.studio.visibility import Viewer
from jobspec import Draw

MOST_AT_ONCE = 8  # of this process: each waits in a thread that writes
PATIENCE_SECONDS = 3.0  # a draft that is later than that is no help while typing
LEAST_STEPS = 4  # of the base stage; a draft takes half of what the checkpoint takes


class Drafting:
    """Asks a worker for drafts; safe from any thread."""

    def __init__(self, settings: Settings, readiness: Readiness, asking: Asking) -> None:
        self._folder = settings.drafts_dir
        self._readiness, self._asking = readiness, asking
        self._at_once = threading.BoundedSemaphore(MOST_AT_ONCE)

    def offered(self) -> bool:
        """Whether a worker of this studio draws drafts now."""
        return bool(self._readiness.facts().get("drafts"))

    def draw(self, viewer: Viewer, asked: Draw) -> bytes | None:
        """A draft as a WebP file; None where it gave way to jobs or to a newer one of the same person.

        Raises ServiceError: of prompts and styles as a job does; drafts_off, not_ready, content_flagged, draft_failed.
        """
        if not self._readiness.facts():
            self._readiness.require()
            raise ServiceError("not_ready")
        if not self.offered():
            raise ServiceError("drafts_off")
        job = self._asking.settle(viewer, asked.changed(n=1, refine=False, steps=asked.steps or self._steps()))
        if not self._at_once.acquire(blocking=False):
            return None
        try:
            person = viewer.owner_id or viewer.address or ""
            answer = drafts.ask(self._folder, person, job.to_row(), PATIENCE_SECONDS)
        finally:
            self._at_once.release()
        if answer is None:
            raise ServiceError("drafts_off")
        if answer.status == drafts.FLAGGED:
            raise ServiceError("content_flagged")
        if answer.status == drafts.FAILED:
            raise ServiceError("bad_settings", detail=answer.detail) if answer.detail else ServiceError("draw_failed")
        return answer.picture if answer.status == drafts.DRAWN else None

    def _steps(self) -> int | None:
        usual = self._readiness.facts().get("defaults", {}).get("steps")
        return max(LEAST_STEPS, usual // 2) if isinstance(usual, int) else None
