"""Edits over the API: words of a picture, what is refused before it waits, where pictures come from."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image

from demo.web.present import WORD_CELLS, word_cells
from fashion.word_pictures import CELL, COLUMNS, MOST_BYTES, words_shown

PROMPT = "빨간 체크무늬 원피스를 입은 사람"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("editing"), step_seconds=0.0)
    yield studio
    studio.close()


def png(size: tuple[int, int], color: str = "red") -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, color).save(out, "PNG")
    return out.getvalue()


def drawn(person: Person, **fields: object) -> dict:
    """The first picture of a new generation."""
    return person.finished(PROMPT, n=1, seed=11, **fields)["images"][0]


def edited(person: Person, source: str, **fields: object) -> dict:
    reply = person.post("/generations", {"kind": "edit", "source_image": source} | fields)
    assert reply.status_code == 202, reply.text
    return person.until_end(reply.json["id"])


def info(person: Person, id: str) -> dict:
    return person.get(f"/images/{id}/info").json


def test_a_word_is_replaced_in_what_was_typed_and_in_what_was_drawn(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    before = info(person, source["id"])["recipe"]["drawn_prompt"]
    done = edited(person, source["id"], replace=[{"from": "빨간", "to": "파랑"}, {"from": "원피스", "to": "코트"}])
    assert (done["status"], done["kind"], done["prompt"]) == ("succeeded", "edit", "파란 체크무늬 코트를 입은 사람")
    recipe = info(person, done["images"][0]["id"])["recipe"]
    assert recipe["drawn_prompt"] == before.replace("빨간", "파란").replace("원피스를", "코트를")
    edit = studio.pipeline.edits[-1][0]
    assert (edit.source_prompt, edit.seed, edit.source_seed) == (before, 11, 11)
    assert done["seed"] == 11 and done["replace"][0] == {"from": "빨간", "to": "파랑", "start": None}


def test_a_word_that_only_the_drawing_named_can_be_replaced(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    words = person.get(f"/images/{source['id']}/words").json
    added = next(word for word in words["words"] if word["text"] not in PROMPT)
    offer = added["alternatives"][0]["text"]
    done = edited(person, source["id"], replace=[{"from": added["text"], "to": offer, "start": added["start"]}])
    text = words["text"]
    assert done["prompt"] == text[: added["start"]] + offer + text[added["end"] :]


def test_a_new_sentence_keeps_what_the_seed_completed(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    before = info(person, source["id"])["recipe"]["drawn_prompt"]
    edited(person, source["id"], prompt=PROMPT.replace("빨간", "파란"))
    assert studio.pipeline.edits[-1][0].prompt == before.replace("빨간", "파란")


def test_a_new_sentence_for_a_styled_picture_brings_no_background_and_no_drawing_style(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person, style="minhwa")
    before = info(person, source["id"])["recipe"]["drawn_prompt"]
    edited(person, source["id"], prompt=PROMPT.replace("빨간", "파란"))
    assert studio.pipeline.edits[-1][0].prompt == before.replace("빨간", "파란")
    plain = info(person, drawn(person)["id"])["recipe"]["drawn_prompt"]
    assert plain.startswith(f"{before}, ")  # the same, somewhere


def test_the_same_sentence_changes_nothing(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    assert edited(person, source["id"], prompt=PROMPT)["status"] == "succeeded"
    edit = studio.pipeline.edits[-1][0]
    assert edit.prompt == edit.source_prompt and not edit.changes


def test_words_say_what_can_stand_in_their_place_in_the_viewers_language(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    words = person.get(f"/images/{source['id']}/words").json
    color = words["words"][0]
    assert words["known"] and (color["text"], color["slot"], color["label"]) == ("빨간", "color", "색")
    assert {"id": "blue", "text": "파란", "rgb": "#245cce", "cell": None} in color["alternatives"]
    assert words["fields"]["title"] == "원피스" and words["fields"]["color"] == "빨간"
    english = person.get(f"/images/{source['id']}/words", headers={"Accept-Language": "en"}).json
    assert english["words"][0]["label"] == "colours"


def test_a_word_has_its_picture_on_the_pages_sheet(studio: Studio) -> None:
    person = studio.person()
    words = person.get(f"/images/{drawn(person)['id']}/words").json["words"]
    offered = [each for word in words for each in word["alternatives"]]
    assert all(isinstance(each["cell"], int) != bool(each["rgb"]) for each in offered)
    assert set(word_cells()) == {f"{field} {id}" for field, id in words_shown()}, (
        "words and their sheet differ: python -m fashion word-pictures demo/web/static"
    )
    with Image.open(WORD_CELLS.with_suffix(".webp")) as sheet:
        assert sheet.width == COLUMNS * CELL and max(word_cells().values()) < COLUMNS * (sheet.height // CELL)
    assert WORD_CELLS.with_suffix(".webp").stat().st_size <= MOST_BYTES


def test_what_an_upload_shows_is_guessed_or_said_and_its_words_can_be_replaced(studio: Studio) -> None:
    person = studio.person()
    upload = person.upload(png((64, 48), "red")).json["id"]
    guess = person.get(f"/images/{upload}/words").json
    assert (guess["known"], guess["guessed"], guess["text"]) == (False, True, "빨간 원피스, 공원")
    english = person.get(f"/images/{upload}/words", headers={"Accept-Language": "en"}).json
    assert english["text"] == "a red dress, a park"
    said = person.get(f"/images/{upload}/words?text=파란 코트를 입은 사람").json
    assert not said["guessed"] and [word["text"] for word in said["words"]] == ["파란", "코트"]
    assert [each["slot"] for each in said["additions"]] == ["background", "style"]
    assert "수채화" in [each["text"] for each in said["additions"][1]["alternatives"]]
    unseen = person.get(f"/images/{person.upload(png((64, 48), 'blue')).json['id']}/words").json
    assert (unseen["guessed"], unseen["text"], unseen["words"]) == (False, "", [])
    assert person.get(f"/images/{upload}/words?text=%20").status_code == 422


def test_a_form_draws_six_and_names_the_field_that_is_empty(studio: Studio) -> None:
    person = studio.person()
    made = person.post("/generations", {"kind": "form", "title": "원피스", "color": "빨간", "style": "watercolor"})
    assert made.status_code == 202 and made.json["prompt"] == "빨간 원피스", made.text
    done = person.until_end(made.json["id"])
    assert len(done["images"]) == 6 and (done["title"], done["color"], done["style"]) == (
        "원피스",
        "빨간",
        "watercolor",
    )
    for body, field in (({"title": "", "color": "빨간"}, "title"), ({"title": "원피스", "color": " "}, "color"),
                        ({"title": "원피스"}, "color")):  # fmt: skip
        reply = person.post("/generations", {"kind": "form"} | body)
        assert reply.status_code == 422 and reply.json["error"]["field"] == field, reply.text


def test_a_forms_style_may_be_named_as_people_name_it(studio: Studio) -> None:
    person = studio.person()
    made = person.post("/generations", {"kind": "form", "title": "원피스", "color": "빨간", "style": "수채화", "n": 1})
    assert made.status_code == 202 and made.json["style"] == "watercolor", made.text


def test_a_form_comes_back_filled_and_edits(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)
    fields = person.get(f"/images/{source['id']}/words").json["fields"]
    done = edited(person, source["id"], **(fields | {"color": "파란"}))
    assert done["prompt"] == PROMPT.replace("빨간", "파란")
    done = edited(person, source["id"], title="코트", style="픽셀아트")
    assert done["prompt"].startswith("빨간 체크무늬") and "코트를 입은 사람" in done["prompt"]
    assert done["prompt"].endswith("픽셀아트")


def test_what_cannot_be_edited_is_refused_before_it_waits(studio: Studio) -> None:
    person, stranger = studio.person(), studio.person()
    source, foreign = drawn(person)["id"], drawn(stranger)["id"]
    upload = person.upload(png((64, 64))).json["id"]
    small = person.upload(png((32, 32))).json["id"]
    swap = [{"from": "빨간", "to": "파란"}]
    before = person.get("/me").json["generations"]
    for body, code, field, said in (
        ({"source_image": source}, "edit_nothing", "replace", "replace"),
        ({"source_image": source, "prompt": "코트", "title": "코트", "replace": swap}, "edit_several", None, "prompt"),
        ({"source_image": source, "replace": [{"from": "용", "to": "곰"}]}, "edit_unknown_word", "replace", "체크무늬"),
        ({"source_image": source, "replace": [{"from": "빨간", "to": "빨간"}]}, "edit_same_word", "replace", "빨간"),
        ({"source_image": source, "replace": [*swap, {"from": "빨강", "to": "흰"}]}, "edit_word_twice", "replace", ""),
        ({"source_image": foreign, "replace": swap}, "unknown_source_image", "source_image", ""),
        ({"source_image": upload, "replace": swap}, "edit_source_prompt", "source_prompt", "source_prompt"),
        ({"source_image": source, "replace": swap, "mask_image": small}, "edit_mask_size", "mask_image", "32×32"),
        ({"source_image": source, "replace": [{"from": "빨간"}]}, "invalid_request", None, ""),
        ({"source_image": source, "replace": swap, "keep": 2}, "invalid_request", "keep", ""),
    ):  # fmt: skip
        reply = person.post("/generations", {"kind": "edit"} | body)
        error = reply.json["error"]
        assert (reply.status_code, error["code"]) == (422, code), reply.text
        assert field is None or error["field"] == field, reply.text
        assert said in error["message"]
    assert person.get("/me").json["generations"] == before


def test_an_upload_is_edited_after_saying_what_it_shows(studio: Studio) -> None:
    person = studio.person()
    upload = person.upload(png((64, 48))).json["id"]
    assert not person.get(f"/images/{upload}/words").json["known"]
    done = edited(person, upload, source_prompt="빨간 원피스", replace=[{"from": "빨간", "to": "파란"}])
    assert (done["status"], done["prompt"]) == ("succeeded", "파란 원피스")
    edit = studio.pipeline.edits[-1][0]
    assert (edit.source_prompt, edit.prompt, edit.source_seed) == ("빨간 원피스", "파란 원피스", None)


def test_a_prompt_and_a_mask_alone_edit_an_upload(studio: Studio) -> None:
    person = studio.person()
    upload, mask = (person.upload(png((64, 48), color)).json["id"] for color in ("red", "white"))
    done = edited(person, upload, prompt="파란 원피스", mask_image=mask)
    assert done["status"] == "succeeded" and studio.pipeline.edits[-1][0].mask.size == (64, 48)


def test_a_picture_knows_its_parent_and_its_children(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)["id"]
    child = edited(person, source, replace=[{"from": "빨간", "to": "파란"}])["images"][0]["id"]
    grandchild = edited(person, child, replace=[{"from": "원피스", "to": "코트"}])["images"][0]["id"]
    varied = person.finished("초록 원피스", source_image=source, n=1)["images"][0]["id"]
    assert [one["id"] for one in info(person, source)["children"]] == [child, varied]
    told = info(person, child)
    assert (told["parent_state"], told["parent"]["id"]) == ("shown", source)
    assert [one["id"] for one in told["children"]] == [grandchild]
    assert info(person, source)["parent_state"] == "none"
    told = info(person, grandchild)
    assert [one["id"] for one in told["ancestors"]] == [child, source] and told["line_state"] == "none"
    assert [one["prompt"] for one in told["ancestors"]] == [PROMPT.replace("빨간", "파란"), PROMPT]
    person.call("DELETE", f"/images/{source}")
    told = info(person, grandchild)
    assert ([one["id"] for one in told["ancestors"]], told["line_state"]) == ([child], "deleted")


def test_deleting_a_parent_keeps_its_children_and_says_so(studio: Studio) -> None:
    person = studio.person()
    source = drawn(person)["id"]
    child = edited(person, source, replace=[{"from": "빨간", "to": "파란"}])["images"][0]["id"]
    receipt = person.call("DELETE", f"/images/{source}").json
    assert receipt["children_kept"] == 1
    assert person.get(f"/receipts/{receipt['receipt']}").json["children_kept"] == 1
    told = info(person, child)
    assert (told["parent_state"], told["parent"]) == ("deleted", None)


def test_a_private_parent_stays_private_and_so_does_a_private_child(studio: Studio) -> None:
    person, stranger = studio.person(), studio.person()
    made = person.finished(PROMPT, n=1, seed=11)
    source = made["images"][0]["id"]
    done = edited(person, source, replace=[{"from": "빨간", "to": "파란"}])
    child = done["images"][0]["id"]
    person.call("PATCH", f"/generations/{done['id']}", {"visibility": "public"})
    told = info(stranger, child)
    assert (told["parent_state"], told["parent"]) == ("hidden", None)
    assert source not in stranger.get(f"/images/{child}/info").text
    assert source not in stranger.get(f"/generations/{done['id']}").text
    hidden = edited(person, child, replace=[{"from": "파란", "to": "흰"}])["images"][0]["id"]
    assert info(stranger, child)["children"] == [] and [one["id"] for one in info(person, child)["children"]] == [
        hidden
    ]
    before = info(stranger, child)
    receipt = person.call("DELETE", f"/generations/{made['id']}").json
    assert receipt["children_kept"] == 1
    assert info(stranger, child) == before  # that a private picture was deleted is nobody else's business


def test_what_others_made_of_a_picture_is_not_counted_when_it_is_deleted(studio: Studio) -> None:
    person, other = studio.person(), studio.person()
    made = person.finished(PROMPT, n=1, seed=12)
    person.call("PATCH", f"/generations/{made['id']}", {"visibility": "public"})
    source = made["images"][0]["id"]
    child = edited(other, source, replace=[{"from": "빨간", "to": "파란"}])["images"][0]["id"]
    assert person.call("DELETE", f"/generations/{made['id']}").json["children_kept"] == 0
    assert info(other, child)["parent_state"] == "deleted"


def test_an_edit_of_a_picture_whose_style_is_gone_is_refused_before_it_waits(studio: Studio) -> None:
    person = studio.person()
    styled = person.finished(PROMPT, n=1, seed=13, styles=[{"name": "수묵화", "weight": 0.5}])["images"][0]["id"]
    change = [{"from": "빨간", "to": "파란"}]
    assert edited(person, styled, replace=change)["status"] == "succeeded"
    offered = studio.services.styles.all()
    studio.services.styles.remove("수묵화")
    refused = person.post("/generations", {"kind": "edit", "source_image": styled, "replace": change})
    studio.services.styles.replace(offered)
    assert (refused.status_code, refused.json["error"]["code"]) == (422, "unknown_style")
    assert refused.json["error"]["field"] == "source_image"
