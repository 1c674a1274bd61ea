"""How a worker hears that a job has come: by looking often, or by a message through Redis (see celery_wake.py).

A message is a hint and may be lost, late or doubled: a worker looks by itself too, ten times a second without Redis,
once a second with it. What is drawn is decided by the rows alone.
"""

from __future__ import annotations

import threading
from typing import Protocol

from demo.store.settings import Settings

LOOK_SECONDS = 0.1


class Wake(Protocol):
    """A bell that any process rings and one waiting worker hears."""

    def ring(self) -> None:
        """Say that a job has come. Never fails and never waits for a network."""
        ...

    def wait(self, attention: threading.Event) -> None:
        """Return when it rang, when `attention` is set, or when it is time to look anyway."""
        ...

    def close(self) -> None:
        """Hear and ring no more."""
        ...


class Looking:
    """No message: looking often."""

    def ring(self) -> None:
        return

    def wait(self, attention: threading.Event) -> None:
        attention.wait(LOOK_SECONDS)

    def close(self) -> None:
        return


def open_wake(settings: Settings) -> Wake:
    """The bell of QUEUE_URL; empty: looking. Raises ValueError where Celery or the `redis` package is not installed."""
    if not settings.queue_url:
        return Looking()
    try:
        from demo.queue.celery_wake import CeleryBell

        return CeleryBell(settings.queue_url, settings.lease_seconds)
    except ImportError as error:
        raise ValueError(
            f"QUEUE_URL needs {error.name}: pip install -r requirements-cluster.txt, or leave QUEUE_URL empty"
        ) from error
