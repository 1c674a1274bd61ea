"""Read a shop's catalogue: JSON, JSON lines or CSV whose columns are called whatever the shop calls them.

In: a file. Out: records with image, id, title, category, colour and description, each a string ("" where the shop has
none). Columns are found by their usual English and Korean names; `columns` overrides, e.g. {"title": "goods_nm"}.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "image": ("image", "images", "image_path", "image_file", "image_name", "img", "file", "filename", "file_name",
              "이미지", "이미지파일", "파일명"),
    "id": ("id", "product_id", "productid", "article_id", "item_id", "sku", "code", "상품번호", "상품코드", "제품번호"),
    "title": ("title", "name", "product_name", "product_title", "productdisplayname", "prod_name", "상품명", "제품명"),
    "category": ("category", "product_type", "type", "articletype", "product_type_name", "카테고리", "분류", "종류"),
    "colour": ("colour", "color", "base_colour", "basecolour", "colour_group_name", "색상", "색", "컬러"),
    "description": ("description", "desc", "detail_desc", "details", "detail", "text", "설명", "상세설명", "상품설명"),
}  # fmt: skip
_ENCODINGS = ("utf-8-sig", "cp949")  # Korean shops export from Excel


@dataclass(frozen=True)
class Record:
    """One product. `image` may name several files, parted by blanks or commas."""

    image: str
    id: str
    title: str
    category: str
    colour: str
    description: str


def read_catalogue(path: Path, columns: Mapping[str, str] | None = None) -> list[Record]:
    """Read all products. Raises ValueError that names the columns there are where one is missing."""
    rows = _rows(Path(path))
    if not rows:
        raise ValueError(f"{path} has no products")
    found = _find_columns(rows, columns or {})
    return [Record(**{field: _text(row.get(found.get(field, ""))) for field in USUAL_NAMES}) for row in rows]


def _find_columns(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str]) -> dict[str, str]:
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


def _rows(path: Path) -> list[dict[str, object]]:
    text = _read_text(path)
    if path.suffix.lower() in (".csv", ".tsv"):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        return [dict(row) for row in csv.DictReader(io.StringIO(text), delimiter=delimiter)]
    try:
        data = json.loads(text)
    except json.JSONDecodeError:
        try:
            data = [json.loads(line) for line in text.splitlines() if line.strip()]
        except json.JSONDecodeError as error:
            raise ValueError(f"{path} is neither JSON nor JSON lines: {error.msg}, line {error.lineno}") from None
    if isinstance(data, dict):
        lists = [value for value in data.values() if isinstance(value, list)]
        keyed = [{"id": key, **value} for key, value in data.items() if isinstance(value, dict)]
        data = keyed or (lists[0] if len(lists) == 1 else data)
    if not isinstance(data, list) or not all(isinstance(row, dict) for row in data):
        raise ValueError(f"{path} is not a list of products, nor products by id")
    return data


def _read_text(path: Path) -> str:
    raw = path.read_bytes()
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise ValueError(f"{path} is neither UTF-8 nor CP949: save it as UTF-8")


def _text(value: object) -> str:
    """Whatever a shop puts in a cell, as text: lists and nested values joined by commas."""
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return ", ".join(filter(None, map(_text, value.values())))
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    return str(value).strip()
