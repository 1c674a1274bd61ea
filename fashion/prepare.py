"""Turn a shop's catalogue into the same imagefolder that `fashion.dataset` writes.

In: a catalogue (`fashion.catalogue`) and a folder of pictures. Out: resized pictures and metadata.jsonl with file_name,
text, text_ko, attributes, and where they are from: id and title of the product, and source, the picture in the shop's
folder. A title is reduced to the garments that it names (`fashion.shop_captions`), else stays as it is. Rows that
cannot be read, products and pictures without partner and whatever is unclear are listed and counted, never guessed.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from fashion.catalogue import Product, read_catalogue
from fashion.dataset import IMAGES, METADATA
from fashion.matching import match, nfc_path
from fashion.shop_captions import describe
from fashion.whole_folder import whole_folder
from hangul.files import files_under
from pictures import UnreadablePicture, open_picture

logger = logging.getLogger(__name__)

_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")


@dataclass(frozen=True)
class PrepareSettings:
    """What to prepare. `size` is the longer side in pixels; `columns` maps fields to the shop's column names."""

    catalogue: Path
    images: Path
    folder: Path
    size: int = 512
    columns: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 32 <= self.size <= 4096:
            raise ValueError(f"size is {self.size}: use 32 to 4096 pixels")
        if not Path(self.images).is_dir():
            raise FileNotFoundError(f"{self.images} is not a folder of pictures")
        if not Path(self.catalogue).is_file():
            raise FileNotFoundError(f"{self.catalogue} is not there: name the catalogue's JSON or CSV file")


@dataclass
class PrepareReport:
    """What became of everything: counts and names."""

    written: int = 0
    reduced: int = 0  # texts that named a garment and were reduced to attributes
    pictures_without_product: list[str] = field(default_factory=list)
    products_without_picture: list[str] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)  # what may be several things
    unreadable: list[str] = field(default_factory=list)  # "name: reason"
    faulty_rows: list[str] = field(default_factory=list)  # "list.csv line 3: reason"

    def lines(self, shown: int = 10) -> Iterator[str]:
        """The report for people, long lists cut."""
        yield f"written: {self.written} pictures, {self.reduced} with text reduced to attributes"
        for name, items in (
            ("pictures without a product", self.pictures_without_product),
            ("products without a picture", self.products_without_picture),
            ("unclear, left out", self.unclear),
            ("unreadable pictures", self.unreadable),
            ("rows left out", self.faulty_rows),
        ):
            yield f"{name}: {len(items)}"
            yield from (f"  {item}" for item in items[:shown])
            if len(items) > shown:
                yield f"  … and {len(items) - shown} more"


def prepare(settings: PrepareSettings, progress: bool = True) -> PrepareReport:
    """Write the imagefolder and say what was left out. Raises ValueError for a catalogue that cannot be read."""
    report = PrepareReport()
    folder = Path(settings.images)
    records = read_catalogue(settings.catalogue, settings.columns, report.faulty_rows.append)
    matches = match(records, files_under(folder, _SUFFIXES), folder, _caption_of)
    report.pictures_without_product = matches.pictures_without_product
    report.products_without_picture = matches.products_without_picture
    report.unclear = matches.unclear
    with whole_folder(settings.folder) as work:
        (work / IMAGES).mkdir()
        # a file name that no encoding explains goes into JSON by escapes
        with (work / METADATA).open("w", encoding="utf-8", errors="backslashreplace") as lines:
            for record, path in tqdm(matches.pairs, unit="picture", disable=None if progress else True):
                name, source = f"{IMAGES}/{report.written:06d}.jpg", nfc_path(path, folder)
                if (reason := _resize(path, work / name, settings.size)) is not None:
                    report.unreadable.append(f"{source}: {reason}")
                    continue
                row = {"file_name": name, **describe(record), "source": source}
                report.written += 1
                report.reduced += bool(row["attributes"]["garments"])  # type: ignore[index, call-overload]
                lines.write(json.dumps(row, ensure_ascii=False) + "\n")
        if not report.written:
            raise ValueError(f"no picture matches a product: {'; '.join(report.lines(3))}")
    return report


def _caption_of(record: Product) -> tuple[object, object]:
    """What two products have to share so that one picture may show either."""
    row = describe(record)
    return row["text"], row["text_ko"]


def _resize(source: Path, target: Path, size: int) -> str | None:
    """Write the picture as JPEG, its longer side at most `size`; return why not where it cannot be read."""
    try:
        picture = open_picture(source, max_side=size)
    except (OSError, UnreadablePicture) as error:
        return str(error)[:200]
    picture.save(target, quality=92)
    return None
