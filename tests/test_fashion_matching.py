"""A product gets its own picture or none: exact before alike, and what may be several things is listed."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from fashion.catalogue import Product
from fashion.matching import Matches, match
from hangul.files import files_under


def product(image: str = "", id: str = "", title: str = "") -> Product:
    return Product(image, id, title or id, "", "", "")


def matched(folder: Path, pictures: list[str], *records: Product) -> tuple[dict[str, str], Matches]:
    """({picture: product}, everything) for pictures of these names."""
    for name in pictures:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    found = match(records, files_under(folder, (".jpg", ".png")), folder)
    pairs = {path.relative_to(folder).as_posix(): record.id or record.title for record, path in found.pairs}
    return pairs, found


def test_the_same_file_name_in_other_folders_is_another_picture(tmp_path: Path) -> None:
    records = [product(f"photos/{id}/front.jpg", id) for id in ("1003", "1002", "1001")]
    pairs, _ = matched(tmp_path, ["1001/front.jpg", "1002/front.jpg", "1003/front.jpg"], *records)
    assert pairs == {f"{id}/front.jpg": id for id in ("1001", "1002", "1003")}


def test_a_bare_name_in_several_folders_is_the_ids_or_unclear(tmp_path: Path) -> None:
    pairs, found = matched(
        tmp_path, ["1001/front.jpg", "1002/front.jpg"], product("front.jpg", "1002"), product("front.jpg", "x")
    )
    assert pairs == {"1002/front.jpg": "1002"}
    assert found.unclear == ["x: front.jpg may be 1001/front.jpg, 1002/front.jpg"]
    assert found.products_without_picture == ["x"]


def test_a_picture_of_another_folder_is_none_of_the_product(tmp_path: Path) -> None:
    pairs, found = matched(tmp_path, ["1003/front.jpg"], product("1001/front.jpg", "1001"))
    assert pairs == {} and found.pictures_without_product == ["1003/front.jpg"]


def test_an_id_that_begins_another_does_not_take_its_pictures(tmp_path: Path) -> None:
    names = ["AB-12_1.jpg", "AB-12_2.jpg", "AB-13_1.jpg", "AB-99.jpg"]
    pairs, found = matched(tmp_path, names, *(product(id=id) for id in ("AB", "AB-12", "AB-13")))
    assert pairs == {"AB-12_1.jpg": "AB-12", "AB-12_2.jpg": "AB-12", "AB-13_1.jpg": "AB-13"}
    assert found.products_without_picture == ["AB"] and found.pictures_without_product == ["AB-99.jpg"]


@pytest.mark.parametrize("name", ["7.jpg", "7_2.jpg", "7-2.jpg", "7 (2).jpg", "7/front.jpg", "brand/7/a.jpg"])
def test_pictures_called_by_an_id_are_its(tmp_path: Path, name: str) -> None:
    assert matched(tmp_path, [name, "77.jpg"], product(id="7"))[0] == {name: "7"}


def test_names_that_differ_in_case_are_two_files(tmp_path: Path) -> None:
    pairs, _ = matched(tmp_path, ["img_1.jpg", "IMG_1.JPG"], product("img_1.jpg", "a"), product("IMG_1.JPG", "b"))
    assert pairs == {"img_1.jpg": "a", "IMG_1.JPG": "b"}


def test_another_case_counts_where_only_one_file_and_product_has_it(tmp_path: Path) -> None:
    assert matched(tmp_path / "1", ["IMG_1.JPG"], product("img_1.jpg", "a"))[0] == {"IMG_1.JPG": "a"}
    pairs, found = matched(tmp_path / "2", ["IMG_1.JPG", "Img_1.jpg"], product("img_1.jpg", "a"))
    assert pairs == {} and found.unclear == ["a: img_1.jpg may be IMG_1.JPG, Img_1.jpg"]
    assert matched(tmp_path / "3", ["AB1.jpg"], product(id="ab1"))[0] == {"AB1.jpg": "ab1"}
    assert matched(tmp_path / "4", ["Ab1.jpg"], product(id="ab1"), product(id="AB1", title="other"))[0] == {}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_are_compared_in_nfc(tmp_path: Path, form: str) -> None:
    name = unicodedata.normalize(form, "빨간원피스.jpg")
    other = unicodedata.normalize("NFC" if form == "NFD" else "NFD", "빨간원피스.jpg")
    assert list(matched(tmp_path, [name], product(other, "a"))[0].values()) == ["a"]


@pytest.mark.parametrize("image", [
    "https://cdn.example/goods/%EB%B9%A8%EA%B0%84%201.jpg?w=800&h=600",
    "//cdn.example/빨간 1.jpg#x", "goods\\빨간 1.jpg",
    "./빨간 1.jpg", "빨간%201.jpg", "http://a.example/other.jpg http://a.example/빨간%201.jpg", "x.jpg, 빨간 1.jpg",
])  # fmt: skip
def test_addresses_and_paths_of_any_system_name_a_file(tmp_path: Path, image: str) -> None:
    assert matched(tmp_path, ["빨간 1.jpg"], product(image, "a"))[0] == {"빨간 1.jpg": "a"}


@pytest.mark.parametrize("name", ["50% off.jpg", "a,b.jpg", "why?.jpg", "a;b.jpg", "100%25.jpg"])
def test_signs_that_addresses_and_lists_use_may_stand_in_names(tmp_path: Path, name: str) -> None:
    assert matched(tmp_path, [name, "a.jpg", "b.jpg"], product(name, "p"))[0] == {name: "p"}


def test_several_pictures_of_one_cell_are_all_the_products(tmp_path: Path) -> None:
    pairs, _ = matched(tmp_path, ["a.jpg", "b.jpg", "c.jpg"], product("a.jpg; b.jpg|c.jpg", "p"))
    assert set(pairs) == {"a.jpg", "b.jpg", "c.jpg"}


def test_a_picture_that_two_products_name_is_neithers_unless_they_are_the_same(tmp_path: Path) -> None:
    pairs, found = matched(tmp_path / "1", ["a.jpg"], product("a.jpg", "red"), product("a.jpg", "blue"))
    assert pairs == {} and found.unclear == ["a.jpg is claimed by red, blue"]
    same = [Product("a.jpg", f"size {size}", "red dress", "", "", "") for size in "SML"]
    (tmp_path / "2").mkdir()
    (tmp_path / "2/a.jpg").write_bytes(b"")
    found = match(same, [tmp_path / "2/a.jpg"], tmp_path / "2", lambda record: record.title)
    assert [(record.id, path.name) for record, path in found.pairs] == [("size S", "a.jpg")]


def test_an_exact_name_comes_before_what_another_product_only_resembles(tmp_path: Path) -> None:
    pairs, _ = matched(tmp_path, ["12.jpg", "12_1.jpg"], product(id="12"), product("12_1.jpg", "z"))
    assert pairs == {"12.jpg": "12", "12_1.jpg": "z"}


def test_pictures_behind_links_are_there(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.jpg").write_bytes(b"")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/brand").symlink_to(tmp_path / "elsewhere")
    assert matched(tmp_path / "photos", [], product("brand/a.jpg", "p"))[0] == {"brand/a.jpg": "p"}
