"""The studio under load beside another checkout of it: both run, and meet the same people in turns.

    python -m benchmarks.service_beside CHECKOUT [--rounds 2] [--seconds 60] [--clients 200] [--streams 100]

Prints 202s, polls, refused streams and the web process's resident memory of both, and the ratio. CHECKOUT is another
worktree (`git worktree add --detach ../old 7ede1c4`) whose requirements are installed here too.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.service import serving
from benchmarks.service_load import Load, run_load
from demo.store.settings import REPOSITORY

PAGE = os.sysconf("SC_PAGE_SIZE")


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _parser().parse_args(argv)
    checkouts = {"here": REPOSITORY, "there": arguments.checkout.resolve()}
    loads = {name: Load() for name in checkouts}
    memory: dict[str, list[float]] = {name: [] for name in checkouts}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="studio-beside-")))
        for i, (name, checkout) in enumerate(checkouts.items()):
            (folder / name).mkdir()
            stack.enter_context(
                serving(_environment(folder / name, arguments.port + i, checkout), folder / name, checkout)
            )
            memory[name].append(resident(checkout))
        for _ in range(arguments.rounds):
            for i, (name, checkout) in enumerate(checkouts.items()):
                asked = argparse.Namespace(**vars(arguments) | {"port": arguments.port + i})
                run_load(asked, loads[name])
                memory[name].append(resident(checkout))
    print("| measure | here | there | here / there |\n|---|---|---|---|")
    for row in _rows(loads, memory):
        print("| " + " | ".join(row) + " |")
    return 0


def _environment(folder: Path, port: int, checkout: Path) -> dict[str, str]:
    return dict(os.environ) | {
        "DATA_DIR": str(folder / "data"), "PORT": str(port), "LOG_LEVEL": "WARNING", "PYTHONPATH": str(checkout),
        "RATE_NEWCOMERS": "100000/hour", "RATE_WRITES": "100000/minute", "RATE_ADDRESS": "1000000/minute",
        "CONNECTIONS_PER_ADDRESS": "0", "ADDRESS_SHARE": "1",
    }  # fmt: skip


def resident(checkout: Path) -> float:
    """Megabytes of the largest web process that runs in a checkout (Linux)."""
    found = [0.0]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (process / "cmdline").read_bytes().split(b"\0")
            if b"demo" in words and b"web" in words and (process / "cwd").resolve() == checkout:
                found.append(int((process / "statm").read_text().split()[1]) * PAGE / 1e6)
    return max(found)


def _rows(loads: dict[str, Load], memory: dict[str, list[float]]) -> list[tuple[str, str, str, str]]:
    rows = []
    for title, kind in (("202", "accepted"), ("poll", "polled")):
        for percent in (50, 99):
            here, there = (float(np.percentile(getattr(load, kind) or [np.nan], percent)) for load in loads.values())
            rows.append(
                (f"{title} p{percent}", f"{here * 1000:.0f} ms", f"{there * 1000:.0f} ms", f"{here / there:.2f}")
            )
    counts = {
        "202s": lambda load: len(load.accepted),
        "polls": lambda load: len(load.polled),
        "streams refused": lambda load: load.refused,
        "generations finished": lambda load: load.finished,
        "5xx and broken lines": lambda load: sum(n for s, n in load.statuses.items() if s >= 500 or s == 0),
    }
    rows += [(title, *(str(count(load)) for load in loads.values()), "") for title, count in counts.items()]
    text = (" → ".join(f"{one:.0f}" for one in each) for each in memory.values())
    return [*rows, ("resident memory of the web process, MB, after every round", *text, "")]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.service_beside", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("checkout", type=Path, help="another checkout of the studio")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=int, default=60, help="length of a round (default 60)")
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--arrive", type=float, default=10, help="seconds within which people come (default 10)")
    parser.add_argument("--port", type=int, default=5096)
    return parser


if __name__ == "__main__":
    sys.exit(main())
