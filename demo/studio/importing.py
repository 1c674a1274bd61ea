"""Read a folder of pictures with prompts: metadata.jsonl, metadata.csv, or name.txt beside name.png."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

from demo.store.errors import ServiceError
from demo.studio import pictures, prompts
from demo.studio.starter import Example

TEXTS = ("text_ko", "prompt", "text", "caption", "캡션", "프롬프트")
FILES = ("file_name", "file", "image")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def read_folder(folder: Path) -> tuple[list[Example], list[tuple[str, str]]]:
    """The pictures that can be read, and (name, reason) of those that cannot. Raises ValueError."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    examples, skipped = [], []
    for name, prompt in _pairs(folder):
        try:
            path = (folder / name).resolve()
            if not path.is_relative_to(folder.resolve()):
                raise ValueError("lies outside the folder")
            picture = pictures.read_upload(path.read_bytes())
            data = pictures.encode(picture, "image/png", None)
            examples.append(Example(prompts.accept(prompt), data, "image/png", 0, {"prompt": prompt}, None))
        except ServiceError as error:
            skipped.append((name, error.code))
        except (OSError, ValueError) as error:
            skipped.append((name, str(error)))
    if not examples and not skipped:
        raise ValueError(f"{folder} has neither metadata.jsonl nor metadata.csv nor name.txt beside name.png")
    return examples, skipped


def _pairs(folder: Path) -> Iterator[tuple[str, str]]:
    """(file name, prompt) of every picture that is listed or has a text beside it."""
    if (listing := folder / "metadata.jsonl").is_file():
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
        rows = [json.loads(line) for line in lines if line.strip()]
    elif (listing := folder / "metadata.csv").is_file():
        with listing.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file))
    else:
        for path in sorted(folder.iterdir()):
            if path.suffix.lower() in SUFFIXES and (text := path.with_suffix(".txt")).is_file():
                yield path.name, text.read_text(encoding="utf-8-sig").strip()
        return
    for row in rows:
        yield _column(row, FILES, listing), _column(row, TEXTS, listing)


def _column(row: dict, names: tuple[str, ...], listing: Path) -> str:
    for name in names:
        if row.get(name):
            return str(row[name])
    raise ValueError(f"{listing.name} has the columns {', '.join(map(str, row))}: one of {', '.join(names)} is needed")
