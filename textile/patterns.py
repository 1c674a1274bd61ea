"""Fabric patterns from trained weights: category, palette and seeds in, tiles whose edges meet out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from textile.categories import RGB
from textile.missing import WeightsMissing

GENERATOR_FILE = "generator.safetensors"
TILE = 128  # pixels of a tile's side


class PatternGenerator:
    """A trained pattern generator."""

    @classmethod
    def load(cls, folder: Path | str) -> PatternGenerator:
        """Open `folder`/generator.safetensors. Raises WeightsMissing that says how to train it."""
        raise WeightsMissing(Path(folder) / GENERATOR_FILE, "python -m textile train FOLDER")

    def sample(
        self, category: str, palette: Sequence[RGB] | None, seeds: Sequence[int], size: int = TILE
    ) -> np.ndarray:
        """One pattern per seed: (len(seeds), size, size, 3) uint8 RGB.

        palette: 1 to 4 colours, the ground first; None: one that suits the category, chosen by the seed. A size beyond
        128 is a sheet of tiles. Pattern i depends on seeds[i] alone. Raises ValueError for an unknown category, a
        palette of other colours, no seed, or a size outside 64..4096.
        """
        raise NotImplementedError
