"""A studio whose drawing sleeps and loads no torch: `serve`, `web` and `worker` for measuring what goes around drawing.

`python benchmarks/sleeping_studio.py worker`: SLEEP_SECONDS a job (0.5), four steps, one flat picture of 64 px.
"""

from __future__ import annotations

import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from demo.ops.logs import begin_logging  # noqa: E402
from demo.ops.processes import run_web, run_worker  # noqa: E402
from demo.ops.supervisor import serve  # noqa: E402
from demo.store.settings import Settings  # noqa: E402
from demo.studio.services import Services, open_index, open_services, open_worker_index  # noqa: E402
from demo.worker.loop import Worker  # noqa: E402
from jobspec import BatchStep, Order, Result, ResultPicture  # noqa: E402

STEPS, DIM = 4, 64


class HashingEncoder:
    """Unit vectors of hashed letters."""

    encoder_id, search_dim, max_tokens = "hashed", DIM, 77

    def search(self, prompts: Sequence[str]) -> np.ndarray:
        rows = np.full((len(prompts), DIM), 1e-3, np.float32)
        for row, prompt in zip(rows, prompts, strict=True):
            for letter in prompt:
                row[ord(letter) % DIM] += 1
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    def count_tokens(self, text: str) -> int:
        return len(text.split()) + 2


@dataclass(frozen=True)
class SleptStep:
    """One step of nothing."""

    step: int
    stage: str = "base"
    steps: int = STEPS
    seconds_left: float = 0.1

    def previews(self) -> Sequence[Image.Image]:
        return ()


class SleepingRunner:
    """Sleeps, whatever is asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def facts(self) -> Mapping[str, object]:
        return {"checkpoint_id": "sleeping", "domain": "", "defaults": {"steps": STEPS, "guidance_scale": 3.0}}

    def run(
        self, orders: Sequence[Order], on_step: Callable[[BatchStep], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:  # fmt: skip
        for step in range(1, STEPS + 1):
            time.sleep(self._seconds / STEPS)
            if on_step:
                on_step(SleptStep(step))
            if cancelled:
                cancelled()
        return [Result(order.job, [_picture(order) for _ in range(order.job.n)], {"base": 0.5}) for order in orders]


def _picture(order: Order) -> ResultPicture:
    colour = hashlib.md5(order.job.main_text.encode()).digest()[:3]
    return ResultPicture(Image.new("RGB", (64, 64), tuple(colour)), {"prompt": order.job.main_text})


def open_web(settings: Settings) -> Services:
    return open_services(settings, lambda *_: HashingEncoder(), open_index)


def open_worker(settings: Settings) -> Worker:
    from demo.store.database import open_database
    from demo.store.storage import Storage
    from demo.studio.searching import Searcher

    database, runner = open_database(settings), SleepingRunner(float(os.environ.get("SLEEP_SECONDS", "0.5")))
    searcher = Searcher(settings, database, lambda *_: HashingEncoder(), open_worker_index)
    kinds = dict.fromkeys(("draw", "form", "vary", "edit"), runner)
    return Worker(settings, database, Storage(settings.files_url), searcher, lambda *_: kinds)


def main(arguments: list[str]) -> int:
    settings = Settings.from_env()
    begin_logging(settings)
    logging.getLogger("demo.requests").setLevel(logging.WARNING)
    values = dict(zip(arguments[1::2], map(int, arguments[2::2]), strict=True))
    if arguments[0] == "serve":
        return serve(settings, (sys.executable, str(Path(__file__).resolve())))
    if arguments[0] == "web":
        return run_web(settings, values["--fd"], values.get("--parent"), open_web)
    return run_worker(settings, values.get("--parent"), open_worker)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
