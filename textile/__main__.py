"""python -m textile pattern | mask | apply | prepare | train | train-masks: fabric patterns, masks, both together."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

COMMANDS = ("pattern", "mask", "apply", "prepare", "train", "train_masks")  # modules of textile.commands


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status: 0, 2 for wrong data (in one line), 130 for Ctrl-C."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s")
    parser = argparse.ArgumentParser("python -m textile", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for name in COMMANDS:
        if (Path(__file__).parent / "commands" / f"{name}.py").exists():
            import_module(f"textile.commands.{name}").add(commands)
    arguments = parser.parse_args(argv)
    try:
        arguments.run(arguments)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
