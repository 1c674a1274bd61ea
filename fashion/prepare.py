"""Turn a shop's catalogue into the same imagefolder that `fashion.dataset` writes.

In: a catalogue (`fashion.catalogue`) and a folder of pictures. Out: resized pictures and metadata.jsonl with file_name,
text, text_ko and attributes. Marketing text is reduced to the attributes that it names; where it names no garment, the
title stays as it is. Pictures without a product and products without a picture are listed and counted, never guessed.
"""

from __future__ import annotations

import json
import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tqdm import tqdm

from fashion.catalogue import Record, read_catalogue
from fashion.dataset import IMAGES, METADATA
from fashion.lexicon import GARMENT_BY_ID, word
from fashion.vocabulary import known_words
from fashion.whole_folder import whole_folder
from hangul.normalize import clean
from pictures import UnreadablePicture, open_picture

logger = logging.getLogger(__name__)

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_MAX_TITLE = 120  # characters kept of a title that names nothing we know
_FIELDS = ("color", "pattern", "material", "sleeve", "hem", "neckline")


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
class Report:
    """What became of everything: counts and names."""

    written: int = 0
    reduced: int = 0  # texts that named a garment and were reduced to attributes
    pictures_without_product: list[str] = field(default_factory=list)
    products_without_picture: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)  # "name: reason"

    def lines(self, shown: int = 10) -> Iterator[str]:
        """The report for people, long lists cut."""
        yield f"written: {self.written} pictures, {self.reduced} with text reduced to attributes"
        for name, items in (
            ("pictures without a product", self.pictures_without_product),
            ("products without a picture", self.products_without_picture),
            ("unreadable pictures", self.unreadable),
        ):
            yield f"{name}: {len(items)}"
            yield from (f"  {item}" for item in items[:shown])
            if len(items) > shown:
                yield f"  … and {len(items) - shown} more"


def prepare(settings: PrepareSettings, progress: bool = True) -> Report:
    """Write the imagefolder and say what was left out. Raises ValueError for a catalogue that cannot be read."""
    records = read_catalogue(settings.catalogue, settings.columns)
    pictures = _pictures(Path(settings.images))
    report = Report()
    pairs = _match(records, pictures, Path(settings.images), report)
    with whole_folder(settings.folder) as work:
        (work / IMAGES).mkdir()
        with (work / METADATA).open("w", encoding="utf-8") as lines:
            for record, path in tqdm(pairs, unit="picture", disable=None if progress else True):
                name = f"{IMAGES}/{report.written:06d}.jpg"
                if (reason := _resize(path, work / name, settings.size)) is not None:
                    report.unreadable.append(f"{path.relative_to(settings.images)}: {reason}")
                    continue
                row = describe(record)
                report.written += 1
                report.reduced += bool(row["attributes"]["garments"])  # type: ignore[index]
                lines.write(json.dumps({"file_name": name, **row}, ensure_ascii=False) + "\n")
        if not report.written:
            raise ValueError(f"no picture matches a product: {'; '.join(report.lines(3))}")
    return report


def describe(record: Record) -> dict[str, object]:
    """The row of one product: text, text_ko, attributes. Its most reliable column decides each attribute."""
    attributes = _attributes((record.category, record.colour, record.title, record.description))
    if attributes is None:
        title = clean(record.title or record.description or record.category)[:_MAX_TITLE].strip()
        return {"text": title, "text_ko": title, "attributes": {"garments": []}}
    return {
        "text": _english(attributes),
        "text_ko": _korean(attributes),
        "attributes": {"garments": [attributes]},
    }


def _attributes(texts: Sequence[str]) -> dict[str, object] | None:
    """Ids that the texts name, the first text that names a field deciding it; None where no garment is named."""
    found: dict[str, str] = {}
    details: list[str] = []
    for text in texts:
        for span in known_words(text):
            if span.field == "detail" and span.id not in details:
                details.append(span.id or "")
        for name in ("garment", *_FIELDS):
            ids = [span.id for span in known_words(text) if span.field == name]
            if ids and name not in found:
                # a title ends with what the thing is: "wool scarf coat" is a coat; other fields come first when meant
                found[name] = (ids[-1] if name == "garment" else ids[0]) or ""
    if "garment" not in found:
        return None
    return {"kind": found["garment"], **{name: found.get(name) for name in _FIELDS}, "details": details}


def _english(attributes: Mapping[str, object]) -> str:
    kind = GARMENT_BY_ID[str(attributes["kind"])]
    order = ("color", "pattern", "material", "sleeve", "neckline", "hem")
    named = [word(name, str(attributes[name])).en_modifiers[0] for name in order if attributes[name]]
    text = " ".join((*named, kind.en[0]))
    details = [word("detail", detail).en[0] for detail in attributes["details"]]  # type: ignore[attr-defined]
    if details:
        text += " with " + " and ".join(details)
    return text if kind.plural else f"{'an' if text[0] in 'aeiou' else 'a'} {text}"


def _korean(attributes: Mapping[str, object]) -> str:
    details = [word("detail", detail).modifiers[0] for detail in attributes["details"]]  # type: ignore[attr-defined]
    order = ("color", "pattern", "material", "sleeve", "neckline", "hem")
    named = [word(name, str(attributes[name])).modifiers[0] for name in order if attributes[name]]
    return " ".join((*details, *named, GARMENT_BY_ID[str(attributes["kind"])].ko[0]))


def _pictures(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file())


def _match(
    records: Sequence[Record], pictures: Sequence[Path], folder: Path, report: Report
) -> list[tuple[Record, Path]]:
    """Pairs of product and picture; what has no partner goes into the report. Only files of the folder are opened."""
    by_key: dict[str, list[Path]] = defaultdict(list)
    for path in pictures:
        relative = path.relative_to(folder).as_posix()
        keys = {relative, path.name, path.stem, re.split(r"[_-]", path.stem)[0]}
        keys |= {path.parent.name} if path.parent != folder else set()
        for key in keys:
            by_key[key.lower()].append(path)
    pairs, used = [], set()
    for record in records:
        paths = [path for path in _paths_of(record, by_key) if path not in used]  # a picture shows one product
        if not paths:
            report.products_without_picture.append(record.id or record.image or record.title)
        used.update(paths)
        pairs += [(record, path) for path in paths]
    report.pictures_without_product = [p.relative_to(folder).as_posix() for p in pictures if p not in used]
    return pairs


def _paths_of(record: Record, by_key: Mapping[str, list[Path]]) -> list[Path]:
    """The pictures that the product names, else those that are called by its id: 123.jpg, 123_2.jpg, 123/front.jpg."""
    named = [name for name in re.split(r"[,;|]\s*", record.image) if name]
    for name in named:
        name = name.replace("\\", "/").lower()
        found = by_key.get(name) or by_key.get(name.rsplit("/", 1)[-1])
        if found:
            others = [p for other in named[1:] for p in by_key.get(other.rsplit("/", 1)[-1].lower(), [])[:1]]
            return [found[0], *others]
    return list(by_key.get(record.id.lower(), [])) if record.id else []


def _resize(source: Path, target: Path, size: int) -> str | None:
    """Write the picture as JPEG, its longer side at most `size`; return why not where it cannot be read."""
    try:
        picture = open_picture(source, max_side=size)
    except (OSError, UnreadablePicture) as error:
        return str(error)[:200]
    picture.save(target, quality=92)
    return None
