"""How a training is laid out: its length, its learning rate by step, how often it is saved, logged and sampled.

In: settings of a run. Out: a frozen, checked dataclass that the trainer reads.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainerSettings:
    """Settings of one training.

    `steps`: length of the schedule. `minutes`: how long this leg may take (None: until the last step); with `finish`,
    the schedule is shortened so that it ends in these minutes, cool-down included. The learning rate rises linearly
    over `warmup` steps, but at most over `warmup_share` of all (a schedule of 50 steps would never leave a warm-up of
    300), stays, and falls linearly to 0 over the last `cooldown` (share) of the steps. `ema`: decay of
    the averaged weights per step. `seed`: of torch's global generator, which is seeded anew at every step.
    `save_minutes`: time between two writes of the state. `log_every`, `sample_every`: in steps, 0 for never;
    `sample_at_end`: sample after the last step of a leg too.

    Raises ValueError where a value cannot be meant.
    """

    steps: int
    minutes: float | None = None
    finish: bool = False
    learning_rate: float = 1e-3
    warmup: int = 100
    warmup_share: float = 1.0
    cooldown: float = 0.3
    weight_decay: float = 0.01
    ema: float = 0.999
    seed: int = 0
    save_minutes: float = 3.0
    log_every: int = 20
    sample_every: int = 0
    sample_at_end: bool = False

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise ValueError(f"steps is {self.steps}: give at least 1")
        if self.minutes is not None and self.minutes <= 0:
            raise ValueError(f"minutes is {self.minutes}: give more than 0, or leave it out to run to the last step")
        if self.finish and self.minutes is None:
            raise ValueError("finish needs minutes: give the minutes in which the schedule is to end")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}: give 0 or more and less than 1")
        if not 0 <= self.warmup_share <= 1:
            raise ValueError(f"warmup_share is {self.warmup_share}: give a share of the steps from 0 to 1")
        if not 0 <= self.cooldown <= 1:
            raise ValueError(f"cooldown is {self.cooldown}: give a share of the steps from 0 to 1")

    def share(self, step: int, steps: int | None = None) -> float:
        """Share of the learning rate, 0 to 1, at `step` of `steps` (default: those of the settings)."""
        steps = self.steps if steps is None else steps
        left = max(0, steps - step) / max(1.0, steps * self.cooldown)
        return min(1.0, (step + 1) / self.warmup_steps(steps), left)

    def warmup_steps(self, steps: int) -> int:
        """Over how many of `steps` the learning rate rises, at least one."""
        return max(1, min(self.warmup, round(self.warmup_share * steps)))
