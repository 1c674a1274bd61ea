"""Fabric patterns from trained weights: category, palette and seeds in, tiles whose edges meet out.

The network makes maps of up to four layers and the light of a weave; the palette colours the layers afterwards, so
that the colours asked for are those that are seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from textile.categories import CATEGORY_IDS, RGB, checked_palette, checked_sizes
from textile.categories import category as category_of
from textile.palettes import ClothChoice, choose, painted
from textile.pattern_network import NZ, PIXELS, PatternNetwork, PatternShape
from textile.weights import open_weights, save_weights

GENERATOR_FILE = "generator.safetensors"
TILE = 128  # pixels of a tile's side
TEMPERATURE = 0.8  # of the numbers: 1 shows rare cloth as often as cloth is rare
_SHARPNESS = {"camouflage": 5.0, "checkered": 1.4}  # of the layers' edges; 2 for the others
_BATCH = 16  # tiles at once
_ASIDE = 8  # pixels that one large motif lies off the middle


def sharpness(number: int) -> float:
    """What the decoder's logits of a category are multiplied by."""
    return _SHARPNESS.get(CATEGORY_IDS[number], 2.0)


class PatternGenerator:
    """A trained pattern generator."""

    def __init__(self, network: PatternNetwork) -> None:
        self.network = network

    @classmethod
    def load(cls, folder: Path | str) -> PatternGenerator:
        """Open `folder`/generator.safetensors. Raises WeightsMissing that says how to train it, ValueError for weights
        of another shape."""

        def build(facts: dict) -> PatternNetwork:
            return PatternNetwork(PatternShape(**facts["shape"]))

        return cls(open_weights(Path(folder) / GENERATOR_FILE, "python -m textile train FOLDER", build))

    def save(self, folder: Path, facts: Mapping[str, object]) -> None:
        """Write the weights as float16, their shape and what was measured."""
        save_weights(self.network, folder / GENERATOR_FILE, {"shape": asdict(self.network.shape), **facts})

    def sample(
        self, category: str, palette: Sequence[RGB] | None, seeds: Sequence[int], size: int = TILE
    ) -> np.ndarray:
        """One pattern per seed: (len(seeds), size, size, 3) uint8 RGB.

        palette: 1 to 4 colours, the ground first; None: one that suits the category, chosen by the seed. A size beyond
        128 is a sheet of tiles. Pattern i depends on seeds[i] alone. Raises ValueError for an unknown category, a
        palette of other colours, no seed, or a size outside 64..4096.
        """
        checked_sizes(len(seeds), size)
        number = CATEGORY_IDS.index(category_of(category).id)
        asked = None if palette is None else checked_palette(tuple(palette))
        choices = [choose(category, asked, seed) for seed in seeds]
        tiles = [
            self._tiles(number, choices[i : i + _BATCH], seeds[i : i + _BATCH]) for i in range(0, len(seeds), _BATCH)
        ]
        return sheets(np.concatenate(tiles), size)

    def maps(self, number: int, choices: Sequence[ClothChoice], seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Memberships (n, 128, 128, 4) and the light of the weave in units of L* (n, 128, 128) of one category."""
        z = torch.cat([torch.randn((1, NZ), generator=torch.Generator().manual_seed(seed % 2**63)) for seed in seeds])
        category = torch.full((len(seeds),), number)
        form = torch.tensor(
            [self._form(number, choice.layers, seed) for choice, seed in zip(choices, seeds, strict=True)]
        )
        weave = torch.tensor([choice.weave for choice in choices])
        strength = torch.tensor([choice.strength for choice in choices])
        with torch.inference_mode():
            codes = self.network.mixture.sample(TEMPERATURE * z, category, form)
            repeats: Tensor = sharpness(number) * self.network.decoder(codes, category)
            for i, choice in enumerate(choices):
                repeats[i, max(choice.layers, 1) :] = -100.0
            pairs = zip(repeats, choices, strict=True)
            tiles = torch.stack([laid_out(flipped(repeat, choice.flip), choice.layout) for repeat, choice in pairs])
            light = self.network.weave(z, weave, strength).repeat(1, 2, 2)
        return tiles.softmax(dim=1).permute(0, 2, 3, 1).numpy(), light.numpy()

    def _form(self, number: int, colors: int, seed: int) -> int:
        """The form of one pattern: the commoner it is in cloth of so many colours, the oftener it is chosen."""
        shares = self.network.mixture.share[number, colors].tolist()
        return Random(f"form/{number}/{seed}").choices(range(len(shares)), weights=shares)[0]

    def _tiles(self, number: int, choices: Sequence[ClothChoice], seeds: Sequence[int]) -> np.ndarray:
        shown, light = self.maps(number, choices, seeds)
        tiles = [painted(shown[i], light[i], choice.palette) for i, choice in enumerate(choices)]
        return np.stack(
            [begun(tile, choice.layout, seed) for tile, choice, seed in zip(tiles, choices, seeds, strict=True)]
        )


def begun(tile: np.ndarray, layout: str, seed: int) -> np.ndarray:
    """The tile begun at a place that the seed chooses: its edges meet, so that it may begin anywhere. One large motif
    stays near the middle, so that a tile alone shows it whole."""
    rng, reach = Random(f"place/{seed}"), _ASIDE if layout == "one" else len(tile) // 2
    return np.roll(tile, (rng.randint(-reach, reach), rng.randint(-reach, reach)), (0, 1))


def flipped(repeat: Tensor, flip: str) -> Tensor:
    """A repeat (c, 64, 64) mirrored left to right ("x"), top to bottom ("y"), transposed ("t")."""
    for each in flip:
        repeat = repeat.transpose(1, 2) if each == "t" else repeat.flip(2 if each == "x" else 1)
    return repeat


def laid_out(repeat: Tensor, layout: str) -> Tensor:
    """A tile (c, 128, 128) of a repeat (c, 64, 64), as printers lay them: "large" or "one" at twice the size, straight,
    half dropped, mirrored or turned. The last three only where nothing crosses the repeat's edge, else straight."""
    if layout in ("large", "one"):
        return enlarged(repeat[None])[0]
    edge = torch.cat([repeat[:, 0], repeat[:, -1], repeat[:, :, 0], repeat[:, :, -1]], dim=1).softmax(dim=0)
    if layout == "straight" or edge[0].min() < 0.8:
        return repeat.repeat(1, 2, 2)
    if layout == "drop":
        return torch.cat([repeat.repeat(1, 2, 1), repeat.roll(PIXELS // 2, 1).repeat(1, 2, 1)], dim=2)
    if layout == "mirrored":
        other = repeat.flip(2)
        return torch.cat([torch.cat([repeat, other], dim=2), torch.cat([other, repeat], dim=2)], dim=1)
    one, two, three = (repeat.rot90(k, (1, 2)) for k in (1, 2, 3))
    return torch.cat([torch.cat([repeat, one], dim=2), torch.cat([three, two], dim=2)], dim=1)


def enlarged(logits: Tensor) -> Tensor:
    """A repeat (n, c, h, w) at twice its size, its edges still meeting; layers stay sharp, as logits are enlarged."""
    padded = F.pad(logits, (4, 4, 4, 4), mode="circular")
    return F.interpolate(padded, scale_factor=2.0, mode="bicubic", align_corners=False)[:, :, 8:-8, 8:-8]


def sheets(tiles: np.ndarray, size: int) -> np.ndarray:
    """Tiles (n, 128, 128, 3) repeated, or cut, to (n, size, size, 3)."""
    repeats = -(-size // tiles.shape[1])
    return np.ascontiguousarray(np.tile(tiles, (1, repeats, repeats, 1))[:, :size, :size])
