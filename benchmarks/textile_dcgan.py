"""The reference: a DCGAN of 64 px for all categories, on the same cloth for the same minutes of a core.

    python -m benchmarks.textile_dcgan --cloth runs/textile-cloth-1a2b3c4d --minutes 6 --out runs/textile-dcgan

Batch 128; the rest is `benchmarks.dcgan`. The category is told to both networks. The palette is not: the cloth is shown
in colours that suit it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from benchmarks.dcgan import FILE, SIDE, Generator, train
from textile.categories import CATEGORY_IDS, RGB
from textile.palettes import choose, painted
from textile.training.cloth_set import ClothSet, open_cloth, weave_bank


def colored(cloth: ClothSet, step: int, batch: int) -> tuple[Tensor, Tensor]:
    """Cloth in the colours that seeds choose, (batch, 3, 64, 64), and its categories."""
    rng, weaves = np.random.default_rng((53, step)), weave_bank()
    pictures, numbers = [], []
    for _ in range(batch):
        number = int(rng.integers(len(CATEGORY_IDS)))
        row = int(rng.choice(np.flatnonzero(cloth.category == number)))
        choice = choose(CATEGORY_IDS[number], None, int(rng.integers(2**31)))
        layers = np.roll(cloth.layers[row].astype(np.float32) / 255, tuple(rng.integers(0, SIDE, 2)), (0, 1))
        shown = np.concatenate([1 - layers.sum(axis=2, keepdims=True).clip(0, 1), layers], axis=2)
        palette = [*choice.palette, *choice.palette[-1:] * 4][:4]
        picture = painted(shown, choice.strength * weaves[choice.weave % len(weaves)], palette)
        pictures.append(picture)
        numbers.append(number)
    return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1, torch.tensor(numbers)


def by_category(width: int) -> nn.Module:
    """What both networks are told of a category's number."""
    return nn.Embedding(len(CATEGORY_IDS), width)


class Reference:
    """The trained DCGAN under the generator's interface: 64 px, repeated to 128; the palette goes unheard."""

    def __init__(self, network: Generator) -> None:
        self.network = network.eval()

    @torch.inference_mode()
    def __call__(self, category: str, palette: Sequence[RGB] | None, seeds: Sequence[int]) -> np.ndarray:
        shown = self.network.sample(torch.full((len(seeds),), CATEGORY_IDS.index(category)), seeds)
        levels = ((shown + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        return np.tile(levels, (1, 2, 2, 1))


def load_reference(folder: Path) -> Reference:
    network = Generator(by_category)
    network.load_state_dict(load_file(folder / FILE))
    return Reference(network)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cloth", type=Path, required=True, help="arrays that python -m textile train made")
    parser.add_argument("--minutes", type=float, default=6, help="of processor time (default %(default)s)")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    cloth = open_cloth(options.cloth)
    generator, steps = train(by_category, lambda step: colored(cloth, step, options.batch), options.minutes)
    options.out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in generator.state_dict().items()}, options.out / FILE)
    facts = {"step": steps, "leg_minutes": options.minutes}
    (options.out / FILE).with_suffix(".json").write_text(json.dumps(facts), encoding="utf-8")
    print(f"{steps} steps")


if __name__ == "__main__":
    main()
