"""What goes between processes beside the rows: word that events were written, and pictures on the way.

Without Redis both go through the database: readers look for events ten times a second, previews are rows. With
QUEUE_URL word comes through a channel of Redis, readers look once a second besides, and previews are kept in Redis for
two minutes. Where Redis loses something, an event is told a little later, and a preview is a row while it is away.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from demo.store.settings import Settings

logger = logging.getLogger(__name__)
LOOK_SECONDS, SELDOM_SECONDS = 0.1, 1.0  # between two looks for events: without word of them, and with it
CHANNEL, PREVIEW = "geuryeojwo:events", "geuryeojwo:preview:"
KEPT_SECONDS = 120  # of a preview
TIMEOUT_SECONDS = 1.0
REST_SECONDS = 2.0  # after Redis could not be reached, in which it is not asked for previews


class Relay(Protocol):
    """See the module."""

    @property
    def look_seconds(self) -> float:
        """How often readers look for events by themselves now."""
        ...

    def tell(self) -> None:
        """Say that events were written. Never fails and never waits for a network."""
        ...

    def subscribe(self, hear: Callable[[], None]) -> None:
        """Call `hear` from another thread whenever a process has said so."""
        ...

    def keep_previews(self, generation_id: str, pictures: Sequence[bytes]) -> bool:
        """Keep the pictures so far of a job; False where that is for the caller to do, as rows."""
        ...

    def preview(self, generation_id: str, place: int) -> bytes | None: ...

    def close(self) -> None: ...


class NoRelay:
    """Everything goes through the database."""

    look_seconds = LOOK_SECONDS

    def tell(self) -> None:
        return

    def subscribe(self, hear: Callable[[], None]) -> None:
        return

    def keep_previews(self, generation_id: str, pictures: Sequence[bytes]) -> bool:
        return False

    def preview(self, generation_id: str, place: int) -> bytes | None:
        return None

    def close(self) -> None:
        return


class RedisRelay:
    """Through the Redis of QUEUE_URL; threads may share it."""

    def __init__(self, url: str) -> None:
        import redis

        self._errors = (redis.RedisError, OSError)
        self._redis = redis.Redis.from_url(
            url, socket_connect_timeout=TIMEOUT_SECONDS, socket_timeout=2 * TIMEOUT_SECONDS, health_check_interval=10
        )
        self._closed, self._subscribed = threading.Event(), threading.Event()
        self._news = threading.Condition()
        self._told = False
        self._rests_until = float("-inf")
        self._teller: threading.Thread | None = None

    @property
    def look_seconds(self) -> float:
        return SELDOM_SECONDS if self._subscribed.is_set() else LOOK_SECONDS

    def tell(self) -> None:
        with self._news:
            self._told = True
            if self._teller is None:
                self._teller = threading.Thread(target=self._keep_telling, name="relay", daemon=True)
                self._teller.start()
            self._news.notify_all()

    def subscribe(self, hear: Callable[[], None]) -> None:
        threading.Thread(target=self._listen, args=(hear,), name="relay-listener", daemon=True).start()

    def keep_previews(self, generation_id: str, pictures: Sequence[bytes]) -> bool:
        if not self._awake():
            return False
        key = PREVIEW + generation_id
        try:
            with self._redis.pipeline() as pipe:
                pipe.hset(key, mapping={str(place): data for place, data in enumerate(pictures)})
                pipe.expire(key, KEPT_SECONDS)
                pipe.execute()
        except self._errors as error:
            self._rest(error)
            return False
        return True

    def preview(self, generation_id: str, place: int) -> bytes | None:
        if not self._awake():
            return None
        try:
            found = self._redis.hget(PREVIEW + generation_id, str(place))
        except self._errors as error:
            self._rest(error)
            return None
        return found if isinstance(found, bytes) else None

    def close(self) -> None:
        self._closed.set()
        with self._news:
            self._news.notify_all()

    def _keep_telling(self) -> None:
        while not self._closed.is_set():
            with self._news:
                self._news.wait_for(lambda: self._told or self._closed.is_set())
                self._told = False
            try:
                if self._awake():
                    self._redis.publish(CHANNEL, b"1")
            except self._errors as error:
                self._rest(error)

    def _listen(self, hear: Callable[[], None]) -> None:
        while not self._closed.is_set():
            try:
                with self._redis.pubsub(ignore_subscribe_messages=True) as channel:  # type: ignore[no-untyped-call]  # redis-py
                    channel.subscribe(CHANNEL)
                    self._subscribed.set()
                    while not self._closed.is_set():
                        if channel.get_message(timeout=TIMEOUT_SECONDS) is not None:
                            hear()
            except self._errors as error:
                self._subscribed.clear()
                self._rest(error)
                self._closed.wait(REST_SECONDS)
            hear()  # what was written while nobody listened

    def _awake(self) -> bool:
        return time.monotonic() >= self._rests_until

    def _rest(self, error: Exception) -> None:
        if self._awake():
            logger.warning("events and previews go through the database, Redis is away: %s", error)
        self._rests_until = time.monotonic() + REST_SECONDS


def open_relay(settings: Settings) -> Relay:
    """The relay of QUEUE_URL; empty: the database. Raises ValueError where the `redis` package is not installed."""
    if not settings.queue_url:
        return NoRelay()
    try:
        return RedisRelay(settings.queue_url)
    except ImportError as error:
        raise ValueError("QUEUE_URL needs the redis package: pip install -r requirements-cluster.txt") from error
