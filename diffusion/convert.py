"""Convert a checkpoint's networks to OpenVINO graphs: python -m diffusion.convert checkpoints graphs/

The service does it by itself where ENGINE asks for it. Conversion reads the weights as float32, whatever they are drawn
in, and traces each network once: 17 s and 46 MB of graphs for the checkpoint that ships.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from diffusion.load import load_pipeline
from diffusion.openvino_graphs import build


def main(argv: Sequence[str] | None = None) -> int:
    """Convert; return the exit status (1: a bad checkpoint, or a network that OpenVINO cannot have)."""
    parser = argparse.ArgumentParser("python -m diffusion.convert", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoint", help="folder, hub id, or base+refiner")
    parser.add_argument("folder", type=Path, help="of the graphs; what lies there is replaced")
    options = parser.parse_args(argv)
    try:
        options.folder.parent.mkdir(parents=True, exist_ok=True)
        build(load_pipeline(options.checkpoint, device="cpu", dtype="float32"), options.folder)
    except (ValueError, OSError) as error:
        print(f"python -m diffusion.convert: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
