"""Fabric patterns from trained weights: category, palette and seeds in, tiles whose edges meet out.

The network makes maps of up to four layers and the light of a weave; the palette colours the layers afterwards, so
that the colours asked for are those that are seen.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import Tensor

from textile.categories import CATEGORY_IDS, RGB, checked_palette, checked_sizes
from textile.categories import category as category_of
from textile.missing import WeightsMissing
from textile.palettes import Choice, choose, painted
from textile.pattern_network import SIDE, PatternNetwork, PatternShape

GENERATOR_FILE = "generator.safetensors"
SETTINGS_FILE = "generator.json"
TILE = 128  # pixels of a tile's side
STEPS = 8
GUIDANCE = 1.0
SHARPNESS = 1.3  # of the layers' edges
LIGHT = 25.0  # units of L* in one of the network's light
_BATCH = 16  # tiles at once


class PatternGenerator:
    """A trained pattern generator."""

    def __init__(self, network: PatternNetwork) -> None:
        self.network = network

    @classmethod
    def load(cls, folder: Path | str) -> PatternGenerator:
        """Open `folder`/generator.safetensors. Raises WeightsMissing that says how to train it, ValueError for weights
        of another shape."""
        path = Path(folder) / GENERATOR_FILE
        settings = path.with_name(SETTINGS_FILE)
        if not path.exists() or not settings.exists():
            raise WeightsMissing(path, "python -m textile train FOLDER")
        shape = json.loads(settings.read_text(encoding="utf-8"))["shape"]
        network = PatternNetwork(PatternShape(**{**shape, "widths": tuple(shape["widths"])}))
        try:
            network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
        except RuntimeError as error:
            raise ValueError(f"{path} does not have the shape that {settings} names: train it again") from error
        return cls(network.eval().requires_grad_(False).to(memory_format=torch.channels_last))

    def save(self, folder: Path, facts: Mapping[str, object]) -> None:
        """Write the weights as float16, their shape and what was measured."""
        folder.mkdir(parents=True, exist_ok=True)
        weights = {name: value.detach().half().contiguous() for name, value in self.network.state_dict().items()}
        save_file(weights, folder / GENERATOR_FILE)
        text = json.dumps({"shape": asdict(self.network.shape), **facts}, indent=1) + "\n"
        (folder / SETTINGS_FILE).write_text(text, encoding="utf-8")

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
        tiles = [self._tiles(number, choices[i : i + _BATCH], seeds[i : i + _BATCH]) for i in range(0, len(seeds), _BATCH)]
        return sheets(np.concatenate(tiles), size)

    def maps(self, number: int, choices: Sequence[Choice], seeds: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
        """Memberships (n, 128, 128, 4) and the light of the weave in units of L* (n, 128, 128) of one category."""
        shape = (1, self.network.shape.code, SIDE, SIDE)
        noise = torch.cat([torch.randn(shape, generator=torch.Generator().manual_seed(seed % 2**63)) for seed in seeds])
        category = torch.full((len(seeds),), number)
        colors = torch.tensor([choice.layers for choice in choices])
        weave = torch.tensor([choice.weave for choice in choices])
        with torch.inference_mode():
            codes = self.network.draw(
                noise.contiguous(memory_format=torch.channels_last), category, colors, weave, flow_times(STEPS), GUIDANCE
            )
            decoded: Tensor = self.network.decoder(codes)
            large = torch.tensor([choice.large for choice in choices])[:, None, None, None]
            twice = decoded[:, :4].repeat(1, 1, 2, 2)
            logits = SHARPNESS * torch.where(large, enlarged(decoded[:, :4]), twice)
        unused = torch.arange(4)[None] >= colors[:, None].clamp(min=1)
        logits = logits.masked_fill(unused[:, :, None, None], -torch.inf)
        light = decoded[:, 4].repeat(1, 2, 2)
        return logits.softmax(dim=1).permute(0, 2, 3, 1).numpy(), LIGHT * light.numpy()

    def _tiles(self, number: int, choices: Sequence[Choice], seeds: Sequence[int]) -> np.ndarray:
        shown, light = self.maps(number, choices, seeds)
        return np.stack([painted(shown[i], light[i], choice.palette) for i, choice in enumerate(choices)])


def enlarged(logits: Tensor) -> Tensor:
    """A repeat (n, c, h, w) at twice its size, its edges still meeting; layers stay as sharp, as logits are enlarged."""
    padded = F.pad(logits, (4, 4, 4, 4), mode="circular")
    return F.interpolate(padded, scale_factor=2.0, mode="bicubic", align_corners=False)[:, :, 8:-8, 8:-8]


def flow_times(steps: int) -> list[float]:
    """Falling times from 1 to 0, finer where the form of a pattern is decided."""
    return [1.0 - i / steps for i in range(steps)] + [0.0]


def sheets(tiles: np.ndarray, size: int) -> np.ndarray:
    """Tiles (n, 128, 128, 3) repeated, or cut, to (n, size, size, 3)."""
    repeats = -(-size // tiles.shape[1])
    return np.ascontiguousarray(np.tile(tiles, (1, repeats, repeats, 1))[:, :size, :size])
