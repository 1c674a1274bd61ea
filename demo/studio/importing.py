"""Read a folder of pictures with prompts: metadata.jsonl, metadata.csv, or name.txt beside name.png.

Texts may be UTF-8, CP949 or UTF-16, names in NFC or NFD. What cannot be read is named, and the others go in.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from demo.store.errors import ServiceError
from demo.studio import pictures, prompts
from demo.studio.starter import Example
from hangul.files import file_named, files_under, nfc, read_text
from hangul.rows import json_line_objects, separated_rows

TEXTS = ("text_ko", "prompt", "text", "caption", "캡션", "프롬프트")
FILES = ("file_name", "file", "image")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")

Skipped = list[tuple[str, str]]  # (a picture or a line of the listing, why)


def read_folder(folder: Path) -> tuple[list[Example], Skipped]:
    """The pictures that can be read, and (name, reason) of those that cannot. Raises ValueError."""
    if not folder.is_dir():
        raise ValueError(f"{folder} is not a folder")
    examples: list[Example] = []
    skipped: Skipped = []
    for name, prompt in _pairs(folder, skipped):
        try:
            picture = pictures.read_upload(_picture(folder, name))
            data = pictures.encode(picture, "image/png", None)
            examples.append(Example(prompts.accept(prompt), data, "image/png", 0, {"prompt": prompt}, None))
        except ServiceError as error:
            skipped.append((name, error.code))
        except (OSError, ValueError) as error:
            skipped.append((name, str(error)))
    if not examples and not skipped:
        raise ValueError(f"{folder} has neither metadata.jsonl nor metadata.csv nor name.txt beside name.png")
    return examples, skipped


def _picture(folder: Path, name: str) -> bytes:
    """A picture's bytes. Raises ValueError for a file outside the folder, FileNotFoundError, ServiceError too_large."""
    path = file_named(folder, name)
    if path is None:
        outside = not (folder / name).resolve().is_relative_to(folder.resolve())
        raise ValueError("lies outside the folder") if outside else FileNotFoundError("is not in the folder")
    if not path.resolve().is_relative_to(folder.resolve()):
        raise ValueError("lies outside the folder")
    if path.stat().st_size > pictures.MAX_UPLOAD_BYTES:
        raise ServiceError("too_large", "file")
    return path.read_bytes()


def _pairs(folder: Path, skipped: Skipped) -> Iterator[tuple[str, str]]:
    """(file name, prompt) of every picture that is listed or has a text beside it."""
    listing = next((folder / name for name in ("metadata.jsonl", "metadata.csv") if (folder / name).is_file()), None)
    if listing is None:
        yield from _beside(folder, skipped)
        return

    def fault(number: int, reason: str) -> None:
        skipped.append((f"{listing.name} line {number}", reason))

    lines = io.StringIO(read_text(listing), newline="" if listing.suffix == ".csv" else None)
    rows: list[tuple[int, Mapping[str, object]]] = (
        [*separated_rows(lines, on_fault=fault)] if listing.suffix == ".csv" else [*json_line_objects(lines, fault)]
    )
    for names in (FILES, TEXTS) if rows else ():
        _check_columns(listing, [row for _, row in rows], names)
    for number, row in rows:
        name, prompt = _first(row, FILES), _first(row, TEXTS)
        if not name or not prompt:
            fault(number, "names no picture" if not name else f"has no text for {name}")
        else:
            yield name, prompt


def _beside(folder: Path, skipped: Skipped) -> Iterator[tuple[str, str]]:
    """Pictures with a text of the same name beside them, in whichever Unicode form either name is."""
    texts = {nfc(path.stem): path for path in files_under(folder, (".txt",)) if path.parent == folder}
    for path in files_under(folder, SUFFIXES) if texts else ():
        if path.parent != folder:
            continue
        if (text := texts.get(nfc(path.stem))) is None:
            skipped.append((path.name, f"has no {nfc(path.stem)}.txt beside it"))
            continue
        try:
            yield path.name, read_text(text).strip()
        except ValueError as error:
            skipped.append((path.name, str(error)))


def _check_columns(listing: Path, rows: list[Mapping[str, object]], names: tuple[str, ...]) -> None:
    """Raises ValueError where no row has any column of these names."""
    there = dict.fromkeys(str(column) for row in rows for column in row)
    if not there.keys() & set(names):
        raise ValueError(f"{listing.name} has the columns {', '.join(there)}: one of {', '.join(names)} is needed")


def _first(row: Mapping[str, object], names: tuple[str, ...]) -> str:
    return next((text for name in names if (text := str(row.get(name) or "").strip())), "")
