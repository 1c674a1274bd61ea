"""What the web process does beside answering: leases, retention, the trash, stray files, checks of the database.

Calendar limits (retention, backups) go by the wall clock. Where that has jumped against the clock that nobody sets,
nothing is deleted by it for a day.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import delete, select

from demo.ops.backup import remove_old_copies
from demo.store.errors import from_failure
from demo.store.installation import belong_together
from demo.store.space import recount
from demo.store.storage import PART, Storage
from demo.store.tables import Idempotency, Image, Trash
from demo.studio.opening import warm_up
from demo.studio.services import Services

logger = logging.getLogger(__name__)
LOOK_AGAIN = 2.0  # leases, and an encoder that comes late
EVERY = 60.0
HOURLY = 3600.0
STRAY_SECONDS = 600.0  # a file without a row may be one whose row is about to be written
QUARANTINE_DAYS = 7
IDEMPOTENCY_DAYS = 7
COPIES_DAYS = 14  # copies of the database that were made before a migration
JUMP_SECONDS, DISTRUST_SECONDS = 3600.0, 86400.0


class Calendar:
    """Whether the wall clock can be trusted with deletions: not for a day after it has jumped."""

    def __init__(self) -> None:
        self._offset, self._until = time.time() - time.monotonic(), float("-inf")

    def trusted(self) -> bool:
        offset, now = time.time() - time.monotonic(), time.monotonic()
        if abs(offset - self._offset) > JUMP_SECONDS:
            jump = offset - self._offset
            logger.warning("the clock has jumped by %.0f s: nothing is deleted by date for a day", jump)
            self._until = now + DISTRUST_SECONDS
        self._offset = offset
        return now >= self._until


def keep_up(services: Services, stop: threading.Event) -> None:
    """Leases every two seconds; the trash every minute; stray files and the database's soundness every hour."""
    calendar, due, hourly = Calendar(), time.monotonic() + EVERY, time.monotonic() + EVERY
    _note_damage(services)
    while not stop.wait(LOOK_AGAIN):
        _guarded(services.leases.take_back)
        if services.database.replaced():
            logger.warning("another database lies in the place of the one that was opened: ending, to open that")
            os.kill(os.getpid(), signal.SIGTERM)
            return
        if services.searcher.problem is not None and Path(services.settings.encoder).exists():
            warm_up(services)
        if time.monotonic() >= due:
            due = time.monotonic() + EVERY
            _guarded(lambda: once(services, calendar.trusted()))
        if time.monotonic() >= hourly:
            hourly = time.monotonic() + HOURLY
            _guarded(lambda: every_hour(services, calendar.trusted()))


def once(services: Services, by_date: bool = True) -> None:
    """One round of upkeep. `by_date`: whether the wall clock is trusted with deletions."""
    days = services.settings.retention_days
    if days and by_date:
        expired = services.deletion.expire(time.time() - days * 86400)
        if expired:
            logger.info("%d generations and uploads were older than %d days and are deleted", expired, days)
    if services.settings.trash_days and by_date and (gone := services.trash_can.expire()):
        logger.info("%d pictures lay in the trash for %d days and are deleted", gone, services.settings.trash_days)
    if by_date:
        before = time.time() - IDEMPOTENCY_DAYS * 86400
        with services.database.write() as session:
            session.execute(delete(Idempotency).where(Idempotency.created_at < before))
    services.leases.forget_workers()
    services.deletion.sweep()
    services.reserve.fill()


def every_hour(services: Services, by_date: bool = True) -> None:
    """What takes longer: soundness, counted bytes, stray files."""
    _note_damage(services)
    with services.database.write() as session:
        if wrong := recount(session):
            logger.warning("the bytes of all pictures were %d off and are counted anew", wrong)
    remove_strays(services.storage, services)
    if by_date:
        services.storage.empty_quarantine(QUARANTINE_DAYS * 86400)
        remove_old_copies(services.settings.data_dir, COPIES_DAYS * 86400)


def remove_strays(storage: Storage, services: Services, older_than: float = STRAY_SECONDS) -> int:
    """Put files that no row names into the quarantine: a process died between file and row. Returns how many.

    Not where the storage is another database's, nor while the database names no picture at all: it may be a new one in
    place of one that was lost.
    """
    strays = list(storage.found(older_than))
    if not strays or not belong_together(services.database, storage):
        return 0
    with services.database.read() as session:
        named = {file["key"] for files in session.scalars(select(Image.files)) for file in files.values()}
        waiting = set(session.scalars(select(Trash.key)))
    gone = [key for key in strays if key not in named and key not in waiting] if named else []
    for key in gone:
        storage.quarantine(key)
    if gone:
        halves = sum(PART.fullmatch(key) is not None for key in gone)
        logger.info("%d stray files (%d half-written) are in the quarantine for %d days", len(gone), halves,
                    QUARANTINE_DAYS)  # fmt: skip
    return len(gone)


def _note_damage(services: Services) -> None:
    """Have SQLite check the whole file; what is found is refused with from now on."""
    try:
        services.database.damage = services.database.problem()
    except Exception as error:
        logger.warning("the database cannot be checked now: %s", error)
    if services.database.damage:
        logger.error("the database is damaged: %s; stop the server and restore a backup", services.database.damage)


def _guarded(act: Callable[[], object]) -> None:
    """Do one thing; a failure waits for the next round."""
    try:
        act()
    except Exception as error:
        known = from_failure(error)
        logger.warning("upkeep: %s", error) if known else logger.exception("upkeep failed")
