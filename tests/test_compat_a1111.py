"""AUTOMATIC1111's API at /sdapi/v1: off by default, one token or this machine, and jobs like all others."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator

import pytest
from demo_client import Person, Studio, open_studio, wait_for
from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from demo.store.settings import Settings, SettingsError
from demo.web.compat.rendering import drawn_share
from demo.web.security import body_limits

SD = "//sdapi/v1"


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    studio = open_studio(tmp_path_factory.mktemp("a1111"), step_seconds=0.0, a1111="loopback")
    yield studio
    studio.close()


@pytest.fixture
def program(studio: Studio) -> Person:
    return studio.person()


def picture(color: str = "red", mask: bool = False, **texts: str) -> str:
    info, out = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name, text)
    image = Image.new("L" if mask else "RGB", (64, 64), "black" if mask else color)
    if mask:
        ImageDraw.Draw(image).rectangle((16, 16, 48, 48), fill="white")
    image.save(out, "PNG", pnginfo=info)
    return base64.b64encode(out.getvalue()).decode()


def test_it_is_off_unless_asked_for(tmp_path_factory: pytest.TempPathFactory) -> None:
    studio = open_studio(tmp_path_factory.mktemp("off"), worker=False)
    assert studio.person().get(f"{SD}/options").status_code == 404
    studio.close()
    with pytest.raises(SettingsError, match="loopback and token"):
        open_studio(tmp_path_factory.mktemp("wrong"), worker=False, a1111="yes")


def test_txt2img_draws_and_tells_seed_and_infotexts(studio: Studio, program: Person) -> None:
    asked = {"prompt": "(빨간:1.2) 원피스 <lora:minhwa:0.8>", "negative_prompt": "모자", "seed": 7, "steps": 4,
             "cfg_scale": 5, "batch_size": 1, "n_iter": 2, "width": 256, "height": 256,
             "sampler_name": "Euler a", "tiling": False, "styles": ["수묵화"], "alwayson_scripts": {}}  # fmt: skip
    reply = program.post(f"{SD}/txt2img", asked)
    assert reply.status_code == 200, reply.text
    assert reply.headers["X-Ignored-Fields"] == "alwayson_scripts, sampler_name, tiling"
    images = [Image.open(io.BytesIO(base64.b64decode(one))) for one in reply.json["images"]]
    assert [image.size for image in images] == [(256, 256)] * 2
    info = json.loads(reply.json["info"])
    assert (info["all_seeds"], info["cfg_scale"], info["width"]) == ([7, 8], 5, 256)
    assert info["infotexts"][1].startswith("(빨간:1.2) 원피스 <lora:") and "Seed: 8," in info["infotexts"][1]
    images[0].load()
    assert images[0].text["parameters"] == info["infotexts"][0]
    assert reply.json["parameters"]["prompt"] == asked["prompt"]
    settings = studio.pipeline.settings[-1]
    assert [(each.name, each.weight) for each in settings.styles] == [("수묵화", 1.0), ("minhwa", 0.8)]
    mine = program.get("/me").json  # another person: the page's cookie is not this machine's program
    assert mine["generations"] == 0


@pytest.mark.parametrize(
    ("fields", "name"),
    [({"batch_size": 4, "n_iter": 4}, "n"), ({"steps": 1000}, "steps"), ({"script_name": "x/y/z plot"}, "script_name"),
     ({"styles": ["고흐"]}, "styles"), ({"prompt": ""}, "prompt"), ({"width": 9000}, "width")],
)  # fmt: skip
def test_what_cannot_be_is_refused_by_name(program: Person, fields: dict, name: str) -> None:
    reply = program.post(f"{SD}/txt2img", {"prompt": "코트"} | fields)
    assert reply.status_code == 422 and reply.json["error"]["field"] == name, reply.text


def test_names_that_no_header_can_hold_are_accepted_all_the_same(program: Person) -> None:
    made_up = {"a\nb": 1, "키": 2, "x" * 100: 3, "good.name": 4} | {f"k{place}": 5 for place in range(200)}
    for path, asked in (("txt2img", {"prompt": "코트"}), ("options", {})):
        reply = program.post(f"{SD}/{path}", asked | made_up)
        assert reply.status_code == 200 and reply.headers["X-Ignored-Fields"].startswith("good.name, k0, k1,")


def test_img2img_varies_and_with_a_mask_edits(studio: Studio, program: Person) -> None:
    varied = program.post(
        f"{SD}/img2img", {"prompt": "초록 코트", "init_images": [f"data:image/png;base64,{picture()}"], "seed": -1,
                         "denoising_strength": 0.35, "send_images": False})  # fmt: skip
    assert varied.status_code == 200, varied.text
    assert varied.json["images"] == [] and "init_images" not in varied.json["parameters"]
    assert json.loads(varied.json["info"])["denoising_strength"] == 0.35
    masked = {"prompt": "파란 코트", "init_images": [picture()], "mask": picture(mask=True)}
    assert len(program.post(f"{SD}/img2img", masked).json["images"]) == 1
    assert studio.pipeline.edits[-1][0].mask.convert("L").getpixel((32, 32)) == 255
    program.post(f"{SD}/img2img", masked | {"inpainting_mask_invert": 1})
    assert studio.pipeline.edits[-1][0].mask.convert("L").getpixel((32, 32)) == 0
    for wrong, field in (({"init_images": ["http://example.org/a.png"]}, "init_images"), ({"mask": "%"}, "mask")):
        refused = program.post(f"{SD}/img2img", masked | wrong)
        assert refused.status_code == 422 and refused.json["error"]["field"] == field


def test_progress_and_interrupt_are_of_ones_own_job(studio: Studio) -> None:
    gate, program, other = studio.pipeline.gate(), studio.person(), studio.person()
    token = other.post("/me/tokens", {"name": "x"}).json["token"]
    tokened = studio.person()
    tokened.headers = {"Authorization": "Basic " + base64.b64encode(f"user:{token}".encode()).decode()}
    id = tokened.post("/generations", {"prompt": "코트"}).status_code  # Basic is this API's alone
    assert id == 401
    tokened.headers = {"Authorization": f"Bearer {token}"}
    id = tokened.draw("긴 코트", n=1)["id"]
    tokened.headers = {"Authorization": "Basic " + base64.b64encode(f"user:{token}".encode()).decode()}
    wait_for(lambda: tokened.get(f"{SD}/progress").json["current_image"])
    seen = tokened.get(f"{SD}/progress").json
    assert seen["state"]["job"] == id and seen["state"]["job_count"] == 1 and 0 < seen["progress"] < 1
    assert program.get(f"{SD}/progress").json["state"]["job_count"] == 0
    program.post(f"{SD}/interrupt")
    assert tokened.get(f"{SD}/progress").json["state"]["job_count"] == 1
    assert tokened.post(f"{SD}/skip").json == {}
    gate.set()
    wait_for(lambda: tokened.get(f"{SD}/progress").json["state"]["job_count"] == 0)


def test_progress_does_not_fall_back_between_the_stages() -> None:
    def share(stages: int, stage: str, step: int) -> float:
        return drawn_share({"stage": stage, "step": step, "steps": 4}, stages)

    assert [share(2, "base", 2), share(2, "base", 4), share(2, "refiner", 1), share(2, "refiner", 4)] == [
        0.25, 0.5, 0.625, 1.0,
    ]  # fmt: skip
    assert share(1, "base", 2) == 0.5


def test_strangers_and_other_sites_are_refused(studio: Studio) -> None:
    program = studio.person()
    far = program.get(f"{SD}/options", environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    behind = program.get(f"{SD}/options", headers={"X-Forwarded-For": "192.0.2.7"})
    site = program.post(f"{SD}/txt2img", {"prompt": "코트"}, headers={"Origin": "https://example.org"})
    basic = "Basic " + base64.b64encode(b"user:gr_wrong").decode()
    wrong = program.get(f"{SD}/options", headers={"Authorization": basic})
    assert [each.json["error"]["code"] for each in (far, behind, site, wrong)] == [
        "token_required", "token_required", "cross_site", "bad_token",
    ]  # fmt: skip


def test_what_there_is_is_listed_without_a_path(program: Person) -> None:
    options = program.get(f"{SD}/options").json
    assert options["sd_model_checkpoint"] == "geuryeojwo"
    assert program.post(f"{SD}/options", {"sd_model_checkpoint": "geuryeojwo [abc]", "CLIP": 2}).status_code == 200
    refused = program.post(f"{SD}/options", {"sd_model_checkpoint": "sd15"}).json
    assert refused["error"]["field"] == "sd_model_checkpoint"
    assert [one["name"] for one in program.get(f"{SD}/loras").json] == ["minhwa", "수묵화"]
    assert "/" not in program.get(f"{SD}/loras").text + program.get(f"{SD}/sd-models").text
    assert "watercolor" in [one["name"] for one in program.get(f"{SD}/prompt-styles").json]
    for name in ("samplers", "schedulers", "scripts", "memory", "cmd-flags", "upscalers", "embeddings"):
        assert program.get(f"{SD}/{name}").status_code == 200
    assert program.post(f"{SD}/refresh-loras").json is None
    assert program.post(f"{SD}/extra-batch-images", {"imageList": []}).json["error"]["field"] == "extra-batch-images"


def test_png_info_reads_what_a_file_carries(program: Person) -> None:
    text = "a dress\nSteps: 5, Sampler: Euler, Seed: 3"
    found = program.post(f"{SD}/png-info", {"image": picture(parameters=text)}).json
    assert found["info"] == found["items"]["parameters"] == text
    assert found["parameters"] == {"prompt": "a dress", "seed": 3, "steps": 5}
    assert program.post(f"{SD}/png-info", {"image": picture()}).json["info"] == ""


def test_an_api_that_is_off_takes_no_large_bodies() -> None:
    off, on = body_limits(Settings()), body_limits(Settings(a1111="token"))
    assert off("/sdapi/v1/img2img") == off("/api/v1/generations") < on("/sdapi/v1/img2img")
    assert off("/api/v1/images/") == on("/api/v1/images")
