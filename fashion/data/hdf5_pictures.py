"""The pictures of G2.h5, read a few at a time, as uint8 the right way up.

In: an HDF5 file whose `ih` MATLAB wrote as (rows, columns, 3, n), so that HDF5 holds (n, 3, columns, rows), and `ih_mean`
(3, columns, rows) where the mean picture was taken away. Out: uint8 (m, rows, columns, 3). Without a mean, values say
themselves what they are: -1..1, 0..1 or 0..255, decided once for the whole file.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np

logger = logging.getLogger(__name__)
PICTURES, MEAN = "ih", "ih_mean"
SCALES = ("mean", "signed", "unit", "bytes")  # how stored values become levels
AUTO = "auto"
_LOOKED_AT = 256  # pictures by which the scale is decided
_AT_ONCE = 64
_LARGEST_READ = 96 << 20  # bytes of pictures in memory at once
_SLACK = 1e-3  # what rounding may add to 1


@dataclass(frozen=True)
class StoredPictures:
    """An open file of pictures; `turned`: stored as (n, 3, columns, rows), else as (n, rows, columns, 3)."""

    path: Path
    dataset: h5py.Dataset
    mean: np.ndarray | None
    scale: str
    turned: bool

    def __len__(self) -> int:
        return int(self.dataset.shape[0])

    @property
    def at_once(self) -> int:
        """How many pictures to read together: whole chunks where they are small enough."""
        row = int(np.prod(self.dataset.shape[1:])) * max(4, self.dataset.dtype.itemsize)
        chunk = int(self.dataset.chunks[0]) if self.dataset.chunks else _AT_ONCE
        return max(1, min(max(chunk, _AT_ONCE), _LARGEST_READ // row))

    def read(self, start: int, stop: int) -> np.ndarray:
        """Pictures (m, rows, columns, 3) uint8. Raises ValueError for a damaged file or values that are no numbers."""
        levels = _levels(_stored(self, start, stop), self.mean, self.scale)
        if not np.isfinite(levels).all():
            place = start + int(np.flatnonzero(~np.isfinite(levels).reshape(len(levels), -1).all(axis=1))[0])
            raise ValueError(f"{self.path}: picture {place} holds values that are no numbers: copy the file again")
        whole = np.clip(np.round(levels), 0, 255).astype(np.uint8)
        return whole.transpose(0, 3, 2, 1) if self.turned else whole


@contextmanager
def open_pictures(path: Path, scale: str = AUTO) -> Iterator[StoredPictures]:
    """Open the file for reading. Raises FileNotFoundError, or ValueError naming what is wrong with it."""
    if scale not in (AUTO, *SCALES):
        raise ValueError(f"scale is {scale!r}: use {', '.join((AUTO, *SCALES))}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there: copy it from the data set")
    with _damage_named(path):
        file = h5py.File(path, rdcc_nbytes=_LARGEST_READ // 2)
    with file:
        with _damage_named(path):
            dataset, means = file.get(PICTURES), file.get(MEAN)
            names = ", ".join(file) or "nothing"
        if not isinstance(dataset, h5py.Dataset):
            raise ValueError(f"{path} has no {PICTURES}; it has {names}: is it G2.h5?")
        turned = _is_turned(path, dataset)
        mean = _mean_of(path, means, dataset)
        found = StoredPictures(path, dataset, mean, "mean" if mean is not None else "unit", turned)
        if scale == AUTO and mean is None:
            scale = _scale_of(found)
        scale = found.scale if scale == AUTO else scale
        if scale == "mean" and mean is None:
            raise ValueError(f"{path} has no {MEAN} to add: choose another --scale")
        logger.info("%s: %d pictures, values read as %s", path.name, len(found), scale)
        yield StoredPictures(path, dataset, mean if scale == "mean" else None, scale, turned)


@contextmanager
def _damage_named(path: Path, where: str = " or no HDF5 file") -> Iterator[None]:
    """Say of the file what HDF5 raises of a damaged one: OSError, RuntimeError or KeyError, by what is damaged."""
    try:
        yield
    except (OSError, RuntimeError, KeyError) as error:
        raise ValueError(f"{path} is damaged{where} ({str(error)[:120]}): copy it again") from error


def _is_turned(path: Path, dataset: h5py.Dataset) -> bool:
    shape = tuple(dataset.shape)
    if len(shape) == 4 and shape[1] == 3 and shape[3] != 3:
        return True
    if len(shape) == 4 and shape[3] == 3:
        return False
    raise ValueError(f"{path}: {PICTURES} is {shape}: (n, 3, columns, rows) as MATLAB's HDF5 has it is expected")


def _mean_of(path: Path, means: object, dataset: h5py.Dataset) -> np.ndarray | None:
    if not isinstance(means, h5py.Dataset):
        return None
    with _damage_named(path):
        mean = np.asarray(means[()], dtype=np.float32)
    mean = mean.reshape(mean.shape[-3:]) if mean.ndim >= 3 else mean
    if mean.shape != tuple(dataset.shape[1:]):
        raise ValueError(f"{path}: {MEAN} is {mean.shape}, a picture of {PICTURES} is {tuple(dataset.shape[1:])}")
    return mean


def _scale_of(pictures: StoredPictures) -> str:
    """What the values are, by those of some pictures from all over the file."""
    if np.issubdtype(pictures.dataset.dtype, np.unsignedinteger):
        return "bytes"
    places = np.unique(np.linspace(0, len(pictures) - 1, min(_LOOKED_AT, len(pictures))).astype(int))
    low, high = np.inf, -np.inf
    for place in places:
        values = _stored(pictures, place, place + 1)
        low, high = min(low, float(np.nanmin(values))), max(high, float(np.nanmax(values)))
    if low < 0 and (high > 1 + _SLACK or low < -1 - _SLACK):
        raise ValueError(f"{pictures.path}: {PICTURES} has values from {low:.3g} to {high:.3g} and no {MEAN}: "
                         f"say what they are with --scale {', '.join(SCALES[1:])}")  # fmt: skip
    if low < 0:
        return "signed"
    return "unit" if high <= 1 + _SLACK else "bytes"


def _stored(pictures: StoredPictures, start: int, stop: int) -> np.ndarray:
    with _damage_named(pictures.path, f" at pictures {start} to {stop - 1}"):
        return np.asarray(pictures.dataset[start:stop], dtype=np.float32)


def _levels(values: np.ndarray, mean: np.ndarray | None, scale: str) -> np.ndarray:
    """Levels of 255 of stored values."""
    if scale == "mean":
        assert mean is not None
        whole = values + mean
        return whole if mean.max() > 1 + _SLACK else whole * 255  # a mean of levels, or of shares
    if scale == "signed":
        return (values + 1) * 127.5
    return values * 255 if scale == "unit" else values
