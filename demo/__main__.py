"""`python -m demo`: serve the studio, and what its keeper needs besides. `--help` lists the commands."""

from __future__ import annotations

import sys

from demo.ops.commands import main

if __name__ == "__main__":
    sys.exit(main())
