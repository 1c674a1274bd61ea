"""Why a library failed, in one line: what it raises where it cannot load or run is not agreed upon."""

from __future__ import annotations


def reason_of(error: BaseException) -> str:
    """The first line of an error's text; the name of its type where it has none."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
