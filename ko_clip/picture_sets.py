"""Evaluation sets of pictures with Korean captions, as their authors give them out: XTD-10, XM3600, KoDi's B-KC.

In: a folder or table of the person's own. Out: captions by language and the picture that each belongs to. Every error
names the file, what it holds and what belongs there.
Ref: Aggarwal and Kale 2020, arXiv:2012.05107 (XTD); Thapliyal et al. 2022, arXiv:2205.12522 (XM3600); KoDi, IEEE Access
2025, doi:10.1109/access.2025.3633798 (Korean prompts, their romanisation and their translation).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

XTD_NAMES, XTD_CAPTIONS = "test_image_names.txt", "test_1kcaptions_{}.txt"
XTD_FOLDERS = ("", "val2014", "train2014", "images")
XM3600_FILE, XM3600_PICTURES = "captions.jsonl", ("", "images", "crossmodal3600")
SUFFIXES = (".jpg", ".jpeg", ".png", ".webp")
CULTURE = {"ko": ("ko", "korean", "prompt_ko"), "en_rom": ("en_rom", "romanized", "romanised", "prompt_en_rom"),
           "en_sem": ("en_sem", "translated", "en", "english", "prompt_en_sem")}  # fmt: skip


@dataclass(frozen=True)
class CaptionedPictures:
    """`captions[language][i]` belongs to `pictures[owners[language][i]]`."""

    name: str
    pictures: list[Path]
    captions: dict[str, list[str]]
    owners: dict[str, list[int]]


@dataclass(frozen=True)
class CulturePrompts:
    """One thing a row, three ways: Korean, romanised (en_rom), translated (en_sem)."""

    name: str
    prompts: dict[str, list[str]]


def read_xtd(folder: Path, pictures: Path | None = None, languages: Sequence[str] = ("ko", "en")) -> CaptionedPictures:
    """XTD-10: one caption a picture and language, line by line. `pictures`: COCO's folder, default `folder`.

    Raises FileNotFoundError for a file or picture that is not there, ValueError where the lines do not match.
    """
    names = _lines(folder / XTD_NAMES)
    captions = {language: _lines(folder / XTD_CAPTIONS.format(language)) for language in languages}
    for language, found in captions.items():
        if len(found) != len(names):
            raise ValueError(
                f"{folder / XTD_CAPTIONS.format(language)} has {len(found)} lines, {XTD_NAMES} {len(names)}: they "
                "belong together line by line, download both again"
            )
    places = [_picture(pictures or folder, name, XTD_FOLDERS) for name in names]
    return CaptionedPictures("XTD-10", places, captions, {language: [*range(len(names))] for language in languages})


def read_xm3600(folder: Path, languages: Sequence[str] = ("ko", "en")) -> CaptionedPictures:
    """XM3600: captions.jsonl, several captions a picture and language, beside the pictures (KEY.jpg).

    Raises FileNotFoundError, or ValueError naming the line that is no record.
    """
    places, captions = list[Path](), {language: list[str]() for language in languages}
    owners = {language: list[int]() for language in languages}
    for number, line in enumerate(_lines(folder / XM3600_FILE), 1):
        try:
            record = json.loads(line)
            found = {language: record[language]["caption"] for language in languages}
            key = str(record["image/key"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{folder / XM3600_FILE}, line {number}: {type(error).__name__} {error}: a record has image/key and, "
                f"for each of {', '.join(languages)}, a list under caption"
            ) from error
        places.append(_picture(folder, key, XM3600_PICTURES))
        for language, texts in found.items():
            captions[language] += [str(text) for text in texts]
            owners[language] += [len(places) - 1] * len(texts)
    return CaptionedPictures("XM3600", places, captions, owners)


def read_culture(path: Path) -> CulturePrompts:
    """A Korean culture set: CSV or TSV with the columns ko, en_rom and en_sem. Raises FileNotFoundError, ValueError."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ","))
    header = [name.strip().lower() for name in (rows[0] if rows else {})]
    columns = {
        kind: next((i for i, name in enumerate(header) if name in known), None) for kind, known in CULTURE.items()
    }
    missing = [kind for kind, column in columns.items() if column is None]
    if missing:
        known = "; ".join(", ".join(names) for names in CULTURE.values())
        raise ValueError(
            f"{path} has the columns {', '.join(header) or 'none'}: {', '.join(missing)} is missing (known are {known})"
        )
    values = [[(cell or "").strip() for cell in row.values()] for row in rows]
    found = {kind: [row[column] for row in values] for kind, column in columns.items() if column is not None}
    return CulturePrompts(path.stem, found)


def drawn_pictures(folder: Path, count: int) -> list[Path]:
    """The picture of each row in a folder, by name in order. Raises ValueError where they are not as many."""
    found = sorted(path for path in folder.glob("*") if path.suffix.lower() in SUFFIXES)
    if len(found) != count:
        raise ValueError(
            f"{folder} has {len(found)} pictures, the set {count} prompts: one a row, named in their order"
        )
    return found


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: give the folder as its authors give it out")
    return [line for line in path.read_text("utf-8-sig").splitlines() if line.strip()]


def _picture(folder: Path, name: str, below: Sequence[str]) -> Path:
    for place in _places(folder, name.strip(), below):
        if place.is_file():
            return place
    looked = ", ".join(f"{each or '.'}/" for each in below)
    raise FileNotFoundError(f"{folder} has no picture {name.strip()} (looked into {looked})")


def _places(folder: Path, name: str, below: Sequence[str]) -> Iterator[Path]:
    names = [name] if Path(name).suffix.lower() in SUFFIXES else [name + suffix for suffix in SUFFIXES]
    return (folder / inner / each for inner in below for each in names)
