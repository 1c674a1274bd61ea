"""python -m textile pattern: make patterns from a category or a sentence."""

from __future__ import annotations

import argparse
from pathlib import Path

from textile.categories import checked_palette
from textile.requests import read_request

WEIGHTS = Path(__file__).resolve().parents[2] / "checkpoints" / "textile"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser(
        "pattern", help="make patterns: a category, or a sentence such as 파란 바탕에 흰 물방울"
    )
    parser.add_argument("sentence", help="a category or a sentence, Korean or English")
    parser.add_argument("-n", type=int, default=9, help="how many (default %(default)s)")
    parser.add_argument("-o", "--out", type=Path, default=Path("out"), help="where they go (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, help="of the first; pattern i has seed + i (default %(default)s)"
    )
    parser.add_argument("--size", type=int, default=128, help="pixels: 128 is the tile, more a sheet of tiles")
    parser.add_argument("--palette", help="1 to 4 colours, the ground first: 1c5cce,f6f6f3")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of the trained weights")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> None:
    from PIL import Image

    from pictures.marking import GENERATED, marked_file
    from textile.patterns import TILE, PatternGenerator

    if not 1 <= arguments.n <= 100:
        raise ValueError(f"-n is {arguments.n}: make 1 to 100 patterns at once")
    request = read_request(arguments.sentence)
    if request.category is None:
        raise ValueError(f"{arguments.sentence!r} names no pattern: name one, e.g. 체크무늬, 물방울무늬 or floral")
    palette = request.palette
    if arguments.palette:
        palette = checked_palette([_color(text) for text in arguments.palette.split(",")])
    for words, what in ((request.unread, "not read"), (request.unused, "read, but not used")):
        if words:
            print(f"{what}: {', '.join(words)}")
    generator = PatternGenerator.load(arguments.weights)
    seeds = range(arguments.seed, arguments.seed + arguments.n)
    arguments.out.mkdir(parents=True, exist_ok=True)
    for seed, picture in zip(seeds, generator.sample(request.category, palette, seeds, arguments.size), strict=True):
        path = arguments.out / f"{request.category}-{seed}.png"
        recipe = {"kind": "pattern", "category": request.category, "palette": palette, "seed": seed, "tile": TILE}
        path.write_bytes(marked_file(Image.fromarray(picture), "PNG", GENERATED, recipe))
        print(path)


def _color(text: str) -> tuple[int, int, int]:
    digits = text.strip().removeprefix("#")
    if len(digits) != 6 or any(letter not in "0123456789abcdefABCDEF" for letter in digits):
        raise ValueError(f"the colour {text!r}: write six digits, e.g. 1c5cce")
    red, green, blue = bytes.fromhex(digits)
    return red, green, blue
