"""Tables of Korean-English pairs as they come: XLSX, CSV, TSV, JSON, JSONL, zips of them; UTF-8 or CP949.

In: a file or a folder. Out: clean (Korean, English) rows, one at a time, and a report of what was skipped and why.
Columns are found by their names or by the scripts of their values; `ko` and `en` override.
"""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
import json
import re
import unicodedata
import zipfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".jsonl", ".zip")
ENCODINGS = ("utf-8-sig", "cp949", "utf-16")
_KOREAN_NAMES = (
    "ko",
    "kor",
    "korean",
    "원문",
    "한국어",
    "국문",
    "한글",
    "korea",
    "ko_text",
    "source_ko",
    "text_ko",
    "ko원문",
)
_ENGLISH_NAMES = ("en", "eng", "english", "번역문", "영어", "영문", "en_text", "text_en", "en번역문", "번역", "mt")
_MOST = 512  # characters of one side
_SPACES = re.compile(r"\s+")

Row = dict[str, str]


@dataclass
class Report:
    """How many rows were read, kept, and skipped for which reason, with an example of each."""

    read: int = 0
    kept: int = 0
    skipped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)

    def skip(self, reason: str, example: str) -> None:
        self.skipped[reason] += 1
        self.examples.setdefault(reason, example[:120])

    def summary(self) -> str:
        """One line: rows read, kept, and skipped by reason."""
        reasons = ", ".join(f"{count} {reason}" for reason, count in self.skipped.most_common())
        return f"{self.read} rows read, {self.kept} kept" + (f"; skipped: {reasons}" if reasons else "")

    def to_dict(self) -> dict[str, object]:
        return {
            "read": self.read, "kept": self.kept, "skipped": dict(self.skipped), "examples": self.examples,
            "files": self.files,
        }  # fmt: skip


def read_pairs(
    path: Path, report: Report, ko: str | None = None, en: str | None = None, encoding: str | None = None,
    unique: bool = True,
) -> Iterator[tuple[str, str]]:  # fmt: skip
    """Clean pairs of a file, a zip or a folder of them; repeated pairs are dropped where `unique`.

    Raises ValueError for a file that is empty, of unknown columns, or not in the encoding named.
    """
    seen: set[int] = set()
    for name, rows in tables(path, encoding):
        report.files.append(name)
        for korean, english in _sides(name, rows, ko, en):
            report.read += 1
            pair = clean(korean), clean(english)
            reason = _fault(*pair)
            if reason is None and unique:
                key = int.from_bytes(hashlib.blake2b("\t".join(pair).encode(), digest_size=8).digest(), "big")
                reason = "seen before" if key in seen else None
                seen.add(key)
            if reason is not None:
                report.skip(reason, f"{pair[0]} / {pair[1]}")
                continue
            report.kept += 1
            yield pair


def clean(text: str) -> str:
    """NFC, one space between words, no control or zero-width characters."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(
        c for c in text if c in "\n\t \u200d\ufe0f" or unicodedata.category(c) not in ("Cc", "Cf", "Co", "Cn")
    )
    return _SPACES.sub(" ", text).strip()


def tables(path: Path, encoding: str | None = None) -> Iterator[tuple[str, Iterator[Row]]]:
    """(name, rows) of each table at a path: rows map column to value."""
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES)
        if not files:
            raise ValueError(f"{path} holds no {', '.join(SUFFIXES)} file")
        for file in files:
            yield from tables(file, encoding)
        return
    if not path.is_file():
        raise FileNotFoundError(f"corpus {path} is missing: check the path")
    with path.open("rb") as file:
        yield from _open(path.name, file, encoding)


def _open(name: str, file: BinaryIO, encoding: str | None) -> Iterator[tuple[str, Iterator[Row]]]:
    suffix = Path(name).suffix.lower()
    if suffix == ".zip":
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                inner = member_name(member)
                if not member.is_dir() and Path(inner).suffix.lower() in SUFFIXES:
                    with archive.open(member) as opened:
                        yield from _open(f"{name}/{inner}", io.BytesIO(opened.read()), encoding)
    elif suffix == ".xlsx":
        yield name, _xlsx(file)
    elif suffix in (".csv", ".tsv"):
        yield name, _separated(name, file, "\t" if suffix == ".tsv" else None, encoding)
    elif suffix == ".jsonl":
        yield name, _json_lines(name, file, encoding)
    elif suffix == ".json":
        yield name, _json(name, file, encoding)
    else:
        raise ValueError(f"{name}: a corpus is {', '.join(SUFFIXES)}")


def member_name(member: zipfile.ZipInfo) -> str:
    """A zip member's real name: Korean Windows writes CP949 without saying so."""
    if member.flag_bits & 0x800:
        return member.filename
    try:
        return member.filename.encode("cp437").decode("cp949")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return member.filename


@contextmanager
def text_stream(name: str, file: BinaryIO, encoding: str | None) -> Iterator[io.TextIOWrapper]:
    """The file as text in the encoding named, or in the first of UTF-8 and CP949 that reads its beginning."""
    stream = io.TextIOWrapper(file, _encoding(name, file, encoding), newline="")
    try:
        yield stream
    finally:
        stream.detach()  # the file is whoever opened it


def _encoding(name: str, file: BinaryIO, encoding: str | None) -> str:
    start = file.read(1 << 20)
    file.seek(0)
    if not start.strip():
        raise ValueError(f"{name} is empty")
    likely = ("utf-16",) if start[:2] in (b"\xff\xfe", b"\xfe\xff") else ENCODINGS[:2]
    for candidate in (encoding,) if encoding else likely:
        whole = start if len(start) < 1 << 20 else start[: start.rfind(b"\n") + 1 or None]
        try:
            whole.decode(candidate)
        except (UnicodeDecodeError, LookupError):
            continue
        return candidate
    tried = encoding or ", ".join(likely)
    raise ValueError(f"{name} is not {tried}: name its encoding with `encoding:` or save it as UTF-8")


def _separated(name: str, file: BinaryIO, separator: str | None, encoding: str | None) -> Iterator[Row]:
    with text_stream(name, file, encoding) as stream:
        if separator == "\t":
            yield from csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            return
        head = stream.readline()
        stream.seek(0)
        yield from csv.DictReader(stream, delimiter=max(",;\t|", key=head.count))


def _xlsx(file: BinaryIO) -> Iterator[Row]:
    from openpyxl import load_workbook

    book = load_workbook(file, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            rows = sheet.iter_rows(values_only=True)
            header = [str(cell or "") for cell in next(rows, ())]
            for row in rows:
                yield {key: "" if value is None else str(value) for key, value in zip(header, row, strict=False)}
    finally:
        book.close()


def _json_lines(name: str, file: BinaryIO, encoding: str | None) -> Iterator[Row]:
    with text_stream(name, file, encoding) as stream:
        for number, line in enumerate(stream, 1):
            if line.strip():
                try:
                    value = json.loads(line)
                except json.JSONDecodeError as error:
                    raise ValueError(f"{name}, line {number} is not JSON: {error}") from error
                yield _flat(value)


def _json(name: str, file: BinaryIO, encoding: str | None) -> Iterator[Row]:
    try:
        with text_stream(name, file, encoding) as stream:
            value = json.load(stream)
    except json.JSONDecodeError as error:
        raise ValueError(f"{name} is not JSON: {error}") from error
    rows = _longest_list(value)
    if rows is None:
        raise ValueError(f"{name} holds no list of pairs")
    yield from (_flat(row) for row in rows)


def _longest_list(value: object) -> list[dict] | None:
    """The longest list of objects anywhere inside: AI Hub puts it under `data`, `named_entity` and other keys."""
    if isinstance(value, list):
        found = [value] if value and isinstance(value[0], dict) else []
        children: Iterable[object] = value[:8]
    elif isinstance(value, dict):
        found, children = [], value.values()
    else:
        return None
    found += [inner for child in children if (inner := _longest_list(child)) is not None]
    return max(found, key=len) if found else None


def _flat(value: object) -> Row:
    """One object's strings, nested keys joined by a dot."""
    if not isinstance(value, dict):
        return {}
    row: Row = {}
    for key, inner in value.items():
        if isinstance(inner, dict):
            row.update({f"{key}.{name}": text for name, text in _flat(inner).items()})
        elif inner is not None and not isinstance(inner, list):
            row[str(key)] = str(inner)
    return row


def _sides(name: str, rows: Iterator[Row], ko: str | None, en: str | None) -> Iterator[tuple[str, str]]:
    first = list(itertools.islice(rows, 200))
    if not first:
        raise ValueError(f"{name} has no rows")
    columns = [column for column in first[0] if column is not None]
    korean, english = _column(name, first, columns, ko, "ko"), _column(name, first, columns, en, "en")
    for row in itertools.chain(first, rows):
        yield row.get(korean) or "", row.get(english) or ""


def _column(name: str, rows: list[Row], columns: list[str], asked: str | None, language: str) -> str:
    if asked is not None:
        if asked not in columns:
            raise ValueError(f"{name} has no column {asked!r}: it has {', '.join(columns)}")
        return asked
    names = _KOREAN_NAMES if language == "ko" else _ENGLISH_NAMES
    share = {column: _share([row.get(column) or "" for row in rows], language) for column in columns}
    named = [column for column in columns if column.strip().lower().split(".")[-1] in names and share[column] > 0.5]
    likely = named or [column for column in columns if share[column] > 0.7]
    if not likely:
        raise ValueError(
            f"{name} has no column of {'Korean' if language == 'ko' else 'English'}: it has {', '.join(columns)}; "
            f"name it with `{language}:`"
        )
    return max(likely, key=lambda column: (column in named, sum(len(row.get(column) or "") for row in rows)))


def _share(values: list[str], language: str) -> float:
    """Share of the values that are written mostly in the language's script, with some words to them."""
    filled = [value for value in values if value]
    return sum(_script(value) == language for value in filled) / len(filled) if filled else 0.0


def _script(text: str) -> str:
    hangul = len(re.findall("[가-힣]", unicodedata.normalize("NFC", text)))
    latin = len(re.findall("[A-Za-z]", text))
    if not hangul and not latin:
        return ""
    return "ko" if 2 * hangul >= latin and hangul else "en"


def _fault(korean: str, english: str) -> str | None:
    """Why a pair is not used, or None."""
    if not korean or not english:
        return "one side empty"
    if len(korean) > _MOST or len(english) > 2 * _MOST:
        return "too long"
    if not re.search("[가-힣]", korean):
        return "no Korean on the Korean side"
    if not re.search("[A-Za-z]", english) or _script(english) == "ko":
        return "no English on the English side"
    if max(len(korean) * 8, 40) < len(english) or max(len(english) * 4, 40) < len(korean):
        return "lengths do not match"
    return None
