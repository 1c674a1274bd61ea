"""A folder that appears whole or not at all: work goes on beside it, and a rename at the end shows it.

Ctrl-C or an error removes what was begun, so that no half data set is ever mistaken for a whole one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """Give a folder to work in; it becomes `target` when the block ends well.

    Raises FileExistsError where the target holds something already, NotADirectoryError where it is a file.
    """
    target = Path(target)
    if target.exists() and not target.is_dir():
        raise NotADirectoryError(f"{target} is a file: name a folder that is empty or not there yet")
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is not empty: remove it or name another folder")
    target.parent.mkdir(parents=True, exist_ok=True)
    work = target.with_name(f".{target.name}.partial-{os.getpid()}")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    try:
        yield work
        if target.exists():
            target.rmdir()
        work.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
