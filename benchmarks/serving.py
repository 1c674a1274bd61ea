"""Sixteen waiting jobs of one picture: drawn as a worker draws them, and one at a time. `python -m benchmarks.serving`

In: the checkpoint and encoder of the settings, in a data folder of its own. Sixteen people ask for a picture each;
one worker draws them in batches of BATCH and stores beside drawing, another (BATCH=1) draws and stores them one after
the other. They take turns. Out: one table, pictures a second from the first claim until the last one is stored.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Sequence

import numpy as np
from sqlalchemy import func, select

from demo.ops.processes import make_worker
from demo.store.settings import Settings
from demo.store.tables import Generation
from demo.studio.services import Services, open_services
from demo.worker.loop import Worker
from jobspec import Draw

JOBS = 16
GARMENTS = ("원피스", "저고리", "코트", "티셔츠")


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.serving", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ) | {"DATA_DIR": folder, "STARTER": "", "DRAFTS": "off"}
        settings = Settings.from_env(environment)
        together, alone = make_worker(settings), make_worker(Settings.from_env(environment | {"BATCH": "1"}))
        for worker in (together, alone):
            if not worker._open():
                raise SystemExit("the checkpoint cannot be opened: see above")
        services = open_services(settings)
        services.warm_up().join()
        pace: dict[str, list[float]] = {"in batches": [], "one at a time": []}
        for _ in range(asked.rounds):
            pace["in batches"].append(drawn(services, together, overlapping=True))
            pace["one at a time"].append(drawn(services, alone, overlapping=False))
        services.close()
    batches, single = (float(np.median(pace[name])) for name in pace)
    print("| 16 waiting jobs of one picture | pictures a second | ratio | must show |\n|---|---|---|---|")
    ratio = f"{batches / single:.2f}× | 1.8× (1.3× at least)"
    print(f"| in batches of {settings.batch}, stored beside the next | {batches:.2f} | {ratio} |")
    print(f"| one at a time | {single:.2f} | 1.00× | |")
    return 0


def drawn(services: Services, worker: Worker, overlapping: bool) -> float:
    """Ask for sixteen pictures, draw and store them; return pictures a second."""
    for i in range(JOBS):
        services.asking.ask(services.owners.newcomer(), Draw(prompt=f"빨간 {GARMENTS[i % 4]}", n=1, seed=i))
    started = time.perf_counter()
    while worker._draw_next() if overlapping else worker.work_once():
        pass
    worker._finishing.wait()
    seconds = time.perf_counter() - started
    with services.database.read() as session:
        open_jobs = session.scalar(select(func.count()).where(Generation.status != "succeeded"))
    if open_jobs:
        raise SystemExit(f"{open_jobs} jobs were not drawn: see above")
    return JOBS / seconds


if __name__ == "__main__":
    raise SystemExit(main())
