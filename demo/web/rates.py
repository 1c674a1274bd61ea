"""Where the rate limits are counted: in this process, under one lock, by a clock that nobody sets.

`limits` has a store in memory too, which forgets old counts in a timer that any request may replace and start: two at
once start the same one, and the second is answered 500 ("threads can only be started once").
"""

from __future__ import annotations

import threading
import time

from limits.storage import Storage

LOCAL = "counts://"
SWEEP_SECONDS = 60.0


class Counts(Storage):
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
