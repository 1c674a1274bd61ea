"""Drawings that stand still in a service of other processes, until the test that looks at them has seen enough.

A hold is a file in the folder that FAKE_HELD names, which the test and the stand-in models share. Its name begins with
a stage, its text is part of a prompt. A batch with that text in one of its prompts stands still after the last step of
that stage: the one step that is always told, with its pictures. It goes on once the file has gone.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

FOLDER = "FAKE_HELD"  # the environment variable


@contextmanager
def held(folder: Path, stage: str, prompt: str = "") -> Iterator[None]:
    """Hold drawings at the end of `stage` ("base", "refiner") meanwhile: all, or those with `prompt` in theirs."""
    with tempfile.NamedTemporaryFile("w", prefix=f"{stage} ", dir=folder, encoding="utf-8") as hold:
        hold.write(prompt)
        hold.flush()
        yield


def stand_still(stage: str, prompts: Sequence[str], cancelled: Callable[[], bool] | None, seconds: float) -> None:
    """Wait while a test holds one of these prompts in this stage and somebody waits for them; `seconds` at most."""
    deadline = time.monotonic() + seconds
    while _is_held(stage, prompts) and not (cancelled and cancelled()):
        assert time.monotonic() < deadline, f"a test has held {prompts} in {stage} for {seconds} s"
        time.sleep(0.01)


def _is_held(stage: str, prompts: Sequence[str]) -> bool:
    if not (folder := os.environ.get(FOLDER)):
        return False
    texts = []
    for file in Path(folder).glob(f"{stage}*"):
        with contextlib.suppress(FileNotFoundError):  # let go meanwhile
            texts.append(file.read_text(encoding="utf-8"))
    return any(text in prompt for text in texts for prompt in prompts)
