"""Room on the disk: MAX_DISK for pictures, what waiting jobs will need, a reserve that lets a full disk be emptied.

The bytes of all pictures are a row (`counters`) that changes with the pictures' rows in the same transaction, so that
the limit is exact where it is asked: before a job is taken, and once more in the commit that keeps its pictures.
"""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from demo.store.database import Database
from demo.store.errors import ServiceError, from_failure
from demo.store.settings import Settings
from demo.store.storage import Storage
from demo.store.tables import BYTES, Counter, Generation, Image, change_counter

logger = logging.getLogger(__name__)
T = TypeVar("T")
SPARE_BYTES = 50 * 2**20  # of disk that stay free for database and index
RESERVE_BYTES = 16 * 2**20
RESERVE = "reserve"
MEAN_SECONDS = 60.0  # how long the mean size of a picture counts as known


@cache
def _kept_and_waited_for() -> Select[*tuple[Any, ...]]:
    """Bytes of pictures kept, and pictures that are waited for; built once."""
    return select(
        select(Counter.value).where(Counter.name == BYTES).scalar_subquery(),
        select(func.sum(Generation.n)).where(Generation.status.in_(("queued", "running"))).scalar_subquery(),
    )


class Space:
    """What may still be written."""

    def __init__(self, settings: Settings, database: Database, storage: Storage) -> None:
        self._settings, self._database, self._storage = settings, database, storage
        self._mean: tuple[float, float] = (float("-inf"), 0.0)  # until when (monotonic), bytes

    def used_bytes(self) -> int:
        """Bytes of pictures kept, as of the last commit."""
        with self._database.look() as session:
            return kept_bytes(session)

    def require_for_pictures(self, n: int) -> None:
        """Refuse pictures that would not fit beside those that are waited for. Raises ServiceError disk_full."""
        with self._database.look() as session:
            used, waited_for = session.execute(_kept_and_waited_for()).one()
            mean = self._mean_bytes(session)
        self._require(used or 0, int(mean * ((waited_for or 0) + n)))

    def require(self, size: int = 0) -> None:
        """Refuse so many bytes that do not fit, or that the disk has no room for. Raises ServiceError disk_full."""
        self._require(self.used_bytes(), size)

    def require_kept(self, session: Session) -> None:
        """Refuse, in the transaction that has just added pictures, what exceeds MAX_DISK. Raises ServiceError."""
        session.flush()
        if kept_bytes(session) > self._settings.max_disk:
            raise ServiceError("disk_full")

    def has_spare(self, size: int = 0) -> bool:
        """Whether the disks of pictures and database keep their spare bytes beside so many more."""
        free = [self._storage.free_bytes(), shutil.disk_usage(self._settings.data_dir).free]
        return all(one is None or one >= SPARE_BYTES + size for one in free)

    def _require(self, used: int, size: int) -> None:
        full = used >= self._settings.max_disk or used + size > self._settings.max_disk
        if full or not self.has_spare(size):
            raise ServiceError("disk_full")

    def _mean_bytes(self, session: Session) -> float:
        """Bytes of a drawn picture as those before were; 0.0 before the first."""
        until, mean = self._mean
        if (now := time.monotonic()) >= until or mean == 0.0:
            drawn = select(func.avg(Image.bytes)).where(Image.kind == "generation")
            mean = float(session.scalar(drawn) or 0.0)
            self._mean = (now + MEAN_SECONDS, mean)
        return mean


class Reserve:
    """A file that holds some of the disk, and lets it go where a deletion finds none left."""

    def __init__(self, folder: Path, size: int = RESERVE_BYTES) -> None:
        self._path, self._size = folder / RESERVE, size

    def fill(self) -> None:
        """Take the room again, where there is plenty."""
        try:
            if self._path.exists() and self._path.stat().st_blocks * 512 >= self._size:
                return
            if shutil.disk_usage(self._path.parent).free < SPARE_BYTES + self._size:
                return
            with self._path.open("ab") as file:
                os.fchmod(file.fileno(), 0o600)
                _allocate(file.fileno(), self._size)
        except OSError as error:
            logger.warning("no room is kept for deletions: %s", error)

    def release(self) -> bool:
        """Let the room go; False where there was none."""
        try:
            held = self._path.stat().st_blocks > 0
            self._path.unlink()
        except OSError:
            return False
        return held

    def run(self, act: Callable[[], T]) -> T:
        """Do something that frees room, once more with the reserve where the disk is full."""
        try:
            return act()
        except Exception as error:
            known = from_failure(error)
            if known is None or known.code != "disk_full" or not self.release():
                raise
            logger.warning("the disk is full: the reserve of %d MB is used for a deletion", self._size >> 20)
            return act()


def kept_bytes(session: Session) -> int:
    return session.scalar(select(Counter.value).where(Counter.name == BYTES)) or 0


def recount(session: Session) -> int:
    """Count the bytes of all pictures anew; returns by how much the counter was wrong."""
    before = session.scalar(select(Counter.value).where(Counter.name == BYTES).with_for_update()) or 0
    total = session.scalar(select(func.coalesce(func.sum(Image.bytes), 0))) or 0
    change_counter(session.connection(), BYTES, int(total) - before)
    return int(total) - before


def _allocate(descriptor: int, size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.pwrite(descriptor, os.urandom(size), 0)
    os.fsync(descriptor)
