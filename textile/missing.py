"""The error for weights that are not there yet."""

from __future__ import annotations

from pathlib import Path


class WeightsMissing(FileNotFoundError):
    """Trained weights that a folder lacks; the message names the file and the command that makes it."""

    def __init__(self, path: Path, command: str) -> None:
        super().__init__(f"{path} is not there: train it with `{command}`, or name the folder that has it")
        self.path, self.command = path, command
