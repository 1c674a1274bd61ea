"""Fabric: are patterns what was asked for, in the colours asked for, each another one, seamless; are masks right.

    python -m benchmarks.textile --fabric ../shared/data/fabric --photos ../shared/data/garment_photos
    python -m benchmarks.textile --grid runs/patterns.png          # 13 categories × 9 seeds, to look at

The classifier was trained apart (benchmarks.textile_classifier). Rows of drawn and photographed cloth say what it makes
of true cloth that nobody trained on. The ten photos "held" are measured by --held alone, when the weights are final.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.cluster.vq import kmeans2
from skimage.color import deltaE_ciede2000, rgb2lab

from benchmarks.textile_classifier import UNSEEN_SEED, Judge, drawn_cloth, photographed
from benchmarks.textile_masks import mask_rows
from fashion.lexicon import COLORS
from textile.categories import CATEGORIES, CATEGORY_IDS, RGB
from textile.patterns import PatternGenerator
from textile.training.cloth_set import weave_bank
from textile.training.real_cloth import photos

Maker = Callable[[str, Sequence[RGB] | None, Sequence[int]], np.ndarray]
_FIRST_SEED = 10**7  # no page or test begins here
_SHARE = 0.02  # of the pixels that make a colour one of the picture's


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"))
    parser.add_argument("--fabric", type=Path, help="close-ups with labels.tsv, for the classifier's own row")
    parser.add_argument("--photos", type=Path, help="photos of garments, for the masks")
    parser.add_argument("--held", action="store_true", help="measure the ten held photos too: once, at the end")
    parser.add_argument("--dcgan", type=Path, help="a run folder of benchmarks.textile_dcgan, for its column")
    parser.add_argument("--early", type=Path, help="a generator trained from nothing for those minutes, for its column")
    parser.add_argument("--patterns", action="store_true", help="patterns alone: no masks, no times")
    parser.add_argument("--each", type=int, default=40, help="patterns a category (default %(default)s)")
    parser.add_argument("--drawn", type=int, default=200, help="drawn scenes for the masks (default %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--grid", type=Path, help="write 13 × 9 patterns here, and nothing else")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    generator = PatternGenerator.load(options.checkpoint / "textile")
    if options.grid:
        write_grid(generator.sample, options.grid)
        return
    makers: dict[str, Maker] = {"generator": generator.sample}
    if options.early:
        makers[f"generator, {minutes(options.early, 'generator')}"] = PatternGenerator.load(options.early).sample
    if options.dcgan:
        from benchmarks.textile_dcgan import load_reference

        makers[f"DCGAN, {minutes(options.dcgan, 'dcgan')}"] = load_reference(options.dcgan)
    judge = Judge.load(options.checkpoint / "textile")
    print(pattern_tables(makers, judge, options.each, options.fabric), "\n")
    if options.patterns:
        return
    print("\n".join(mask_rows(options.checkpoint / "textile", options.photos, options.held, options.drawn)), "\n")
    print(f"| time, {options.threads} threads | seconds |\n|---|---:|")
    print(f"| nine patterns | {seconds(lambda: generator.sample('floral', None, range(9))):.2f} |")


def minutes(folder: Path, name: str) -> str:
    """How long weights were trained, as they say it themselves: minutes of a core and steps."""
    path = folder / f"{name}.json"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: train it first, docs/how-to/train-fabric.md")
    facts = json.loads(path.read_text(encoding="utf-8"))
    return f"{facts['leg_minutes']:g} min, {facts['step']} steps"


def pattern_tables(makers: dict[str, Maker], judge: Judge, each: int, fabric: Path | None) -> str:
    """One table of categories, one of everything else."""
    weaves = weave_bank()
    cloth = {
        id: np.stack([drawn_cloth(n, UNSEEN_SEED + i, weaves) for i in range(each)])
        for n, id in enumerate(CATEGORY_IDS)
    }
    made = {
        name: {id: make(id, None, range(_FIRST_SEED, _FIRST_SEED + each)) for id in CATEGORY_IDS}
        for name, make in makers.items()
    }
    real = _photographed_right(judge, fabric)
    head = ["category", *makers, "drawn cloth", "photographed cloth", *(f"distance, {name}" for name in makers)]
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    spread: dict[str, list[float]] = {name: [] for name in makers}
    for number, one in enumerate(CATEGORIES):
        right = [(judge.see(made[name][one.id])[0] == number).mean() for name in makers]
        true = (judge.see(cloth[one.id])[0] == number).mean()
        shares = [distance_share(made[name][one.id], cloth[one.id], judge) for name in makers]
        for name, share in zip(makers, shares, strict=True):
            spread[name].append(share)
        cells = [
            one.id,
            *(f"{100 * x:.0f} %" for x in (*right, true)),
            real.get(one.id, "-"),
            *(f"{100 * x:.0f} %" for x in shares),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    rows = ["", "| measure | " + " | ".join((*makers, "drawn cloth")) + " |", "|---|" + "---:|" * (len(makers) + 1)]
    recognised = [
        np.mean([(judge.see(made[name][id])[0] == n).mean() for n, id in enumerate(CATEGORY_IDS)]) for name in makers
    ]
    true = np.mean([(judge.see(cloth[id])[0] == n).mean() for n, id in enumerate(CATEGORY_IDS)])
    rows.append(_row("recognised, mean", [f"{100 * x:.1f} %" for x in (*recognised, true)]))
    rows.append(
        _row("palette asked for, CIEDE2000", [f"{palette_distance(make):.1f}" for make in makers.values()] + ["-"])
    )
    rows.append(
        _row(
            "distance between seeds beside cloth's",
            [f"{100 * np.mean(spread[name]):.0f} %" for name in makers] + ["100 %"],
        )
    )
    seams = [seam(np.concatenate(list(made[name].values()))) for name in makers] + [
        seam(np.concatenate(list(cloth.values())))
    ]
    rows.append(_row("difference across the edge beside inside", [f"{x:.2f}" for x in seams]))
    return "\n".join(lines + rows)


def _row(name: str, cells: Sequence[str]) -> str:
    return f"| {name} | " + " | ".join(cells) + " |"


def _photographed_right(judge: Judge, fabric: Path | None) -> dict[str, str]:
    """What the classifier makes of close-ups of the test split, by category."""
    seen: dict[str, list[bool]] = {}
    for photo in photos(fabric) if fabric else ():
        if photo.split == "test":
            cuts = np.stack([photographed(photo.path, np.random.default_rng(i)) for i in range(3)])
            seen.setdefault(photo.category, []).extend(judge.see(cuts)[0] == CATEGORY_IDS.index(photo.category))
    return {id: f"{100 * np.mean(right):.0f} %" for id, right in seen.items()}


def distance_share(made: np.ndarray, cloth: np.ndarray, judge: Judge) -> float:
    """How far patterns lie from each other beside cloth of the category: the lesser of features and pixels at 32 px."""
    shares = []
    for describe in (lambda pictures: judge.see(pictures)[1], _small):
        ours, theirs = (_mean_distance(describe(pictures)) for pictures in (made, cloth))
        shares.append(ours / max(theirs, 1e-6))
    return min(shares)


def _small(pictures: np.ndarray) -> np.ndarray:
    n, side = len(pictures), pictures.shape[1]
    block = side // 32
    return pictures.reshape(n, 32, block, 32, block, 3).mean(axis=(2, 4)).reshape(n, -1)


def _mean_distance(vectors: np.ndarray) -> float:
    squares = (vectors.astype(np.float64) ** 2).sum(axis=1)
    distances = np.sqrt(np.maximum(squares[:, None] + squares[None] - 2 * vectors.astype(np.float64) @ vectors.T, 0))
    return float(distances[np.triu_indices(len(vectors), 1)].mean())


def palette_distance(make: Maker, each: int = 6) -> float:
    """Mean CIEDE2000 between each colour asked for and the nearest of the picture's main colours."""
    rng, found = np.random.default_rng(5), []
    for one in CATEGORIES:
        for i in range(each):
            number = min(1 + i % 4, one.colors)
            palette = [COLORS[k].rgb for k in rng.choice(len(COLORS), number, replace=False)]
            picture = make(one.id, palette, [_FIRST_SEED + i])[0]
            found += nearest_colors(picture, palette)
    return float(np.mean(found))


def nearest_colors(picture: np.ndarray, palette: Sequence[RGB]) -> list[float]:
    """For each colour asked for, the distance to the nearest main colour of a picture."""
    lab = rgb2lab(picture).reshape(-1, 3)
    centers, labels = kmeans2(lab, 8, minit="++", seed=1, missing="warn")
    kept = centers[np.bincount(labels, minlength=8) >= _SHARE * len(lab)]
    asked = rgb2lab(np.array(palette, np.uint8)[None])[0]
    return [float(deltaE_ciede2000(color[None], kept).min()) for color in asked]


def seam(pictures: np.ndarray) -> float:
    """Mean difference of neighbours across the tile's edges beside that of neighbours inside it."""
    levels = pictures.astype(np.float32)
    across = np.mean([np.abs(levels[:, 0] - levels[:, -1]).mean(), np.abs(levels[:, :, 0] - levels[:, :, -1]).mean()])
    inside = np.mean([np.abs(np.diff(levels, axis=axis)).mean() for axis in (1, 2)])
    return float(across / inside)


def seconds(work: Callable[[], object], rounds: int = 7) -> float:
    work()
    times = []
    for _ in range(rounds):
        since = time.perf_counter()
        work()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


def write_grid(make: Maker, path: Path, columns: int = 9) -> None:
    """Rows of categories, columns of seeds, each tile shown 1.5 times over, so that its repeats are seen."""
    rows = []
    for id in CATEGORY_IDS:
        tiles = make(id, None, range(columns))
        side = tiles.shape[1]
        shown = np.tile(tiles, (1, 2, 2, 1))[:, : side * 3 // 2, : side * 3 // 2]
        rows.append(
            np.concatenate([np.pad(tile, ((0, 4), (0, 4), (0, 0)), constant_values=255) for tile in shown], axis=1)
        )
    Image.fromarray(np.concatenate(rows)).save(path)


if __name__ == "__main__":
    main()
