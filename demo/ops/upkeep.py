"""What the web process does beside answering: retention, the trash, stray files, an encoder that comes late."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path

from sqlalchemy import delete, select

from demo.store.errors import from_failure
from demo.store.storage import Storage
from demo.store.tables import Idempotency, Image, Trash
from demo.studio.opening import warm_up
from demo.studio.services import Services

logger = logging.getLogger(__name__)
EVERY = 60.0
STRAYS_EVERY = 3600.0
LOOK_AGAIN = 5.0
STRAY_SECONDS = 600.0  # a file without a row may be one whose row is about to be written
IDEMPOTENCY_DAYS = 7


def keep_up(services: Services, stop: threading.Event) -> None:
    """Every minute retention and the trash, every hour stray files; a missing encoder is looked for all the time."""
    due = strays_due = time.monotonic() + EVERY
    while not stop.wait(LOOK_AGAIN):
        if services.searcher.problem is not None and Path(services.settings.encoder).exists():
            warm_up(services)
        if time.monotonic() < due:
            continue
        due = time.monotonic() + EVERY
        try:
            once(services)
            if time.monotonic() >= strays_due:
                strays_due = time.monotonic() + STRAYS_EVERY
                remove_strays(services.storage, services)
        except Exception as error:
            known = from_failure(error)
            logger.warning("upkeep: %s", error) if known else logger.exception("upkeep failed")


def once(services: Services) -> None:
    """One round of upkeep."""
    days = services.settings.retention_days
    if days:
        expired = services.deletion.expire(time.time() - days * 86400)
        if expired:
            logger.info("%d generations and uploads were older than %d days and are deleted", expired, days)
    with services.database.write() as session:
        session.execute(delete(Idempotency).where(Idempotency.created_at < time.time() - IDEMPOTENCY_DAYS * 86400))
    services.deletion.sweep()


def remove_strays(storage: Storage, services: Services, older_than: float = STRAY_SECONDS) -> int:
    """Remove files that no row names: a process died between file and row."""
    strays = list(storage.found(older_than))
    if not strays:
        return 0
    with services.database.read() as session:
        named = {file["key"] for files in session.scalars(select(Image.files)) for file in files.values()}
        named |= set(session.scalars(select(Trash.key)))
    gone = [key for key in strays if key not in named]
    for key in gone:
        storage.remove_stray(key)
    if gone:
        logger.info("%d stray files are removed", len(gone))
    return len(gone)
