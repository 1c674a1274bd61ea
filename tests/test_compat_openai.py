"""OpenAI's Images API at /v1: what is taken, what is ignored and said so, what is refused by name."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
from demo_client import Person, Studio, open_studio
from PIL import Image

from demo.store.tables import Event, Generation
from demo.web.compat.openai_answers import PartialImages
from demo.web.compat.rendering import stages_of

V1 = "//v1/images"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("openai"), step_seconds=0.0)
    yield studio
    studio.close()


@pytest.fixture
def person(studio: Studio) -> Person:
    person = studio.person()
    token = person.post("/me/tokens", {"name": "openai"}).json["token"]
    program = studio.person()
    program.headers = {"Authorization": f"Bearer {token}"}
    return program


def png(color: str | tuple = "red", size: tuple[int, int] = (64, 64), hole: bool = False) -> bytes:
    picture = Image.new("RGBA" if hole else "RGB", size, color)
    if hole:
        picture.paste((0, 0, 0, 0), (16, 16, 48, 48))
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def form(person: Person, path: str, files: list[tuple[str, bytes]], **fields: str) -> object:
    data = {name: [] for name, _ in files}
    for name, content in files:
        data[name].append((io.BytesIO(content), "picture.png"))
    return person.call("POST", f"{V1}/{path}", data=data | fields, content_type="multipart/form-data")


def shown(entry: dict) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(entry["b64_json"])))


def test_a_generation_answers_with_its_pictures_and_says_what_was_ignored(studio: Studio, person: Person) -> None:
    asked = {"prompt": "빨간 원피스", "n": 2, "model": "gpt-image-2", "quality": "high", "user": "u", "seed": 7,
             "background": "auto", "output_format": "jpeg", "size": "256x256", "steps": 4}  # fmt: skip
    reply = person.post(f"{V1}/generations", asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["X-Ignored-Fields"] == "model, quality, user"
    body = reply.json
    assert [entry["seed"] for entry in body["data"]] == [7, 8]
    assert (body["output_format"], body["size"], body["background"]) == ("jpeg", "256x256", "opaque")
    assert [(shown(entry).format, shown(entry).size) for entry in body["data"]] == [("JPEG", (256, 256))] * 2
    generation = person.get(f"/generations/{body['generation_ids'][0]}").json
    assert (generation["steps"], generation["visibility"], generation["seed"]) == (4, "private", 7)
    assert studio.person().get(f"/generations/{body['generation_ids'][0]}").status_code == 404


def test_a_null_is_as_good_as_nothing_and_one_picture_is_drawn(person: Person) -> None:
    reply = person.post(f"{V1}/generations", {"prompt": "코트", "n": None, "size": None, "svg": None, "style": "vivid"})
    assert reply.status_code == 200 and len(reply.json["data"]) == 1
    assert reply.headers["X-Ignored-Fields"] == "style"
    assert shown(reply.json["data"][0]).size == (128, 128)


@pytest.mark.parametrize(
    ("field", "value"),
    [("background", "transparent"), ("size", "1536x1024"), ("size", "9x9"), ("n", 11), ("n", "2"), ("svg", {}),
     ("frame_count", 4), ("output_format", "svg"), ("partial_images", 4), ("prompmt", "x"), ("kind", "form"),
     ("style", "고흐"), ("steps", 1000), ("response_format", "hex")],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_by_name(person: Person, field: str, value: object) -> None:
    reply = person.post(f"{V1}/generations", {"prompt": "코트"} | {field: value})
    assert reply.status_code == 422, reply.text
    error = reply.json["error"]
    assert error["type"] == "invalid_request_error" and error["param"] == error["field"] == field
    assert field in error["message"] or error["code"] == "unknown_style"


def test_errors_have_openais_shape_with_our_code(studio: Studio, person: Person) -> None:
    stranger = studio.person()
    stranger.headers = {"Authorization": "Bearer sk-wrong"}
    refused = stranger.post(f"{V1}/generations", {"prompt": "코트"})
    assert refused.status_code == 401
    assert refused.json["error"] | {"message": ""} == {
        "code": "bad_token", "message": "", "type": "authentication_error", "param": None,
    }  # fmt: skip
    assert person.get("//v1/models/gpt-4o").json["error"]["code"] == "not_found"
    failed = person.post(f"{V1}/generations", {"prompt": "crash"})
    assert failed.status_code == 500 and failed.json["error"]["type"] == "server_error"
    flagged = person.post(f"{V1}/generations", {"prompt": "flag"})
    assert flagged.status_code == 422 and flagged.json["error"]["code"] == "content_flagged"


def test_a_full_queue_says_when_to_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    studio = open_studio(tmp_path_factory.mktemp("full"), jobs_per_owner=1)
    gate = studio.pipeline.gate()
    person = studio.person()
    person.draw()
    refused = person.post(f"{V1}/generations", {"prompt": "코트"})
    gate.set()
    studio.close()
    assert refused.status_code == 429 and int(refused.headers["Retry-After"]) > 0
    assert refused.json["error"]["type"] == "rate_limit_error"


def test_a_stream_shows_pictures_so_far_and_then_the_picture(person: Person) -> None:
    reply = person.post(f"{V1}/generations", {"prompt": "빨간 원피스", "stream": True, "partial_images": 2})
    assert reply.mimetype == "text/event-stream"
    events = [json.loads(line[6:]) for line in reply.text.splitlines() if line.startswith("data: ")]
    kinds = [event["type"] for event in events]
    assert kinds[-1] == "image_generation.completed" and len(kinds) <= 3
    assert set(kinds[:-1]) <= {"image_generation.partial_image"}
    assert shown(events[-1]).size == (128, 128) and events[-1]["size"] == "128x128"
    failed = person.post(f"{V1}/generations", {"prompt": "crash", "stream": True}).text
    assert failed.startswith("event: error") and '"draw_failed"' in failed


@pytest.mark.parametrize(
    ("refine", "steps", "told"),
    [
        (True, [("refiner", 1)], [True]),  # a reader who came late has seen nothing of the base
        (True, [("base", 1), ("base", 4), ("refiner", 2), ("refiner", 4)], [False, True, True, False]),
        (False, [("base", 1), ("base", 2), ("base", 3), ("base", 4)], [False, True, True, False]),
    ],
)
def test_a_picture_so_far_is_due_by_the_stage_that_it_is_of(
    studio: Studio, refine: bool, steps: list[tuple[str, int]], told: list[bool]
) -> None:
    preview = io.BytesIO()
    Image.new("RGB", (16, 16)).save(preview, "WEBP")
    generations = SimpleNamespace(preview=lambda viewer, id, place: preview.getvalue())
    stages = stages_of(studio.services, Generation(spec={"refine": refine}))
    so_far = PartialImages(SimpleNamespace(generations=generations), "image_generation", "png", 2, stages)
    rows = [Event(kind="progress", data={"stage": stage, "step": step, "steps": 4, "previews": 1})
            for stage, step in steps]  # fmt: skip
    assert [bool(so_far.event(None, row)) for row in rows] == told


def test_a_link_shows_its_picture_to_whoever_has_it(studio: Studio, person: Person) -> None:
    reply = person.post(f"{V1}/generations", {"prompt": "코트", "response_format": "url", "output_format": "webp"})
    url = reply.json["data"][0]["url"].removeprefix("http://localhost/")
    seen = studio.person().get(f"//{url}")
    assert seen.status_code == 200 and Image.open(io.BytesIO(seen.data)).format == "WEBP"
    other = "1" if url[30] == "0" else "0"
    assert studio.person().get(f"//{url[:30]}{other}{url[31:]}").status_code == 404
    person.call("DELETE", f"/generations/{reply.json['generation_ids'][0]}")
    assert studio.person().get(f"//{url}").status_code == 404


def test_an_edit_changes_what_the_mask_leaves_transparent(studio: Studio, person: Person) -> None:
    reply = form(person, "edits", [("image", png()), ("mask", png(hole=True))], prompt="파란 코트", n="2", seed="5")
    assert reply.status_code == 200, reply.text
    assert len(reply.json["data"]) == 2
    shot = studio.pipeline.edits[-1][0]
    assert shot.mask.convert("L").getpixel((32, 32)) == 255 and shot.mask.convert("L").getpixel((2, 2)) == 0
    job = person.get(f"/generations/{reply.json['generation_ids'][0]}").json
    assert (job["kind"], job["seed"], job["prompt"]) == ("edit", 5, "파란 코트")


def test_several_pictures_are_edited_each_on_its_own(studio: Studio, person: Person) -> None:
    files = [("image[]", png("red")), ("image[]", png("#a00000"))]
    reply = form(person, "edits", files, prompt="파란 원피스, 공원", model="gpt-image-2")
    assert reply.status_code == 200, reply.text
    assert len(reply.json["data"]) == len(reply.json["generation_ids"]) == 2
    assert studio.pipeline.edits[-1][0].source_prompt == "빨간 원피스, 공원"  # as it was guessed
    refused = form(person, "edits", files, prompt="파란 원피스", stream="true")
    assert refused.json["error"]["param"] == "image[]"


@pytest.mark.parametrize(
    ("files", "fields", "param"),
    [([], {}, "image"), ([("image", b"no picture")], {}, "image"), ([("image", png()), ("mask", png())], {}, "mask"),
     ([("image", png()), ("mask", png(size=(32, 32), hole=True))], {}, "mask"),
     ([("image", png()), ("markup", png())], {}, "markup"), ([("image", png("blue"))], {}, "source_prompt"),
     ([("image", png())], {"size": "1536x1024"}, "size"), ([("image", png())], {"n": "many"}, "n"),
     ([("image", png())], {"prommpt": "x"}, "prommpt")],
)  # fmt: skip
def test_an_edit_that_cannot_be_is_refused_by_name(person: Person, files: list, fields: dict, param: str) -> None:
    reply = form(person, "edits", files or [("other", png())], prompt="파란 코트", **fields)
    assert reply.status_code == 422, reply.text
    assert reply.json["error"]["param"] == param


def test_a_variation_draws_what_the_picture_shows(studio: Studio, person: Person) -> None:
    reply = form(person, "variations", [("image", png())], n="2", size="auto")
    assert reply.status_code == 200, reply.text
    job = person.get(f"/generations/{reply.json['generation_ids'][0]}").json
    assert (job["kind"], job["prompt"], job["n"]) == ("vary", "빨간 원피스, 공원", 2)
    assert form(person, "variations", [("image", png("blue"))]).json["error"]["code"] == "edit_source_prompt"


def test_a_picture_that_says_what_it_shows_needs_no_guess(person: Person) -> None:
    drawn = base64.b64decode(person.post(f"{V1}/generations", {"prompt": "노란 저고리"}).json["data"][0]["b64_json"])
    reply = form(person, "variations", [("image", drawn)])
    assert person.get(f"/generations/{reply.json['generation_ids'][0]}").json["prompt"] == "노란 저고리"


def test_the_model_is_listed_by_its_name(person: Person) -> None:
    listed = person.get("//v1/models").json
    assert listed["object"] == "list" and [model["id"] for model in listed["data"]] == ["geuryeojwo"]
    assert person.get("//v1/models/geuryeojwo").json == listed["data"][0]


def test_one_key_asks_once(person: Person) -> None:
    headers = {"Idempotency-Key": "k1"}
    first, again = (person.post(f"{V1}/generations", {"prompt": "코트"}, headers=headers).json for _ in range(2))
    assert first["generation_ids"] == again["generation_ids"]


@pytest.mark.parametrize(("path", "fields"), [("edits", {"prompt": "파란 코트"}), ("variations", {"prompt": "코트"})])
def test_one_key_asks_once_for_files_too_and_keeps_them_once(person: Person, path: str, fields: dict) -> None:
    def send(color: str, **more: str) -> object:
        return form(person, path, [("image", png(color, hole=True))], **fields, **more)

    person.headers |= {"Idempotency-Key": f"{path}-1"}
    first = send("red")
    uploads = len(person.get("/images").json["items"])
    assert first.status_code == 200 and send("red").json["generation_ids"] == first.json["generation_ids"]
    assert len(person.get("/images").json["items"]) == uploads
    for other in (send("blue"), send("red", n="2")):
        assert other.status_code == 422 and other.json["error"]["code"] == "idempotency_conflict"
