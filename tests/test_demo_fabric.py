"""Patterns and their application as jobs: what is asked, refused, made, marked, seen by whom, and deleted."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from demo_client import Person, Studio, open_studio
from demo_fakes import fabric_runners, fake_worker
from PIL import Image

from demo.ops.commands import main
from demo.worker.fabric import ApplyRunner
from testing.fabric import PaintSegmenter


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("fabric"), rate_writes="100000/minute")
    yield studio
    studio.close()


def png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def photo(size: tuple[int, int] = (200, 240)) -> Image.Image:
    """A grey garment with a fold on white."""
    levels = np.full((size[1], size[0], 3), 250, np.uint8)
    across = np.linspace(0, 3 * np.pi, size[0] // 2)
    levels[size[1] // 4 : -size[1] // 4, size[0] // 4 : size[0] // 4 + len(across)] = (
        150 + 40 * np.sin(across)
    ).astype(np.uint8)[None, :, None]
    return Image.fromarray(levels)


def asked(person: Person, **body: object) -> dict:
    reply = person.post("/generations", body)
    assert reply.status_code == 202, reply.text
    return person.until_end(reply.json["id"])


def pattern(person: Person, **fields: object) -> dict:
    done = asked(person, kind="pattern", **({"category": "stripes", "n": 2, "seed": 5} | fields))
    assert done["status"] == "succeeded", done
    return done


def shown(person: Person, image: dict, query: str = "") -> Image.Image:
    return Image.open(io.BytesIO(person.get(f"/images/{image['id']}{query}").data))


def refused(person: Person, **body: object) -> tuple[str, str | None]:
    reply = person.post("/generations", body)
    assert reply.status_code in (422, 503), reply.text
    return reply.json["error"]["code"], reply.json["error"].get("field")


def test_nine_patterns_are_made_of_a_category_and_the_same_again_by_their_seed(studio: Studio) -> None:
    person = studio.person()
    done = asked(person, kind="pattern", category="dots", seed=7)
    assert len(done["images"]) == 9 and done["prompt"] == "물방울무늬"
    assert [image["seed"] for image in done["images"]] == list(range(7, 16))
    one = shown(person, done["images"][3])
    assert one.size == (128, 128)
    assert "trainedAlgorithmicMedia" in one.text["XML:com.adobe.xmp"]
    again = asked(person, kind="pattern", category="dots", seed=10, n=1)
    assert np.array_equal(np.asarray(one), np.asarray(shown(person, again["images"][0])))


def test_a_sentence_says_category_and_palette_and_what_it_could_not_say_is_told(studio: Studio) -> None:
    done = asked(studio.person(), kind="pattern", prompt="파란 바탕에 흰 물방울 우주선", n=1)
    assert done["category"] == "dots" and len(done["palette"]) == 2
    assert [one["code"] for one in done["warnings"]] == ["pattern_unread"]
    assert "우주선" in done["warnings"][0]["message"]


def test_a_pattern_is_downloaded_as_a_tile_or_as_a_sheet_of_any_size(studio: Studio) -> None:
    person = studio.person()
    image = pattern(person)["images"][0]
    sheet = shown(person, image, "?sheet=300&format=jpeg&download=true")
    assert sheet.format == "JPEG" and sheet.size == (300, 300)
    levels = np.asarray(shown(person, image, "?sheet=300"))
    assert np.array_equal(levels[:128, :128], levels[128:256, 128:256])
    drawn = person.finished("빨간 원피스", n=1)["images"][0]
    reply = person.get(f"/images/{drawn['id']}?sheet=300")
    assert reply.status_code == 422 and reply.json["error"]["field"] == "sheet"


def test_a_pattern_is_put_on_a_default_item_at_the_size_asked_for(studio: Studio) -> None:
    person = studio.person()
    made = pattern(person)["images"][1]
    done = asked(person, kind="apply", pattern_image=made["id"], item="shirt", size=256)
    assert done["status"] == "succeeded", done
    worn = shown(person, done["images"][0])
    assert worn.size == (256, 256) and done["prompt"] == "줄무늬, 셔츠"
    assert "compositeWithTrainedAlgorithmicMedia" in worn.text["XML:com.adobe.xmp"]
    info = person.get(f"/images/{done['images'][0]['id']}/info").json
    assert info["parent"]["id"] == made["id"] and info["recipe"]["mask"] == "item"


def test_outside_the_mask_a_photo_stays_byte_for_byte(studio: Studio) -> None:
    person = studio.person()
    made, source = pattern(person)["images"][0], person.upload(png(photo())).json
    done = asked(person, kind="apply", pattern_image=made["id"], source_image=source["id"], turn=30.0, scale=0.1)
    before, after = np.asarray(photo()), np.asarray(shown(person, done["images"][0]))
    outside = before.min(axis=-1) >= 235
    assert after.shape == before.shape and np.array_equal(before[outside], after[outside])
    assert (np.abs(before.astype(int) - after)[~outside].max(axis=-1) > 10).mean() > 0.5
    info = person.get(f"/images/{done['images'][0]['id']}/info").json
    assert info["parent"]["id"] == source["id"]


def test_a_painted_mask_counts_before_what_is_found(studio: Studio) -> None:
    person = studio.person()
    mask = Image.new("L", (200, 240))
    mask.paste(255, (60, 70, 140, 120))
    ids = {
        "pattern_image": pattern(person)["images"][0]["id"],
        "source_image": person.upload(png(photo())).json["id"],
        "mask_image": person.upload(png(mask)).json["id"],
    }
    done = asked(person, kind="apply", **ids)
    changed = np.abs(np.asarray(photo()).astype(int) - np.asarray(shown(person, done["images"][0]))).max(axis=-1) > 0
    rows, columns = np.nonzero(changed)
    assert rows.min() >= 70 and rows.max() < 120 and columns.min() >= 60 and columns.max() < 140


def test_what_no_pattern_can_be_put_on_is_refused_with_the_cure(studio: Studio) -> None:
    person = studio.person()
    made = pattern(person)["images"][0]["id"]
    ids = {name: person.upload(png(picture)).json["id"] for name, picture in {
        "photo": photo(), "tiny": photo((24, 24)), "small": Image.new("L", (20, 20), 255),
        "black": Image.new("L", (200, 240)), "white": Image.new("RGB", (80, 80), "white"),
        "clear": Image.new("RGBA", (80, 80), (0, 0, 0, 0)),
        "landscape": Image.fromarray(np.random.default_rng(1).integers(240, 255, (80, 80, 3), dtype=np.uint8)),
    }.items()}  # fmt: skip
    base = {"kind": "apply", "pattern_image": made}
    assert refused(person, kind="pattern") == ("pattern_nothing", "prompt")
    assert refused(person, kind="pattern", category="tartan")[0] == "invalid_request"
    assert refused(person, kind="pattern", category="dots", palette=["red"])[0] == "invalid_request"
    assert refused(person, kind="pattern", category="dots", n=10)[0] == "invalid_request"
    assert refused(person, **base) == ("apply_target", "item")
    assert refused(person, **base, item="shirt", source_image=ids["photo"]) == ("apply_target", "source_image")
    assert refused(person, **base, source_image=ids["tiny"]) == ("cloth_tiny", "source_image")
    assert refused(person, **base, source_image=ids["photo"], mask_image=ids["small"])[0] == "edit_mask_size"
    assert refused(person, **base, item="hat")[0] == "invalid_request"
    assert refused(person, **base, item="shirt", scale=0.0)[0] == "invalid_request"
    for name, code in (("white", "cloth_missing"), ("clear", "cloth_missing"), ("landscape", "cloth_missing")):
        assert asked(person, **base, source_image=ids[name])["error"]["code"] == code, name
    painted = person.upload(png(Image.new("L", (80, 80), 255))).json["id"]
    assert asked(person, **base, source_image=ids["clear"], mask_image=painted)["error"]["code"] == "cloth_empty"
    assert asked(person, **base, source_image=ids["photo"], mask_image=ids["black"])["error"]["code"] == "cloth_mask"


def test_two_people_never_see_each_others_patterns_photos_or_results(studio: Studio) -> None:
    one, other = studio.person(), studio.person()
    made, source = pattern(one)["images"][0]["id"], one.upload(png(photo())).json["id"]
    done = asked(one, kind="apply", pattern_image=made, source_image=source)
    result = done["images"][0]["id"]
    theirs = pattern(other)["images"][0]["id"]
    for id in (made, source, result):
        assert other.get(f"/images/{id}").status_code == 404
        assert other.get(f"/images/{id}?sheet=256").status_code == 404
        assert other.get(f"/fabric/maps?image={id}").status_code == 404
        assert refused(other, kind="apply", pattern_image=id, item="shirt") == ("unknown_source_image", "pattern_image")
        body = {"kind": "apply", "pattern_image": theirs, "source_image": id}
        assert refused(other, **body) == ("unknown_source_image", "source_image")
    assert other.get(f"/generations/{done['id']}").status_code == 404


def test_lists_by_source_hold_patterns_and_what_they_were_put_on(studio: Studio) -> None:
    person = studio.person()
    person.finished("빨간 원피스", n=1)
    made = pattern(person)["images"]
    done = asked(person, kind="apply", pattern_image=made[0]["id"], item="bag")
    found = person.get("/pictures?place=mine&source=fabric").json["items"]
    assert {one["id"] for one in found} == {one["id"] for one in (*made, *done["images"])}
    assert len(person.get("/pictures?place=mine&source=drawn").json["items"]) == 1


def test_deleting_a_pattern_leaves_nothing_of_it_and_keeps_what_it_was_put_on(studio: Studio) -> None:
    person = studio.person()
    made = pattern(person)
    done = asked(person, kind="apply", pattern_image=made["images"][0]["id"], item="coat")
    receipt = person.call("DELETE", f"/generations/{made['id']}").json
    assert receipt["images"] == 2 and receipt["children_kept"] == 1 and receipt["files_left"] == 0
    assert person.get(f"/images/{made['images'][0]['id']}").status_code == 404
    info = person.get(f"/images/{done['images'][0]['id']}/info").json
    assert info["parent_state"] == "deleted"
    late = person.post("/generations", {"kind": "apply", "pattern_image": made["images"][0]["id"], "item": "coat"})
    assert late.json["error"]["code"] == "unknown_source_image"


def test_a_preview_has_mask_light_and_folds(studio: Studio) -> None:
    person = studio.person()
    told = person.get("/fabric").json
    assert len(told["items"]) == 10 and len(told["categories"]) == 13
    assert told["patterns"] and told["finds_garments"]
    assert Image.open(io.BytesIO(person.get("/fabric/item?item=dress").data)).size == (512, 512)
    maps = np.asarray(Image.open(io.BytesIO(person.get("/fabric/maps?item=dress").data)))
    assert maps.shape == (1024, 512, 3) and maps[:512, :, 0].max() == 255
    source = person.upload(png(photo())).json
    reply = person.get(f"/fabric/maps?image={source['id']}")
    maps = np.asarray(Image.open(io.BytesIO(reply.data)))
    assert maps.shape == (480, 200, 3) and "no-store" in reply.headers["Cache-Control"]
    garment = maps[:240, :, 0] > 127
    assert garment.mean() == pytest.approx(0.25, abs=0.03) and maps[:240, :, 1][garment].std() > 10
    assert person.get("/fabric/maps").status_code == 422
    assert person.get("/fabric/maps?item=hat").status_code == 422


def test_a_picture_with_a_pattern_on_it_is_no_picture_of_a_prompt(studio: Studio) -> None:
    person = studio.person()
    made = pattern(person)["images"][0]["id"]
    done = asked(person, kind="apply", pattern_image=made, item="dress")["images"][0]["id"]
    for id in (made, done):
        assert person.get(f"/images/{id}/words").status_code == 200
        assert refused(person, kind="edit", source_image=id, replace=[{"from": "줄무늬", "to": "체크무늬"}])[0] == (
            "edit_source_prompt"
        )
    assert person.finished("빨간 원피스", source_image=done, n=1)["status"] == "succeeded"


def test_without_weights_patterns_are_refused_and_a_painted_mask_still_takes_one(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_TEXTILE", "0")
    studio = open_studio(tmp_path)
    try:
        person = studio.person()
        told = person.get("/fabric").json
        assert not told["patterns"] and not told["finds_garments"]
        assert refused(person, kind="pattern", category="dots")[0] == "patterns_missing"
        cloth = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))
        ids = {
            "pattern_image": person.upload(png(cloth)).json["id"],
            "source_image": person.upload(png(photo())).json["id"],
        }
        assert refused(person, kind="apply", **ids) == ("cloth_unfound", "mask_image")
        mask = Image.new("L", (200, 240))
        mask.paste(255, (50, 60, 150, 180))
        ids["mask_image"] = person.upload(png(mask)).json["id"]
        done = asked(person, kind="apply", **ids)
        assert done["status"] == "succeeded" and done["prompt"] == "내 무늬, 내 사진"
    finally:
        studio.close()


def test_a_pattern_job_that_waits_for_a_worker_without_weights_ends_in_words(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = open_studio(tmp_path, worker=False)
    try:
        person = studio.person()
        id = person.post("/generations", {"kind": "pattern", "category": "dots", "n": 1}).json["id"]
        worker = fake_worker(studio.settings, studio.pipeline, {"apply": ApplyRunner(PaintSegmenter())})
        monkeypatch.setenv("FAKE_TEXTILE", "0")
        assert "pattern" not in fabric_runners()
        worker.close()
        studio.start_worker()
        failed = person.until_end(id)
        assert failed["status"] == "failed" and failed["error"]["code"] == "patterns_missing"
    finally:
        studio.close()


def test_the_kinds_have_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    monkeypatch.setenv("TEXTILE", str(tmp_path / "none"))
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save("tile.png")
    photo().save("photo.png")
    assert main(["apply", "tile.png", "--item", "boots", "--scale", "0.1", "--size", "300"]) == 0
    with Image.open(next(iter((tmp_path / "out").iterdir()))) as made:
        assert made.size == (300, 300) and "compositeWithTrained" in made.text["XML:com.adobe.xmp"]
    for given, said in (
        (["apply", "tile.png", "--source-image", "photo.png"], "칠해 주세요"),
        (["apply", "tile.png"], "하나만 골라"),
        (["pattern"], "어떤 무늬인지"),
        (["pattern", "물방울"], "generator.safetensors"),
    ):
        assert main(given) == 2
        assert said in capsys.readouterr().err
    logging.getLogger().handlers.clear()
