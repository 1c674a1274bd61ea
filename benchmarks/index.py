"""Measure the index by either engine beside exact NumPy, hnswlib and the ancestor's way; print one Markdown table.

    OMP_NUM_THREADS=1 python -m benchmarks.index                  100,000 rows, about 12 minutes on one core
    OMP_NUM_THREADS=1 python -m benchmarks.index --rows 1000000 --only variants-384       without the slow peers
    OMP_NUM_THREADS=1 python -m benchmarks.index --proofs         also 200 × kill -9 and 500 damaged files

Times are processor time of the thread that asks, one query on one core, which other work on the machine does not
stretch as it does the wall clock (given as well). Queries are held out; recall is recall@10 against all rows.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.index_fresh import costs
from benchmarks.index_load import DIM, PACE, open_index, under_load, while_rebuilding
from benchmarks.index_measures import BUILT, QUERIES, both, built, copied, recall, row, timed
from benchmarks.index_peers import ancestor, engines, exact
from benchmarks.index_vectors import Source
from index import Hit, Record
from index.prompt_index import logger as index_logger
from index.tune import measure

PARTS = ("variants-384", "variants-768", "captions-384", "isotropic-384", "trees", "fresh", "load", "engines",
         "privacy", "ancestor")  # fmt: skip
HEAD = "| measure | ours | beside | ratio | must show |\n|---|---|---|---|---|"


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.index", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts of the table (default: all)")
    parser.add_argument("--folder", type=Path, help="where to build (default: a temporary folder)")
    parser.add_argument("--proofs", action="store_true", help="run the slow crash and damage tests as well")
    arguments = parser.parse_args(argv)
    index_logger.setLevel("WARNING")
    print(HEAD, flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        run(Path(folder), arguments.rows, arguments.only)
    if arguments.proofs:
        proofs()


def run(folder: Path, rows: int, only: Sequence[str]) -> None:
    for part in only:
        if part in OTHERS:
            OTHERS[part](folder, rows)
        else:
            name, dim = part.split("-")
            kind(folder, Source(name, rows, int(dim)))


def kind(folder: Path, source: Source) -> None:
    """Recall, time, memory and disk of one kind of vectors."""
    name, place = f"{source.rows:,} × {source.dim} {source.kind}", built(folder, source)
    queries, stored = source.queries(QUERIES), source.block(0, QUERIES)
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # a process that only searches
        ours = pool.apply(search_alone, (place, queries, stored, source.dim))
    cpu, wall = ours["cpu"], ours["wall"]
    exact_cpu, exact_wall = exact(source, queries)
    limits = ("≤ 1 / 3 ms" if source.rows <= 200_000 else "≤ 5 / 15 ms") if source.kind == "variants" else ""
    unseen = recall(ours["ids"], source.truth(queries))
    seen = 1 - 1.1 * (1 - recall(ours["stored"], source.truth(stored, 11)))  # 11 with itself, which is always found
    row(
        f"{name}: recall@10",
        f"{unseen:.3f}",
        f"of stored ones {seen:.3f}, exact 1.000",
        f"{(1 - unseen) / max(1 - seen, 1e-9):.1f}× the misses",
        "≥ 0.95",
    )
    row(
        f"{name}: one query, p50 / p99",
        f"{both(cpu)} ({both(wall)} wall)",
        f"exact NumPy {exact_cpu:.1f} ms ({exact_wall:.1f} wall)",
        f"{exact_cpu / np.median(cpu):.1f}× faster",
        limits,
    )
    row(
        f"{name}: memory beyond mapped files",
        f"{ours['anonymous']:.0f} MB",
        f"the vectors {4e-6 * source.rows * source.dim:.0f} MB",
        "",
        "≤ 300 MB at 1 M",
    )
    row(f"{name}: one generation", f"{ours['megabytes']:.0f} MB of disk", ours["parameters"], "", "stated")
    build = json.loads((place / BUILT).read_text())
    row(
        f"{name}: its build, one core",
        f"{build['processor']:.0f} s, {build['anonymous']:.0f} MB beyond mapped files",
        "",
        "",
        "bounded",
    )


def search_alone(place: Path, queries: np.ndarray, stored: np.ndarray, dim: int) -> dict:
    """Open an index in this fresh process and search one by one."""
    index = open_index(place, dim)
    for query in queries[:50]:
        index.search(query, 10, "b")
    answers, cpu, wall = timed(lambda query: index.search(query, 10, "b"), np.tile(queries, (3, 1)))
    anonymous = next(line for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)
    stats, others = index.stats(), (index.search(query, 11, "b") for query in stored)
    return {
        "ids": numbers(answers[: len(queries)]),
        "stored": numbers(others),
        "cpu": cpu,
        "wall": wall,
        "anonymous": int(anonymous.split()[1]) / 1024,
        "megabytes": stats["generation_bytes"] / 1e6,
        "parameters": f"n_trees {stats['n_trees']}, search_k {stats['search_k'] or 'exact'}",
    }


def numbers(answers: Iterable[list[Hit]]) -> list[list[int]]:
    return [[int(hit.id[1:]) for hit in hits] for hits in answers]


def load(folder: Path, rows: int) -> None:
    """1,000 adds and 200 removes a second, a rebuild, and four threads that query; then commits being found."""
    source = Source("variants", rows, DIM)
    idle, busy, pace = under_load(copied(folder, source, "load"), source)
    row(
        f"4 threads query {4 * PACE} times a second, a rebuild runs; a second",
        f"{pace.adds:.0f} adds, {pace.removes:.0f} removes",
        f"50 and 10 of them take the writer {pace.milliseconds:.1f} ms",
        "",
        "1,000 and 200",
    )
    for what, quiet, loaded in (
        ("processor time", idle.processor, busy.processor),
        ("wall clock", idle.milliseconds, busy.milliseconds),
    ):
        ratio = np.percentile(loaded, 99) / np.percentile(quiet, 99)
        row(f"… one query, p50 / p99, {what}", both(loaded), f"idle {both(quiet)}", f"p99 {ratio:.1f}×", "p99 ≤ 3×")
    row("… wrong answers", f"{busy.wrong} of {len(busy.milliseconds):,}", "", "", "0")
    found = while_rebuilding(copied(folder, source, "found"), source)
    row(
        "1,000 adds a second, a rebuild: committed → found, p50 / p99, processor (wall)",
        f"{both(found.processor)} ({both(found.milliseconds)})",
        f"not found: {found.wrong}",
        "",
        "≤ 5 ms",
    )


def trees(folder: Path, rows: int) -> None:
    """What more trees bring: the smallest search_k that is sure of recall, its time, and the file."""
    index = open_index(built(folder, Source("variants", rows, DIM)))
    for n_trees, trials in itertools.groupby(measure(index, (12, 24, 48, 96), 0.95), lambda trial: trial.n_trees):
        *_, last = trials
        row(
            f"{rows:,} × {DIM} variants: n_trees {n_trees}, wall clock",
            f"search_k {last.search_k or 'exact'}, recall@10 {last.recall:.3f}, {last.milliseconds:.2f} ms",
            f"build {last.build_seconds:.0f} s, {last.megabytes:.0f} MB",
            "",
            "recall surely ≥ 0.95",
        )


def fresh(folder: Path, rows: int) -> None:
    """What writing takes, and what it costs the searches that follow."""
    source = Source("variants", rows, DIM)
    for name, milliseconds in costs(copied(folder, source, "fresh"), source).items():
        row(f"{rows:,} × {DIM} variants: {name}, p50 / p99", both(milliseconds), "", "", "")


def privacy(folder: Path, rows: int) -> None:
    """10,000 queries of B near A's private prompts, with A's prompts there and without."""
    place, source = folder / "privacy", Source("variants", 40_000, 64)
    answers: list[list] = []
    blocks = list(source.blocks())
    generator = np.random.default_rng(3)
    queries = np.concatenate(blocks)[generator.integers(0, 40_000, 10_000)]
    for secrets in (False, True):
        (place / str(secrets)).mkdir(parents=True)
        index = open_index(place / str(secrets), 64)
        for number, block in enumerate(blocks):
            public = number < 2
            if public or secrets:
                names = [f"{'p' if public else 'secret'}{number}-{i}" for i in range(len(block))]
                index.add_many(
                    [Record(name, name, vector, "a", public) for name, vector in zip(names, block, strict=True)]
                )
        index.rebuild()
        answers.append([index.search(query, 10, "b") for query in queries])
    shown = sum(hit.id.startswith("secret") for hits in answers[1] for hit in hits)
    changed = sum(one != other for one, other in zip(*answers, strict=True))
    row("B's 10,000 queries near A's private prompts", f"{shown} shown, {changed} answers changed", "", "", "0, 0")


def proofs() -> None:
    """The slow tests: they fail loudly, or the row stands."""
    for what, module in (("kill -9 at 200 random moments", "crash"), ("500 damaged files", "damage")):
        started = time.monotonic()
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-m", "slow", f"tests/test_index_{module}.py"],
            capture_output=True,
            text=True,
            check=False,
        )
        result = "nothing lost, nothing back, no wrong answer" if ran.returncode == 0 else "FAILED"
        row(what, f"{result} ({time.monotonic() - started:.0f} s)", "", "", "every time")


OTHERS = {"trees": trees, "fresh": fresh, "load": load, "engines": engines, "privacy": privacy, "ancestor": ancestor}

if __name__ == "__main__":
    main()
