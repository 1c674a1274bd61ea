"""Is this build slower than another checkout of it? The same measurements in both, in turns, on this machine.

    git worktree add --detach ../old 7ede1c4
    python -m benchmarks.beside ../old [--rounds 10] [--only import pipeline index service] [--prompts 5000]
                                       [--state FILE]

Each checkout draws with its own weights, as it shipped. A round measures each checkout once, the first of a round in
turns. Out: a table of medians, the geometric mean of the paired ratios (here / there) and the upper end of its 95 %
interval (bootstrap over rounds). `--state` keeps the rounds in a file: a run that was stopped goes on, and parts run
one by one.
`import` is processor seconds of `import demo.web.app` (before the rooms: `demo.app`) in a fresh process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.service import search_rows, serving, stage_rows

HERE = Path(__file__).resolve().parents[1]
SIDES = ("there", "here")
SEARCHES = 60  # of each kind a round
Measured = dict[str, float]  # by measure, in seconds or milliseconds: less is better


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    rounds: dict[str, list[list[Measured]]] = {}  # part → rounds of (there, here)
    if arguments.state and arguments.state.exists():
        rounds = json.loads(arguments.state.read_text("utf-8"))
    checkouts = dict(zip(SIDES, (arguments.checkout.resolve(), HERE), strict=True))
    with tempfile.TemporaryDirectory(prefix="beside-") as folder:
        for part in arguments.only:
            done = rounds.setdefault(part, [])
            if len(done) >= arguments.rounds:
                continue
            with PARTS[part](checkouts, Path(folder), arguments) as measure:
                while len(done) < arguments.rounds:
                    turn = SIDES if len(done) % 2 == 0 else SIDES[::-1]
                    found = {side: measure(side) for side in turn}
                    done.append([found[side] for side in SIDES])
                    print(f"{part}: round {len(done)} of {arguments.rounds}", file=sys.stderr)
                    if arguments.state:
                        arguments.state.write_text(json.dumps(rounds), "utf-8")
    print("| measure | there | here | here / there | 95 % at most |\n|---|---:|---:|---:|---:|")
    for part in arguments.only:
        for row in table(rounds[part]):
            print(row)
    return 0


def table(rounds: Sequence[Sequence[Measured]]) -> Iterator[str]:
    """One row a measure: medians, mean ratio of the paired rounds, and the upper end of its interval."""
    for name in rounds[0][0]:
        there, here = (np.array([one[side][name] for one in rounds]) for side in (0, 1))
        ratio, most = ratio_with_bound(there, here)
        yield f"| {name} | {np.median(there):.4g} | {np.median(here):.4g} | {ratio:.3f} | {most:.3f} |"


def ratio_with_bound(there: np.ndarray, here: np.ndarray) -> tuple[float, float]:
    """(geometric mean of here / there (n,), the 97.5th percentile of its bootstrap over rounds)."""
    logs = np.log(here / there)
    drawn = np.random.default_rng(0).choice(logs, (10_000, len(logs))).mean(1)
    return float(np.exp(logs.mean())), float(np.exp(np.percentile(drawn, 97.5)))


@contextlib.contextmanager
def imports(
    checkouts: Mapping[str, Path], folder: Path, arguments: argparse.Namespace
) -> Iterator[Callable[[str], Measured]]:
    """Processor seconds of importing the web application."""

    def measure(side: str) -> Measured:
        module = "demo.web.app" if (checkouts[side] / "demo/web").is_dir() else "demo.app"
        code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
        return {"import of the web application, s": float(_run(checkouts[side], "-c", code).split()[-1])}

    for side in SIDES:
        measure(side)  # compiles what is not compiled yet
    yield measure


@contextlib.contextmanager
def pipelines(
    checkouts: Mapping[str, Path], folder: Path, arguments: argparse.Namespace
) -> Iterator[Callable[[str], Measured]]:
    """`benchmarks.pipeline`: the draw of one picture and of four, best of three in a process of its own."""
    command = ["-m", "benchmarks.pipeline", "--side", "ours", "--checkpoint", "checkpoints"]
    command += ["--pictures", "1", "4", "--threads", str(arguments.threads)]

    def measure(side: str) -> Measured:
        results = json.loads(_run(checkouts[side], *command).splitlines()[-1])
        found = {f"pipeline: draw of {each['n']}, s": each["total"] for each in results}
        return found | {f"pipeline: draw of {each['n']}, processor s": each["processor"] for each in results}

    yield measure


@contextlib.contextmanager
def indexes(
    checkouts: Mapping[str, Path], folder: Path, arguments: argparse.Namespace
) -> Iterator[Callable[[str], Measured]]:
    """`benchmarks.index`: a query, and what the memory segment costs; processor milliseconds."""
    command = ["-m", "benchmarks.index", "--rows", str(arguments.rows), "--only", "variants-384", "fresh"]

    def measure(side: str) -> Measured:
        printed = _run(checkouts[side], *command, OMP_NUM_THREADS="1")
        found: Measured = {}
        for line in printed.splitlines():
            cells = [cell.strip() for cell in line.strip("| ").split("|")]
            if len(cells) > 1 and (numbers := re.match(r"([\d.,]+)(?: / ([\d.,]+))? (?:ms|µs|s)\b", cells[1])):
                found[f"index: {cells[0]}"] = float(numbers[1].replace(",", ""))
        return found

    yield measure


@contextlib.contextmanager
def services(
    checkouts: Mapping[str, Path], folder: Path, arguments: argparse.Namespace
) -> Iterator[Callable[[str], Measured]]:
    """`benchmarks.service`: stages of a job, search and the 202 while a job draws; both servers run all the time."""
    ports = {side: arguments.port + i for i, side in enumerate(SIDES)}
    with contextlib.ExitStack() as stack:
        for side, checkout in checkouts.items():
            place = (arguments.folder or folder) / side
            place.mkdir(parents=True, exist_ok=True)
            environment = _environment(checkout) | {
                "DATA_DIR": str(place / "data"), "PORT": str(ports[side]), "LOG_LEVEL": "WARNING", "STARTER": "",
                "CHECKPOINT": str(checkout / "checkpoints"), "ENCODER": str(checkout / "checkpoints/korean"),
                "RATE_NEWCOMERS": "100000/hour", "RATE_WRITES": "100000/minute", "RATE_ADDRESS": "1000000/minute",
            }  # fmt: skip
            if not (place / "filled").exists():
                fill = ["-m", "benchmarks.service", "--fill", "--folder", str(place), "--port", str(ports[side])]
                _run(checkout, *fill, "--prompts", str(arguments.prompts), **environment)
                (place / "filled").touch()
            stack.enter_context(serving(environment, place, checkout))

        def measure(side: str) -> Measured:
            found: Measured = {}
            for title, _, value in stage_rows(ports[side]):
                found[f"service: {title}"] = float(value.split()[0])
            for title, _, value in search_rows(ports[side], arguments.prompts, SEARCHES):
                found[f"service: {title.split(' over ')[0]}, p50, ms"] = float(value.split()[0])
            return found

        for side in SIDES:
            measure(side)  # the first draws warm up
        yield measure


def _environment(checkout: Path) -> dict[str, str]:
    return dict(os.environ) | {"PYTHONPATH": str(checkout)}


def _run(checkout: Path, *arguments: str, **environment: str) -> str:
    """What a command of a checkout prints. Raises CalledProcessError where it fails."""
    command, variables = [sys.executable, *arguments], _environment(checkout) | environment
    return subprocess.run(command, cwd=checkout, env=variables, stdout=subprocess.PIPE, text=True, check=True).stdout


PARTS = {"import": imports, "pipeline": pipelines, "index": indexes, "service": services}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m benchmarks.beside", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("checkout", type=Path, help="another checkout, whose requirements are installed here too")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--threads", type=int, default=2, help="of the pipeline (default 2)")
    parser.add_argument("--rows", type=int, default=20_000, help="of the index (default 20000)")
    parser.add_argument("--prompts", type=int, default=5_000, help="past prompts of the service (default 5000)")
    parser.add_argument("--port", type=int, default=5094)
    parser.add_argument("--folder", type=Path, help="keep the services' past prompts here")
    parser.add_argument("--state", type=Path, help="keep the rounds in this file, and go on from it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
