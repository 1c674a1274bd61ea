"""When a leg of a training stops: after its minutes, or at the first Ctrl-C or SIGTERM, at the end of a step."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType
from typing import Any

import torch
from accelerate import Accelerator


class TimeBudget:
    """A context that counts seconds and catches the first signal; a second one ends the process as usual."""

    def __init__(self, minutes: float | None, accelerator: Accelerator) -> None:
        self.minutes, self._accelerator = minutes, accelerator
        self._start, self._asked = time.monotonic(), False
        self._former: dict[int, Any] = {}

    def __enter__(self) -> TimeBudget:
        self._start = time.monotonic()
        if threading.current_thread() is threading.main_thread():  # no other thread may set handlers
            for number in (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for number, former in self._former.items():
            signal.signal(number, former)
        self._former = {}

    @property
    def seconds(self) -> float:
        """Since the leg began, by this process's clock."""
        return time.monotonic() - self._start

    def is_over(self) -> bool:
        """Whether this process is to stop."""
        return self._asked or (self.minutes is not None and self.seconds >= 60 * self.minutes)

    def now(self) -> tuple[float, bool]:
        """Seconds by the main process's clock, and whether any process is to stop: what hangs on time, all do alike."""
        if self._accelerator.num_processes == 1:
            return self.seconds, self.is_over()
        mine = self.seconds if self._accelerator.is_main_process else 0.0
        local = torch.tensor([mine, float(self.is_over())], device=self._accelerator.device)
        seconds, asked = self._accelerator.reduce(local, "sum").tolist()
        return seconds, asked > 0

    def _ask(self, number: int, frame: FrameType | None) -> None:
        self._asked = True
        self.__exit__()
