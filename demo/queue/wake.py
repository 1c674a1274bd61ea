"""How a worker hears that a job has come: by looking often, or by a signal through Redis.

A signal is a hint and may be lost: a worker looks by itself too, ten times a second without Redis, once with it.
"""

from __future__ import annotations

import logging
import threading
from typing import Protocol

logger = logging.getLogger(__name__)
LOOK_SECONDS = 0.1
KEY = "geuryeojwo:wake"
MOST_SIGNALS = 64
EXPIRE_SECONDS = 60


class Wake(Protocol):
    """A bell that any process rings and one waiting worker hears."""

    def ring(self) -> None: ...

    def wait(self, attention: threading.Event) -> None:
        """Return when it rang, when `attention` is set, or when it is time to look anyway."""
        ...


class Looking:
    """No signal: looking often."""

    def ring(self) -> None:
        return

    def wait(self, attention: threading.Event) -> None:
        attention.wait(LOOK_SECONDS)


class RedisBell:
    """A short list in Redis: ringing adds an element, waiting takes one."""

    def __init__(self, url: str) -> None:
        import redis

        self._errors = (redis.RedisError, OSError)
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=1.0, socket_timeout=2.0)

    def ring(self) -> None:
        try:
            with self._redis.pipeline() as pipe:
                pipe.lpush(KEY, b"1")
                pipe.ltrim(KEY, 0, MOST_SIGNALS - 1)
                pipe.expire(KEY, EXPIRE_SECONDS)
                pipe.execute()
        except self._errors as error:
            logger.warning("workers are not woken, they look by themselves: %s", error)

    def wait(self, attention: threading.Event) -> None:
        try:
            self._redis.brpop([KEY], timeout=1)
        except self._errors as error:
            logger.warning("no wake signal comes, looking by myself: %s", error)
            attention.wait(1.0)


def open_wake(url: str) -> Wake:
    """The bell of WAKE_URL; empty: looking. Raises ValueError where the `redis` package is not installed."""
    if not url:
        return Looking()
    try:
        return RedisBell(url)
    except ImportError as error:
        raise ValueError("WAKE_URL needs the redis package: pip install -r requirements-cluster.txt") from error
