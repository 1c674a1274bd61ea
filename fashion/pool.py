"""A pool of drawn pictures on disk that several networks train on: drawn once, read many times.

In: a seed, a split, a count, a size. Out: shards of `SHARD` pictures, uint8 (SHARD, size, size, 3), with label maps,
uint8 (SHARD, 128, 128): 0 is background, g + 1 the scene's garment g. Scenes and captions are not stored: `scene(i)`
makes them again from the seed. A shard appears by rename when it is whole, so that readers and a kill never meet half
of one.
"""

from __future__ import annotations

import logging
import multiprocessing
import sys
from functools import lru_cache
from pathlib import Path

import numpy as np

from fashion.scene import Scene, sample_scene
from training.command import run_command

logger = logging.getLogger(__name__)

SHARD = 256
SIZE = 256
LABEL_SIZE = 128


class PicturePool:
    """`count` pictures of one split in `folder`, `size` px a side, the i-th from scene seed·10⁷ + i."""

    def __init__(self, folder: Path, count: int, seed: int = 1, split: str = "train", size: int = SIZE) -> None:
        if count < 1:
            raise ValueError(f"count is {count}: a pool needs at least 1 picture")
        self.folder = Path(folder) / (f"{split}-{seed}" if size == SIZE else f"{split}-{seed}-{size}")
        self.count, self.seed, self.split, self.size = count, seed, split, size
        self._open = lru_cache(maxsize=None)(self._open_shard)

    def __len__(self) -> int:
        return self.count

    def scene(self, index: int) -> Scene:
        return sample_scene(self.seed * 10**7 + index, self.split)

    def fill(self, workers: int = 1) -> None:
        """Draw the shards that are missing, with `workers` processes. Safe to run again after a kill."""
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = [n for n in range(-(-self.count // SHARD)) if not self._path("pictures", n).exists()]
        jobs = [(self.folder, n, self.seed, self.split, self.size) for n in missing]
        if workers <= 1:
            done = map(_draw_shard, jobs)
            self._report(done, len(jobs))
            return
        with multiprocessing.get_context("spawn").Pool(workers) as processes:
            self._report(processes.imap_unordered(_draw_shard, jobs), len(jobs))

    def ready(self) -> int:
        """How many pictures from the first on can be read now."""
        shard = 0
        while shard * SHARD < self.count and self._path("pictures", shard).exists():
            shard += 1
        return min(self.count, shard * SHARD)

    def command(self) -> str:
        """The command that draws the shards that are missing."""
        options = f"--count {self.count} --seed {self.seed} --split {self.split} --size {self.size}"
        return f"python -m fashion.pool {self.folder.parent} {options}"

    def pictures(self, indexes: np.ndarray) -> np.ndarray:
        """Pictures (len(indexes), size, size, 3) uint8."""
        return np.stack([self._open("pictures", int(i) // SHARD)[int(i) % SHARD] for i in indexes])

    def labels(self, indexes: np.ndarray) -> np.ndarray:
        """Label maps (len(indexes), 128, 128) uint8."""
        return np.stack([self._open("labels", int(i) // SHARD)[int(i) % SHARD] for i in indexes])

    def _path(self, what: str, shard: int) -> Path:
        return self.folder / f"{what}-{shard:05d}.npy"

    def _open_shard(self, what: str, shard: int) -> np.ndarray:
        path = self._path(what, shard)
        if not path.exists():
            raise FileNotFoundError(f"{path} is missing: {self.command()}")
        return np.load(path, mmap_mode="r")

    def _report(self, done, total: int) -> None:
        for n, _ in enumerate(done, 1):
            logger.info("drew shard %d of %d (%d pictures each)", n, total, SHARD)


def open_pool(folder: Path, count: int, seed: int = 1, split: str = "train", size: int = SIZE) -> PicturePool:
    """A pool that is drawn. Raises FileNotFoundError with the command that draws it."""
    pool = PicturePool(folder, count, seed, split, size)
    if (ready := pool.ready()) < count:
        raise FileNotFoundError(f"{pool.folder} has {ready} of {count} pictures: {pool.command()}")
    return pool


def halved(pictures: np.ndarray) -> np.ndarray:
    """Pictures (n, h, w, 3) uint8 at half the size, by the mean of four pixels."""
    total = pictures[:, ::2, ::2].astype(np.uint16)
    for down, right in ((0, 1), (1, 0), (1, 1)):
        total += pictures[:, down::2, right::2]
    return ((total + 2) >> 2).astype(np.uint8)


def _draw_shard(job: tuple[Path, int, int, str, int]) -> None:
    folder, shard, seed, split, size = job
    from fashion.drawing import draw, draw_masks

    pictures = np.empty((SHARD, size, size, 3), np.uint8)
    labels = np.zeros((SHARD, LABEL_SIZE, LABEL_SIZE), np.uint8)
    for i in range(SHARD):
        scene = sample_scene(seed * 10**7 + shard * SHARD + i, split)
        pictures[i] = draw(scene, size)
        for garment, mask in enumerate(draw_masks(scene, LABEL_SIZE)):
            labels[i][mask] = garment + 1
    for what, array in (("labels", labels), ("pictures", pictures)):
        path = folder / f"{what}-{shard:05d}.npy"
        beside = path.with_suffix(".writing.npy")
        np.save(beside, array)
        beside.replace(path)


def main(argv: list[str] | None = None) -> None:
    import argparse

    parser = argparse.ArgumentParser(prog="python -m fashion.pool", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--count", type=int, default=32768, help="pictures (default %(default)s, 196 KiB each)")
    parser.add_argument("--size", type=int, default=SIZE, help="px a side (default %(default)s; the refiner: 512)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--split", default="train", choices=("train", "held_out", "any"))
    parser.add_argument("--workers", type=int, default=1, help="processes that draw (default %(default)s)")
    options = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    PicturePool(options.folder, options.count, options.seed, options.split, options.size).fill(options.workers)


if __name__ == "__main__":
    sys.exit(run_command(main))
