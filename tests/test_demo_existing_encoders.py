"""A studio that draws with somebody's Korean CLIP, and is given another encoder for search later."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from demo_client import Studio, wait_for
from PIL import Image
from test_ko_clip_existing import clip_folder, sentence_folder

from demo.ops.processes import make_worker
from demo.store.settings import Settings
from demo.studio.services import open_encoder, open_services
from demo.web.app import create_app
from testing.random_checkpoint import Sizes, write_stable_diffusion

WIDTH = 16


def opened(settings: Settings) -> Studio:
    services = open_services(settings, open_encoder)
    studio = Studio(settings, create_app(settings, services), services, None)
    services.warm_up().join()
    studio.start_worker(make_worker(settings))
    wait_for(lambda: services.readiness.report()["ready"], 120)
    return studio


def test_it_draws_and_searches_and_a_new_search_encoder_reads_the_old_prompts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("demo.worker.drawing.os.cpu_count", lambda: 1)  # bytes depend on torch's threads
    checkpoint = write_stable_diffusion(tmp_path / "sd", sizes=Sizes(text_width=WIDTH, text_heads=2))
    settings = Settings(
        data_dir=tmp_path / "data", starter="", checkpoint=str(checkpoint), encoder=str(clip_folder(tmp_path / "ko"))
    )
    studio = opened(settings)
    person = studio.person()
    drawn = person.finished("빨간 원피스", n=1, steps=2)
    assert drawn["status"] == "succeeded", drawn
    recipe = studio.services.searcher.require().encoder_id
    models = person.get("/models").json
    assert models["encoder"]["id"] == recipe and models["encoder"]["made_for"].startswith("clip ")
    assert models["checkpoint"]["stages"] == ["base"]
    token = person.post("/me/tokens", {"name": "t"}).json["token"]
    studio.close()

    searching = settings.model_copy(update={"search_encoder": str(sentence_folder(tmp_path / "sentences"))})
    studio = opened(searching)
    person = studio.person()
    person.headers = {"Authorization": f"Bearer {token}"}
    assert studio.services.searcher.require().search_dim == WIDTH
    wait_for(lambda: person.get("/search?q=빨간 원피스&scope=mine").json["results"], 60)
    again = person.finished("빨간 원피스", n=1, steps=2, seed=drawn["seed"])
    first, second = (
        Image.open(io.BytesIO(person.get(f"/images/{each['images'][0]['id']}").data)) for each in (drawn, again)
    )
    assert first.tobytes() == second.tobytes()  # what searches does not draw
    studio.close()
