"""What a worker on this machine last said, for whoever watches its process: it listens at no port."""

from __future__ import annotations

import time

from sqlalchemy import select

from demo.queue.identity import is_dead, machine
from demo.store.database import Database
from demo.store.settings import Settings
from demo.store.tables import WorkerRow
from demo.studio.readiness import SILENT_SECONDS


def workers_here(settings: Settings) -> list[str]:
    """The states of this machine's workers that live and have spoken lately, by this machine's own clock."""
    database = Database(settings.sqlalchemy_url)
    try:
        with database.look() as session:
            rows = list(session.scalars(select(WorkerRow).where(WorkerRow.name.startswith(f"{machine()}:"))))
    finally:
        database.close()
    recent = time.time() - SILENT_SECONDS
    return sorted(row.state for row in rows if row.heartbeat >= recent and not is_dead(row.name))
