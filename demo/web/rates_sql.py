"""Counters of rates in the database, where several web processes count together and there is no Redis.

One statement a count, by the database's own clock; keys are hashed with the installation's key, since they hold
addresses. On PostgreSQL the table is unlogged: a crash of the server forgets the counts, and no count waits for a disk.
"""

from __future__ import annotations

import hashlib
import hmac
import threading
import time

import sqlalchemy as sa
from limits.storage import Storage
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError

from demo.store.database import Database
from demo.store.tables import RateCount

SWEEP_SECONDS = 60.0
_NOW: dict[str, sa.ColumnElement[float]] = {
    "postgresql": sa.literal_column("extract(epoch FROM clock_timestamp())::double precision"),
    "sqlite": sa.literal_column("(julianday('now') - 2440587.5) * 86400.0"),
}


class DatabaseCounters(Storage):
    """Counters that end; whoever counts next after a minute sweeps away those that have ended."""

    STORAGE_SCHEME = ["database"]

    def __init__(self, database: Database, key: bytes) -> None:
        super().__init__()
        dialect = database.engine.dialect.name
        if dialect not in _NOW:
            raise ValueError(f"rates cannot be counted in {dialect}: set RATE_STORAGE to a URL of `limits`")
        self._engine = database.engine.execution_options(isolation_level="AUTOCOMMIT")
        self._key, self._now = key, _NOW[dialect]
        self._count = _counting(dialect, self._now)
        self._sweep_at, self._sweeping = time.monotonic() + SWEEP_SECONDS, threading.Lock()

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        self._sweep()
        with self._engine.connect() as connection:
            values = {"key": self._hashed(key), "amount": amount, "expiry": expiry}
            return int(connection.execute(self._count, values).scalar_one())

    def get(self, key: str) -> int:
        mine = sa.select(RateCount.count).where(RateCount.key == self._hashed(key), RateCount.ends > self._now)
        with self._engine.connect() as connection:
            return int(connection.execute(mine).scalar_one_or_none() or 0)

    def get_expiry(self, key: str) -> float:
        """When a count ends, in seconds since 1970."""
        mine = sa.select(RateCount.ends - self._now).where(RateCount.key == self._hashed(key))
        with self._engine.connect() as connection:
            left = connection.execute(mine).scalar_one_or_none() or 0.0
        return time.time() + max(0.0, float(left))

    def check(self) -> bool:
        try:
            self.get("check")
        except SQLAlchemyError:
            return False
        return True

    def reset(self) -> int:
        with self._engine.connect() as connection:
            return int(connection.execute(sa.delete(RateCount)).rowcount)

    def clear(self, key: str) -> None:
        with self._engine.connect() as connection:
            connection.execute(sa.delete(RateCount).where(RateCount.key == self._hashed(key)))

    def _hashed(self, key: str) -> str:
        return hmac.new(self._key, key.encode(), hashlib.sha256).hexdigest()[:32]

    def _sweep(self) -> None:
        if time.monotonic() < self._sweep_at or not self._sweeping.acquire(blocking=False):
            return
        try:
            self._sweep_at = time.monotonic() + SWEEP_SECONDS
            with self._engine.connect() as connection:
                connection.execute(sa.delete(RateCount).where(RateCount.ends <= self._now))
        finally:
            self._sweeping.release()


def _counting(dialect: str, now: sa.ColumnElement[float]) -> sa.UpdateBase:
    """One statement that adds to a count, or begins it anew where it has ended, and tells it."""
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(RateCount)
    amount = sa.bindparam("amount", type_=sa.Integer)
    ends = now + sa.bindparam("expiry", type_=sa.Double)
    begun = insert.values(key=sa.bindparam("key"), count=amount, ends=ends)
    over = RateCount.ends <= now
    return begun.on_conflict_do_update(
        index_elements=["key"],
        set_={
            "count": sa.case((over, amount), else_=RateCount.count + amount),
            "ends": sa.case((over, ends), else_=RateCount.ends),
        },
    ).returning(RateCount.count)
