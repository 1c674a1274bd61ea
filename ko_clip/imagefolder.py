"""Pictures and their texts from an imagefolder, as a CLIP's image tower reads them, without torchvision.

In: a folder with metadata.jsonl (file_name, text and any further columns) and the settings that lie beside a CLIP's
weights. Out: pairs split by seed, and pictures uint8 (n, size, size, 3) kept in one file that is mapped, not read, so
that a data set may be larger than the memory. Pictures that cannot be read are listed and left out.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TypedDict

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from fashion.dataset import METADATA, TEST, read_metadata
from hangul.files import file_named
from pictures import UnreadablePicture, open_picture

logger = logging.getLogger(__name__)

_HALVES = re.compile("[\ud800-\udfff]")  # of surrogate pairs: no tokenizer takes them
_LEAST_TRAINED = 4  # two pairs to train on, two to follow the training by
_MOST_WATCHED = 500


# --- pairs --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pair:
    """One picture and every text that its rows give it; the first is the one that is measured."""

    file_name: str
    texts: tuple[str, ...]
    test: bool = field(default=False, repr=False)  # one of the data set's own test rows


def read_pairs(folder: Path, columns: Sequence[str]) -> tuple[list[Pair], list[str]]:
    """Pairs in the order of the rows, and "row: reason" for each row left out.

    Raises ValueError naming the columns there are where `file_name` or one of `columns` is in no row.
    """
    rows = list(read_metadata(folder))
    if not rows or not all(isinstance(row, dict) for row in rows):
        raise ValueError(f"{Path(folder) / METADATA} has no rows of columns: one JSON object a line is expected")
    there = dict.fromkeys(name for row in rows for name in row)
    if missing := [name for name in ("file_name", *columns) if name not in there]:
        raise ValueError(
            f"{Path(folder) / METADATA} has no column {', '.join(missing)}; its columns are {', '.join(there)}: "
            "choose with --text"
        )
    texts: dict[str, list[str]] = {}
    tested = {str(row["file_name"]) for row in rows if row.get("split") == TEST and "file_name" in row}
    left_out = []
    for number, row in enumerate(rows, start=1):
        values = [_HALVES.sub("", value).strip() for name in columns if isinstance(value := row.get(name), str)]
        found = [value for value in values if value]
        if reason := _wrong_name(row.get("file_name")) or ("no text" if not found else None):
            left_out.append(f"row {number}: {reason}")
        else:
            texts.setdefault(str(row["file_name"]), []).extend(found)
    return [Pair(name, tuple(dict.fromkeys(found)), name in tested) for name, found in texts.items()], left_out


def _wrong_name(name: object) -> str | None:
    """Only files of the folder are opened, whatever the metadata says."""
    if not isinstance(name, str) or not name:
        return "no file_name"
    path = PurePosixPath(name.replace("\\", "/"))
    return f"{name} lies outside the folder" if path.is_absolute() or ".." in path.parts else None


def _path(folder: Path, name: str) -> Path:
    """A picture's file, whichever Unicode form the disk has its name in."""
    return file_named(folder, name) or folder / name


@dataclass(frozen=True)
class Split:
    """Places of pairs: measured before and after, watched during training, trained on. They share no picture."""

    held_out: np.ndarray
    watched: np.ndarray
    trained: np.ndarray


def split_pairs(pairs: Sequence[Pair], held_out: int, seed: int) -> Split:
    """Split pairs by seed. The watched are a tenth of what is not held out, 500 at most.

    Where some are test rows, held out are these alone, and what is left of them is used for nothing. Raises ValueError
    where fewer than four would be left to train on.
    """
    count, tested = len(pairs), np.array([pair.test for pair in pairs], dtype=bool)
    left = count - int(tested.sum())
    most = count - _LEAST_TRAINED
    if left < count:
        most = count - left if left >= _LEAST_TRAINED else 0
    if held_out < 1 or held_out > most:
        cure = f"give --held-out 1 to {most}" if most >= 1 else "give more pairs"
        raise ValueError(
            f"--held-out is {held_out} of {count} pairs{f' ({count - left} are test rows)' if left < count else ''}, "
            f"and {_LEAST_TRAINED} must be left to train on: {cure}, "
            "or make more with python -m fashion export or prepare"
        )
    order = np.random.default_rng((seed, 5)).permutation(count)
    held, rest = order[:held_out], order[held_out:]
    if tested.any():
        held, rest = order[tested[order]][:held_out], order[~tested[order]]
    watched = min(_MOST_WATCHED, max(2, len(rest) // 10))
    return Split(held, rest[:watched], rest[watched:])


# --- what a tower reads ---------------------------------------------------------------------------------------------


class _PreprocessorFile(TypedDict, total=False):
    """What is read of a Hugging Face preprocessor_config.json; sizes are one number or edges by name."""

    size: int | dict[str, int]
    crop_size: int | dict[str, int]
    do_center_crop: bool
    do_rescale: bool
    do_normalize: bool
    resample: int
    rescale_factor: float
    image_mean: list[float]
    image_std: list[float]


@dataclass(frozen=True)
class Preprocessing:
    """How a picture becomes what an image tower reads: resized, cropped at the centre, scaled, normalised.

    `shortest` is the shorter side after resizing (None: straight to `resized`, height and width).
    """

    size: int
    shortest: int | None
    resized: tuple[int, int]
    resample: int = Image.Resampling.BICUBIC
    rescale: float = 1 / 255
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    @classmethod
    def of(cls, folder: Path, size: int) -> Preprocessing:
        """The settings beside a model whose tower reads `size` pixels; without any, -1..1 as the one that ships."""
        found = _settings(Path(folder))
        if found is None:
            logger.info("%s has no preprocessor_config.json: pictures go in as -1..1, shorter side %d", folder, size)
            return cls(size, size, (size, size), resample=Image.Resampling.BOX)
        try:
            return cls._told(found, folder, size)
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{folder}: its preprocessor_config.json is not one of a CLIP ({type(error).__name__}: {error}): "
                "copy it again, or remove it to read pictures as -1..1"
            ) from error

    @classmethod
    def _told(cls, found: _PreprocessorFile, folder: Path, size: int) -> Preprocessing:
        asked = found.get("size", size)
        edges = {"shortest_edge": asked} if isinstance(asked, int) else asked
        shortest = edges.get("shortest_edge")
        resized = (0, 0) if shortest else (edges["height"], edges["width"])
        crop = found.get("crop_size", size) if found.get("do_center_crop", True) else None
        end = (crop, crop) if isinstance(crop, int) else (crop["height"], crop["width"]) if crop else resized
        if end != (size, size) or (shortest or min(resized)) < size:
            raise ValueError(
                f"{folder}: its preprocessor_config.json gives {end} pixels from {shortest or resized}, "
                f"its image tower reads {size}: correct the one or the other"
            )
        normal = found.get("do_normalize", True)
        return cls(
            size, shortest, resized, found.get("resample", Image.Resampling.BICUBIC),
            found.get("rescale_factor", 1 / 255) if found.get("do_rescale", True) else 1.0,
            tuple(found.get("image_mean", cls.mean)) if normal else (0.0, 0.0, 0.0),
            tuple(found.get("image_std", cls.std)) if normal else (1.0, 1.0, 1.0),
        )  # fmt: skip

    def crop(self, picture: Image.Image) -> np.ndarray:
        """uint8 (size, size, 3); what is transparent becomes white."""
        if picture.mode != "RGB":
            picture = picture.convert("RGBA")
            picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
        height, width = self.resized
        if self.shortest:
            short = min(picture.size)
            width, height = (int(self.shortest * side / short) for side in picture.size)
        if picture.size != (width, height):
            picture = picture.resize((width, height), self.resample)
        top, left = (height - self.size) // 2, (width - self.size) // 2
        return np.asarray(picture.crop((left, top, left + self.size, top + self.size)))

    def pixels(self, levels: np.ndarray) -> torch.Tensor:
        """Levels uint8 (n, size, size, 3) as float32 (n, 3, size, size)."""
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (self.mean, self.std))
        return (torch.tensor(levels).permute(0, 3, 1, 2).float() * self.rescale - mean) / std


def _settings(folder: Path) -> _PreprocessorFile | None:
    for name, key in (("preprocessor_config.json", None), ("processor_config.json", "image_processor")):
        if (path := folder / name).is_file():
            try:
                found = json.loads(path.read_text("utf-8"))
            except ValueError as error:
                raise ValueError(f"{path} is not JSON ({error}): copy it again") from error
            return found if key is None or not isinstance(found, dict) else found.get(key)
    return None


# --- the pictures ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairStore:
    """Readable pairs and their pictures, uint8 (n, size, size, 3), `levels[place[i]]` being that of pair i."""

    pairs: list[Pair]
    place: np.ndarray
    levels: np.ndarray
    preprocessing: Preprocessing
    key: str
    left_out: list[str]

    def __len__(self) -> int:
        return len(self.pairs)

    def pixels(self, rows: np.ndarray) -> torch.Tensor:
        """float32 (len(rows), 3, size, size)."""
        return self.preprocessing.pixels(np.stack([self.levels[self.place[row]] for row in rows]))


def open_pairs(folder: Path, columns: Sequence[str], preprocessing: Preprocessing, kept: Path) -> PairStore:
    """Read every picture once and keep it at the tower's size in `kept`; what is kept already is not read again.

    Raises ValueError where no picture can be read.
    """
    pairs, left_out = read_pairs(folder, columns)
    key = _key(folder, pairs, preprocessing)
    levels, report = kept / "pictures.npy", kept / "pictures.json"
    if not (report.exists() and levels.exists() and json.loads(report.read_text("utf-8"))["key"] == key):
        kept.mkdir(parents=True, exist_ok=True)
        report.unlink(missing_ok=True)
        unreadable = _keep(folder, pairs, preprocessing, levels)
        beside = report.with_suffix(".writing")
        beside.write_text(json.dumps({"key": key, "unreadable": unreadable}, ensure_ascii=False, indent=1), "utf-8")
        beside.replace(report)
    unreadable = json.loads(report.read_text("utf-8"))["unreadable"]
    left_out += [f"{name}: {reason}" for name, reason in unreadable.items()]
    place = np.array([i for i, pair in enumerate(pairs) if pair.file_name not in unreadable], dtype=np.int64)
    if not len(place):
        raise ValueError(f"{folder} has no picture that can be read with a text: {'; '.join(left_out[:3])}")
    return PairStore([pairs[i] for i in place], place, np.load(levels, mmap_mode="r"), preprocessing, key, left_out)


def _keep(folder: Path, pairs: Sequence[Pair], preprocessing: Preprocessing, path: Path) -> dict[str, str]:
    """Write the pictures' file, by rename when whole; returns the reasons of those that cannot be read."""
    size = preprocessing.size
    beside = path.with_suffix(".writing")
    levels = np.lib.format.open_memmap(beside, mode="w+", dtype=np.uint8, shape=(len(pairs), size, size, 3))
    unreadable = {}
    for place, pair in enumerate(tqdm(pairs, desc="pictures", unit="picture", disable=None)):
        try:
            levels[place] = preprocessing.crop(open_picture(_path(folder, pair.file_name)))
        except (OSError, UnreadablePicture) as error:
            unreadable[pair.file_name] = f"{type(error).__name__}: {error}".splitlines()[0][:120]
    levels.flush()
    del levels
    beside.replace(path)
    return unreadable


def _key(folder: Path, pairs: Sequence[Pair], preprocessing: Preprocessing) -> str:
    """Changes with the rows, the pictures' files and the settings they are read by."""
    digest = hashlib.sha256(repr(preprocessing).encode())
    for pair in pairs:
        path = _path(Path(folder), pair.file_name)
        facts = path.stat() if path.is_file() else None
        digest.update(repr((pair, (facts.st_size, facts.st_mtime_ns) if facts else None)).encode())
    return digest.hexdigest()
