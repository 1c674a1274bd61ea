"""A pattern on cloth: how its light is kept, what is left of an old print, what changes elsewhere, how long it takes.

    python -m benchmarks.textile_application --photos ../shared/data/garment_photos
    python -m benchmarks.textile_application --grid runs/worn.png          # items and photos, to look at

Light: the correlation of OKLab lightness inside the mask before and after a solid pattern. Drawn garments are seen
plain and printed; of printed ones the truth is the same garment drawn plain. Photos have the masks drawn by hand
(benchmarks.textile_masks); those that are printed by `shading_of` count as printed, and have no truth.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.textile_masks import filled, hand_masks
from fashion.drawing import draw, draw_masks
from fashion.scene import Garment, Scene, sample_scene
from testing.fabric import BandGenerator
from textile.application import Placement, put_on
from textile.item_names import ITEM_BY_ID
from textile.items import item_picture
from textile.oklab import oklab
from textile.shading import PRINT_BLUR, blurred, shading_of

SIDE = 512
_SCENES = 64 * 10**7  # no training set begins here
SOLID = np.full((16, 16, 3), (150, 90, 110), np.uint8)
Pair = tuple[np.ndarray, np.ndarray]  # picture, mask


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=Path, help="photos of garments, for those whose masks were drawn by hand")
    parser.add_argument("--scenes", type=int, default=60, help="drawn garments (default %(default)s)")
    parser.add_argument("--times", type=int, default=9, help="applications that are timed (default %(default)s)")
    parser.add_argument("--grid", type=Path, help="write pictures of everything here, and nothing else")
    options = parser.parse_args(argv)
    if options.grid:
        write_grid(options.grid, options.photos)
        return
    plain, printed = zip(*drawn(options.scenes), strict=True)
    rows = {
        "light kept, drawn plain garments": [kept(*pair) for pair in plain],
        "light kept, default items": [kept(*item_picture(id)) for id in ITEM_BY_ID],
    }
    if options.photos:
        photos = [pair for pair in photographed(options.photos) if shading_of(*pair).printed < 0.5]
        rows["light kept, photos of plain garments"] = [kept(*pair) for pair in photos]
    print("| measure | goal | least | value |\n|---|---:|---:|---:|")
    for name, found in rows.items():
        print(f"| {name} | 0.9 | 0.8 | {statistics.fmean(found):.3f} (worst {min(found):.2f} of {len(found)}) |")
    found = [under(worn, same) for worn, same in zip(printed, plain, strict=True)]
    print(f"| light found under drawn prints, folds wider than a motif | | | {statistics.fmean(found):.3f} |")
    told = [shading_of(*pair).printed < 0.5 for pair in plain] + [shading_of(*pair).printed >= 0.5 for pair in printed]
    print(f"| plain and printed told apart, drawn | | | {statistics.fmean(told):.0%} |")
    print(f"| bytes changed where the mask is 0 | 0 | 0 | {sum(changed(*pair) for pair in plain)} |")
    median, longest = seconds(options.times)
    name = f"one application at {SIDE} px, median / longest of {options.times}"
    print(f"| {name} | 0.5 s | 2 s | {median:.2f} / {longest:.2f} s |")


def drawn(count: int) -> Iterator[tuple[Pair, Pair]]:
    """Garments laid out, at 512 pixels: one plain, and the same with a print."""
    found, number = 0, _SCENES
    while found < count:
        scene = sample_scene(number, "any", 1)
        number += 1
        garment = scene.garments[0]
        if garment.pattern == "solid" or garment.material == "fur":
            continue
        found += 1
        scene = Scene((garment,), "alone", scene.background, "flat", scene.seed)
        yield _seen(scene, "solid"), _seen(scene, garment.pattern)


def _seen(scene: Scene, pattern: str) -> Pair:
    garment: Garment = replace(scene.garments[0], pattern=pattern)
    asked = replace(scene, garments=(garment,))
    return draw(asked, SIDE), draw_masks(asked, SIDE)[0].astype(np.float32)


def kept(picture: np.ndarray, mask: np.ndarray) -> float:
    """Correlation of lightness inside the mask, before and after a solid pattern is put on."""
    inside = mask > 0.9
    one, other = (oklab(each)[..., 0][inside] for each in (put_on(SOLID, picture, mask), picture))
    return float(np.corrcoef(one, other)[0, 1])


def under(printed: Pair, plain: Pair) -> float:
    """The same of a printed garment beside itself drawn plain, both averaged over more than a motif."""
    mask = (printed[1] > 0.9).astype(np.float32)
    one, other = (blurred(oklab(each)[..., 0], mask, PRINT_BLUR * SIDE) for each in (put_on(SOLID, *printed), plain[0]))
    return float(np.corrcoef(one[mask > 0], other[mask > 0])[0, 1])


def photographed(folder: Path) -> Iterator[Pair]:
    for name, polygons in hand_masks("seen").items():
        picture = Image.open(folder / name).convert("RGB")
        yield np.asarray(picture), filled(polygons, picture.size).astype(np.float32)


def changed(picture: np.ndarray, mask: np.ndarray) -> int:
    return int((put_on(SOLID, picture, mask) != picture)[mask == 0].sum())


def seconds(times: int) -> tuple[float, float]:
    """Median and longest time of one application to a garment at 512 pixels."""
    pattern = BandGenerator().sample("checkered", None, [1])[0]
    spent = []
    for id in (list(ITEM_BY_ID) * times)[:times]:
        picture, mask = item_picture(id)
        started = time.perf_counter()
        put_on(pattern, picture, mask, Placement(0.15, 20))
        spent.append(time.perf_counter() - started)
    return statistics.median(spent), max(spent)


def write_grid(path: Path, photos: Path | None) -> None:
    """Every item, and photos if given: as it is, in bands, in one colour."""
    pairs = [item_picture(id) for id in ITEM_BY_ID] + (list(photographed(photos)) if photos else [])
    bands = BandGenerator()
    rows = []
    for number, (picture, mask) in enumerate(pairs):
        pattern = bands.sample("floral", None, [number])[0]
        worn = [picture, put_on(pattern, picture, mask, Placement(0.15, 25)), put_on(SOLID, picture, mask)]
        rows.append(np.concatenate([_squared(each) for each in worn], axis=1))
    rows += [np.full_like(rows[0], 255)] * (len(rows) % 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs_of_rows = [np.concatenate(rows[i : i + 2], axis=1) for i in range(0, len(rows), 2)]
    Image.fromarray(np.concatenate(pairs_of_rows)).save(path)


def _squared(picture: np.ndarray, side: int = 256) -> np.ndarray:
    fitted = Image.fromarray(picture)
    fitted.thumbnail((side, side), Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), "white")
    square.paste(fitted, ((side - fitted.width) // 2, (side - fitted.height) // 2))
    return np.asarray(square)


if __name__ == "__main__":
    main()
