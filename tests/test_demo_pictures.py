"""Picture files: marked as generated, carrying what they were drawn from, in every format; bare when asked."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator

import pytest
from demo_client import Studio, open_studio
from PIL import Image

from demo.studio import pictures
from demo.studio.file_texts import texts_of
from fashion.completion import completed

MARK = b"digitalsourcetype/trainedAlgorithmicMedia"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("pictures"), visible_mark=True)
    yield studio
    studio.close()


def test_a_picture_keeps_the_prompt_as_typed_and_its_recipe_says_what_was_drawn(studio: Studio) -> None:
    person = studio.person()
    image = person.finished("분홍 모자와 채크무늬 치마", n=1, negative_prompt="모자")["images"][0]
    png = Image.open(io.BytesIO(person.get(f"/images/{image['id']}").data))
    png.load()
    assert png.text["prompt"] == "분홍 모자와 채크무늬 치마"
    recipe = json.loads(png.text["recipe"])
    read = "분홍 버킷햇과 체크무늬 치마"
    assert recipe["drawn_prompt"] == completed(read, int(recipe["seed"]), "모자").text
    assert "버킷햇과" in recipe["drawn_prompt"] and "체크무늬" in recipe["drawn_prompt"]
    assert recipe["drawn_negative_prompt"] == "모자"  # who wants no hats does not mean bucket hats alone


def test_files_carry_prompt_seed_settings_and_the_mark(studio: Studio) -> None:
    person = studio.person()
    image = person.finished("빨간 두루마기", n=1, seed=9)["images"][0]
    path = f"/images/{image['id']}"
    png = Image.open(io.BytesIO(person.get(path).data))
    png.load()
    assert png.text["prompt"] == "빨간 두루마기" and json.loads(png.text["recipe"])["seed"] == 9
    assert MARK.decode() in png.text["XML:com.adobe.xmp"]
    for format, kind in (("jpeg", "JPEG"), ("webp", "WEBP")):
        data = person.get(f"{path}?format={format}").data
        shown = Image.open(io.BytesIO(data))
        comment = shown.getexif().get_ifd(pictures.EXIF_IFD)[pictures.EXIF_USER_COMMENT]
        assert shown.format == kind and MARK in data
        assert comment[8:].decode("utf-16-be") == png.text["parameters"]
        assert json.loads(texts_of(data)["recipe"])["seed"] == 9


def test_metadata_none_keeps_only_the_mark(studio: Studio) -> None:
    person = studio.person()
    image = person.finished("초록 꽃신", n=1)["images"][0]
    for format in ("png", "jpeg", "webp"):
        data = person.get(f"/images/{image['id']}?format={format}&metadata=none").data
        assert MARK in data and "초록".encode() not in data and b"recipe" not in data and b"seed" not in data


def test_thumbnail_base_and_download(studio: Studio) -> None:
    person = studio.person()
    image = person.finished("남색 배자", n=1)["images"][0]
    assert (image["width"], image["height"]) == (128, 128)
    small = person.get(image["thumbnail_url"].removeprefix("/api/v1"))
    assert small.mimetype == "image/webp" and MARK in small.data and "남색".encode() not in small.data
    base = Image.open(io.BytesIO(person.get(image["base_url"].removeprefix("/api/v1")).data))
    assert base.size == (64, 64)
    plain, download = (person.get(f"/images/{image['id']}?format=png{more}") for more in ("", "&download=1"))
    assert download.headers["Content-Disposition"].startswith('attachment; filename="geuryeojwo-')
    pixels = [Image.open(io.BytesIO(reply.data)).convert("RGB").tobytes() for reply in (plain, download)]
    assert pixels[0] != pixels[1], "the visible mark is there on downloads"
    assert person.finished("신발", n=1, refine=False)["images"][0]["base_url"] is None


def test_edited_pictures_say_that_they_are_composites(studio: Studio) -> None:
    person = studio.person()
    source = person.finished("흰 티셔츠", n=1)["images"][0]["id"]
    varied = person.finished("흰 티셔츠", n=1, source_image=source)["images"][0]["id"]
    assert b"digitalsourcetype/compositeWithTrainedAlgorithmicMedia" in person.get(f"/images/{varied}").data


def test_private_pictures_are_never_cached_and_public_ones_are_checked_again(studio: Studio) -> None:
    person = studio.person()
    private = person.finished("회색 니트", n=1)["images"][0]["id"]
    public = person.finished("회색 니트 조끼", n=1, visibility="public")["images"][0]["id"]
    assert "no-store" in person.get(f"/images/{private}").headers["Cache-Control"]
    first = person.get(f"/images/{public}")
    assert "no-cache" in first.headers["Cache-Control"]
    assert person.get(f"/images/{public}", headers={"If-None-Match": first.headers["ETag"]}).status_code == 304


def test_a_damaged_file_is_not_served(studio: Studio) -> None:
    person = studio.person()
    id = person.finished("갈색 가방", n=1)["images"][0]["id"]
    path = studio.settings.data_dir / "files" / id[:2] / f"{id}.final.png"
    path.write_bytes(path.read_bytes()[:-20])
    reply = person.get(f"/images/{id}")
    assert reply.status_code == 503 and reply.json["error"]["code"] == "storage_unavailable"
