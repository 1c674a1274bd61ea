"""Files of rows as they come: XLSX, CSV, TSV, JSON, JSONL, zips of them; UTF-8, with or without mark, or CP949.

In: a file or a folder, links to folders included. Out: every table in it, a sheet of a workbook being one, its rows
mapping column to value, read as they are asked for. What is wrong with a file is a ValueError that names the file and
the cure; a row that cannot be understood goes to `on_fault`.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar
from xml.etree.ElementTree import ParseError

from hangul.files import files_under, is_by_file, nfc, text_stream
from hangul.rows import Fault, Row, json_line_objects, refuse, separated_rows, workbook_rows
from ko_clip.json_rows import flat, json_rows

SUFFIXES = (".xlsx", ".csv", ".tsv", ".json", ".jsonl", ".zip")
TableFault = Callable[[str, str], None]  # "pairs.csv line 3", and what is wrong there
Numbered = Iterator[tuple[int, Row]]
T = TypeVar("T")


@dataclass(frozen=True)
class Table:
    """The rows of one table with their numbers; `unit`: of a line of the file, a row of the sheet, or an object."""

    name: str
    unit: str
    rows: Numbered

    def place(self, number: int) -> str:
        return f"{self.name} {self.unit} {number}"


def tables(path: Path, encoding: str | None = None, on_fault: TableFault | None = None) -> Iterator[Table]:
    """Each table at a path. Raises ValueError and FileNotFoundError."""
    if path.is_dir():
        files = files_under(path, SUFFIXES)
        if not files:
            raise ValueError(f"{path} holds no {', '.join(SUFFIXES)} file")
        for file in files:
            yield from tables(file, encoding, on_fault)
        return
    if not path.is_file():
        raise FileNotFoundError(f"corpus {path} is missing: check the path")
    with path.open("rb") as opened:
        yield from _open(nfc(path.name), opened, encoding, on_fault)


def _open(name: str, file: BinaryIO, encoding: str | None, on_fault: TableFault | None) -> Iterator[Table]:
    suffix = Path(name).suffix.lower()
    if suffix == ".zip":
        yield from _open_zip(name, file, encoding, on_fault)
    elif suffix == ".xlsx":
        yield from _workbook(name, file)
    elif suffix in _TEXT_READERS:
        unit, read = _TEXT_READERS[suffix]
        yield Table(name, unit, _named(name, read(name, file, encoding, _fault_of(name, unit, on_fault))))
    else:
        raise ValueError(f"{name}: a corpus is {', '.join(SUFFIXES)}: save it as one of them")


def _open_zip(name: str, file: BinaryIO, encoding: str | None, on_fault: TableFault | None) -> Iterator[Table]:
    try:
        archive = zipfile.ZipFile(file)
    except zipfile.BadZipFile as error:
        raise ValueError(f"{name} is no zip or a damaged one ({error}): copy it again") from error
    with archive:
        members = {member_name(member): member for member in archive.infolist() if not member.is_dir()}
        inner = {path: member for path, member in members.items() if not is_by_file(path)}
        readable = {path: member for path, member in inner.items() if Path(path).suffix.lower() in SUFFIXES}
        if not readable:
            there = ", ".join(list(inner)[:3]) or "nothing"
            raise ValueError(f"{name} holds no {', '.join(SUFFIXES)} file, but {there}")
        for path, member in readable.items():
            if member.flag_bits & 0x1:
                raise ValueError(f"{name}/{path} is encrypted: unpack it with its password first")
            try:
                opened = archive.open(member)
            except (zipfile.BadZipFile, NotImplementedError) as error:
                raise ValueError(f"{name}/{path} cannot be unpacked ({error}): copy it again, or unpack it") from error
            with opened:
                packed = Path(path).suffix.lower() in (".xlsx", ".zip")  # a zip in a zip is read at random places
                content = io.BytesIO(opened.read()) if packed else opened
                yield from _open(f"{name}/{path}", content, encoding, on_fault)  # type: ignore[arg-type]


def _workbook(name: str, file: BinaryIO) -> Iterator[Table]:
    """A table for each sheet."""
    for title, rows in _guarded(name, lambda: "", workbook_rows(file)):
        yield Table(f"{name} [{title}]", "row", _named(f"{name} [{title}]", rows))


def _fault_of(name: str, unit: str, on_fault: TableFault | None) -> Fault | None:
    return None if on_fault is None else lambda number, reason: on_fault(f"{name} {unit} {number}", reason)


def _named(name: str, rows: Numbered) -> Numbered:
    """The rows; whatever is found wrong on the way says which file it is, and the cure."""
    last = 0

    def counted() -> Numbered:
        nonlocal last
        for number, row in rows:
            last = number
            yield number, row

    yield from _guarded(name, lambda: f" after row {last}", counted())


def _guarded(name: str, where: Callable[[], str], items: Iterator[T]) -> Iterator[T]:
    try:
        yield from items
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} is not {error.encoding}{where()}: name its encoding with `encoding:` or save it as UTF-8"
        ) from error
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError, ParseError) as error:
        raise ValueError(f"{name} is damaged{where()} ({error}): copy it again") from error
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name} {error}") from error


def member_name(member: zipfile.ZipInfo) -> str:
    """A zip member's real name in NFC: Korean Windows writes CP949 without saying so, macOS UTF-8."""
    if member.flag_bits & 0x800:
        return nfc(member.filename)
    try:
        raw = member.filename.encode("cp437")
    except UnicodeEncodeError:
        return nfc(member.filename)
    for encoding in ("utf-8", "cp949"):
        try:
            return nfc(raw.decode(encoding))
        except UnicodeDecodeError:
            continue
    return member.filename


def _separated(name: str, file: BinaryIO, encoding: str | None, on_fault: Fault | None) -> Numbered:
    fault = on_fault or refuse
    with text_stream(name, file, encoding) as stream:
        if name.lower().endswith(".tsv"):
            yield from separated_rows(stream, "\t", quoted=False, on_fault=fault)
            return
        head = ""
        while not head.strip("\ufeff \r\n") and (line := stream.readline()):
            head = line
        stream.seek(0)
        yield from separated_rows(stream, max(",;\t|", key=head.count), on_fault=fault)


def _json_lines(name: str, file: BinaryIO, encoding: str | None, on_fault: Fault | None) -> Numbered:
    with text_stream(name, file, encoding) as stream:
        for number, value in json_line_objects(stream):
            yield number, flat(value)


def _json(name: str, file: BinaryIO, encoding: str | None, on_fault: Fault | None) -> Numbered:
    with text_stream(name, file, encoding) as stream:
        yield from json_rows(stream)


_TEXT_READERS: dict[str, tuple[str, Callable[[str, BinaryIO, str | None, Fault | None], Numbered]]] = {
    ".csv": ("line", _separated),
    ".tsv": ("line", _separated),
    ".jsonl": ("line", _json_lines),
    ".json": ("object", _json),
}
