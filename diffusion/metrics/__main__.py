"""python -m diffusion.metrics PICTURES: measure a folder of pictures (diffusion/metrics/folders.py)."""

from __future__ import annotations

import sys

from diffusion.metrics.folders import main

if __name__ == "__main__":
    sys.exit(main())
