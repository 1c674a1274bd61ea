"""Numbers for Prometheus: requests of this process, and what the database knows about jobs, disk and workers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.space import kept_bytes
from demo.store.tables import Generation
from demo.studio.readiness import Readiness

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)
STAGES = ("encode", "search", "queue", "base", "refiner", "store")
RECENT = 100  # generations that the stage means are taken over
MANY, KEPT_SECONDS = 100_000, 60.0  # so many generations are counted once in a while


class Metrics:
    """One registry per application, so that tests may make many."""

    def __init__(self, database: Database, readiness: Readiness) -> None:
        self._database, self._readiness = database, readiness
        self._registry = CollectorRegistry()
        labels = ("method", "route", "status")
        self.requests = Counter("studio_requests", "Requests answered", labels, registry=self._registry)
        self.seconds = Histogram(
            "studio_request_seconds", "Time to an answer", ("method", "route"), buckets=SECONDS, registry=self._registry
        )
        self.open_streams = lambda: 0
        self._counts: Sequence[tuple[str, int]] = ()
        self._count_at = float("-inf")
        self._registry.register(self)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        self.requests.labels(method, route, str(status)).inc()
        self.seconds.labels(method, route).observe(seconds)

    def text(self) -> bytes:
        return generate_latest(self._registry)

    def describe(self) -> list:
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the database at every scrape."""
        with self._database.read() as session:
            counts = self._counted(session)
            bytes_of_all = kept_bytes(session)
            recent = session.scalars(
                select(Generation.timings).where(Generation.status == "succeeded")
                .order_by(Generation.created_at.desc()).limit(RECENT)
            ).all()  # fmt: skip
        yield _family("studio_generations", "Generations by status", ("status",), {(s,): n for s, n in counts})
        yield _family("studio_picture_bytes", "Bytes of pictures kept", (), {(): bytes_of_all})
        yield _family("studio_streams", "Event streams open", (), {(): self.open_streams()})
        yield _family("studio_worker_up", "A worker is ready to draw", (), {(): self._worker_up()})
        means = {}
        for stage in STAGES:
            seconds = [timings[stage] for timings in recent if stage in timings]
            if seconds:
                means[(stage,)] = sum(seconds) / len(seconds)
        yield _family("studio_stage_seconds", f"Mean of the last {RECENT} generations", ("stage",), means)

    def _counted(self, session: Session) -> Sequence[tuple[str, int]]:
        """How many generations have each status; where there are many, of a moment ago: counting reads them all."""
        if time.monotonic() >= self._count_at:
            counts = session.execute(select(Generation.status, func.count()).group_by(Generation.status)).all()
            self._counts = [(status, number) for status, number in counts]
            many = sum(number for _, number in self._counts) >= MANY
            self._count_at = time.monotonic() + KEPT_SECONDS if many else float("-inf")
        return self._counts

    def _worker_up(self) -> int:
        worker = self._readiness.worker()
        return int(worker is not None and worker.state == "ready")


def _family(name: str, help: str, labels: tuple[str, ...], values: dict[tuple, float]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, help, labels=labels)
    for key, value in values.items():
        family.add_metric(key, value)
    return family
