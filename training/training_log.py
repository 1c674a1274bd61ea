"""What a person reads about a training: `log.jsonl`, TensorBoard events, a progress bar or lines.

In: losses and held-out figures by step. Out: rows in the run folder; at a terminal a bar, elsewhere a line every
30 seconds.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from tqdm import tqdm

logger = logging.getLogger(__name__)
LOG_FILE = "log.jsonl"
LINE_SECONDS = 30.0
_SMOOTH = 0.9  # of the losses shown and kept as a run's facts; rows hold them as they are


class Events(Protocol):
    """What is asked of TensorBoard's writer."""

    def add_scalar(self, tag: str, scalar_value: float, global_step: int) -> None: ...

    def close(self) -> None: ...


class TrainingLog:
    """A context; `smoothed` holds the losses' running means and goes into the state, so that a resumed run ends with
    the same ones. Without `writes` (all but the main process) nothing is written or shown.
    """

    def __init__(self, folder: Path, step: int, steps: int, smoothed: dict[str, float], writes: bool = True) -> None:
        self.smoothed, self._folder, self._writes = smoothed, folder, writes
        self._first, self._steps, self._start, self._line = step, steps, time.monotonic(), float("-inf")
        self._done = step
        self._bar = tqdm(total=steps, initial=step, unit="step", disable=not (writes and os.isatty(2)))
        self._events = self._open_events() if writes else None

    def __enter__(self) -> TrainingLog:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        if self._events is not None:
            self._events.close()

    def step(self, steps: int) -> None:
        """One more step is done, of `steps`."""
        if steps != self._steps:
            self._steps = self._bar.total = steps
        self._bar.update()
        self._done += 1
        since = time.monotonic() - max(self._line, self._start)
        if self._writes and self._bar.disable and since >= LINE_SECONDS:  # steps may be slower than rows are asked for
            self._line = time.monotonic()
            pace = (self._done - self._first) / (self._line - self._start)
            logger.info("step %d/%d, %.3g steps/s", self._done, self._steps, pace)

    def losses(self, step: int, losses: Mapping[str, float], seconds_left: float | None) -> None:
        """A row of losses after `step` steps; `seconds_left` of the leg, None where only the schedule ends it."""
        for name, value in losses.items():
            self.smoothed[name] = _SMOOTH * self.smoothed.get(name, value) + (1 - _SMOOTH) * value
        if not self._writes:
            return
        pace = (step - self._first) / max(time.monotonic() - self._start, 1e-9)
        left = (self._steps - step) / max(pace, 1e-9)
        left = left if seconds_left is None else min(left, max(0.0, seconds_left))
        timing = {"steps_per_second": round(pace, 3), "minutes_left": round(left / 60, 1)}
        self._write("train", step, losses, timing)
        shown = " ".join(f"{name} {value:.4f}" for name, value in self.smoothed.items())
        self._bar.set_postfix_str(shown)
        if self._bar.disable and time.monotonic() - self._line >= LINE_SECONDS:
            self._line = time.monotonic()
            logger.info("step %d/%d %s, %.3g steps/s, %.1f min left", step, self._steps, shown, pace, left / 60)

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """A row of what was measured on held-out data after `step` steps."""
        if self._writes:
            self._write("held_out", step, figures, {})
            logger.info("step %d held out: %s", step, ", ".join(f"{k} {v:.4f}" for k, v in figures.items()))

    def _write(self, what: str, step: int, values: Mapping[str, float], timing: Mapping[str, float]) -> None:
        with (self._folder / LOG_FILE).open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **timing, **values}, ensure_ascii=False) + "\n")
        if self._events is not None:
            for name, value in values.items():
                self._events.add_scalar(f"{what}/{name}", value, step)

    def _open_events(self) -> Events:
        from torch.utils.tensorboard import SummaryWriter

        return SummaryWriter(str(self._folder / "tensorboard"))
