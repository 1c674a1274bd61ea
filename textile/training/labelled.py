"""Folders of pictures to learn from: their table of labels, and a mark that two of them do not share.

In: a folder with labels.tsv (file_name and a label). Out: paths and labels; eight letters for the names of run folders.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Collection, Iterable
from pathlib import Path


def labelled(folder: Path, column: str, allowed: Collection[str]) -> list[tuple[Path, str]]:
    """The pictures of a folder and their labels, in the table's order.

    Raises FileNotFoundError where the table or a picture is not there, ValueError for a table without the columns, a
    label that is not allowed, or no row at all.
    """
    path = folder / "labels.tsv"
    if not path.exists():
        raise FileNotFoundError(f"{path} is not there: give a folder with labels.tsv (file_name, {column})")
    found = []
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if missing := [name for name in ("file_name", column) if name not in (reader.fieldnames or ())]:
            raise ValueError(f"{path} has no column {missing[0]!r}: it needs file_name and {column}, with tabs between")
        for number, row in enumerate(reader, 2):
            name, label = row["file_name"] or "", row[column] or ""
            if label not in allowed:
                raise ValueError(f"{path}, row {number}: {column} is {label!r}: use one of {', '.join(allowed)}")
            if not (folder / name).is_file():
                raise FileNotFoundError(f"{path}, row {number}: the picture {name!r} is not in {folder}")
            found.append((folder / name, label))
    if not found:
        raise ValueError(f"{path} has no row: write a line per picture")
    return found


def mark_of(settings: Iterable[object], folders: Iterable[Path | None]) -> str:
    """Eight letters that other settings, or folders of other files, do not have: what two sources left in a run folder
    is not mixed up."""
    told = [str(each) for each in settings]
    for folder in folders:
        files = sorted(path for path in folder.rglob("*") if path.is_file()) if folder else []
        told += [str(folder.resolve()) if folder else "", *(f"{file.name} {file.stat().st_size}" for file in files)]
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:8]
