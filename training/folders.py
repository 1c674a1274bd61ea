"""Where the states of trainings lie, and what a state was begun as."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

PLAN = "run.json"


def runs_folder() -> Path:
    """The folder of states unless a command line names another: the environment variable RUNS_DIR, else `runs`."""
    return Path(os.environ.get("RUNS_DIR") or "runs")


def keep_plan(folder: Path, plan: Mapping[str, object], cure: str) -> None:
    """Write down what a run is begun as: names and JSON values that may not change while it goes on.

    Raises ValueError naming what has changed since, and the cure ("remove it, or name another --out").
    """
    path = folder / PLAN
    told = json.dumps(plan, indent=1, ensure_ascii=False) + "\n"
    try:
        begun = json.loads(path.read_text("utf-8")) if path.is_file() else plan
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {cure}") from error
    if changed := [name for name, value in json.loads(told).items() if begun.get(name) != value]:
        raise ValueError(f"{folder} holds a run of another {', '.join(changed)}: {cure}")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(told, "utf-8")
