"""Are five descriptions as shops write them drawn in their colours? `python -m benchmarks.shop_descriptions`

In: a table of descriptions in English and Korean (`--table`, columns id, english, korean), a checkpoint and its Korean
encoder; each is drawn with eight seeds as the studio draws it: read, then completed by its seed. Out: percent of the
garments that a description names whose colour and whose kind the reporting scorer finds right, by description and
language, and, with `--grid`, the pictures: a row for each description and language.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.checkpoint import save_grid
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, Shot
from fashion.completion import completed
from fashion.prompt_reading import read_prompt
from fashion.scene import Garment, Scene
from fashion.scorer import Scorer
from fashion.scoring import score
from ko_clip.encoder import PromptEncoder

TABLE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "shop-descriptions.tsv"
# What each names that the domain can draw. A tube dress is a dress; there is no bikini.
NAMED = {
    "satin": (Garment("crop_top", "green", material="satin"),),
    "vodka": (Garment("t_shirt", "white"), Garment("skirt", "black", hem="mini")),
    "sweater": (Garment("dress", "gray", material="knit", hem="mini"),),
    "tube": (Garment("dress", "brown"),),
    "outfit": (Garment("bucket_hat", "pink"), Garment("jacket", "orange"), Garment("t_shirt", "white")),
}
SEEDS, SIDE = 8, 144


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.shop_descriptions", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoints"))
    parser.add_argument("--table", type=Path, default=TABLE)
    parser.add_argument("--grid", type=Path)
    asked = parser.parse_args(argv)
    pipeline = load_pipeline(asked.checkpoint, PromptEncoder.load(asked.checkpoint / "korean"))
    scorer = Scorer.load(asked.checkpoint / "scorers", "reporting")
    with asked.table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["id"] in NAMED]
    pictures: list[Image.Image] = []
    print("| description | language | colour | kind |\n|---|---|---:|---:|")
    shares = []
    for row in rows:
        scene = Scene(NAMED[row["id"]], "figure")
        for language in ("english", "korean"):
            texts = [completed(read_prompt(row[language]), seed).text for seed in range(SEEDS)]
            drawn = pipeline.draw([Shot(text, seed=seed) for seed, text in enumerate(texts)], DrawSettings()).images
            seen = [one.right for found in scorer.detect(drawn) for one in score(scene, found)]
            color, kind = (100 * np.mean([right[what] for right in seen]) for what in ("color", "garment"))
            print(f"| {row['id']} | {language} | {color:.0f} % | {kind:.0f} % |", flush=True)
            shares.append((color, kind))
            pictures += drawn
    color, kind = np.mean(shares, axis=0)
    print(f"| all | both | {color:.0f} % | {kind:.0f} % |")
    if asked.grid:
        save_grid(pictures, asked.grid, SEEDS, SIDE)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
