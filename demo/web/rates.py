"""Where the rate limits are counted: in this process, under one lock, by a clock that nobody sets; or where several
web processes count together (Redis, rates_sql.py).

`limits` has a store in memory too, which forgets old counts in a timer that any request may replace and start: two at
once start the same one, and the second is answered 500 ("threads can only be started once").
"""

from __future__ import annotations

import ipaddress
import logging
import threading
import time
from functools import lru_cache

from limits import parse
from limits.storage import Storage, storage_from_string
from limits.strategies import FixedWindowRateLimiter

from demo.store.database import Database
from demo.store.errors import ServiceError

logger = logging.getLogger(__name__)
LOCAL = "counts://"
SWEEP_SECONDS = 60.0
REST_SECONDS = 2.0  # after the place where counts are kept could not be reached
REDIS = ("redis", "rediss", "unix")  # schemes
TIMEOUT_SECONDS = 1.0
IPV6_BITS = 64  # what one customer of a provider has


class ExpiringCounters(Storage):
    """Counters that end; those that have ended are swept away by whoever counts next. The scheme is `counts://`."""

    STORAGE_SCHEME = [LOCAL.partition(":")[0]]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._lock = threading.Lock()
        self._counts: dict[str, tuple[int, float]] = {}  # key → (count, when it ends, monotonic)
        self._sweep_at = time.monotonic() + SWEEP_SECONDS

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        now = time.monotonic()
        with self._lock:
            self._sweep(now)
            count, ends = self._counts.get(key, (0, float("-inf")))
            if ends <= now:
                count, ends = 0, now + expiry
            self._counts[key] = (count + amount, ends)
            return count + amount

    def get(self, key: str) -> int:
        with self._lock:
            count, ends = self._counts.get(key, (0, float("-inf")))
        return count if ends > time.monotonic() else 0

    def get_expiry(self, key: str) -> float:
        """When a count ends, in seconds since 1970 as `limits` wants it."""
        now = time.monotonic()
        with self._lock:
            ends = self._counts.get(key, (0, now))[1]
        return time.time() + max(0.0, ends - now)

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            count = len(self._counts)
            self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        with self._lock:
            self._counts.pop(key, None)

    def _sweep(self, now: float) -> None:
        """Forget what has ended, at most once a minute: people who come once must not be kept for good."""
        if now < self._sweep_at:
            return
        self._counts = {key: kept for key, kept in self._counts.items() if kept[1] > now}
        self._sweep_at = now + SWEEP_SECONDS


class Rates:
    """How often somebody may do something, counted in `storage`."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._strategy = FixedWindowRateLimiter(storage)
        self._rests_until = float("-inf")

    def count(self, rate: str, what: str, whose: str) -> None:
        """Count one more of `what`; `rate` like 240/minute. Raises ServiceError rate_limited."""
        if time.monotonic() < self._rests_until:
            return
        try:
            within = self._strategy.hit(_parsed(rate), what, whose)
        except self.storage.base_exceptions as error:  # kept elsewhere: better uncounted than refused
            logger.warning("for %.0f s no requests are counted: %s", REST_SECONDS, error)
            self._rests_until = time.monotonic() + REST_SECONDS
            return
        if not within:
            raise ServiceError("rate_limited")


def open_storage(url: str, database: Database, key: bytes) -> Storage:
    """Where counts are kept: `url` of `Settings.rates_url`. `key`: what people and addresses are hashed with."""
    if not url:
        return _storage(LOCAL)
    if url == "database":
        from demo.web.rates_sql import DatabaseCounters

        return DatabaseCounters(database, key)
    if url.partition("://")[0] not in REDIS:
        return _storage(url)
    url = "redis+" + url if url.startswith("unix://") else url
    seconds = {"socket_connect_timeout": TIMEOUT_SECONDS, "socket_timeout": TIMEOUT_SECONDS}
    return _storage(url, **seconds)


def _storage(url: str, **options: float | str | bool) -> Storage:
    storage = storage_from_string(url, **options)
    assert isinstance(storage, Storage)  # another only for schemes that begin with async+
    return storage


@lru_cache(maxsize=4096)
def neighbourhood(address: str) -> str:
    """What is counted as one address: an IPv4 address, or the 64 bits of IPv6 that one line has."""
    try:
        known = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, IPV6_BITS), strict=False))


_parsed = lru_cache(parse)
