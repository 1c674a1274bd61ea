"""The attribute scorers on true drawings: `python -m benchmarks.scorers [--pictures 1024] [--confusions]`.

`--pictures 4096 --first 3072 --undisturbed` narrows what 1,024 pictures leave open, on others: of some 1,800 garments a
tenth of a percent is two.

In: held-out scenes, drawn. Out: percent right per attribute, for both scorers: pictures of the training split never
trained on, held-out combinations, and those after JPEG 70, a light blur, a shift of ±6 px, and shrunk to the 128 px of
the base stage (which the scorer enlarges by cubic curves; beside it, enlarged between straight lines). The row "all" is
the ceiling of every figure that the scorers report.
"""

from __future__ import annotations

import argparse
import io
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from fashion.drawing import draw
from fashion.scene import Scene, scenes
from fashion.scorer import ARCHITECTURES, Scorer
from fashion.scoring import SCORED, Accuracy, GarmentScore, score

Disturb = Callable[[Image.Image, np.random.Generator], Image.Image]


def jpeg70(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=70)
    return Image.open(file).convert("RGB")


def blurred(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.filter(ImageFilter.GaussianBlur(1.0))


def shifted(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Move by up to 6 px of 256 either way; the rim repeats the edge."""
    right, down = (int(v) for v in rng.integers(-6, 7, 2))
    array = np.pad(np.asarray(picture), ((6, 6), (6, 6), (0, 0)), mode="edge")
    return Image.fromarray(array[6 - down : 6 - down + picture.height, 6 - right : 6 - right + picture.width])


def halved(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.reduce(2)


def halved_bilinear(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture.reduce(2).resize(picture.size, Image.Resampling.BILINEAR)


def same(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    return picture


def measure(
    scorer: Scorer, asked: Sequence[Scene], pictures: Sequence[Image.Image], disturb: Disturb
) -> list[GarmentScore]:
    """Every garment's score on disturbed pictures."""
    rng = np.random.default_rng(0)
    found = scorer.detect([disturb(picture, rng) for picture in pictures])
    return [one for scene, seen in zip(asked, found, strict=True) for one in score(scene, seen)]


def row(scorer: Scorer, name: str, scores: Sequence[GarmentScore]) -> str:
    accuracy = Accuracy()
    accuracy.add(scores)
    percent = accuracy.percent()
    name = f"{name} ({accuracy.asked['garment']:,} garments)"
    shown = [f"{percent[field]:.1f}" if field in percent else "" for field in (*SCORED, "all")]
    return f"| {name} | " + " | ".join(shown) + " |"


def confusions(scores: Sequence[GarmentScore], field: str, most: int = 8) -> list[str]:
    """What was taken for what, the most frequent first."""
    wrong: Counter[tuple[str, str]] = Counter()
    for one in scores:
        if one.right.get(field) is False:
            asked = one.asked.kind if field == "garment" else getattr(one.asked, field)
            wrong[asked, getattr(one.seen, field) or "none" if one.seen else "nothing seen"] += 1
    return [f"{asked} → {seen} {count}" for (asked, seen), count in wrong.most_common(most)]


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scorers", description=__doc__)
    parser.add_argument("--pictures", type=int, default=1024, help="per split (default %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first of them; 1024 to 3071 chose between weights")
    parser.add_argument("--undisturbed", action="store_true", help="only the pictures as they are drawn")
    parser.add_argument("--checkpoints", type=Path, default=Path("checkpoints"))
    parser.add_argument("--confusions", action="store_true", help="also print what was taken for what")
    options = parser.parse_args(argv)
    end = options.first + options.pictures
    splits = {name: list(islice(scenes(77, end, name), options.first, None)) for name in ("train", "held_out")}
    drawn = {name: [Image.fromarray(draw(scene)) for scene in asked] for name, asked in splits.items()}
    cases = (("seen combinations", "train", same), ("held-out combinations", "held_out", same),
             ("held-out, JPEG 70", "held_out", jpeg70), ("held-out, blur 1 px", "held_out", blurred),
             ("held-out, shift ±6 px", "held_out", shifted), ("held-out, 128 px", "held_out", halved),
             ("held-out, 128 px, bilinear", "held_out", halved_bilinear))  # fmt: skip
    if options.undisturbed:
        cases = tuple(case for case in cases if case[2] is same)
    for architecture in ARCHITECTURES:
        try:
            scorer = Scorer.load(options.checkpoints / "scorers", architecture)
        except FileNotFoundError as missing:
            print(f"\n{architecture} scorer: {missing}")
            continue
        print(f"\n{architecture} scorer, {options.pictures} pictures a row from {options.first} on, percent right\n")
        print("| pictures | " + " | ".join((*SCORED, "all")) + " |\n|---" + "|---:" * (len(SCORED) + 1) + "|")
        for name, split, disturb in cases:
            scores = measure(scorer, splits[split], drawn[split], disturb)
            print(row(scorer, name, scores))
            if options.confusions and disturb is same:
                for field in SCORED:
                    print(f"  {field}: " + ", ".join(confusions(scores, field)))


if __name__ == "__main__":
    main()
