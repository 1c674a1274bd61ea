"""How a training command ends: by its work, or by one line that says what is wrong with its data."""

from __future__ import annotations

import sys
from collections.abc import Callable


def run_command(work: Callable[[], object]) -> int:
    """Run a command's work; an error of its data is one line on the screen. Returns the exit status: the number that
    the work gives, else 0.

    A loss that stops being a number (FloatingPointError) is one of its data or settings, too.
    """
    try:
        status = work()
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("error: stopped", file=sys.stderr)
        return 130
    return status if isinstance(status, int) else 0
