"""Prepare: a shop's catalogue becomes an imagefolder; orphans are counted; wrong columns are answered."""

import csv
import json

import pytest
from PIL import Image

from fashion.__main__ import main
from fashion.catalogue import Product, read_catalogue
from fashion.dataset import read_metadata
from fashion.prepare import PrepareSettings, prepare
from fashion.shop_captions import describe

PRODUCTS = [
    {"id": "a1", "title": "Timeless Red Striped Dress", "category": "Dresses", "color": "Scarlet",
     "description": "This gorgeous cotton maxi dress with pockets is an essential for every wardrobe!"},
    {"id": "b2", "title": "빨간 체크무늬 셔츠", "category": "셔츠", "color": "빨강",
     "description": "매일 입기 좋은 긴팔 면 셔츠"},
    {"id": "c3", "title": "Gift card", "category": "", "color": "", "description": "For someone you love"},
    {"id": "d4", "title": "Blue jeans", "category": "Jeans", "color": "blue", "description": ""},
]  # fmt: skip


@pytest.fixture
def shop(tmp_path):
    images = tmp_path / "images"
    images.mkdir()
    Image.new("RGB", (900, 600), "red").save(images / "a1.jpg")
    Image.new("RGBA", (100, 200), (0, 0, 0, 0)).save(images / "b2_1.png")
    Image.new("RGB", (50, 50)).save(images / "c3.webp")
    Image.new("RGB", (50, 50)).save(images / "nobody.jpg")
    (tmp_path / "product_data.json").write_text(json.dumps(PRODUCTS, ensure_ascii=False), "utf-8")
    return tmp_path


def settings(shop):
    return PrepareSettings(shop / "product_data.json", shop / "images", shop / "out", size=128)


def test_marketing_text_becomes_attributes(shop):
    report = prepare(settings(shop), progress=False)
    rows = list(read_metadata(shop / "out"))
    assert [row["text"] for row in rows] == [
        "a red striped cotton maxi dress with pockets", "a red checkered cotton long-sleeved shirt", "Gift card",
    ]  # fmt: skip
    assert rows[0]["text_ko"] == "주머니가 달린 빨간 줄무늬 면 롱 원피스"
    assert rows[1]["attributes"]["garments"][0]["sleeve"] == "long"
    assert (report.written, report.reduced) == (3, 2)


def test_pictures_are_resized_turned_and_put_on_paper(shop):
    exif = Image.Exif()
    exif[0x0112] = 6  # a camera held upright
    Image.new("RGB", (900, 600), "red").save(shop / "images" / "a1.jpg", exif=exif)
    prepare(settings(shop), progress=False)
    sizes = []
    for row in read_metadata(shop / "out"):
        with Image.open(shop / "out" / row["file_name"]) as picture:
            sizes.append(picture.size)
            assert picture.format == "JPEG" and not picture.getexif()
    assert sizes == [(85, 128), (64, 128), (50, 50)]
    with Image.open(shop / "out" / "images" / "000001.jpg") as picture:
        assert min(picture.getpixel((5, 5))) > 250


def test_orphans_on_either_side_are_listed_and_counted(shop, capsys):
    assert main(["prepare", *map(str, (shop / "product_data.json", shop / "images", shop / "out"))]) == 0
    printed = capsys.readouterr().out
    assert "pictures without a product: 1" in printed and "nobody.jpg" in printed
    assert "products without a picture: 1" in printed and "d4" in printed


def test_a_damaged_picture_is_listed_not_fatal(shop):
    (shop / "images" / "a1.jpg").write_bytes(b"\xff\xd8 not really")
    report = prepare(settings(shop), progress=False)
    assert report.written == 2
    assert report.unreadable[0].startswith("a1.jpg: ")


def test_a_wrong_column_is_answered_with_those_there_are(shop, capsys):
    arguments = ["prepare", *map(str, (shop / "product_data.json", shop / "images", shop / "out"))]
    assert main([*arguments, "--column", "title=goods_nm"]) == 2
    assert "the catalogue has id, title, category, color, description" in capsys.readouterr().err
    assert main([*arguments, "--column", "price=id"]) == 2
    assert main([*arguments, "--column", "title"]) == 2
    assert not (shop / "out").exists()


def test_a_csv_from_korean_excel_with_its_own_columns(shop):
    path = shop / "products.csv"
    with path.open("w", encoding="cp949", newline="") as file:
        writer = csv.DictWriter(file, ["상품번호", "goods_nm", "색상"])
        writer.writeheader()
        writer.writerow({"상품번호": "a1", "goods_nm": "물방울무늬 원피스", "색상": "네이비"})
    columns = {"title": "goods_nm"}
    prepare(PrepareSettings(path, shop / "images", shop / "out", 128, columns), progress=False)
    row = next(read_metadata(shop / "out"))
    assert row["text"] == "a navy polka dot dress"


def test_products_by_id_json_lines_and_nested_cells(tmp_path):
    path = tmp_path / "products.json"
    path.write_text(json.dumps({"x": {"name": "cap", "colour": ["red", "blue"], "image": {"front": "x.jpg"}}}))
    assert read_catalogue(path) == [Product("x.jpg", "x", "cap", "", "red, blue", "")]
    path.write_text('{"id": 7, "title": "cap"}\n{"id": 8, "title": "bag"}\n')
    assert [record.id for record in read_catalogue(path)] == ["7", "8"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "no products"),
        ("{oops", "neither JSON"),
        ('[{"price": 3}]', "the catalogue has price"),
        ("[3]", "list of products"),
    ],
)
def test_a_catalogue_that_cannot_be_read_says_why(tmp_path, text, message):
    path = tmp_path / "products.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_catalogue(path)


def test_a_path_in_the_catalogue_opens_only_files_of_the_folder(shop):
    (shop / "secret.jpg").write_bytes((shop / "images" / "a1.jpg").read_bytes())
    products = [{"title": "red dress", "image": "../secret.jpg"}, {"title": "blue bag", "image": "C:\\shop\\c3.webp"}]
    (shop / "product_data.json").write_text(json.dumps(products))
    report = prepare(settings(shop), progress=False)
    assert report.written == 1 and report.products_without_picture == ["../secret.jpg"]


def test_nothing_that_matches_is_an_error_and_leaves_nothing(shop):
    (shop / "product_data.json").write_text('[{"id": "zzz", "title": "red dress"}]')
    with pytest.raises(ValueError, match="no picture matches"):
        prepare(settings(shop), progress=False)
    assert not (shop / "out").exists()


def test_what_a_thing_is_comes_last_in_its_title():
    row = describe(Product("", "1", "Wool scarf coat in beige", "", "", ""))
    assert row["attributes"]["garments"][0]["kind"] == "coat"
