"""python -m textile apply PATTERN PHOTO -o out.png: a pattern on a photo's garment, or on a default item."""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
from PIL import Image

from pictures.marking import EDITED, marked_file
from textile.application import SCALES, Placement, put_on
from textile.checks import ClothError, covers
from textile.item_names import ITEM_BY_ID, ITEM_SIZE
from textile.items import item_picture
from textile.opening import open_named

WEIGHTS = Path(__file__).resolve().parents[2] / "checkpoints" / "textile"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command."""
    parser = commands.add_parser("apply", help="put a pattern onto a photo's garment or a default item")
    parser.add_argument("pattern", type=Path, help="picture of the pattern: a tile, or any picture")
    parser.add_argument("photo", type=Path, nargs="?", help="picture to put it on")
    parser.add_argument("--item", choices=tuple(ITEM_BY_ID), help="a default item in place of a photo")
    parser.add_argument("--mask", type=Path, help="picture of the photo's size: white where the garment is")
    parser.add_argument("--scale", type=float, default=0.25, help=f"a tile's width as a share of the longer side, "
                        f"{SCALES[0]} to {SCALES[1]} (default 0.25)")  # fmt: skip
    parser.add_argument("--turn", type=float, default=0.0, help="degrees clockwise (default 0)")
    parser.add_argument("--across", type=float, default=0.0, help="moved right by so many tiles (default 0)")
    parser.add_argument("--down", type=float, default=0.0, help="moved down by so many tiles (default 0)")
    parser.add_argument("--mirror", action=argparse.BooleanOptionalAction, help="mirror every other tile (default: "
                        "where its edges do not meet)")  # fmt: skip
    parser.add_argument("--size", type=int, help="the result's longer side in pixels (default: the photo's)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="folder of segmenter.safetensors")
    parser.add_argument("-o", "--out", type=Path, default=Path("out.png"), help="PNG or JPEG file (default out.png)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the result; prints its path. Raises ValueError, FileNotFoundError."""
    if (arguments.photo is None) == (arguments.item is None):
        raise ValueError("name either a PHOTO or --item, not both or neither")
    if arguments.size is not None and not 32 <= arguments.size <= 4096:
        raise ValueError(f"--size {arguments.size}: use 32 to 4096")
    pattern, picture = _opened(arguments.pattern, "pattern"), None
    if arguments.photo is not None:
        picture = _opened(arguments.photo, "picture")
        mask = _mask(arguments, picture)
    else:
        levels, drawn = item_picture(arguments.item, min(arguments.size or ITEM_SIZE, 1024))
        picture, mask = Image.fromarray(levels), Image.fromarray(drawn)
        mask = _given(arguments.mask, picture.size) if arguments.mask else mask
    if arguments.size:
        share = arguments.size / max(picture.size)
        wide = (max(1, round(picture.width * share)), max(1, round(picture.height * share)))
        picture, mask = picture.resize(wide, Image.Resampling.LANCZOS), mask.resize(wide, Image.Resampling.BILINEAR)
    placement = Placement(arguments.scale, arguments.turn, arguments.across, arguments.down, arguments.mirror)
    worn = put_on(np.asarray(pattern), np.asarray(picture), np.asarray(mask, np.float32), placement)
    recipe = {"kind": "apply", "placement": vars(placement), "item": arguments.item}
    recipe |= {"pattern_sha256": hashlib.sha256(arguments.pattern.read_bytes()).hexdigest()}
    data = marked_file(Image.fromarray(worn), arguments.out.suffix.removeprefix("."), EDITED, recipe)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_bytes(data)
    print(arguments.out)
    return 0


def _opened(path: Path, what: str) -> Image.Image:
    """A picture as RGB on white. Raises ClothError where it is transparent all over."""
    picture = open_named(path, background=None)
    if picture.mode == "RGBA":
        if picture.getchannel("A").getextrema()[1] == 0:
            raise ClothError("cloth_empty", what=what)
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return picture.convert("RGB")


def _mask(arguments: argparse.Namespace, picture: Image.Image) -> Image.Image:
    """The mask that was given, or that of the garment found. Raises ClothError, WeightsMissing."""
    if arguments.mask:
        return _given(arguments.mask, picture.size)
    from textile.segmentation import GarmentSegmenter

    found = np.asarray(GarmentSegmenter.load(arguments.weights).mask(picture).mask, np.float32)
    if not covers(found):
        raise ClothError("cloth_missing")
    return Image.fromarray(found)


def _given(path: Path, size: tuple[int, int]) -> Image.Image:
    mask = _opened(path, "mask").convert("L")
    if mask.size != size:
        got, wanted = (f"{width}×{height}" for width, height in (mask.size, size))
        raise ClothError("cloth_mask_size", got=got, wanted=wanted)
    return Image.fromarray(np.asarray(mask, np.float32) / 255)
