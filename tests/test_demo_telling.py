"""Drawing does not wait for the database while its steps are quick, and knows of a cancellation all the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from types import SimpleNamespace

import pytest

from demo.worker import finishing
from demo.worker.finishing import Stopping, Telling

STEPS = 8


@dataclass
class Queue:
    """What `JobQueue` is asked for, by a database that answers when `answers` is set."""

    answers: threading.Event = field(default_factory=threading.Event)
    there: bool = True
    told: list[int] = field(default_factory=list)
    asked: int = 0

    def report(self, ids: list[str], progress: dict[str, int], previews: dict[str, list[bytes]]) -> set[str]:
        assert self.answers.wait(60)
        self.told.append(progress["step"])
        return set(ids) if self.there else set()

    def still_running(self, batch: list[SimpleNamespace]) -> set[str]:
        self.asked += 1
        return {job.id for job in batch} if self.there else set()


@pytest.fixture
def begun() -> Iterator[Callable[[Queue], Telling]]:
    beside = ThreadPoolExecutor(1)
    yield lambda queue: Telling(queue, [SimpleNamespace(id="a", n=1)], threading.Event(), beside)
    beside.shutdown()


def step(number: int) -> SimpleNamespace:
    return SimpleNamespace(step=number, steps=STEPS, stage="base", seconds_left=0.0, previews=lambda: ())


def test_steps_that_are_quick_wait_for_no_report(begun: Callable[[Queue], Telling], monkeypatch) -> None:
    monkeypatch.setattr(finishing, "REPORT_SECONDS", 60.0)  # every step is quick, on any machine
    queue = Queue()
    run = begun(queue)
    for number in range(1, STEPS):
        run.on_step(step(number))
        assert not run.cancelled()
    assert queue.told == [] and queue.asked == 0, "the database has not answered yet"
    queue.answers.set()
    run.on_step(step(STEPS))  # the last one is told whatever was before
    run._settle()
    assert queue.told == [1, STEPS]


def test_a_cancellation_is_known_at_the_next_step_where_steps_are_slow(
    begun: Callable[[Queue], Telling], monkeypatch
) -> None:
    monkeypatch.setattr(finishing, "REPORT_SECONDS", 0.0)  # every step is slow
    queue = Queue()
    queue.answers.set()
    run = begun(queue)
    run.on_step(step(1))
    assert not run.cancelled()
    queue.there = False
    run.on_step(step(2))
    assert run.cancelled()
    assert queue.told == [1, 2]


def test_what_a_report_found_is_believed_from_its_beginning(begun: Callable[[Queue], Telling], monkeypatch) -> None:
    """Drawing may stand for long after a step: then it is asked anew."""
    monkeypatch.setattr(finishing, "REPORT_SECONDS", 0.05)
    queue = Queue()
    queue.answers.set()
    run = begun(queue)
    run.on_step(step(1))
    time.sleep(0.1)
    queue.there = False
    assert run.cancelled() and queue.asked == 1


def test_stopping_waits_for_nothing(begun: Callable[[Queue], Telling]) -> None:
    run = begun(Queue())
    run._stop.set()
    with pytest.raises(Stopping):
        run.cancelled()
