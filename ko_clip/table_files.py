"""Files of rows as they come: XLSX, CSV, TSV, JSON, JSONL, zips of them; UTF-8, with or without mark, or CP949.

In: a file or a folder. Out: (name, rows) of every table in it, rows mapping column to value, read as they are asked
for. What is wrong with a file is a ValueError that names the file and the cure.
"""

from __future__ import annotations

import csv
import io
import json
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from ko_clip.json_rows import Row, flat, json_rows

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".jsonl", ".zip")
ENCODINGS = ("utf-8-sig", "cp949", "utf-16")


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
        yield from _open_zip(name, file, encoding)
    elif suffix == ".xlsx":
        yield name, _named(name, _xlsx(file))
    elif suffix in (".csv", ".tsv"):
        yield name, _named(name, _separated(name, file, "\t" if suffix == ".tsv" else None, encoding))
    elif suffix == ".jsonl":
        yield name, _named(name, _json_lines(name, file, encoding))
    elif suffix == ".json":
        yield name, _named(name, _json(name, file, encoding))
    else:
        raise ValueError(f"{name}: a corpus is {', '.join(SUFFIXES)}: save it as one of them")


def _open_zip(name: str, file: BinaryIO, encoding: str | None) -> Iterator[tuple[str, Iterator[Row]]]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} is no zip or a damaged one ({error}): copy it again") from error
    with archive:
        inner = {member_name(member): member for member in archive.infolist() if not member.is_dir()}
        tables = {path: member for path, member in inner.items() if Path(path).suffix.lower() in SUFFIXES}
        if not tables:
            there = ", ".join(list(inner)[:3]) or "nothing"
            raise ValueError(f"{name} holds no {', '.join(SUFFIXES)} file, but {there}")
        for path, member in tables.items():
            if member.flag_bits & 0x1:
                raise ValueError(f"{name}/{path} is encrypted: unpack it with its password first")
            with archive.open(member) as opened:
                packed = Path(path).suffix.lower() in (".xlsx", ".zip")  # a zip in a zip is read at random places
                yield from _open(f"{name}/{path}", io.BytesIO(opened.read()) if packed else opened, encoding)


def _named(name: str, rows: Iterator[Row]) -> Iterator[Row]:
    """The rows; whatever is found wrong on the way says which file it is, and the cure."""
    read = 0
    try:
        for row in rows:
            yield row
            read += 1
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not {error.encoding} after row {read}: name its encoding with `encoding:` or save it as UTF-8"
        ) from error
    except csv.Error as error:
        raise ValueError(f"{name}, after row {read}: {error}: close the quote there, or save it as TSV") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError) as error:
        raise ValueError(f"{name} is damaged after row {read} ({error}): copy it again") from error
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name} {error}") from error


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
        if not file.closed:
            stream.detach()  # the file is whoever opened it


def _encoding(name: str, file: BinaryIO, encoding: str | None) -> str:
    start = file.read(1 << 20)
    file.seek(0)
    if not start.strip():
        raise ValueError(f"{name} is empty: give a table with Korean and English in every row")
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
                    raise ValueError(f"line {number} is not JSON: {error}: mend it there, or copy it again") from error
                yield flat(value)


def _json(name: str, file: BinaryIO, encoding: str | None) -> Iterator[Row]:
    with text_stream(name, file, encoding) as stream:
        yield from json_rows(stream)
