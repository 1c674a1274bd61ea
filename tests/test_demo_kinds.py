"""A made-up kind of job, `echo`, takes an entry in jobspec and a runner, and is there wherever jobs are."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import ClassVar, Literal

import pytest
from demo_client import Studio, open_studio
from demo_fakes import fake_worker
from PIL import Image, ImageDraw
from pydantic import Field

import jobspec
from demo.ops.commands import main
from demo.worker.runners import RUNNERS
from jobspec import BatchStep, Job, Order, Result, ResultPicture


class Echo(Job):
    """Show a text."""

    TEXT: ClassVar[str] = "text"
    BATCH: ClassVar[tuple[str, ...]] = ("side",)
    COMMAND: ClassVar[str] = "Write a text into a picture."

    kind: Literal["echo"] = "echo"  # type: ignore[assignment]
    text: str = Field(min_length=1, max_length=100)  # type: ignore[assignment]
    side: int = Field(64, ge=16, le=256, description="Side of the picture.")


class Step:
    stage, step, steps, seconds_left = "echo", 1, 1, 0.0

    def previews(self) -> list[Image.Image]:
        return []


class EchoRunner:
    """Writes the text into the picture."""

    def facts(self) -> dict[str, object]:
        return {}

    def run(
        self, orders: Sequence[Order], on_step: Callable[[BatchStep], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> list[Result]:  # fmt: skip
        if on_step:
            on_step(Step())
        return [Result(order.job, [self._picture(order.job)] * order.job.n, {"echo": 0.0}) for order in orders]

    def _picture(self, job: Job) -> ResultPicture:
        image = Image.new("RGB", (job.side, job.side), "white")
        ImageDraw.Draw(image).text((2, 2), job.text, "black")
        return ResultPicture(image, {"prompt": job.text, "side": job.side})


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    jobspec.register(Echo)
    RUNNERS["echo"] = lambda *_: EchoRunner()
    studio = open_studio(tmp_path_factory.mktemp("kinds"), worker=False)
    worker = fake_worker(studio.settings, studio.pipeline, {"echo": EchoRunner()})
    studio.start_worker(worker)
    yield studio
    studio.close()
    jobspec.removed("echo")
    del RUNNERS["echo"]


def test_the_api_takes_it_the_queue_gives_it_out_and_the_worker_stores_its_picture(studio: Studio) -> None:
    person = studio.person()
    made = person.post("/generations", {"kind": "echo", "text": "hello there", "side": 32, "n": 2, "seed": 7})
    assert made.status_code == 202 and made.json["kind"] == "echo" and made.json["text"] == "hello there", made.text
    done = person.until_end(made.json["id"])
    assert done["status"] == "succeeded" and done["side"] == 32 and [one["seed"] for one in done["images"]] == [7, 8]
    assert (done["images"][0]["width"], done["prompt"]) == (32, "hello there")
    assert "steps" not in done and "negative_prompt" not in done
    info = person.get(f"/images/{done['images'][0]['id']}/info").json
    assert info["recipe"]["side"] == 32
    found = person.get("/search?q=hello there").json["results"]
    assert found[0]["generation_id"] == made.json["id"]
    assert [item["kind"] for item in person.get("/generations").json["items"]] == ["echo"]


def test_its_events_are_told(studio: Studio) -> None:
    person = studio.person()
    id = person.post("/generations", {"kind": "echo", "text": "events", "n": 1}).json["id"]
    person.until_end(id)
    answer = person.get(f"/generations/{id}/events").text
    assert [line for line in answer.splitlines() if line.startswith("event: ")][-2:] == ["event: image", "event: done"]


def test_what_it_does_not_allow_is_refused_with_the_field(studio: Studio) -> None:
    person = studio.person()
    for body, field in (
        ({"kind": "echo"}, "text"), ({"kind": "echo", "text": "a", "side": 8}, "side"),
        ({"kind": "echo", "text": "a", "steps": 3}, "steps"), ({"kind": "shout", "text": "a"}, "kind"),
        ({"kind": "echo", "text": "..."}, "text"),
    ):  # fmt: skip
        reply = person.post("/generations", body)
        assert reply.status_code == 422 and reply.json["error"]["field"] == field, (body, reply.text)


def test_the_document_describes_it_in_requests_and_answers(studio: Studio) -> None:
    document = studio.person().get("//openapi.json").json
    schemas = document["components"]["schemas"]
    post = document["paths"]["/api/v1/generations"]["post"]
    asked = json.dumps(post["requestBody"]) + json.dumps(schemas)
    assert '"side"' in asked and '"echo"' in asked
    kinds = post["requestBody"]["content"]["application/json"]["schema"]
    while "$ref" in kinds:
        kinds = schemas[kinds["$ref"].rsplit("/", 1)[-1]]
    assert set(kinds["discriminator"]["mapping"]) == {"draw", "vary", "form", "edit", "pattern", "apply", "echo"}
    shown = next(schema for name, schema in schemas.items() if name.endswith("GenerationOut"))
    assert {one["title"] for one in shown["oneOf"]} == {"Draw", "Vary", "Form", "Edit", "Pattern", "Apply", "Echo"}


def test_the_page_is_told_its_ranges(studio: Studio) -> None:
    ranges = studio.person().get("/about").json["limits"]["ranges"]
    assert ranges["echo"]["side"] == {"minimum": 16, "maximum": 256, "default": 64}
    assert ranges["draw"]["steps"]["maximum"] == 150


def test_it_has_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, studio: Studio
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LOG_LEVEL", "ERROR")
    assert main(["echo", "from the shell", "--side", "40", "-n", "2"]) == 0
    widths = []
    for path in sorted((tmp_path / "out").iterdir()):
        with Image.open(path) as picture:
            widths.append(picture.width)
    assert widths == [40, 40]
    assert main(["echo", "x", "--side", "8"]) == 2
    with pytest.raises(SystemExit):
        main(["echo", "--help"])
    assert "--side" in capsys.readouterr().out
    logging.getLogger().handlers.clear()


def test_a_name_that_is_taken_is_refused(studio: Studio) -> None:
    class Other(Job):
        kind: Literal["echo"] = "echo"  # type: ignore[assignment]

    with pytest.raises(ValueError, match="'echo' is Echo"):
        jobspec.register(Other)


def test_a_worker_without_its_runner_ends_the_job_in_words(tmp_path: Path, studio: Studio) -> None:
    other = open_studio(tmp_path, worker=True)
    try:
        person = other.person()
        id = person.post("/generations", {"kind": "echo", "text": "nobody", "n": 1}).json["id"]
        failed = person.until_end(id)
        assert failed["status"] == "failed" and "not echo" in failed["error"]["message"]
    finally:
        other.close()
