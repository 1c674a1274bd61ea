"""The reference: a DCGAN of 64 px for all categories, on the same cloth for the same minutes of a core.

    python -m benchmarks.textile_dcgan --cloth runs/textile-cloth-1a2b3c4d --minutes 6 --out runs/textile-dcgan

nz 100, batch 128, Adam 2e-4 with beta1 0.5, BCE (Radford et al. 2015, arXiv:1511.06434); the category is told to both
networks (Mirza & Osindero 2014, arXiv:1411.1784). The palette is not: the cloth is shown in colours that suit it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from textile.categories import CATEGORY_IDS, RGB
from textile.palettes import choose, painted
from textile.training.cloth_set import ClothSet, open_cloth, weave_bank

NZ, WIDTH, SIDE = 100, 64, 64
FILE = "dcgan.safetensors"


class Generator(nn.Module):
    """z (n, 100) and categories (n,) → pictures (n, 3, 64, 64) in -1..1."""

    def __init__(self) -> None:
        super().__init__()
        self.category = nn.Embedding(len(CATEGORY_IDS), NZ)
        widths = (8 * WIDTH, 4 * WIDTH, 2 * WIDTH, WIDTH)
        layers: list[nn.Module] = [
            nn.ConvTranspose2d(2 * NZ, widths[0], 4, bias=False),
            nn.BatchNorm2d(widths[0]),
            nn.ReLU(True),
        ]
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [nn.ConvTranspose2d(a, b, 4, 2, 1, bias=False), nn.BatchNorm2d(b), nn.ReLU(True)]
        self.body = nn.Sequential(*layers, nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1), nn.Tanh())

    def forward(self, z: Tensor, category: Tensor) -> Tensor:
        return self.body(torch.cat([z, self.category(category)], dim=1)[:, :, None, None])


class Discriminator(nn.Module):
    """Pictures and categories → logits (n,)."""

    def __init__(self) -> None:
        super().__init__()
        self.category = nn.Embedding(len(CATEGORY_IDS), SIDE * SIDE)
        widths = (4, WIDTH, 2 * WIDTH, 4 * WIDTH, 8 * WIDTH)
        layers: list[nn.Module] = []
        for a, b in zip(widths, widths[1:], strict=False):
            layers += [
                nn.Conv2d(a, b, 4, 2, 1, bias=False),
                nn.BatchNorm2d(b) if a > 4 else nn.Identity(),
                nn.LeakyReLU(0.2, True),
            ]
        self.body = nn.Sequential(*layers, nn.Conv2d(8 * WIDTH, 1, 4))

    def forward(self, pictures: Tensor, category: Tensor) -> Tensor:
        told = self.category(category).view(-1, 1, SIDE, SIDE)
        return self.body(torch.cat([pictures, told], dim=1)).flatten()


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


def train(cloth: ClothSet, minutes: float, batch: int, out: Path) -> int:
    """Train for so many minutes of processor time; writes the generator and returns the steps."""
    torch.manual_seed(0)
    nets = Generator(), Discriminator()
    for module in (*nets[0].modules(), *nets[1].modules()):
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.normal_(module.weight, 0.0, 0.02)
    generator, discriminator = nets
    steps = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in nets]
    since, step = time.process_time(), 0
    while time.process_time() - since < 60 * minutes:
        real, category = colored(cloth, step, batch)
        fake = generator(torch.randn(batch, NZ), category)
        steps[1].zero_grad()
        true, false = discriminator(real, category), discriminator(fake.detach(), category)
        (
            F.binary_cross_entropy_with_logits(true, torch.ones_like(true))
            + F.binary_cross_entropy_with_logits(false, torch.zeros_like(false))
        ).backward()
        steps[1].step()
        steps[0].zero_grad()
        said = discriminator(fake, category)
        F.binary_cross_entropy_with_logits(said, torch.ones_like(said)).backward()
        steps[0].step()
        step += 1
        if step % 20 == 0:
            print(f"step {step}, {(time.process_time() - since) / 60:.1f} minutes", flush=True)
    out.mkdir(parents=True, exist_ok=True)
    save_file({name: value.contiguous() for name, value in generator.state_dict().items()}, out / FILE)
    spent = round((time.process_time() - since) / 60, 1)
    (out / FILE).with_suffix(".json").write_text(json.dumps({"step": step, "leg_minutes": spent}), encoding="utf-8")
    return step


class Reference:
    """The trained DCGAN under the generator's interface: 64 px, repeated to 128; the palette goes unheard."""

    def __init__(self, network: Generator) -> None:
        self.network = network.eval()

    @torch.inference_mode()
    def __call__(self, category: str, palette: Sequence[RGB] | None, seeds: Sequence[int]) -> np.ndarray:
        z = torch.cat([torch.randn(1, NZ, generator=torch.Generator().manual_seed(seed)) for seed in seeds])
        shown = self.network(z, torch.full((len(seeds),), CATEGORY_IDS.index(category)))
        levels = ((shown + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
        return np.tile(levels, (1, 2, 2, 1))


def load_reference(folder: Path) -> Reference:
    network = Generator()
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
    print(f"{train(open_cloth(options.cloth), options.minutes, options.batch, options.out)} steps")


if __name__ == "__main__":
    main()
