"""What scripts for AUTOMATIC1111's API do, by `webuiapi` and by `sd-backend-client`; run by tests/test_clients.py in an
environment of its own. Arguments: the server's address and a token.
"""

from __future__ import annotations

import sys
from urllib.parse import urlsplit

import sd_backend_client as backend
import webuiapi
from PIL import Image, ImageDraw


def by_webuiapi(url: str, token: str) -> None:
    where = urlsplit(url)
    api = webuiapi.WebUIApi(host=where.hostname, port=where.port, sampler="DPM++ 2M", steps=4)
    api.set_auth("studio", token)
    drawn = api.txt2img(
        prompt="빨간 원피스", negative_prompt="모자", seed=7, cfg_scale=3, batch_size=2, width=128, height=128
    )
    assert len(drawn.images) == 2 and drawn.image.size == (128, 128), drawn.images
    assert drawn.info["all_seeds"] == [7, 8] and "Seed: 8" in drawn.info["infotexts"][1]
    assert api.png_info(drawn.image).info is not None
    varied = api.img2img(images=[drawn.image], prompt="초록 코트", denoising_strength=0.5, cfg_scale=3)
    assert len(varied.images) == 1
    mask = Image.new("L", drawn.image.size)
    ImageDraw.Draw(mask).rectangle((32, 32, 96, 96), fill=255)
    edited = api.img2img(images=[drawn.image], mask_image=mask, prompt="파란 코트", cfg_scale=3)
    assert len(edited.images) == 1
    assert api.util_get_model_names() == ["geuryeojwo"] or api.util_get_model_names()[0].startswith("geuryeojwo")
    assert api.util_get_sampler_names() == ["DPM++ 2M"] and api.util_get_scheduler_names()
    assert api.util_get_current_model().startswith("geuryeojwo")
    assert {lora["name"] for lora in api.get_loras()} == {"minhwa", "수묵화"}
    assert api.get_progress()["state"]["job_count"] == 0
    api.interrupt()
    api.skip()
    api.set_options({"sd_model_checkpoint": "geuryeojwo"})
    assert api.get_prompt_styles() and api.get_memory() and api.get_cmd_flags() and api.get_embeddings()
    api.util_wait_for_ready(check_interval=0.1)
    try:
        api.extra_batch_images([drawn.image])
    except RuntimeError as error:
        assert error.args[0] == 422
    else:
        raise AssertionError("upscaling was not refused")


def by_sd_backend_client(url: str, token: str) -> None:
    api = backend.A1111Webservice(url)
    api.set_auth(("studio", token))
    params = backend.DiffusionRequestBody(prompt="노란 저고리", steps=4, cfg_scale=3.0, width=128, height=128, seed=5)
    drawn = api.txt2img(params)
    assert drawn["images"][0].size == (128, 128), drawn
    handle = api.submit_txt2img(params)
    done = handle.wait(timeout=120, poll_interval=0.2)
    assert len(done.images) == 1, done
    assert api.progress_check().state.job_count == 0
    assert [one.name for one in api.get_loras()] == ["minhwa", "수묵화"]
    assert api.get_models()[0].model_name == "geuryeojwo"
    assert api.get_samplers()[0].name == "DPM++ 2M" and api.list_schedulers()
    assert api.get_config()["sd_model_checkpoint"] == "geuryeojwo"
    assert api.get_upscalers() == [] and api.get_vae() == []
    api.get_scripts()
    api.refresh_loras()
    api.get_capabilities()
    api.interrupt()


if __name__ == "__main__":
    for client in (by_webuiapi, by_sd_backend_client):
        client(*sys.argv[1:])
        print(client.__name__, "ok", flush=True)
