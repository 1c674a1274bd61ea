"""`demo.client`: the same methods waited for and awaited, retries, errors as values, jobs that nobody waits for."""

from __future__ import annotations

import asyncio
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from demo_client import Studio as Service
from demo_client import open_studio
from PIL import Image

from demo.client import AsyncStudio, RemoteDrawing, Studio, StudioError


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    service = open_studio(tmp_path_factory.mktemp("client"), step_seconds=0.0)
    yield service
    service.close()


@pytest.fixture
def studio(service: Service) -> Iterator[Studio]:
    """A client whose requests go straight into the application."""
    with Studio(progress=False) as studio:
        studio._http = httpx.Client(transport=httpx.WSGITransport(app=service.app), base_url="http://localhost")
        yield studio


def answering(studio: Studio | AsyncStudio, *answers: httpx.Response | Exception) -> list[httpx.Request]:
    """Give these answers one after another; returns the requests as they come."""
    left, seen = list(answers), []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    transport = httpx.MockTransport(handle)
    kind = httpx.Client if isinstance(studio, Studio) else httpx.AsyncClient
    studio._http = kind(transport=transport, base_url="http://localhost")
    return seen


def refusal(status: int, code: str, after: str | None = None) -> httpx.Response:
    headers = {"Retry-After": after} if after is not None else {}
    return httpx.Response(status, json={"error": {"code": code, "message": "m", "field": "prompt"}}, headers=headers)


def test_a_drawing_is_waited_for_and_its_pictures_are_saved(studio: Studio, tmp_path: Path) -> None:
    seen: list[RemoteDrawing] = []
    drawing = studio.draw("빨간 체크무늬 원피스", n=2, seed=7, watch=seen.append)
    assert drawing.status == "succeeded" and [picture.seed for picture in drawing.pictures] == [7, 8]
    assert seen[-1].ended and seen[-1].done == 1.0
    for name, format in (("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP")):
        with Image.open(studio.save(drawing.pictures[0], tmp_path / name)) as saved:
            assert saved.format == format
    with pytest.raises(ValueError, match=r"\.png, \.jpg or \.webp"):
        studio.save(drawing.pictures[0], "a.gif")
    assert studio.info(drawing.pictures[0])["recipe"]["seed"] == 7
    found = studio.search("빨간 원피스", scope="mine")
    assert found[0].id == drawing.id and found[0].mine and found[0].pictures


def test_pictures_are_varied_edited_published_and_deleted(studio: Studio) -> None:
    out = io.BytesIO()
    Image.new("RGB", (40, 40), "red").save(out, "PNG")
    brought = studio.upload(out.getvalue())
    assert studio.vary(brought, "초록 코트", n=1, strength=0.5).raw["source_image"] == brought.id
    drawn = studio.draw("빨간 원피스", n=1, seed=3)
    edited = studio.edit(drawn.pictures[0], {"빨간": "파란"})
    assert edited.kind == "edit" and edited.prompt.startswith("파란 원피스")
    assert studio.publish(drawn.id).raw["visibility"] == "public"
    studio.delete(drawn.id)
    with pytest.raises(StudioError) as gone:
        studio.show(drawn.id)
    assert (gone.value.code, gone.value.status) == ("not_found", 404)
    assert [one.id for one in studio.mine(2)][0] == edited.id
    assert {"watercolor", "minhwa"} <= {style.name for style in studio.styles()}


def test_refusals_and_failures_are_errors_with_their_code(studio: Studio) -> None:
    with pytest.raises(StudioError) as refused:
        studio.draw("원피스", style="고흐")
    assert (refused.value.code, refused.value.status, refused.value.field) == ("unknown_style", 422, "style")
    with pytest.raises(StudioError) as failed:
        studio.draw("crash")
    assert (failed.value.code, failed.value.status) == ("draw_failed", 0)
    with pytest.raises(ValueError, match="n"):
        studio.draw("원피스", n=11)  # refused before anything is sent


def test_a_call_is_made_again_after_what_the_server_says() -> None:
    studio = Studio()
    requests = answering(
        studio, refusal(429, "queue_full", "0"), httpx.ConnectError("gone"), refusal(503, "not_ready", "0"),
        httpx.Response(200, json={"styles": []}),
    )  # fmt: skip
    assert studio.styles() == [] and len(requests) == 4
    again = answering(studio, refusal(429, "queue_full", "1000"))
    with pytest.raises(StudioError, match="queue_full"):
        studio.styles()
    assert len(again) == 1  # longer than anybody is patient
    once = answering(studio, httpx.ReadError("cut"))
    with pytest.raises(httpx.ReadError):
        studio.delete("0" * 32)
    assert len(once) == 1  # what was deleted may not be asked for twice


def test_a_request_that_is_sent_twice_draws_once() -> None:
    studio = Studio()
    requests = answering(studio, httpx.ReadTimeout("late"), refusal(422, "prompt_empty"))
    with pytest.raises(StudioError):
        studio.draw("원피스")
    keys = {request.headers["Idempotency-Key"] for request in requests}
    assert len(requests) == 2 and len(keys) == 1


def test_an_answer_that_is_no_studios_is_an_error_too() -> None:
    studio = Studio()
    answering(studio, httpx.Response(502, text="<html>"))
    with pytest.raises(StudioError, match="502"):
        studio.styles()


def test_stopping_to_wait_cancels_the_job(service: Service, studio: Studio) -> None:
    gate = service.pipeline.gate()

    def stop(_drawing: RemoteDrawing) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        studio.draw("코트", watch=stop)
    assert studio.mine(1)[0].status == "cancelled"
    gate.set()


def test_a_cancelled_task_cancels_the_job() -> None:
    queued = {"id": "0" * 32, "kind": "draw", "status": "queued", "prompt": "코트", "seed": 1, "images": [],
              "warnings": [], "position": 0, "progress": None}  # fmt: skip
    paths: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        paths.append(request.url.path)
        return httpx.Response(200, json=queued)

    async def scene() -> None:
        async with AsyncStudio() as studio:
            studio._http = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://localhost")
            task = asyncio.create_task(studio.draw("코트"))
            while len(paths) < 2:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(scene())
    assert paths[-1].endswith("/cancel")


def test_a_bar_is_shown_where_it_is_asked_for(studio: Studio, capfd: pytest.CaptureFixture[str]) -> None:
    studio._shows_progress = True
    studio.draw("코트", n=1)
    assert "100%" in capfd.readouterr().err


@pytest.mark.parametrize("readme", ["README.md", "README.ko.md"])
def test_the_readmes_example_is_short(readme: str) -> None:
    """tests/test_demo_shipped.py runs it."""
    text = (Path(__file__).parent.parent / readme).read_text("utf-8")
    (example,) = re.findall(r"```python\n(from demo.client.*?)```", text, re.DOTALL)
    assert len(example.splitlines()) < 10


@pytest.mark.parametrize("name", [name for name in dir(Studio) if not name.startswith("_")])
def test_both_clients_have_the_same_methods(name: str) -> None:
    sync, awaited = getattr(Studio, name), getattr(AsyncStudio, name)
    assert _parameters(sync) == _parameters(awaited)


def _parameters(method: Callable) -> list[str]:
    import inspect

    return [str(one) for one in inspect.signature(method).parameters.values()]
