"""The cloth that the generator learns from, drawn and cut once into arrays on disk, and the weaves laid over it.

In: a folder for the arrays, how many tiles a category, a folder of close-ups. Out: `layers.npy` (n, 64, 64, 3)
uint8, `light.npy` (m, 64, 64) uint8 of the photographed ones and `rows.npz`: category, colours, light's row or -1.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np

from hangul.normalize import clean
from textile.categories import CATEGORY_IDS
from textile.opening import open_named
from textile.requests import category_words
from textile.training.drawn_cloth import PIXELS, draw_cloth
from textile.training.labelled import mark_of
from textile.training.real_cloth import CATEGORY_OF_LABEL, photos, tile_of_photo

logger = logging.getLogger(__name__)
WEAVES = ("smooth", "plain", "twill", "knit", "rib", "slub", "photo")
_REAL_CUTS = 5  # tiles of a photo
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LABELS = {id: tuple(label for label, other in CATEGORY_OF_LABEL.items() if other == id) for id in CATEGORY_IDS}


@dataclass(frozen=True)
class ClothSet:
    """Tiles of cloth. `layers` (n, 64, 64, 3), `light` (m, 64, 64) of photographed ones, the rest (n,) integers."""

    layers: np.ndarray
    light: np.ndarray
    category: np.ndarray
    colors: np.ndarray
    photo: np.ndarray  # row of `light`, -1 where drawn

    def __len__(self) -> int:
        return len(self.category)


@dataclass(frozen=True)
class ClothSource:
    """Where cloth comes from: `drawn` repeats each, `fabric` close-ups with labels.tsv, `own` folders by category."""

    drawn: int
    fabric: Path | None = None
    own: Path | None = None
    first_seed: int = 0
    split: str = "generator"

    def mark(self) -> str:
        """Eight letters that another source does not have: the cloth of two is not mixed up."""
        return mark_of((self.drawn, self.first_seed, self.split), (self.fabric, self.own))


def make_cloth(folder: Path, source: ClothSource) -> ClothSet:
    """Draw tiles of every category (solid cloth needs one), cut the photos; write and open.

    Raises ValueError where a folder names no category or holds no picture, or where nothing was found at all.
    """
    photographed = _photographed(source)
    layers: list[np.ndarray] = []
    light: list[np.ndarray] = []
    rows: list[tuple[int, int, int]] = []
    for number, id in enumerate(CATEGORY_IDS):
        for i in range(min(source.drawn, 1) if id == "solid" else source.drawn):
            colors = Random(f"colors/{id}/{i}").choice((2, 2, 3, 3, 4)) if id != "solid" else 1
            layers.append(draw_cloth(id, source.first_seed + i, colors))
            rows.append((number, colors, -1))
        logger.info("drew tiles of %s", id)
    for i, (path, id) in enumerate(photographed):
        picture = open_named(path)
        for cut in range(_REAL_CUTS):
            colors = 1 if id == "solid" else 2 + (i + cut) % 3
            tile, shade = tile_of_photo(picture, i * _REAL_CUTS + cut, colors, PIXELS)
            rows.append((CATEGORY_IDS.index(id), colors, len(light)))
            layers.append(tile)
            light.append(shade)
    if not rows:
        raise ValueError("there is no cloth to learn from: name a folder with pictures, or draw some (--drawn 300)")
    folder.mkdir(parents=True, exist_ok=True)
    table = np.array(rows, np.int64)
    np.save(folder / "layers.npy", np.stack(layers))
    np.save(folder / "light.npy", np.stack(light) if light else np.zeros((0, PIXELS, PIXELS), np.uint8))
    np.savez(folder / "rows.npz", category=table[:, 0], colors=table[:, 1], photo=table[:, 2])
    return open_cloth(folder)


def _photographed(source: ClothSource) -> list[tuple[Path, str]]:
    """Pictures and their categories: close-ups of the split, and all of one's own."""
    found = (
        [(photo.path, photo.category) for photo in photos(source.fabric) if photo.split == source.split]
        if source.fabric
        else []
    )
    return found + (_own(source.own) if source.own else [])


def _own(folder: Path) -> list[tuple[Path, str]]:
    """One's own pictures by category. Raises FileNotFoundError, ValueError."""
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder} is not there: name a folder of folders, one per category")
    names = {word.lower(): id for id in CATEGORY_IDS for word in (id, *category_words(id), *LABELS.get(id, ()))}
    found: list[tuple[Path, str]] = []
    for inner in sorted(path for path in folder.iterdir() if path.is_dir()):
        if (id := names.get(clean(inner.name).lower())) is None:
            raise ValueError(f"{inner}: {inner.name!r} names no category: use {', '.join(CATEGORY_IDS)}")
        found += [(path, id) for path in sorted(inner.iterdir()) if path.suffix.lower() in _SUFFIXES]
    if not found:
        raise ValueError(
            f"{folder} holds no picture in a folder of its category: put them into e.g. {folder / 'checkered'}, "
            f"as {', '.join(_SUFFIXES)}"
        )
    return found


def open_cloth(folder: Path) -> ClothSet:
    """What `make_cloth` wrote. Raises FileNotFoundError where it has not."""
    if not (folder / "rows.npz").exists():
        raise FileNotFoundError(f"{folder} has no rows.npz: draw the cloth first, python -m textile train")
    with np.load(folder / "rows.npz") as rows:
        return ClothSet(
            np.load(folder / "layers.npy", mmap_mode="r"), np.load(folder / "light.npy", mmap_mode="r"),
            rows["category"], rows["colors"], rows["photo"],
        )  # fmt: skip


def weave_bank() -> np.ndarray:
    """The light of each drawn weave, (6, 64, 64) float32 in -1..1; they repeat every 4 or 8 pixels."""
    y, x = np.mgrid[0:PIXELS, 0:PIXELS]
    plain = np.where((x // 2 + y // 2) % 2, 0.7, -0.7) + np.where(x % 2, 0.2, -0.2)
    twill = np.sin((x + y) * (2 * np.pi / 8)) + 0.5 * np.sin((x - 3 * y) * (2 * np.pi / 8))
    fold = np.abs((x % 8) - 3.5)
    knit = np.cos((y + fold * 0.9) * (2 * np.pi / 8) * 1.0) * 0.7 - 0.5 * (x % 8 == 7) - 0.3 * (x % 8 == 3)
    rib = np.sin(x * (2 * np.pi / 8)) + 0.2 * np.where(y % 4 < 2, 1, -1)
    slub = 0.6 * plain
    bank = np.stack([np.zeros_like(plain), plain, twill, knit, rib, slub]).astype(np.float32)
    bank -= bank.mean(axis=(1, 2), keepdims=True)
    return bank / np.abs(bank).max(axis=(1, 2), keepdims=True).clip(1e-6)
