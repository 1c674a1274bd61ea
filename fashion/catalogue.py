"""Read a shop's catalogue: JSON, JSON lines, CSV or XLSX whose columns are called whatever the shop calls them.

In: a file. Out: records with image, id, title, category, colour and description, each a string ("" where the shop has
none), entities and tags of HTML read. Columns are found by their usual English and Korean names; `columns` overrides,
e.g. {"title": "goods_nm"}. A row that cannot be understood is named and left out.
"""

from __future__ import annotations

import html
import io
import json
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeGuard
from xml.etree.ElementTree import ParseError

from fashion.plain_text import plain_text
from hangul.files import nfc, read_text
from hangul.rows import json_line_objects, separated_rows, workbook_rows

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "image": ("image", "images", "image_path", "image_file", "image_name", "img", "file", "filename", "file_name",
              "이미지", "이미지파일", "파일명"),
    "id": ("id", "product_id", "productid", "article_id", "item_id", "sku", "code", "상품번호", "상품코드", "제품번호"),
    "title": ("title", "name", "product_name", "product_title", "productdisplayname", "prod_name", "상품명", "제품명"),
    "category": ("category", "product_type", "type", "articletype", "product_type_name", "카테고리", "분류", "종류"),
    "colour": ("colour", "color", "base_colour", "basecolour", "colour_group_name", "색상", "색", "컬러"),
    "description": ("description", "desc", "detail_desc", "details", "detail", "text", "설명", "상세설명", "상품설명"),
}  # fmt: skip
_DEEPEST = 3  # how far inside objects a list of products is looked for

Fault = Callable[[str], None]  # "list.csv line 3: what is wrong there"
_Row = Mapping[str, object]


@dataclass(frozen=True)
class Product:
    """One product. `image` may name several files, parted by blanks or commas."""

    image: str
    id: str
    title: str
    category: str
    colour: str
    description: str


def read_catalogue(
    path: Path, columns: Mapping[str, str] | None = None, on_fault: Fault = lambda _: None
) -> list[Product]:
    """Read all products. Raises ValueError that names the columns there are where one is missing."""
    path = Path(path)
    rows, found = _with_columns(path, _tables(path, on_fault), columns or {})
    return [_record(row, found) for row in rows]


def _record(row: _Row, found: Mapping[str, str]) -> Product:
    texts = {field: _text(row.get(found.get(field, ""))) for field in USUAL_NAMES}
    names = {field: nfc(html.unescape(texts[field])) for field in ("image", "id")}
    return Product(**{field: plain_text(text) for field, text in texts.items()} | names)


def _with_columns(
    path: Path, tables: Sequence[Sequence[_Row]], columns: Mapping[str, str]
) -> tuple[Sequence[_Row], dict[str, str]]:
    """The rows of the first table that has the columns, and these."""
    wrong: ValueError | None = None
    for rows in tables:
        if rows:
            try:
                return rows, _find_columns(rows, columns)
            except ValueError as error:
                wrong = wrong or error
    raise wrong or ValueError(f"{path} has no products")


def _find_columns(rows: Sequence[_Row], columns: Mapping[str, str]) -> dict[str, str]:
    there = list(dict.fromkeys(name for row in rows for name in row))
    listed = ", ".join(there)
    found = {}
    for field, name in columns.items():
        if field not in USUAL_NAMES:
            raise ValueError(f"{field!r} is not a field of a product: use one of {', '.join(USUAL_NAMES)}")
        if name not in there:
            raise ValueError(f"there is no column {name!r} for {field}: the catalogue has {listed}")
        found[field] = name
    by_name = {name.strip().lower().replace(" ", "_"): name for name in reversed(there)}
    for field, usual in USUAL_NAMES.items():
        known = next((by_name[name] for name in usual if name in by_name), None)
        if field not in found and known is not None:
            found[field] = known
    if not found.keys() & {"image", "id"}:
        raise ValueError(f"no column names the pictures: give --column image=NAME; the catalogue has {listed}")
    if not found.keys() & {"title", "category", "colour", "description"}:
        raise ValueError(f"no column describes the products: give --column title=NAME; the catalogue has {listed}")
    return found


def _tables(path: Path, on_fault: Fault) -> list[list[_Row]]:
    """Everything in the file that may be its list of products, the likeliest first."""

    def fault(number: int, reason: str) -> None:
        on_fault(f"{path.name} line {number} {reason}")

    suffix = path.suffix.lower()
    if suffix == ".xlsx":
        return [_workbook(path)]
    text = read_text(path)
    if suffix in (".csv", ".tsv"):
        head = next((line for line in text.splitlines() if line.strip()), "")
        separator = "\t" if suffix == ".tsv" else max(",;\t|", key=head.count)
        try:
            return [[row for _, row in separated_rows(io.StringIO(text, newline=""), separator, on_fault=fault)]]
        except ValueError as error:
            raise ValueError(f"{path.name} {error}") from error
    try:
        data = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        if not _begins_with_object_line(text):
            reason = (
                f"{error.msg}, line {error.lineno}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
            )
            raise ValueError(f"{path} is neither JSON nor JSON lines: {reason}") from None
        return [[row for _, row in json_line_objects(io.StringIO(text, newline=None), on_fault=fault)]]
    found = sorted(_lists(data), key=lambda one: (one[0], -len(one[1])))
    tables = [_objects(path, values, on_fault) for _, values in found]
    if isinstance(data, dict) and not any(tables):
        tables = [[data]]  # a file of one product
    if not tables or (isinstance(data, list) and data and not any(tables)):
        raise ValueError(f"{path} is not a list of products, nor products by id")
    return tables


def _workbook(path: Path) -> list[_Row]:
    """The rows of all sheets."""
    with path.open("rb") as file:
        try:
            return [row for _, rows in workbook_rows(file) for _, row in rows]
        except (zipfile.BadZipFile, KeyError, ParseError) as error:
            raise ValueError(f"{path.name} is no workbook, or a damaged one ({error}): save it again") from error


def _begins_with_object_line(text: str) -> bool:
    first = next((line for line in io.StringIO(text) if line.strip()), "")
    try:
        return isinstance(json.loads(first), dict)
    except (json.JSONDecodeError, RecursionError):
        return False


def _lists(data: object, depth: int = 0) -> Iterator[tuple[int, list[object]]]:
    """(depth, values) of every list of a JSON value that may hold the products, and of objects that hold them by id."""
    if isinstance(data, list):
        yield depth, data
    elif isinstance(data, dict) and depth < _DEEPEST:
        values = [value for value in data.values() if isinstance(value, dict)]
        if values and set.intersection(*(set(value) for value in values)):
            yield depth, [{"id": key, **value} for key, value in data.items() if isinstance(value, dict)]
        for value in data.values():
            yield from _lists(value, depth + 1)


def _objects(path: Path, values: Sequence[object], on_fault: Fault) -> list[_Row]:
    """The products of a list; where some are, whatever else is in it is a fault."""
    rows = [value for value in values if _is_row(value)]
    for number, value in enumerate(values, start=1) if rows else ():
        if not _is_row(value):
            on_fault(f"{path.name} object {number} is a {type(value).__name__} and no product")
    return rows


def _is_row(value: object) -> TypeGuard[_Row]:
    return isinstance(value, dict)


def _text(value: object) -> str:
    """Whatever a shop puts in a cell, as text: lists and nested values joined by commas."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(filter(None, map(_text, value.values())))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return str(value).strip()
