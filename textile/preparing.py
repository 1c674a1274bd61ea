"""Rebuild pictures of cloth from a table in the form of the clothing-pattern data set.

In: a CSV with Class Name, URL, Original Width, Original Height, Crop X, Crop Y, Crop Width, Crop Height, Scales, and a
folder with the pictures that a person has fetched. Out: FOLDER/<class>/<row>-<scale>-<turn>.png, 224 × 224: every
scale in twelve turns of 30°. Nothing is downloaded. Ref: lstearns86/clothing-pattern-dataset, ASSETS 2017.
"""

from __future__ import annotations

import csv
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import numpy as np
from PIL import Image

from pictures.opening import UnreadablePicture, open_picture

logger = logging.getLogger(__name__)
SIZE = 224
_TURNED = 320  # pixels that a square of that size covers at most when it is turned
TURNS = tuple(range(0, 360, 30))
COLUMNS = (
    "Class Name", "URL", "Original Width", "Original Height", "Crop X", "Crop Y", "Crop Width", "Crop Height", "Scales",
)  # fmt: skip
_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class CropRow:
    """A row of the table: `crop` is left, top, width, height in pixels of a picture of `original` size."""

    name: str
    label: str
    original: tuple[int, int]
    crop: tuple[int, int, int, int]
    scales: tuple[float, ...]


@dataclass(frozen=True)
class Prepared:
    """What came of a table: pictures written, and what was left out, with the reason."""

    written: int
    left_out: tuple[str, ...]


def read_table(path: Path) -> list[CropRow]:
    """The rows of a table. Raises ValueError that names the row and column that cannot be read."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        if missing := [name for name in COLUMNS if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{path} has no column {missing[0]!r}: it needs {', '.join(COLUMNS)}")
        rows = [_row(path, number, row) for number, row in enumerate(reader, 2)]
    if not rows:
        raise ValueError(f"{path} has no row below its columns: write a line per crop")
    return rows


def prepare(table: Path, pictures: Path, out: Path) -> Prepared:
    """Write the pictures of a table. Raises ValueError for a table that cannot be read, FileNotFoundError where no
    picture of it is in the folder."""
    rows = read_table(table)
    if not pictures.is_dir():
        raise FileNotFoundError(f"{pictures} is not there: name the folder of the pictures that {table} lists")
    at_hand = {file.stem.lower(): file for file in sorted(pictures.iterdir()) if file.suffix.lower() in _SUFFIXES}
    written, left_out = 0, []
    for number, row in enumerate(rows, 1):
        source = at_hand.get(row.name.lower()) or at_hand.get(f"{number:05d}")
        if source is None:
            left_out.append(f"{row.name}: not in {pictures}")
            continue
        try:
            picture = open_picture(source)
        except UnreadablePicture as error:
            left_out.append(f"{row.name}: {error}")
            continue
        folder = out / row.label
        folder.mkdir(parents=True, exist_ok=True)
        for scale, turn, shown in variations(picture, row):
            shown.save(folder / f"{number:05d}-{scale:g}-{turn:03d}.png")
            written += 1
    if not written:
        raise FileNotFoundError(f"none of the {len(rows)} pictures of {table} is in {pictures}: {left_out[0]}")
    return Prepared(written, tuple(left_out))


def variations(picture: Image.Image, row: CropRow) -> Iterator[tuple[float, int, Image.Image]]:
    """(scale, turn, picture of 224 × 224) of the crop, centred; a picture of another size than the table names is
    cut in proportion."""
    across, down = picture.width / row.original[0], picture.height / row.original[1]
    left, top, width, height = row.crop
    box = (round(left * across), round(top * down), round((left + width) * across), round((top + height) * down))
    cut = picture.convert("RGB").crop(box)
    for scale in row.scales:
        size = (max(round(width * scale), 1), max(round(height * scale), 1))
        scaled = _filling(cut.resize(size, Image.Resampling.LANCZOS))
        for turn in TURNS:
            yield scale, turn, _centred(scaled.rotate(turn, Image.Resampling.BICUBIC, expand=True))


def _filling(picture: Image.Image) -> Image.Image:
    """The picture, mirrored at its edges where it is too small to fill a turned square: no corner stays black."""
    across, down = (max(0, -(-(_TURNED - length) // 2)) for length in picture.size)
    if not across and not down:
        return picture
    return Image.fromarray(np.pad(np.asarray(picture), ((down, down), (across, across), (0, 0)), "symmetric"))


def _centred(picture: Image.Image) -> Image.Image:
    left, top = (picture.width - SIZE) // 2, (picture.height - SIZE) // 2
    return picture.crop((left, top, left + SIZE, top + SIZE))


def _row(path: Path, number: int, row: Mapping[str, str | None]) -> CropRow:
    def whole(column: str) -> int:
        try:
            return int(row[column] or "")
        except ValueError:
            raise ValueError(f"{path}, row {number}: {column} is {row[column]!r}, not a whole number") from None

    try:
        scales = tuple(float(scale) for scale in (row["Scales"] or "").split(";"))
    except ValueError:
        raise ValueError(
            f"{path}, row {number}: Scales is {row['Scales']!r}: write numbers with ; between them"
        ) from None
    original = (whole("Original Width"), whole("Original Height"))
    crop = (whole("Crop X"), whole("Crop Y"), whole("Crop Width"), whole("Crop Height"))
    if min(*original, *crop[2:], *scales) <= 0:
        raise ValueError(f"{path}, row {number}: sizes and scales are to be more than 0")
    label = (row["Class Name"] or "").strip().lower()
    if not label or not label.replace("_", "").replace("-", "").replace(" ", "").isalnum():
        raise ValueError(f"{path}, row {number}: Class Name is {row['Class Name']!r}: write letters and digits")
    name = PurePosixPath(unquote(urlsplit(row["URL"] or "").path)).stem
    return CropRow(name or f"{number - 1:05d}", label, original, crop, scales)
