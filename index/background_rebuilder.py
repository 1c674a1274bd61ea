"""A daemon thread that tends an index now and then, and at once when asked."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable

logger = logging.getLogger(__name__)


class BackgroundRebuilder:
    """Calls `tend` every `interval` seconds from the first `watch` on, after a failure in `patience`."""

    def __init__(self, tend: Callable[[], None], interval: float = 2.0, patience: float = 60.0) -> None:
        self._tend, self._interval, self._patience = tend, interval, patience
        self._wake, self._stopped = threading.Event(), threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._process = os.getpid()

    def watch(self, urgent: bool = False) -> None:
        """Start the thread if this process has none yet; wake it if something is due."""
        if self._thread is None or self._process != os.getpid():
            with self._starting:
                if (self._thread is None or self._process != os.getpid()) and not self._stopped.is_set():
                    self._process = os.getpid()
                    self._thread = threading.Thread(target=self._run, name="index-rebuilder", daemon=True)
                    self._thread.start()
        if urgent:
            self._wake.set()

    def stop(self) -> None:
        """End the thread and wait for it; it finishes what it is building."""
        self._stopped.set()
        self._wake.set()
        if self._thread is not None and self._process == os.getpid():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped.is_set():
            pause = self._interval
            try:
                self._tend()
            except Exception as error:  # the thread must live on: searches stay right without it
                logger.error("index: %r; trying again in %.0f s", error, self._patience)
                pause = self._patience
            self._wake.clear()
            if pause == self._interval:
                self._wake.wait(pause)
            else:
                self._stopped.wait(pause)
