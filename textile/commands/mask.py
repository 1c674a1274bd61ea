"""python -m textile mask: which pixels of a photo are garment."""

from __future__ import annotations

import argparse
from pathlib import Path

WEIGHTS = Path(__file__).resolve().parents[2] / "checkpoints" / "textile"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("mask", help="write the mask of the garment of a picture")
    parser.add_argument("picture", type=Path)
    parser.add_argument("-o", "--out", type=Path, default=Path("mask.png"), help="where it goes (default %(default)s)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the trained weights")
    parser.add_argument("--ternaus", type=Path, help="weights of cloths_segmentation, in place of the ones that ship")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from textile.opening import open_named
    from textile.segmentation import GarmentSegmenter
    from textile.ternaus import TernausSegmenter

    segmenter = (
        TernausSegmenter.load(arguments.ternaus) if arguments.ternaus else GarmentSegmenter.load(arguments.weights)
    )
    found = segmenter.mask(open_named(arguments.picture, background=None))
    if not found.share:
        raise ValueError(f"{arguments.picture} shows no garment that could be found: try one that fills more of it")
    Image.fromarray((found.mask * 255 + 0.5).astype("uint8")).save(arguments.out)
    kind = f", {found.kind} ({found.confidence:.0%})" if found.kind else ""
    print(f"{arguments.out}: {found.share:.0%} of the picture is garment{kind}")
