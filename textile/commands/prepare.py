"""python -m textile prepare: pictures of cloth from a table of crops."""

from __future__ import annotations

import argparse
from pathlib import Path


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("prepare", help="rebuild pictures of cloth from a table in the clothing-pattern form")
    parser.add_argument("table", type=Path, help="CSV: class, URL, crop, scales")
    parser.add_argument("pictures", type=Path, help="the folder of the pictures that its URLs name")
    parser.add_argument("out", type=Path, help="where FOLDER/<class>/ goes")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from textile.preparing import prepare

    done = prepare(arguments.table, arguments.pictures, arguments.out)
    for reason in done.left_out[:20]:
        print(f"left out: {reason}")
    print(f"wrote {done.written} pictures to {arguments.out}, left out {len(done.left_out)} rows")
