"""Catalogues as shops export them are read; a row that cannot be understood is named and left out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from openpyxl import Workbook

from fashion.catalogue import Product, read_catalogue

RED, BLUE = {"id": "1", "title": "red dress"}, {"id": "2", "title": "blue shirt"}


def read(path: Path) -> tuple[list[tuple[str, str]], list[str]]:
    """((id, title) of every product, faults)."""
    faults: list[str] = []
    return [(record.id, record.title) for record in read_catalogue(path, None, faults.append)], faults


BOTH = [("1", "red dress"), ("2", "blue shirt")]


@pytest.mark.parametrize("text", [
    "id,title\r1,red dress\r2,blue shirt\r", "\ufeff\r\n\r\nid,title\r\n1,red dress\r\n\r\n2,blue shirt",
    "id;title;price\n1;red dress;\n2;blue shirt;3,50\n", "id,title\n1,red dress,,\n2,blue shirt\n",
    'id,title\n1,"red\ndress"\n2,blue shirt\n', '\ufeff"id","title"\n"1","red dress"\n"2","blue shirt"\n',
])  # fmt: skip
def test_csv_of_any_office_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.csv").write_bytes(text.encode())
    assert read(tmp_path / "list.csv") == (BOTH, [])


def test_a_row_longer_than_the_header_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("id,title\n1,red dress\n3,Blue Shirt, Slim Fit\n2,blue shirt\n")
    products, faults = read(tmp_path / "list.csv")
    assert products == BOTH
    assert faults == ["list.csv line 3 has 3 cells and the header 2: quote the cell that holds ','"]


def test_a_field_longer_than_pythons_own_limit_is_read(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text(f"id,title,description\n1,red dress,{'a' * 300_000}\n2,blue shirt,b\n")
    assert read(tmp_path / "list.csv") == (BOTH, [])


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\u0085", "\x0b", "\x1c"])
def test_lines_of_json_end_only_with_their_lines(tmp_path: Path, mark: str) -> None:
    rows = [{**RED, "description": f"a{mark}b"}, BLUE]
    lines = "\r\n\r\n".join(json.dumps(row, ensure_ascii=mark < " ") for row in rows)
    (tmp_path / "list.jsonl").write_bytes(f"\ufeff{lines}\r\n".encode())
    assert read(tmp_path / "list.jsonl") == (BOTH, [])


def test_a_bad_line_of_json_is_named_and_the_others_are_read(tmp_path: Path) -> None:
    lines = [json.dumps(RED), "{oops", "[1]", json.dumps(BLUE)]
    (tmp_path / "list.jsonl").write_text("\n".join(lines))
    products, faults = read(tmp_path / "list.jsonl")
    assert products == BOTH
    assert [fault.split(" is ")[0] for fault in faults] == ["list.jsonl line 2", "list.jsonl line 3"]


@pytest.mark.parametrize("data", [
    {"info": {"version": "1.0", "year": 2024}, "products": [RED, BLUE]},
    {"meta": {"id": 7, "title": "the shop"}, "data": {"list": [RED, BLUE], "tags": [{"n": 1}] * 9}},
    {"1": {"title": "red dress"}, "2": {"title": "blue shirt"}}, [RED, None, BLUE],
    {"1": {"title": "red dress", "images": [{"url": "a"}] * 3}, "2": {"title": "blue shirt", "images": []}},
])  # fmt: skip
def test_the_products_are_found_wherever_they_stand(tmp_path: Path, data: object) -> None:
    (tmp_path / "list.json").write_text(json.dumps(data))
    products, faults = read(tmp_path / "list.json")
    assert products == BOTH
    assert len(faults) == (data == [RED, None, BLUE])


def test_a_workbook_is_a_catalogue_too(tmp_path: Path) -> None:
    book = Workbook()
    rows = (("상품번호", "상품명", "색상"), (1, "빨간_x000D_\n원피스", "#N/A"), (None,) * 3, (2, "셔츠", "파랑"))
    for row in rows:
        book.active.append(row)
    book.save(tmp_path / "list.xlsx")
    assert read_catalogue(tmp_path / "list.xlsx") == [
        Product("", "1", "빨간 원피스", "", "", ""), Product("", "2", "셔츠", "", "파랑", ""),
    ]  # fmt: skip
