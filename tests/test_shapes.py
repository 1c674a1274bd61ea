"""Pictures that are no squares: which a checkpoint draws, drawn alone and in batches, asked for by every door."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from demo_client import Studio, open_studio, wait_for
from PIL import Image

from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, TwoStagePipeline, shots_for
from diffusion.recipe import read_settings
from jobspec import Draw, PictureSize, Shapes
from testing.random_checkpoint import write_checkpoint, write_manifest, write_sdxl_refiner, write_stable_diffusion

FAST = DrawSettings(steps=2, refine_steps=1, width=32, height=48)


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> TwoStagePipeline:
    return load_pipeline(write_checkpoint(tmp_path_factory.mktemp("own")), dtype="float32")


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """One whose checkpoint draws every shape, 64 pixels square by itself, and refines to twice the size."""
    opened = open_studio(tmp_path_factory.mktemp("shapes"), worker=False, step_seconds=0.001, a1111="loopback")
    opened.pipeline.shapes = Shapes(64, 16)
    opened.start_worker()
    wait_for(lambda: opened.services.readiness.report()["ready"])
    yield opened
    opened.close()


def test_upright_and_lying_frames_have_about_the_pixels_of_the_square() -> None:
    offered = Shapes(512, 64).offered()
    assert offered["portrait"] == PictureSize(height=640, width=448) and offered["landscape"] == PictureSize(448, 640)
    assert Shapes(1024, 64).offered()["portrait"] == PictureSize(1280, 832)
    assert list(Shapes(128, 16, squares_only=True).offered()) == ["square"]


def test_a_frame_is_taken_by_its_unit_its_pixels_and_what_the_checkpoint_has_learnt() -> None:
    shapes = Shapes(512, 64)
    assert shapes.takes(PictureSize(768, 512)) and shapes.takes(PictureSize(512, 1024))
    assert not shapes.takes(PictureSize(513, 512)) and not shapes.takes(PictureSize(1024, 1024))
    assert not Shapes(512, 64, squares_only=True).takes(PictureSize(768, 512))
    assert shapes.near(PictureSize(1536, 1024)) == PictureSize(640, 448) and shapes.near(
        PictureSize(768, 512)
    ) == PictureSize(768, 512)


def test_both_stages_draw_the_frame_and_a_recipe_draws_it_again(pipeline: TwoStagePipeline) -> None:
    drawing = pipeline.draw(shots_for("a red dress", 2, 7), FAST)
    assert [each.size for each in drawing.base_images] == [(32, 48)] * 2
    assert [each.size for each in drawing.images] == [(64, 96)] * 2
    settings = drawing.recipes[1]["settings"]
    assert (settings["width"], settings["height"], settings["size"]) == (32, 48, None)
    shot, again = read_settings(drawing.recipes[1])
    single = pipeline.draw([shot], again).images[0]
    assert np.abs(np.asarray(single, int) - np.asarray(drawing.images[1], int)).max() <= 1


def test_a_square_is_drawn_as_before_there_were_shapes(pipeline: TwoStagePipeline) -> None:
    square = DrawSettings(steps=2, refine_steps=1)
    shots = shots_for("a red dress", 1, 7)
    one, other = (pipeline.draw(shots, each) for each in (square, replace(square, width=32, height=32)))
    assert one.images[0].tobytes() == other.images[0].tobytes()
    assert "width" not in other.recipes[0]["settings"] and other.recipes[0]["settings"]["size"] == 32


def test_a_variation_is_cropped_to_the_frame_from_its_middle(pipeline: TwoStagePipeline) -> None:
    source = Image.new("RGB", (100, 50), "red")
    drawn = pipeline.draw(shots_for("a red dress", 1, 7, source=source), replace(FAST, strength=0.5, steps=4))
    assert drawn.images[0].size == (64, 96)


def test_sdxl_is_told_height_before_width(tmp_path: Path) -> None:
    base, refiner = write_stable_diffusion(tmp_path / "base"), write_sdxl_refiner(tmp_path / "refiner")
    pipeline = load_pipeline(f"{base}+{refiner}", dtype="float32")
    stage = pipeline.stages["refiner"]
    told = stage.time_ids(torch.zeros(1, 4, 12, 8), stage.pooled_width, guided=False)[0].tolist()
    assert told[:2] == [12 * stage.factor, 8 * stage.factor]


def test_a_checkpoint_of_one_domain_draws_squares_alone(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    write_manifest(folder, domain="fashion")
    pipeline = load_pipeline(folder, dtype="float32")
    assert pipeline.shapes.squares_only
    with pytest.raises(ValueError, match="squares only, 32×48 was asked for"):
        pipeline.draw(shots_for("a red dress", 1, 7), FAST)


@pytest.mark.parametrize("wrong", [{"width": 8}, {"height": 4096}, {"width": 32.0}])
def test_a_side_out_of_range_is_refused_by_name(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        DrawSettings(**wrong)  # type: ignore[arg-type]


def test_jobs_of_one_shape_share_a_batch_and_of_two_do_not() -> None:
    plain, upright = Draw(prompt="원피스"), Draw(prompt="원피스", width=48, height=80)
    assert upright.batch_key() == Draw(prompt="코트", width=48, height=80).batch_key() != plain.batch_key()
    assert "width" not in plain.batch_key()  # as it was before there were shapes


def test_the_service_draws_what_it_offers(studio: Studio) -> None:
    person = studio.person()
    offered = person.get("/models").json["shapes"]
    assert [each["name"] for each in offered] == ["square", "portrait", "landscape"]
    upright = {name: offered[1][name] for name in ("width", "height")}
    done = person.finished("빨간 원피스", n=1, **upright)
    assert (done["width"], done["height"]) == (48, 80)
    assert (done["images"][0]["width"], done["images"][0]["height"]) == (96, 160)


def test_a_variation_keeps_the_shape_of_its_source(studio: Studio) -> None:
    person = studio.person()
    source = person.finished("빨간 원피스", n=1, width=80, height=48)["images"][0]["id"]
    varied = person.finished("파란 원피스", n=1, source_image=source)
    assert (varied["width"], varied["images"][0]["width"], varied["images"][0]["height"]) == (80, 160, 96)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        ({"width": 40}, "size_unfit", "multiples of 16"),
        ({"width": 320, "height": 320}, "size_unfit", "8,192 pixels"),
        ({"height": 8}, "invalid_request", "height"),
    ],
)
def test_a_size_that_cannot_be_drawn_is_refused_before_it_waits(
    studio: Studio, asked: dict[str, int], code: str, said: str
) -> None:
    reply = studio.person().post("/generations", {"prompt": "빨간 원피스", **asked}, headers={"Accept-Language": "en"})
    assert reply.status_code == 422
    assert reply.json["error"]["code"] == code and said in str(reply.json["error"])


def test_where_only_squares_are_drawn_the_refusal_says_which(tmp_path: Path) -> None:
    opened = open_studio(tmp_path, step_seconds=0.001)
    try:
        person = opened.person()
        assert [each["name"] for each in person.get("/models").json["shapes"]] == ["square"]
        reply = person.post("/generations", {"prompt": "빨간 원피스", "height": 96}, headers={"Accept-Language": "en"})
        assert reply.status_code == 422 and reply.json["error"]["code"] == "size_square"
        assert "squares of 64×64 only" in reply.json["error"]["message"]
    finally:
        opened.close()


def test_a_client_of_openai_gets_the_size_that_it_asks_for(studio: Studio) -> None:
    token = studio.person().post("/me/tokens", {"name": "openai"}).json["token"]
    asked, headers = {"prompt": "빨간 원피스", "size": "128x192"}, {"Authorization": f"Bearer {token}"}
    reply = studio.person().post("//v1/images/generations", asked, headers=headers)
    assert decoded(reply.json["data"][0]["b64_json"]).size == (128, 192)
    assert (studio.pipeline.settings[-1].width, studio.pipeline.settings[-1].height) == (48, 80)


def test_a_client_of_a1111_gets_the_shape_that_it_asks_for(studio: Studio) -> None:
    asked = {"prompt": "빨간 원피스", "width": 80, "height": 48, "batch_size": 1}
    reply = studio.person().post("//sdapi/v1/txt2img", asked)
    assert decoded(reply.json["images"][0]).size == (80, 48)
    assert (studio.pipeline.settings[-1].width, studio.pipeline.settings[-1].height) == (80, 48)


def decoded(text: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(text)))
