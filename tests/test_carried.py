"""The settings that picture files carry: written as A1111 has them, read from whoever wrote them.

The files of other programs are made here, after the forms that these programs document.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from demo_client import open_studio
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from demo.studio import parameters, pictures
from demo.studio.carried import Carried, read_carried
from demo.studio.file_texts import texts_of
from demo.studio.styles import KnownStyle
from diffusion.recipe import read_recipe

SETTINGS = {"steps": 8, "guidance_scale": 3.0, "size": 128, "refine": True, "refine_strength": 0.07,
            "scheduler": "dpm++", "style": None, "style_weight": 1.0, "strength": 0.6}  # fmt: skip
PROMPTS = {
    "Korean": "빨간 체크무늬 원피스에 노란 우산",
    "long": "긴 소매 저고리와 남색 한복 치마, " * 105,
    "bracketed": "a dress (with [stripes] {and|or} \"dots\"), <b> & 'so', 100%: 둘",
    "weighted": "(red:1.3) dress, [[hat]], ((하늘색 코트)), (빨간:0.7)",
    "lines": "빨간 원피스\n두 번째 줄, 길: 공원",
}


def recipe_of(prompt: str, negative: str = "모자, 가방", **settings: object) -> dict[str, object]:
    return {"format": 2, "prompt": prompt, "negative_prompt": negative, "seed": 4294967295, "source_sha256": None,
            "settings": SETTINGS | settings, "made_with": {"checkpoint": "sha256:70e9c14a552a5fc4"},
            "asked": {"prompt": prompt, "style": None}}  # fmt: skip


def encoded(recipe: Mapping[str, object] | None, media_type: str) -> bytes:
    return pictures.encode(Image.new("RGB", (64, 48)), media_type, pictures.GENERATED, recipe)


def png(**texts: str) -> bytes:
    """A PNG whose text chunks Pillow chooses: tEXt for Latin-1, iTXt for more."""
    info, out = PngInfo(), io.BytesIO()
    for name, text in texts.items():
        info.add_text(name.replace("__", "-"), text)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def with_exif(format: str, comment: bytes = b"", **tags: str) -> bytes:
    exif, out = Image.Exif(), io.BytesIO()
    for name, text in tags.items():
        exif[{"Make": 0x010F, "Model": 0x0110}[name]] = text
    if comment:
        exif.get_ifd(0x8769)[0x9286] = comment
    Image.new("RGB", (8, 8)).save(out, format, exif=exif)
    return out.getvalue()


def read(data: bytes, *styles: str) -> Carried:
    found = read_carried(data, lambda name: name in styles)
    assert found is not None
    return found


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("media_type", pictures.FORMATS.values())
def test_what_is_written_is_read_back(name: str, media_type: str) -> None:
    recipe = recipe_of(PROMPTS[name])
    data = encoded(recipe, media_type)
    found = read(data)
    assert found.program == "geuryeojwo" and not found.left_out
    assert found.settings | {"style_weight": 1.0} == {
        "prompt": PROMPTS[name], "negative_prompt": "모자, 가방", "seed": 4294967295, "steps": 8, "guidance_scale": 3.0,
        "refine": True, "refine_strength": 0.07, "style_weight": 1.0,
    }  # fmt: skip
    assert read_recipe(io.BytesIO(data)) == recipe


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("media_type", pictures.FORMATS.values())
def test_other_programs_find_prompt_seed_and_steps_in_our_files(name: str, media_type: str) -> None:
    texts = texts_of(encoded(recipe_of(PROMPTS[name]), media_type))
    text = texts["parameters" if media_type == "image/png" else "UserComment"]
    prompt, negative, pairs = parameters.read(text)
    assert (prompt, negative) == (PROMPTS[name].strip(), "모자, 가방")
    assert pairs == {"Steps": "8", "Sampler": "DPM++ 2M", "CFG scale": "3.0", "Seed": "4294967295", "Size": "64x48",
                     "Model hash": "70e9c14a55", "Model": "geuryeojwo", "Version": "geuryeojwo"}  # fmt: skip


def test_a_recipe_too_long_for_a_jpeg_leaves_its_parameters() -> None:
    data = encoded(recipe_of('"' * 2000, '"' * 2000) | {"drawn_prompt": '"' * 2000, "more": '"' * 2000}, "image/jpeg")
    assert pictures.GENERATED.encode() in data
    assert read(data).settings["prompt"] == '"' * 2000


@pytest.mark.parametrize("media_type", pictures.FORMATS.values())
def test_without_settings_nothing_of_them_is_left(media_type: str) -> None:
    data = encoded(None, media_type)
    assert read_carried(data) is None and set(texts_of(data)) <= {"Software", "XML:com.adobe.xmp"}
    assert pictures.GENERATED.encode() in data


def test_styles_are_tags_in_the_prompt_of_parameters() -> None:
    recipe = recipe_of("원피스", style="수묵화", style_weight=0.8, styles=[{"name": "minhwa", "weight": 0.5}])
    text = parameters.write(recipe, 64, 64)
    assert text.startswith("원피스 <lora:수묵화:0.8> <lora:minhwa:0.5>\nNegative prompt: 모자, 가방\nSteps: 8,")
    found = read(png(parameters=text), "수묵화")
    assert found.settings["prompt"] == "원피스" and found.settings["styles"] == [{"name": "수묵화", "weight": 0.8}]
    assert found.left_out["LoRA minhwa"] == "0.5"


A1111 = (
    "(빨간:1.2) 원피스 <lora:hanbok:0.7>, 공원\nNegative prompt: blurry,\nhat\nSteps: 28, Sampler: DPM++ 2M Karras, "
    'CFG scale: 7, Seed: 123, Size: 512x768, Model hash: 6ce0161689, Lora hashes: "hanbok: 1a2b", Version: v1.10.1'
)


@pytest.mark.parametrize(
    "data",
    [
        png(parameters=A1111),
        with_exif("JPEG", b"UNICODE\0" + A1111.encode("utf-16-be")),
        with_exif("JPEG", b"UNICODE\0" + A1111.encode("utf-16-le")),
        with_exif("WEBP", b"UNICODE\0" + A1111.encode("utf-16-be")),
    ],
    ids=["png", "jpeg", "little-endian", "webp"],
)
def test_a_file_of_a1111_is_read(data: bytes) -> None:
    found = read(data)
    assert found.program == "a1111"
    assert found.settings == {"prompt": "(빨간:1.2) 원피스, 공원", "negative_prompt": "blurry,\nhat", "seed": 123,
                              "steps": 28}  # fmt: skip
    assert found.left_out == {"Sampler": "DPM++ 2M Karras", "CFG scale": "7", "Size": "512x768",
                              "Model hash": "6ce0161689", "Lora hashes": "hanbok: 1a2b", "Version": "v1.10.1",
                              "LoRA hanbok": "0.7"}  # fmt: skip


GRAPH = {
    "3": {"class_type": "KSampler", "inputs": {"seed": 2**40, "steps": 20, "cfg": 8.0, "sampler_name": "euler",
          "scheduler": "normal", "denoise": 1.0, "model": ["10", 0], "positive": ["12", 0], "negative": ["7", 0],
          "latent_image": ["5", 0]}},
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd15.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["13", 0], "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "흐림", "clip": ["4", 1]}},
    "10": {"class_type": "LoraLoader", "inputs": {"lora_name": "hanbok.safetensors", "strength_model": 0.8,
           "model": ["4", 0], "clip": ["4", 1]}},
    "12": {"class_type": "ConditioningSetArea", "inputs": {"conditioning": ["6", 0], "strength": 1.0}},
    "13": {"class_type": "PrimitiveString", "inputs": {"value": "빨간 원피스"}},
}  # fmt: skip


@pytest.mark.parametrize(
    "data",
    [png(prompt=json.dumps(GRAPH), workflow="{}"), png(prompt=json.dumps(GRAPH, ensure_ascii=False)),
     with_exif("WEBP", Model="prompt:" + json.dumps(GRAPH), Make="workflow:{}")],
    ids=["png", "utf-8", "webp"],
)  # fmt: skip
def test_a_graph_of_comfyui_is_followed_to_its_words(data: bytes) -> None:
    found = read(data)
    assert found.program == "comfyui"
    assert found.settings == {"prompt": "빨간 원피스", "negative_prompt": "흐림", "steps": 20}
    assert found.left_out == {"seed": str(2**40), "cfg": "8.0", "sampler_name": "euler", "scheduler": "normal",
                              "denoise": "1.0", "LoRA hanbok.safetensors": "0.8", "checkpoint": "sd15.safetensors",
                              "size": "512x512"}  # fmt: skip


def test_a_graph_that_goes_in_circles_ends() -> None:
    around = {"1": {"inputs": {"positive": ["2", 0], "negative": ["2", 0], "seed": 1, "steps": 2}},
              "2": {"inputs": {"text": ["2", 0]}}}  # fmt: skip
    assert read_carried(png(prompt=json.dumps(around))) is None


def test_files_of_invokeai_are_read() -> None:
    now = {"app_version": "5.4.0", "positive_prompt": "빨간 원피스", "negative_prompt": "", "seed": 77, "steps": 30,
           "cfg_scale": 7.5, "width": 512, "model": {"name": "SDXL"}, "loras": []}  # fmt: skip
    found = read(png(invokeai_metadata=json.dumps(now)))
    assert (found.program, found.settings) == ("invokeai", {"prompt": "빨간 원피스", "seed": 77, "steps": 30})
    assert {"cfg_scale": "7.5", "width": "512", "model": '{"name": "SDXL"}'}.items() <= found.left_out.items()
    before = {"image": {"prompt": [{"prompt": "a red dress", "weight": 1.0}], "seed": 5, "steps": 40, "cfg_scale": 7}}
    assert read(png(sd__metadata=json.dumps(before))).settings == {"prompt": "a red dress", "seed": 5, "steps": 40}


def test_files_of_fooocus_are_read() -> None:
    scheme = {"prompt": "빨간 원피스", "negative_prompt": "흐림", "seed": "31", "steps": 30, "guidance_scale": 4.0,
              "styles": "['Fooocus V2']", "base_model": "juggernautXL"}  # fmt: skip
    for data in (png(parameters=json.dumps(scheme), fooocus_scheme="fooocus"),
                 with_exif("JPEG", b"UNICODE\0" + json.dumps(scheme).encode("utf-16-be"))):  # fmt: skip
        found = read(data)
        assert found.program == "fooocus"
        assert found.settings == {"prompt": "빨간 원피스", "negative_prompt": "흐림", "seed": 31, "steps": 30}
        assert found.left_out["guidance_scale"] == "4.0"


@pytest.mark.parametrize(
    "data",
    [b"", b"\x89PNG\r\n\x1a\n", png(), png(parameters="a photo of a dress"), png(prompt="빨간 원피스"),
     png(prompt="[" * 100_000), png(parameters='{"prompt": 1}'), png(prompt='{"3": {"inputs": []}}'),
     png(invokeai_metadata="[]"), with_exif("JPEG", b"ASCII\0\0\0camera"), with_exif("JPEG")[:100]],
)  # fmt: skip
def test_a_file_without_settings_carries_none(data: bytes) -> None:
    assert read_carried(data) is None


def test_an_upload_gives_back_what_its_file_carries(tmp_path: Path) -> None:
    studio = open_studio(tmp_path, worker=False)
    person = studio.person()
    studio.services.styles.add(KnownStyle("hanbok"))
    kept = person.upload(png(parameters=A1111)).json
    assert kept["carried"]["program"] == "a1111" and kept["carried"]["settings"]["seed"] == 123
    assert kept["carried"]["settings"]["styles"] == [{"name": "hanbok", "weight": 0.7}]
    assert b"parameters" not in person.get(f"/images/{kept['id']}").data
    assert person.upload(png()).json["carried"] is None
    studio.close()


def test_a_text_that_unpacks_without_end_is_passed_over() -> None:
    info, out = PngInfo(), io.BytesIO()
    info.add_text("parameters", "a" * (5 << 20), zip=True)
    Image.new("RGB", (8, 8)).save(out, "PNG", pnginfo=info)
    assert texts_of(out.getvalue()) == {}
