"""Two web processes and 1, 2, 4, 8 workers whose drawing sleeps 0.5 s, over real PostgreSQL (pgvector) and Redis.

`python -m benchmarks.cluster [--workers 1 2 4 8] [--jobs 200] [--owners 20]` prints jobs a second, how soon a 202
comes, who waits how long, and how much processor time a job costs in each kind of process.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import sqlalchemy as sa

from benchmarks.service_load import Browser
from demo.store.tables import Generation, WorkerRow
from testing.cluster_servers import PostgresServer, RedisServer, free_port

PROGRAM = Path(__file__).with_name("sleeping_studio.py")
UNLIMITED = dict.fromkeys(("RATE_WRITES", "RATE_READS", "RATE_NEWCOMERS", "RATE_ADDRESS"), "1000000/minute")
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Run:
    """What one number of workers gave; seconds, `cpu` seconds of processor time a job by kind of process."""

    workers: int
    jobs_per_second: float
    accepted_p50: float
    accepted_p99: float
    mean_wait: float
    longest_owner: float  # mean wait of whoever waited longest
    cpu: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.cluster", description=__doc__)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--owners", type=int, default=20)
    arguments = parser.parse_args(argv)
    redis, postgres = RedisServer(), PostgresServer()
    try:
        redis.start()
        postgres.start()
        runs = [measure(workers, arguments, redis, postgres) for workers in arguments.workers]
    finally:
        redis.close()
        postgres.close()
    print(table(runs))
    return 0


def table(runs: Sequence[Run]) -> str:
    kinds = sorted({kind for run in runs for kind in run.cpu})
    head = ["workers", "jobs/s", "times one", "202 p50 / p99 ms", "mean wait s", "longest of a person s",
            *(f"{kind} CPU ms/job" for kind in kinds)]  # fmt: skip
    lines = [" | ".join(head), " | ".join("---" for _ in head)]
    for run in runs:
        cells = [str(run.workers), f"{run.jobs_per_second:.2f}", f"{run.jobs_per_second / runs[0].jobs_per_second:.2f}",
                 f"{run.accepted_p50 * 1000:.0f} / {run.accepted_p99 * 1000:.0f}", f"{run.mean_wait:.1f}",
                 f"{run.longest_owner:.1f}", *(f"{run.cpu.get(kind, 0) * 1000:.0f}" for kind in kinds)]  # fmt: skip
        lines.append(" | ".join(cells))
    return "\n".join(f"| {line} |" for line in lines)


def measure(workers: int, arguments: argparse.Namespace, redis: RedisServer, postgres: PostgresServer) -> Run:
    """One studio, all owners at once, until everything is drawn."""
    folder, port = Path(tempfile.mkdtemp(prefix="cluster-")), free_port()
    url = postgres.database(f"studio_{workers}_{port}")
    redis.command(b"FLUSHALL")
    (folder / "encoder").mkdir()
    (folder / "checkpoint").mkdir()
    (folder / "checkpoint" / "manifest.json").write_text('{"stages": {"base": {}}, "domain": ""}')
    environment = os.environ | UNLIMITED | {
        "DATABASE_URL": url, "QUEUE_URL": redis.url, "INDEX_URL": "pgvector", "DATA_DIR": str(folder / "data"),
        "PORT": str(port), "STARTER": "", "BATCH": "1", "WEB_PROCESSES": "2", "WORKERS": str(workers),
        "ENCODER": str(folder / "encoder"), "CHECKPOINT": str(folder / "checkpoint"), "OMP_NUM_THREADS": "1",
        "LOG_LEVEL": "WARNING", "STREAMS": "512", "QUEUE": "1000", "ADDRESS_SHARE": "1.0",
    }  # fmt: skip
    command = [sys.executable, str(PROGRAM), "serve"]
    engine = sa.create_engine(url)
    process = subprocess.Popen(command, env=environment, start_new_session=True)
    try:
        wait_until_ready(port, engine, workers)
        people = {"postgres": postgres.process.pid, "redis": redis.process.pid, "studio": process.pid}
        before = cpu_seconds(people)
        accepted = ask_all(port, arguments.owners, arguments.jobs // arguments.owners)
        wait_for_end(engine, arguments.jobs)
        after = cpu_seconds(people)
        cpu = {kind: (after[kind] - before.get(kind, 0.0)) / arguments.jobs for kind in after}
        return summary(engine, workers, accepted, cpu)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        engine.dispose()
        shutil.rmtree(folder, ignore_errors=True)


def ask_all(port: int, owners: int, each: int) -> list[float]:
    """Every owner asks for their jobs one after another; returns how long each 202 took."""
    accepted: list[float] = []

    def ask(number: int) -> None:
        person = Browser(port)
        for i in range(each):
            body = {"prompt": f"코트 {number} {i}", "n": 1}
            status, answer, took = person.call("POST", "/api/v1/generations", body)
            assert status == 202, (status, answer)
            accepted.append(took)
            time.sleep(0.05)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(owners)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return accepted


def wait_until_ready(port: int, engine: sa.Engine, workers: int) -> None:
    deadline = time.monotonic() + 300
    ready = sa.select(sa.func.count()).select_from(WorkerRow).where(WorkerRow.state == "ready")
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException, sa.exc.SQLAlchemyError):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                with engine.connect() as connection:
                    if connection.execute(ready).scalar_one() == workers:
                        time.sleep(2.0)
                        return
        time.sleep(0.2)
    raise SystemExit("the studio was not ready in time")


def wait_for_end(engine: sa.Engine, jobs: int) -> None:
    done = sa.select(sa.func.count()).select_from(Generation).where(Generation.status == "succeeded")
    while True:
        with engine.connect() as connection:
            if connection.execute(done).scalar_one() >= jobs:
                return
        time.sleep(0.2)


def summary(engine: sa.Engine, workers: int, accepted: list[float], cpu: dict[str, float]) -> Run:
    c = Generation
    with engine.connect() as connection:
        rows = connection.execute(sa.select(c.owner_id, c.created_at, c.started_at, c.finished_at)).all()
    waits = np.array([row.started_at - row.created_at for row in rows])
    of_owner: dict[str, list[float]] = defaultdict(list)
    for row, wait in zip(rows, waits, strict=True):
        of_owner[row.owner_id].append(float(wait))
    seconds = max(row.finished_at for row in rows) - min(row.started_at for row in rows)
    p50, p99 = np.percentile(accepted, (50, 99))
    longest = max(float(np.mean(each)) for each in of_owner.values())
    return Run(workers, len(rows) / seconds, float(p50), float(p99), float(waits.mean()), longest, cpu)


def cpu_seconds(roots: dict[str, int]) -> dict[str, float]:
    """Processor time so far by kind: a server with its children; of the studio its web and worker processes apart."""
    parents: dict[int, int] = {}
    spent: dict[int, float] = {}
    kind_of: dict[int, str] = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
            pid = int(entry.name)
            parents[pid], spent[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / TICKS
            words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
            kind_of[pid] = next((word for word in words if word in ("web", "worker")), "")
    total: dict[str, float] = defaultdict(float)
    for kind, root in roots.items():
        for pid in spent:
            if pid == root or parents.get(pid) == root:
                total[(kind_of.get(pid) or "parent") if kind == "studio" else kind] += spent[pid]
    return dict(total)


if __name__ == "__main__":
    sys.exit(main())
