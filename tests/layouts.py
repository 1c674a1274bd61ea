"""A checkpoint of random weights in every layout, and a small data set to train it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from testing.random_checkpoint import write_checkpoint, write_sdxl, write_stable_diffusion

LAYOUTS: dict[str, Callable[[Path], Path]] = {
    "ours": write_checkpoint,
    "sd15": write_stable_diffusion,
    "sd2": lambda folder: write_stable_diffusion(folder, "v_prediction"),
    "sdxl": write_sdxl,
}


def write_stripes(folder: Path) -> Path:
    """Twelve striped pictures, with captions in both languages."""
    rows = []
    for i in range(12):
        levels = np.zeros((40, 32, 3), np.uint8)
        levels[::4] = (20 * i, 200, 255 - 20 * i)
        Image.fromarray(levels).save(folder / f"{i}.png")
        rows.append({"file_name": f"{i}.png", "text": f"a dress {i % 3}", "text_ko": f"원피스 {i % 3}"})
    (folder / "metadata.jsonl").write_text("\n".join(map(json.dumps, rows)), "utf-8")
    return folder
