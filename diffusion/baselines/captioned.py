"""Pictures of one size beside vectors of their captions: what the baselines learn from.

In: an imagefolder with captions, this project's text encoder. Out: levels uint8 (n, 3, s, s) in a mapped file that is
written once, and text vectors (n, t), of pictures to train on ("trained") and of pictures to measure on ("held_out").
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from diffusion.encoder import TextEncoder
from diffusion.pictures import to_pixels
from diffusion.training.lora_lesson import StylePicture, read_pictures, split
from jobspec import PictureSize
from pictures import UnreadablePicture, open_picture

logger = logging.getLogger(__name__)
_AT_ONCE = 64


class PicturePairs:
    """`trained` and `held_out` are the rows; `kept` is the folder of the mapped files."""

    def __init__(self, data: Path, language: str, size: int, encoder: TextEncoder, kept: Path) -> None:
        pictures, left_out = read_pictures(data, language)
        for reason in left_out:
            logger.warning("left out: %s", reason)
        self.trained, self.held_out = split(pictures)
        sides = {"trained": self.trained, "held_out": self.held_out}
        self._levels = {name: _levels(each, size, kept / f"{name}.npy") for name, each in sides.items()}
        self.texts = {name: text_vectors(encoder, [one.text for one in each]) for name, each in sides.items()}

    @property
    def id(self) -> str:
        """Of the pictures and captions: another data set has another one."""
        rows = [[*_file(one.path), one.text] for one in (*self.trained, *self.held_out)]
        return hashlib.sha256(json.dumps(rows).encode()).hexdigest()[:16]

    @property
    def text_width(self) -> int:
        return int(self.texts["trained"].shape[1])

    def pixels(self, name: str, rows: np.ndarray) -> torch.Tensor:
        """float32 (len(rows), 3, s, s) in -1..1."""
        return torch.from_numpy(np.stack([self._levels[name][row] for row in rows])).float().div(127.5).sub(1)

    def batch(self, seed: int, step: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Pixels and text vectors of a batch to train on, half of it mirrored: what it holds depends on the seed and
        the step alone.
        """
        rng = np.random.default_rng((seed, step))
        rows = rng.integers(len(self.trained), size=size)
        flips = rng.random(size) < 0.5
        pixels = self.pixels("trained", rows)
        pixels[flips] = pixels[flips].flip(-1)
        return pixels, self.texts["trained"][rows]


@torch.no_grad()
def text_vectors(encoder: TextEncoder, texts: Sequence[str]) -> torch.Tensor:
    """The mean of a text's hidden states, (n, t); each different text is encoded once."""
    distinct = list(dict.fromkeys(texts))
    parts = [encoder.base(distinct[i : i + _AT_ONCE]).float().mean(dim=1) for i in range(0, len(distinct), _AT_ONCE)]
    places = {text: i for i, text in enumerate(distinct)}
    return torch.cat(parts).cpu()[[places[text] for text in texts]].clone()  # of no inference mode: it is learnt from


def _levels(pictures: Sequence[StylePicture], size: int, path: Path) -> np.ndarray:
    """Pictures as uint8 (n, 3, size, size), mapped from a file that is written once for a data set."""
    path.parent.mkdir(parents=True, exist_ok=True)
    names = path.with_suffix(".json")
    told = json.dumps([size, [_file(each.path) for each in pictures]])
    if not (path.is_file() and names.is_file() and names.read_text("utf-8") == told):
        names.unlink(missing_ok=True)
        levels = np.lib.format.open_memmap(path, "w+", np.uint8, (len(pictures), 3, size, size))
        for place, shown in enumerate(tqdm(pictures, unit="picture", desc=path.stem, disable=None)):
            try:
                pixels = to_pixels(open_picture(shown.path), PictureSize.square(size))[0]
            except UnreadablePicture as error:
                raise ValueError(f"{shown.path.name} cannot be read ({error}): leave it out of the metadata") from error
            levels[place] = pixels.mul(255).round().byte().numpy()
        levels.flush()
        names.write_text(told, "utf-8")
    return np.load(path, mmap_mode="r")


def _file(path: Path) -> list[str | int]:
    """What tells a file from one that was written in its place."""
    found = path.stat()
    return [path.name, found.st_size, found.st_mtime_ns]
