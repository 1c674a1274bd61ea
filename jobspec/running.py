"""Who runs jobs: a runner takes a batch of one kind and one batch key, and gives each job's pictures.

In: orders, a job with its seed and the pictures that it starts from. Out: results, one an order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from jobspec.job import Job

if TYPE_CHECKING:
    from PIL import Image


class Cancelled(Exception):
    """Raised out of a run that was asked to stop."""


class BatchStep(Protocol):
    """One finished step of a batch; `previews()`: small pictures of the state, in the order of all its pictures."""

    @property
    def stage(self) -> str: ...

    @property
    def step(self) -> int: ...

    @property
    def steps(self) -> int: ...

    @property
    def seconds_left(self) -> float: ...

    def previews(self) -> Sequence[Image.Image]: ...


@dataclass(frozen=True)
class Order:
    """A job to run; `pictures`: what it starts from, by field of the job; `recipes`: of those that were drawn here."""

    job: Job
    pictures: Mapping[str, Image.Image] = field(default_factory=dict)
    recipes: Mapping[str, Mapping[str, object]] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultPicture:
    """One picture: what to show, how to make it again, and pictures of earlier stages by name."""

    image: Image.Image
    recipe: dict[str, object]
    stages: Mapping[str, Image.Image] = field(default_factory=dict)


@dataclass(frozen=True)
class Warned:
    """What was asked and did not count: a code of the message table and the values that fill its sentence."""

    code: str
    values: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """What became of one order. `job`: as it was run (what could not be done is left out); `seconds` by stage."""

    job: Job
    pictures: Sequence[ResultPicture]
    seconds: Mapping[str, float] = field(default_factory=dict)
    warnings: Sequence[Warned] = ()
    flagged: bool = False  # by a safety checker: nothing of it is shown


class Runner(Protocol):
    """Runs one kind, or several that share a model. It is asked for one batch at a time."""

    def facts(self) -> Mapping[str, object]:
        """What people may know of it once it is open, as JSON: checkpoint_id, defaults; `styles`: of LoRA, each with
        name, sha256, trigger, example and base.
        """
        ...

    def run(
        self,
        orders: Sequence[Order],
        on_step: Callable[[BatchStep], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Sequence[Result]:
        """Run the orders. Raises ValueError for what cannot be done, Cancelled, and what `on_step` raises."""
        ...
