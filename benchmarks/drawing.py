"""How fast scenes are drawn: pictures a second on one core over the training mix, by style, beside masks.

python -m benchmarks.drawing                        # the table
python -m benchmarks.drawing --grid grid.jpg        # and a 10 × 10 grid of what was drawn
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from fashion.drawing import draw, draw_masks
from fashion.lexicon import STYLES
from fashion.scene import Scene, scenes

ASKED = 40.0  # pictures a second at 256 px


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=400, help="scenes to draw (default: 400)")
    parser.add_argument("--warm-up", type=int, default=400, help="other scenes first, to fill caches (default: 400)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--size", type=int, default=256, help="pixels a side (default: 256)")
    parser.add_argument("--grid", type=Path, help="also write a 10 × 10 grid of the first hundred scenes here")
    settings = parser.parse_args(argv)
    mix = list(scenes(settings.seed, settings.count))
    for scene in scenes(settings.seed + 1, settings.warm_up):
        draw(scene, settings.size)
    drawn, by_style = timed(mix, lambda scene: draw(scene, settings.size))
    masked, _ = timed(mix[: max(len(mix) // 4, 1)], lambda scene: draw_masks(scene, settings.size))
    print(table(drawn, by_style, masked, settings.size))
    if settings.grid:
        grid(list(scenes(settings.seed, 100)), settings.size).save(settings.grid, quality=82)


def timed(mix: Sequence[Scene], work: Callable[[Scene], np.ndarray]) -> tuple[float, dict[str, float]]:
    """Pictures a second of one core over all scenes, and for each style, by the processor's time."""
    spent: dict[str, list[float]] = defaultdict(list)
    for scene in mix:
        start = time.process_time()
        work(scene)
        spent[scene.style].append(time.process_time() - start)
    every = [seconds for style in spent.values() for seconds in style]
    return len(every) / sum(every), {style: len(times) / sum(times) for style, times in spent.items()}


def table(drawn: float, by_style: dict[str, float], masked: float, size: int) -> str:
    rows = [
        f"| what, {size} px, one core | pictures/s | asked | ratio |",
        "|---|---:|---:|---:|",
        f"| training mix | {drawn:.1f} | {ASKED:.0f} | {drawn / ASKED:.2f} |",
    ]
    rows += [f"| {style.en[0]} | {by_style[style.id]:.1f} | | |" for style in STYLES if style.id in by_style]
    return "\n".join([*rows, f"| masks alone | {masked:.1f} | | |"])


def grid(items: Sequence[Scene], size: int, columns: int = 10) -> Image.Image:
    """Scenes side by side, row by row."""
    rows = -(-len(items) // columns)
    sheet = np.full((rows * size, columns * size, 3), 255, np.uint8)
    for k, scene in enumerate(items):
        top, left = k // columns * size, k % columns * size
        sheet[top : top + size, left : left + size] = draw(scene, size)
    return Image.fromarray(sheet)


if __name__ == "__main__":
    main()
