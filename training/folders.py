"""Where the states of trainings lie."""

from __future__ import annotations

import os
from pathlib import Path


def runs_folder() -> Path:
    """The folder of states unless a command line names another: the environment variable RUNS_DIR, else `runs`."""
    return Path(os.environ.get("RUNS_DIR") or "runs")
