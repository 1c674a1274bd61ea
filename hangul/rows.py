"""Rows of CSV, TSV, JSON lines and Excel files, each with its number, as shops, offices and programs really write them.

In: text or an open workbook. Out: (number, row) with a row's cells by the name of their column. A row that cannot be
understood is handed to `on_fault` and the reading goes on; without one it raises ValueError.
Ref: RFC 4180 (CSV), ECMA-376 part 1, 22.9.2.19 (ST_Xstring: `_x000D_`).
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Literal, Protocol

Row = dict[str, str]
Fault = Callable[[int, str], None]  # a row's number, and what is wrong with it

ERROR_CELLS = frozenset({"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A", "#SPILL!", "#CALC!"})
_LONGEST_FIELD = 1 << 24  # Python's own limit of 131,072 characters is shorter than some descriptions


def refuse(number: int, reason: str) -> None:
    """The fault of those who want every row. Raises ValueError."""
    raise ValueError(f"line {number} {reason}")


def column_names(cells: Iterable[str]) -> list[str]:
    """The names of a header: trimmed; a column without a name is "column 3", a second of the same name "name (2)"."""
    names = list[str]()
    for place, cell in enumerate(cells, start=1):
        name = " ".join(cell.replace("\ufeff", "").split()) or f"column {place}"
        times = sum(there == name or there.startswith(f"{name} (") for there in names)
        names.append(f"{name} ({times + 1})" if name in names else name)
    return names


def separated_rows(
    lines: Iterable[str], separator: str = ",", quoted: bool = True, on_fault: Fault = refuse
) -> Iterator[tuple[int, Row]]:
    """Rows of CSV or TSV by the line each begins in; lines keep their ends (a stream opened with newline="").

    A row longer than the header is a fault unless its further cells are empty, since nobody can know which cell was
    torn. Raises ValueError for a quote that is never closed, which would swallow the rest of the file.
    """
    names: list[str] | None = None
    for number, cells in _cells(lines, separator, quoted, on_fault):
        if names is None:
            names = column_names(cells)
        elif any(cell.strip() for cell in cells[len(names) :]):
            on_fault(
                number, f"has {len(cells)} cells and the header {len(names)}: quote the cell that holds {separator!r}"
            )
        else:
            yield number, dict(zip(names, [*cells, *[""] * (len(names) - len(cells))], strict=False))


def _cells(lines: Iterable[str], separator: str, quoted: bool, on_fault: Fault) -> Iterator[tuple[int, list[str]]]:
    """The cells of every row that has any, with the number of the line it begins in."""
    csv.field_size_limit(max(csv.field_size_limit(), _LONGEST_FIELD))
    read = list[str]()  # the lines of the row that is being read
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE
    reader = csv.reader(_recorded(lines, read), delimiter=separator, quoting=quoting, strict=True)
    while True:
        number = reader.line_num + 1
        read.clear()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            if "unexpected end of data" in str(error):
                raise ValueError(f"has a quote that opens in line {number} and is never closed: close the quote there, "
                                 "or save it as TSV") from error  # fmt: skip
            cells = _leniently(read, separator)
            if cells is None:
                on_fault(number, f"is not CSV: {error}")
                continue
        if cells is None:
            return
        if any(cell.strip("\ufeff \t") for cell in cells):
            yield number, cells


def _recorded(lines: Iterable[str], read: list[str]) -> Iterator[str]:
    for line in lines:
        read.append(line)
        yield line


def _leniently(lines: list[str], separator: str) -> list[str] | None:
    """A row with text after a closing quote, as Excel reads it; None where its quotes do not come in pairs."""
    if sum(line.count('"') for line in lines) % 2:
        return None
    try:
        rows = list(csv.reader(lines, delimiter=separator))
    except csv.Error:
        return None
    return rows[0] if len(rows) == 1 else None


def json_line_objects(lines: Iterable[str], on_fault: Fault = refuse) -> Iterator[tuple[int, dict[str, object]]]:
    """Objects of JSON lines, by the line each stands in. Lines end with LF or CR: U+2028 is a letter of a text."""
    for number, line in enumerate(lines, start=1):
        text = line.strip("\ufeff \t\r\n")
        if not text:
            continue
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            on_fault(number, f"is not JSON: {error}: mend it there, or copy it again")
            continue
        except RecursionError:
            on_fault(number, "is nested too deeply: give an object of texts")
            continue
        if isinstance(value, dict):
            yield number, value
        else:
            on_fault(number, f'is a {type(value).__name__} and no object: write {{"column": "text", …}}')


def workbook_rows(file: BinaryIO) -> Iterator[tuple[str, Iterator[tuple[int, Row]]]]:
    """(sheet, rows) of every sheet, hidden ones too, by Excel's row numbers.

    Sheets are read to their last row, whatever size the file states. Escapes (`_x000D_`) become their characters;
    error cells (#N/A) are empty.
    """
    from openpyxl import load_workbook

    book = load_workbook(file, read_only=True, data_only=True)
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()
            yield sheet.title, _sheet_rows(sheet)
    finally:
        book.close()


class _Sheet(Protocol):
    """A worksheet as openpyxl opens it for reading; the library has no types of its own."""

    def iter_rows(self, *, values_only: bool) -> Iterable[tuple[object, ...]]: ...


def _sheet_rows(sheet: _Sheet) -> Iterator[tuple[int, Row]]:
    names: list[str] | None = None
    for number, values in enumerate(sheet.iter_rows(values_only=True), start=1):
        cells = [_text(value) for value in values]
        if not any(cells):
            continue
        if names is None:
            names = column_names(cells)
            continue
        named = [*names, *(f"column {place + 1}" for place in range(len(names), len(cells)))]
        yield number, dict(zip(named, [*cells, *[""] * (len(names) - len(cells))], strict=True))


def _text(value: object) -> str:
    from openpyxl.utils.escape import unescape

    if value is None:
        return ""
    text = str(value)
    if "_x" in text:
        text = unescape(text)
    return "" if text in ERROR_CELLS else text.strip()
