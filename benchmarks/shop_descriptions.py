"""Are five descriptions as shops write them drawn in their colours? `python -m benchmarks.shop_descriptions`

In: a table of descriptions in English and Korean (`--table`, columns id, english, korean), a checkpoint and its Korean
encoder; each is drawn with eight seeds as the studio draws it: read, then completed by its seed. Out: percent of the
garments that a description names whose colour and whose kind the reporting scorer finds right, by description and
language, and, with `--grid`, the pictures: a row for each description and language.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.checkpoint import save_grid
from diffusion.load import load_pipeline
from diffusion.request import Shot
from fashion.lexicon import GARMENT_BY_ID
from fashion.reader import FashionReader
from fashion.scorer import Detection, Scorer
from ko_clip.encoder import PromptEncoder

TABLE = Path(__file__).resolve().parents[2] / "shared" / "cases" / "shop-descriptions.tsv"
# What each names that the domain can draw. A tube dress is a dress; there is no bikini.
NAMED = {
    "satin": {"crop_top": "green"},
    "vodka": {"t_shirt": "white", "skirt": "black"},
    "sweater": {"dress": "gray"},
    "tube": {"dress": "brown"},
    "outfit": {"bucket_hat": "pink", "jacket": "orange", "t_shirt": "white"},
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
    encoder = PromptEncoder.load(asked.checkpoint / "korean")
    pipeline = load_pipeline(asked.checkpoint, encoder, reader=FashionReader())
    scorer = Scorer.load(asked.checkpoint / "scorers", "reporting")
    with asked.table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["id"] in NAMED]
    pictures: list[Image.Image] = []
    print("| description | language | colour | kind |\n|---|---|---:|---:|")
    shares = []
    for row in rows:
        named = NAMED[row["id"]]
        for language in ("english", "korean"):
            drawn = pipeline.draw([Shot(row[language], seed=seed) for seed in range(SEEDS)]).images
            color, kind = 100 * np.mean([right(named, found) for found in scorer.detect(drawn)], axis=0)
            print(f"| {row['id']} | {language} | {color:.0f} % | {kind:.0f} % |", flush=True)
            shares.append((color, kind))
            pictures += drawn
    color, kind = np.mean(shares, axis=0)
    print(f"| all | both | {color:.0f} % | {kind:.0f} % |")
    if asked.grid:
        save_grid(pictures, asked.grid, SEEDS, SIDE)
    return 0


def right(named: Mapping[str, str], found: Sequence[Detection]) -> tuple[float, float]:
    """Shares of the named garments (kind → colour) of which a picture shows the colour on the same place of the body,
    and the kind.
    """
    seen = {GARMENT_BY_ID[one.garment].slot: one for one in found}
    placed = [(kind, color, seen.get(GARMENT_BY_ID[kind].slot)) for kind, color in named.items()]
    colors = [one is not None and one.color == color for _, color, one in placed]
    return float(np.mean(colors)), float(np.mean([one is not None and one.garment == kind for kind, _, one in placed]))


if __name__ == "__main__":
    raise SystemExit(main())
