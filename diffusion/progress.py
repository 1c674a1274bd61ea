"""How far a draw has come: the step, the seconds left, and pictures of the state if anyone asks.

Seconds left are counted in work (network parameters × latent cells × pictures): what this draw's own steps
cost so far, and, for parts that have not run yet, what they cost last time or, the first time, what their
work suggests.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from PIL import Image

from jobspec import Cancelled

__all__ = ["Cancelled", "Clock", "Pace", "Progress"]


@dataclass(frozen=True)
class Progress:
    """One finished step. `step` counts from 1 within its stage; `seconds_left` is for the whole draw."""

    stage: str
    step: int
    steps: int
    seconds_left: float
    preview: Callable[[], list[Image.Image]] = field(repr=False)

    def previews(self) -> list[Image.Image]:
        """Small pictures of the state, one per shot; computed only when called."""
        return self.preview()


@dataclass
class Pace:
    """Seconds per unit of work for each kind of part ("base", "refiner", "decode"…), remembered between draws."""

    rates: dict[str, float] = field(default_factory=dict)

    def seconds(self, part: str, work: float, fallback: float) -> float:
        return work * self.rates.get(part, fallback)


class Clock:
    """The plan of one draw: parts in order with their work, and how much of it is done."""

    def __init__(self, parts: dict[str, float], pace: Pace) -> None:
        self._left = dict(parts)
        self._pace = pace
        self._since = time.perf_counter()

    def done(self, part: str, work: float) -> float:
        """Note `work` done on `part` just now; return the seconds that the rest should take."""
        now = time.perf_counter()
        rate = (now - self._since) / max(work, 1e-12)
        self._since = now
        known = self._pace.rates.get(part)
        self._pace.rates[part] = rate if known is None else 0.5 * (known + rate)
        self._left[part] = max(0.0, self._left.get(part, 0.0) - work)
        fallback = self._pace.rates[part]
        return sum(self._pace.seconds(name, left, fallback) for name, left in self._left.items())
