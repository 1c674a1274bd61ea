"""The studio under load, through a real server and real HTTP on this machine.

Prints one table: seconds until ready; seconds per stage for one and four pictures; search while a job draws, over many
past prompts; and a minute of people who post and poll while others hold event streams.

    python -m benchmarks.service [--prompts 100000] [--seconds 60] [--clients 50] [--streams 30] [--random]
                                 [--arrive 10] [--only stages search load] [--folder FOLDER [--fill]]

`--arrive` spreads the arrival of clients and streams over so many seconds; 0: all at once.
`--fill` only stores the past prompts in FOLDER, for a later run that measures over them.
`--random` draws with random weights of about the shipped sizes: speed does not depend on the values.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.service_load import Browser, load_rows
from demo.store.settings import REPOSITORY, Settings
from jobspec import Draw

CHUNK = 2000
PARTS = ("stages", "search", "load")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    with _folder(arguments.folder) as folder:
        environment = dict(os.environ) | _models(folder, arguments.random) | {
            "DATA_DIR": str(folder / "data"), "PORT": str(arguments.port), "LOG_LEVEL": "WARNING",
            "RATE_NEWCOMERS": "100000/hour", "RATE_WRITES": "100000/minute", "RATE_ADDRESS": "1000000/minute",
            "CONNECTIONS_PER_ADDRESS": "0",
        }  # fmt: skip
        mark, filled = folder / f"{arguments.prompts}-prompts", 0.0
        if arguments.prompts and not mark.exists():
            filled = fill(Settings.from_env(environment), arguments.prompts)
            mark.touch()
        if arguments.fill:
            print(f"{arguments.prompts:,} past prompts stored and indexed in {filled:.0f} s")
            return 0
        with serving(environment, folder) as (ready, worked):
            took = f"{ready:.1f} s (the slower child worked {worked:.1f} s)"
            rows = [("ready after the process started", "≤ 10 s", took)]
            if "stages" in arguments.only:
                rows += stage_rows(arguments.port)
            if "search" in arguments.only:
                rows += search_rows(arguments.port, arguments.prompts)
            if "load" in arguments.only:
                rows += load_rows(arguments)
    print("| measure | asked | here |\n|---|---|---|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    stored = f" (stored and indexed in {filled:.0f} s)" if filled else ""
    print(f"\n{cores} cores; {arguments.prompts:,} past prompts{stored}.")
    return 0


def fill(settings: Settings, count: int) -> float:
    """Store and index public past prompts, their vectors scattered around those of real ones; returns seconds."""
    from sqlalchemy import insert

    from demo.store.tables import Generation
    from demo.studio.services import open_encoder, open_services, open_worker_index
    from demo.studio.visibility import ensure_owner
    from index import Record

    started = time.perf_counter()
    services = open_services(settings, open_encoder, open_worker_index)
    services.searcher.open()
    encoder, random = services.searcher.require(), np.random.default_rng(5)
    seeds = encoder.search(_prompts(400))  # (400, dim)
    for start in range(0, count, CHUNK):
        numbers = range(start, min(start + CHUNK, count))
        vectors = seeds[random.integers(0, len(seeds), len(numbers))]
        vectors = vectors + random.normal(0, 0.4 / np.sqrt(encoder.search_dim), vectors.shape).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        rows = [_row(i, vector, encoder.encoder_id) for i, vector in zip(numbers, vectors, strict=True)]
        with services.database.write() as session:
            ensure_owner(session, "b" * 32)
            session.execute(insert(Generation), rows)
            records = [Record(row["index_id"], row["prompt_key"], vector, "b" * 32, True)
                       for row, vector in zip(rows, vectors, strict=True)]  # fmt: skip
            services.searcher.index.add_many(records, connection=session.connection())
    services.searcher.index.rebuild()
    services.close()
    return time.perf_counter() - started


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    """The folder to keep things in, or one that goes away."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="studio-bench-") as name:
        yield Path(name)


@contextlib.contextmanager
def serving(environment: dict[str, str], folder: Path, checkout: Path = REPOSITORY) -> object:
    """A server for the time of the block; gives the seconds until it was ready, and what its busiest child worked."""
    started = time.perf_counter()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-m", "demo", "serve"], env=environment, stdout=log, stderr=log,
                                   cwd=checkout)  # fmt: skip
        try:
            while Browser(int(environment["PORT"])).call("GET", "/readyz")[0] != 200:
                if process.poll() is not None or time.perf_counter() - started > 600:
                    raise RuntimeError((folder / "log").read_text()[-3000:])
                time.sleep(0.1)
            yield time.perf_counter() - started, processor_seconds(process.pid)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(60)


def processor_seconds(parent: int) -> float:
    """Seconds of processor time that the busiest process under `parent` has used (Linux; else nan)."""
    parents, used = {}, {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rsplit(")", 1)[1].split()
            pid = int(stat.parent.name)
            parents[pid], used[pid] = int(fields[1]), (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    below = {parent}
    while more := {pid for pid, above in parents.items() if above in below} - below:
        below |= more
    return max((used[pid] for pid in below if pid in used), default=float("nan"))


def stage_rows(port: int, times: int = 3) -> list[tuple[str, str, str]]:
    """Seconds per stage for one and four pictures, medians; the first draw warms up."""
    person, rows = Browser(port), []
    person.draw("빨간 원피스", n=1)
    for n in (1, 4):
        drawn, walls = [], []
        for i in range(times):
            started = time.perf_counter()
            drawn.append(person.draw(f"파란 체크무늬 치마 {n} {i}", n=n)["timings"])
            walls.append(time.perf_counter() - started)
        stages = {stage: float(np.median([timings[stage] for timings in drawn])) for stage in drawn[0]}
        text = ", ".join(f"{stage} {seconds:.3f}" for stage, seconds in stages.items())
        name = f"{n} picture{'s' * (n > 1)}, from prompt to pictures (s)"
        rows.append((name, "stated", f"{np.median(walls):.2f} ({text})"))
    return rows


def search_rows(port: int, prompts: int, times: int = 300) -> list[tuple[str, str, str]]:
    """Search over HTTP while a job draws, alone and inside the 202."""
    person, busy, stop = Browser(port), Browser(port), threading.Event()

    def keep_drawing() -> None:
        i = 0
        while not stop.is_set():
            i += 1
            busy.draw(f"노란 코트 {i}", n=4)

    thread = threading.Thread(target=keep_drawing)
    thread.start()
    seconds = []
    for prompt in _prompts(times):
        status, _, took = person.call("GET", f"/api/v1/search?k=10&q={urllib.parse.quote(prompt)}")
        if status == 200:
            seconds.append(took)
    inside, accepted = [], []
    for i, prompt in enumerate(_prompts(times)):
        status, answer, took = person.call("POST", "/api/v1/generations", {"prompt": f"{prompt} {i}", "n": 1})
        if status == 202:
            inside.append(answer["timings"]["encode"] + answer["timings"]["search"])
            accepted.append(took)
            person.call("POST", f"/api/v1/generations/{answer['id']}/cancel")
    stop.set()
    thread.join()
    while_drawing = f"over {prompts:,} prompts while a job draws, p50 / p99"
    return [
        (f"search {while_drawing}", "p99 ≤ 50 ms", _milliseconds(seconds)),
        (f"encode + search inside the 202 {while_drawing}", "p99 < 50 ms", _milliseconds(inside)),
        (f"the whole 202 {while_drawing}", "stated", _milliseconds(accepted)),
    ]


def _milliseconds(seconds: Sequence[float]) -> str:
    p50, p99 = np.percentile(seconds or [float("nan")], (50, 99)) * 1000
    return f"{p50:.1f} / {p99:.1f} ms of {len(seconds)}"


def _row(i: int, vector: np.ndarray, encoder_id: str) -> dict:
    return {
        "id": f"{i:032x}", "owner_id": "b" * 32, "created_at": 1e9 + i, "started_at": None, "finished_at": 1e9 + i,
        "status": "succeeded", "prompt": f"past {i}", "prompt_key": f"past {i}",
        "kind": "draw", "n": 1, "seed": i, "spec": Draw(prompt=f"past {i}", n=1, seed=i).to_row(),
        "visibility": "public", "hidden": False, "batch_key": "",
        "vector": vector.tobytes(), "encoder_id": encoder_id, "index_id": f"{i:032x}", "warnings": [], "timings": {},
        "attempt": 1,
    }  # fmt: skip


def _prompts(count: int) -> list[str]:
    """Distinct Korean prompts of the drawn domain."""
    from fashion import lexicon

    random = np.random.default_rng(9)
    pick = lambda words: words[int(random.integers(len(words)))]  # noqa: E731
    made: dict[str, None] = {}
    while len(made) < count:
        color, pattern, garment = pick(lexicon.COLORS), pick(lexicon.PATTERNS), pick(lexicon.GARMENTS)
        made[f"{pick(color.modifiers)} {pattern.ko[0]} {pick(garment.ko)}"] = None
    return list(made)


def _models(folder: Path, random: bool) -> dict[str, str]:
    if not random:
        return {}
    from testing.random_checkpoint import SMALL
    from testing.random_studio import write_models

    return write_models(folder / "models", SMALL)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.service", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--prompts", type=int, default=100_000, help="past prompts to search (default 100000)")
    parser.add_argument("--seconds", type=int, default=60, help="length of the load (default 60)")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--streams", type=int, default=30)
    parser.add_argument("--arrive", type=float, default=10, help="seconds within which people come (default 10)")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="of the measurements, only these")
    parser.add_argument("--port", type=int, default=5098)
    parser.add_argument("--folder", type=Path, help="keep everything here, and use the past prompts that are there")
    parser.add_argument("--fill", action="store_true", help="only store the past prompts in --folder")
    parser.add_argument("--random", action="store_true", help="random weights of about the shipped sizes")
    return parser


if __name__ == "__main__":
    sys.exit(main())
