"""The same words and seed draw the same picture, whoever asks: API (and so the page), command line, gallery, Python."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import torch
from demo_client import Studio, wait_for
from PIL import Image

from demo.ops import commands, job_commands
from demo.store.database import open_database
from demo.store.settings import Settings
from demo.store.storage import Storage
from demo.studio.searching import Searcher
from demo.studio.services import open_encoder, open_services, open_worker_index
from demo.web.app import create_app
from demo.worker.loop import Worker
from demo.worker.runners import open_runners
from diffusion.load import load_pipeline
from diffusion.request import DrawSettings, Shot
from fashion.reader import FashionReader

STEPS = 2
PROMPTS = (
    "한복을 입은 사람",
    "초록 모자",
    "채크무늬 원피스",
    "빨간 원피스",
    "노란 신발을 신은 사람",
    "분홍 모자와 채크무늬 치마",
    "파란 상의에 하의",
    "겉옷",
    "a hat",
    "red shoes",
    "hanbok",
    "a green hanbok in a courtyard",
    "모자 달린 재킷",
    "모자이크 무늬 셔츠",
    "검은 코트, 눈 오는 거리",
    "호피무늬 퍼 코트",
    "수묵화로 그린 검은 갓",
    "우주를 나는 고래",
    "빨간 (원피스:1.3)",
    "ㅋㅋ 귀여운 양말",
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    data = tmp_path_factory.mktemp("same") / "data"
    return Settings(data_dir=data, starter="", jobs_per_owner=1000, engine="torch")


@pytest.fixture(scope="module")
def studio(settings: Settings) -> Iterator[Studio]:
    """A studio with the checkpoint that ships, its worker in a thread; bytes depend on torch's threads, so all have
    one.
    """
    alone = pytest.MonkeyPatch()
    alone.setattr("demo.worker.drawing.os.cpu_count", lambda: 1)
    torch.set_num_threads(1)
    services = open_services(settings, open_encoder, open_worker_index)
    studio = Studio(settings, create_app(settings, services), services, None)
    services.warm_up().join()
    database = open_database(settings)
    searcher = Searcher(settings, database, open_encoder, open_worker_index)
    studio.start_worker(Worker(settings, database, Storage(settings.files_url), searcher, open_runners))
    wait_for(lambda: services.readiness.report()["ready"], 120)
    yield studio
    studio.close()
    alone.undo()


@pytest.fixture
def shell(settings: Settings, studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of a shell with these settings; models are opened once for all its commands."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"DATA_DIR": settings.data_dir, "STARTER": "", "LOG_LEVEL": "ERROR"}.items():
        monkeypatch.setenv(name, str(value))
    opened = cache(lambda kind, opening=job_commands.open_runner: opening(settings, kind))
    monkeypatch.setattr(job_commands, "open_runner", lambda _settings, kind: opened(kind))
    monkeypatch.setattr(commands, "open_runner", lambda _settings, kind: opened(kind))
    return tmp_path


def pixels(file: Path | bytes) -> bytes:
    with Image.open(io.BytesIO(file) if isinstance(file, bytes) else file) as image:
        return image.convert("RGB").tobytes()


def test_twenty_prompts_are_the_same_pictures_from_api_shell_and_python(studio: Studio, shell: Path) -> None:
    pipeline = load_pipeline(studio.settings.checkpoint, open_encoder(Path(studio.settings.encoder)),
                             reader=FashionReader())  # fmt: skip
    person = studio.person()
    for seed, prompt in enumerate(PROMPTS):
        done = person.finished(prompt, n=1, seed=seed, steps=STEPS, negative_prompt="모자" if seed % 3 == 0 else "")
        assert done["status"] == "succeeded", done
        over_http = pixels(person.get(f"/images/{done['images'][0]['id']}").data)
        negative = ["--negative", "모자"] if seed % 3 == 0 else []
        given = ["--seed", str(seed), "--steps", str(STEPS), "-o", "o", *negative]
        assert commands.main(["generate", prompt, *given]) == 0
        assert pixels(shell / "o" / f"{seed:010}.png") == over_http, prompt
        shot = Shot(prompt, negative[-1] if negative else "", seed)
        assert pipeline.draw([shot], DrawSettings(steps=STEPS)).images[0].tobytes() == over_http, prompt


def test_a_style_of_words_is_the_same_picture_from_api_and_shell(studio: Studio, shell: Path) -> None:
    person = studio.person()
    style = person.get("/styles").json["styles"][0]["name"]
    done = person.finished("초록 모자", n=1, seed=3, steps=STEPS, style=style)
    arguments = ["generate", "초록 모자", "--seed", "3", "--steps", str(STEPS), "--style", style]
    assert commands.main(arguments) == 0
    assert pixels(shell / "out" / "0000000003.png") == pixels(person.get(f"/images/{done['images'][0]['id']}").data)
    plain = person.finished("초록 모자", n=1, seed=3, steps=STEPS)
    assert pixels(person.get(f"/images/{plain['images'][0]['id']}").data) != pixels(shell / "out" / "0000000003.png")


def test_the_gallery_draws_what_the_api_draws(studio: Studio, shell: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("demo.studio.starter.FEWEST", 2)
    (shell / "prompts.txt").write_text("한복을 입은 사람\n초록 모자\n", encoding="utf-8")
    drawn: dict[str, bytes] = {}

    def keep(image: Image.Image, quality: int) -> bytes:
        drawn[str(len(drawn))] = image.convert("RGB").tobytes()
        return b"webp"

    monkeypatch.setattr("demo.studio.starter._webp", keep)
    assert commands.main(["gallery", "--out", str(shell)]) == 0
    entries = json.loads((shell / "gallery.json").read_text(encoding="utf-8"))["entries"]
    person = studio.person()
    for place, entry in enumerate(entries):
        done = person.finished(entry["prompt"], n=1, seed=entry["seed"])
        assert pixels(person.get(f"/images/{done['images'][0]['id']}").data) == drawn[str(place)], entry["prompt"]
