"""Can pictures be drawn now, and if not, what is missing: asked by /readyz, by the page, and before a job is taken."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NotRequired, TypedDict, cast

from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from demo.store.database import Database
from demo.store.errors import ServiceError, from_failure, message
from demo.store.settings import Settings
from demo.store.space import Space
from demo.store.storage import Storage
from demo.store.tables import WorkerRow
from demo.studio.searching import Searcher
from demo.studio.weights import weights_of
from jobspec import Shapes

HEARD_SECONDS = 0.2  # how long a ready worker is believed without another look; any other state is looked up
ROLES = {
    "web": ("database", "storage", "encoder", "index"),
    "worker": ("database", "storage", "checkpoint", "worker"),
}
FINE = ("ok", "waits for the encoder")
SILENT_SECONDS = 15.0  # a worker that has said nothing for so long is not there


class WorkerFacts(TypedDict, total=False):
    """What a worker said of its runners; see `facts` of `jobspec.Runner`."""

    checkpoint_id: str
    defaults: dict[str, object]
    domain: str
    drafts: bool
    kinds: list[str]
    shapes: dict[str, int]  # the fields of `jobspec.Shapes`
    segments: bool  # whether it finds garments in pictures


class ReadinessReport(TypedDict):
    """The body of /readyz; `disk` is the admin's alone."""

    ready: bool
    missing: list[dict[str, str]]
    checks: dict[str, str]
    retention_days: int
    disk: NotRequired[dict[str, int]]


class Readiness:
    """Looks at database, storage, checkpoint, encoder, index and worker."""

    def __init__(
        self, settings: Settings, database: Database, storage: Storage, searcher: Searcher, space: Space | None = None
    ) -> None:
        self._settings, self._database, self._storage, self._searcher = settings, database, storage, searcher
        self._space = space or Space(settings, database, storage)
        self._lock = threading.Lock()
        self._heard: dict[str, tuple[float, float]] = {}  # worker -> heartbeat, and when (monotonic) it was new
        self._known: tuple[float, WorkerRow | None] = (float("-inf"), None)  # until when, a worker that was ready

    def worker(self) -> WorkerRow | None:
        """A worker that still speaks: one with this process's weights and ready, if there is one; a ready one as of a
        moment ago.
        """
        until, worker = self._known
        if worker is not None and time.monotonic() < until:
            return worker
        with self._database.look() as session:
            rows = list(session.scalars(select(WorkerRow)))
        with self._lock:
            self._heard = {row.name: self._heard[row.name] for row in rows if row.name in self._heard}
            alive = [row for row in rows if self._speaks(row)]
        own = weights_of(self._settings.checkpoint)
        mine = [row for row in alive if row.detail.get("weights", own) == own]  # an earlier version names none
        worker = max(mine or alive, key=lambda row: (row.state == "ready", row.heartbeat), default=None)
        ready = worker is not None and worker.state == "ready"
        self._known = time.monotonic() + HEARD_SECONDS, worker if ready else None
        return worker

    def _speaks(self, row: WorkerRow) -> bool:
        """Whether a worker's heartbeat is new: by the wall clock, or, where clocks differ, because it has changed."""
        now, last = time.monotonic(), self._heard.get(row.name)
        if last is None:
            self._heard[row.name] = (row.heartbeat, float("-inf"))
        elif last[0] != row.heartbeat:
            self._heard[row.name] = (row.heartbeat, now)
        recently = now - self._heard[row.name][1] < SILENT_SECONDS
        return recently or abs(time.time() - row.heartbeat) < SILENT_SECONDS

    def require(self, pictures: int = 1) -> None:
        """Refuse a job that could not be drawn. Raises checkpoint_missing, encoder_missing, not_ready, disk_full."""
        if (problem := self.checkpoint_problem()) is not None:
            raise ServiceError("checkpoint_missing", detail=problem)
        self._searcher.require()
        self._space.require_for_pictures(pictures)

    def checkpoint_problem(self) -> str | None:
        """What keeps the checkpoint from drawing, in words; None when nothing is known to."""
        worker = self.worker()
        if worker is not None and worker.state == "missing":
            return str(worker.detail["message"])
        if worker is not None and worker.state == "ready":
            return None
        return missing_checkpoint(self._settings.checkpoint)

    def refines(self) -> bool:
        """Whether the checkpoint has a second stage: the worker knows once it is open; before, the folder tells."""
        if facts := self.facts():
            return bool(facts.get("defaults", {}).get("refine"))
        return names_refiner(self._settings.checkpoint)

    def facts(self) -> WorkerFacts:
        """What the worker said of its runners once they were open: checkpoint_id, defaults, domain, drafts, kinds."""
        worker = self.worker()
        return cast("WorkerFacts", worker.detail) if worker is not None and worker.state == "ready" else {}

    def shapes(self) -> Shapes | None:
        """Which sizes the checkpoint draws; None before its worker has said so."""
        given = self.facts().get("shapes")
        return None if given is None else Shapes(given["side"], given["unit"], bool(given["squares_only"]))

    def domain(self) -> str:
        """The checkpoint's domain: the worker knows once it is open; before, its manifest tells."""
        facts = self.facts()
        return str(facts["domain"] if "domain" in facts else manifest_of(self._settings.checkpoint).get("domain", ""))

    def used_bytes(self) -> int:
        """Bytes of pictures kept."""
        return self._space.used_bytes()

    def report(self, role: str = "") -> ReadinessReport:
        """The body of /readyz. `role`: of a web process alone (it can answer), of the workers alone (pictures can be
        drawn), or empty: of both.
        """
        report = self._whole_report()
        if role:
            names = ROLES[role]
            report["checks"] = {name: text for name, text in report["checks"].items() if name in names}
            failed = {name for name, text in report["checks"].items() if text not in FINE}
            report["missing"] = [each for each in report["missing"] if each.pop("check") in failed]
            report["ready"] = not report["missing"]
        for each in report["missing"]:
            each.pop("check", None)
        return report

    def _whole_report(self) -> ReadinessReport:
        from index import metadata as index_tables

        checks = {"database": "ok", "storage": "ok", "checkpoint": "ok", "encoder": "ok", "index": "ok", "worker": "ok"}
        missing: list[dict[str, str]] = []
        used = 0

        def note(check: str, code: str, **values: object) -> None:
            checks[check] = str(values.get("detail") or code)
            missing.append({"code": code, "message": message(code, values), "check": check})

        try:
            self._database.touch(index_tables.tables if self._searcher.ready else ())
            used = self.used_bytes()
            self._note_worker(note)
        except (SQLAlchemyError, ServiceError) as error:
            known = from_failure(error) or ServiceError("database_busy")
            note("database", known.code, **known.values)
        try:
            self._storage.check()
        except OSError as error:
            known = from_failure(error) or ServiceError("storage_unavailable")
            note("storage", known.code)
        if used >= self._settings.max_disk or not self._space.has_spare():
            note("storage", "disk_full")
        if not self._searcher.ready:
            problem = self._searcher.problem
            note("encoder", "encoder_missing" if problem else "not_ready", detail=problem)
            checks["index"] = "waits for the encoder"
        disk = {"used_bytes": used, "max_bytes": self._settings.max_disk}
        days = self._settings.retention_days
        return {"ready": not missing, "missing": missing, "checks": checks, "retention_days": days, "disk": disk}

    def _note_worker(self, note: Callable[..., None]) -> None:
        worker = self.worker()
        if (problem := self.checkpoint_problem()) is not None:
            note("checkpoint", "checkpoint_missing", detail=problem)
        elif worker is None or worker.state != "ready":
            note("worker", "not_ready")


def missing_checkpoint(checkpoint: str) -> str | None:
    """What a local checkpoint folder lacks; None for one that looks whole, a single file, a hub id, a registered name,
    or two of these joined by +, which a folder may have in its name too: the worker knows when it opens them.
    """
    path = Path(checkpoint)
    if path.is_file():
        return None
    if not path.exists():
        known = "+" in checkpoint or _may_be_downloaded(checkpoint)
        return None if known else f"{path.name}/ does not exist: set CHECKPOINT to a checkpoint folder"
    if not any((path / name).exists() for name in ("manifest.json", "model_index.json")):
        return f"{path.name}/ holds no manifest.json and no model_index.json: train it, or set CHECKPOINT to another"
    return None


def names_refiner(checkpoint: str) -> bool:
    """Whether a checkpoint names a second stage, as far as its manifest or its name tells."""
    stages = manifest_of(checkpoint).get("stages")
    if isinstance(stages, dict):
        return "refiner" in stages
    return not Path(checkpoint).exists() and "+" in checkpoint


def manifest_of(checkpoint: str) -> dict[str, object]:
    """A checkpoint folder's manifest; empty where there is none that can be read."""
    try:
        found = json.loads((Path(checkpoint) / "manifest.json").read_text(encoding="utf-8"))
        return found if isinstance(found, dict) else {}
    except (OSError, ValueError):
        return {}


def _may_be_downloaded(name: str) -> bool:
    """Whether a name may be a hub id (owner/name) or a registered one (sd15); the worker knows when it opens it."""
    return name.count("/") < 2 and not name.startswith((".", "/"))
