"""Whose jobs a worker takes: those of the weights that it has open, and those whose weights no worker has any more.

A job names the weights that its kind is run with (demo/studio/weights.py), as the web process that took it has them;
one of an earlier version names none, and anybody draws it. After an update with new weights the old workers end what
waits for them; what is left once the last of them has gone for `lease_seconds` is drawn with other weights rather than
never.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sqlalchemy import select

from demo.store.database import Database
from demo.store.tables import Generation, WorkerRow

LOOK_SECONDS = 5.0
ALIVE = ("starting", "ready")  # states of a worker that will draw


class Weights:
    """What one worker takes; `own` is set once its checkpoint is known, `fabric` ("": it makes none) once it is known
    what it runs. One thread asks.
    """

    def __init__(
        self, database: Database, own: str, lease_seconds: float, clock: Callable[[], float] = time.monotonic,
        fabric: str = "",
    ) -> None:  # fmt: skip
        self._database, self.own, self._seconds, self._clock = database, own, lease_seconds, clock
        self.fabric = fabric
        self._looked = float("-inf")
        self._since: dict[str, float] = {}  # weights that nobody has open → since when that is known
        self._adopted: tuple[str, ...] = ()

    def taken(self) -> tuple[str, ...]:
        """The weights whose jobs this worker draws; "": of jobs that name none."""
        now = self._clock()
        if now - self._looked >= LOOK_SECONDS:
            self._looked = now
            self._look(now)
        return (*self._mine(), *self._adopted)

    def told(self) -> dict[str, str]:
        """What a worker's row says of its weights."""
        return {"weights": self.own, "fabric_weights": self.fabric}

    def _mine(self) -> tuple[str, ...]:
        return ("", self.own, *filter(None, [self.fabric]))

    def _look(self, now: float) -> None:
        queued = select(Generation.weights).where(Generation.status == "queued").distinct()
        with self._database.look() as session:
            foreign = set(session.scalars(queued.where(Generation.weights.not_in(self._mine()))))
            if not foreign:
                self._since, self._adopted = {}, ()
                return
            states = session.execute(select(WorkerRow.state, WorkerRow.detail)).all()
        open_now = {str(detail.get(name, "")) for state, detail in states if state in ALIVE for name in self.told()}
        self._since = {name: self._since.get(name, now) for name in foreign - open_now}
        self._adopted = tuple(name for name, since in self._since.items() if now - since >= self._seconds)
