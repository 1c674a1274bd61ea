"""Korean-English pairs out of tables: which columns they are, what is cleaned, what is left out and why.

In: a file or a folder, as `ko_clip.table_files` opens them. Out: clean (Korean, English) rows, one at a time, and a
report that names the columns of every table and the place of every kind of row that was left out. Columns are found by
their names or by the scripts of their values (`ko_clip.columns`); `ko` and `en` override.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from ko_clip.columns import Columns, find_columns, script
from ko_clip.table_files import Table, tables

_MOST = 512  # characters of one side
_SAMPLE = 200  # rows by which columns are told
_MOST_PLACES = 50  # of rows left out for one reason, as the report names them
_SPACES = re.compile(r"\s+")


@dataclass
class Report:
    """What was read and kept; rows skipped by reason, with an example and places of each; the columns of each table.

    `left_out`: tables without pairs, and why.
    """

    read: int = 0
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    places: dict[str, list[str]] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    columns: dict[str, Columns] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def skip(self, reason: str, example: str, place: str = "") -> None:
        """Count a row left out. `place`: its table and number."""
        self.skipped[reason] += 1
        self.examples.setdefault(reason, example[:120])
        if place and len(places := self.places.setdefault(reason, [])) < _MOST_PLACES:
            places.append(place)

    def summary(self) -> str:
        """One line: rows read, kept, and skipped by reason; tables left out."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.skipped.most_common())
        tables = "".join(f"; left out: {reason}" for reason in self.left_out.values())
        return f"{self.read} rows read, {self.kept} kept" + (f"; skipped: {reasons}" if reasons else "") + tables

    def to_dict(self) -> dict[str, object]:
        return {
            "read": self.read, "kept": self.kept, "skipped": dict(self.skipped), "examples": self.examples,
            "places": self.places, "files": self.files, "left_out": self.left_out,
            "columns": {name: asdict(columns) for name, columns in self.columns.items()},
        }  # fmt: skip


def read_pairs(
    path: Path, report: Report, ko: str | None = None, en: str | None = None, encoding: str | None = None,
    unique: bool = True,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Clean pairs of a file, a zip or a folder of them; repeated pairs are dropped where `unique`.

    A table without a column of either language (a sheet of remarks) is left out and reported, unless no table has
    them. Raises ValueError for a file that is empty, of unknown columns, or not in the encoding named.
    """
    seen: set[int] = set()
    for table in tables(path, encoding, lambda place, reason: _faulty_row(report, place, reason)):
        report.files.append(table.name)
        for number, korean, english in _sides(table, report, ko, en):
            report.read += 1
            pair = clean(korean), clean(english)
            reason = _fault(*pair)
            if reason is None and unique:
                key = int.from_bytes(hashlib.blake2b("\t".join(pair).encode(), digest_size=8).digest(), "big")
                reason = "seen before" if key in seen else None
                seen.add(key)
            if reason is not None:
                report.skip(reason, f"{pair[0]} / {pair[1]}", table.place(number))
                continue
            report.kept += 1
            yield pair
    if report.left_out and not report.columns:
        raise ValueError("; ".join(report.left_out.values()))


def _faulty_row(report: Report, place: str, reason: str) -> None:
    report.read += 1
    report.skip("torn row", f"{place} {reason}", place)


def clean(text: str) -> str:
    """NFC, one space between words, no control or zero-width characters, no halves of a surrogate pair."""
    text = unicodedata.normalize("NFC", text)
    if not text.isprintable():  # most texts are, and four million of them take a while letter by letter
        dropped = ("Cc", "Cf", "Co", "Cn", "Cs")
        text = "".join(c for c in text if c in "\n\t \u200d\ufe0f" or unicodedata.category(c) not in dropped)
    return _SPACES.sub(" ", text).strip()


def _sides(table: Table, report: Report, ko: str | None, en: str | None) -> Iterator[tuple[int, str, str]]:
    """(number, Korean, English) of each row; a first row that is a pair itself and names no columns counts too."""
    first = list(itertools.islice(table.rows, _SAMPLE))
    if not first:
        report.left_out[table.name] = f"{table.name} has no rows: give a table with Korean and English in every row"
        return
    try:
        columns = find_columns(table.name, [row for _, row in first], ko, en)
    except ValueError as error:
        report.left_out[table.name] = str(error)
        return
    report.columns[table.name] = columns
    if columns.header_is_pair:
        yield first[0][0] - 1, columns.ko, columns.en
    for number, row in itertools.chain(first, table.rows):
        yield number, row.get(columns.ko) or "", row.get(columns.en) or ""


def _fault(korean: str, english: str) -> str | None:
    """Why a pair is not used, or None."""
    if not korean or not english:
        return "one side empty"
    if len(korean) > _MOST or len(english) > 2 * _MOST:
        return "too long"
    if not re.search("[가-힣]", korean):
        return "no Korean on the Korean side"
    if not re.search("[A-Za-z]", english) or script(english) == "ko":
        return "no English on the English side"
    if max(len(korean) * 8, 40) < len(english) or max(len(english) * 4, 40) < len(korean):
        return "lengths do not match"
    return None
