"""What the client does, step by step, without a network: generators that yield calls and pauses and are sent answers.

In: arguments of a method. Out: `Call`s (answered by the body as JSON or bytes) and `Pause`s, and at the end the
method's result; `demo.client.studio` drives them, waiting or awaiting. So there is one definition of
both clients.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from demo.client.answers import PastDrawing, RemoteDrawing, RemotePicture, StyleOffer
from jobspec import Job

API = "/api/v1"
SOONEST, LATEST = 0.15, 2.0  # seconds between two looks at a job
T = TypeVar("T")
Watch = Callable[[RemoteDrawing], None]


@dataclass(frozen=True)
class Call:
    """A request under /api/v1. `again`: may be sent once more where no answer came."""

    method: str
    path: str
    body: Mapping[str, Any] | None = None
    query: Mapping[str, str | int] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    file: bytes | None = None
    raw: bool = False
    again: bool = True


@dataclass(frozen=True)
class Pause:
    seconds: float


Flow = Generator[Call | Pause, Any, T]


def ask(job: Job) -> Flow[RemoteDrawing]:
    """Ask for a job; a key makes sure that a request that is sent twice draws once."""
    body = {"kind": job.kind} | job.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return RemoteDrawing.of((yield Call("POST", "/generations", body, headers={"Idempotency-Key": uuid.uuid4().hex})))


def show(generation_id: str) -> Flow[RemoteDrawing]:
    return RemoteDrawing.of((yield Call("GET", f"/generations/{generation_id}")))


def wait(drawing: RemoteDrawing, watch: Watch) -> Flow[RemoteDrawing]:
    """Look at a job until it has ended, less and less often while nothing changes."""
    seconds, similar = SOONEST, drawing.similar
    while not drawing.ended:
        watch(drawing)
        yield Pause(seconds)
        seen = RemoteDrawing.of((yield Call("GET", f"/generations/{drawing.id}")))
        moved = (seen.status, seen.place, seen.stage, seen.done) != (
            drawing.status, drawing.place, drawing.stage, drawing.done,
        )  # fmt: skip
        seconds = SOONEST if moved else min(LATEST, seconds * 1.5)
        drawing = seen
    watch(drawing)
    return RemoteDrawing(**(vars(drawing) | {"similar": similar})).require()


def cancel(generation_id: str) -> Flow[RemoteDrawing]:
    return RemoteDrawing.of((yield Call("POST", f"/generations/{generation_id}/cancel", again=False)))


def publish(generation_id: str, public: bool) -> Flow[RemoteDrawing]:
    body = {"visibility": "public" if public else "private"}
    return RemoteDrawing.of((yield Call("PATCH", f"/generations/{generation_id}", body)))


def delete(generation_id: str) -> Flow[None]:
    yield Call("DELETE", f"/generations/{generation_id}", again=False)


def upload(data: bytes) -> Flow[RemotePicture]:
    return RemotePicture.of((yield Call("POST", "/images", file=data, again=False)))


def read(picture_id: str, format: str, metadata: bool) -> Flow[bytes]:
    query = {"format": format, "download": "1", "metadata": "all" if metadata else "none"}
    return (yield Call("GET", f"/images/{picture_id}", query=query, raw=True))


def info(picture_id: str) -> Flow[Mapping[str, Any]]:
    return (yield Call("GET", f"/images/{picture_id}/info"))


def search(query: str, k: int, scope: str) -> Flow[Sequence[PastDrawing]]:
    found = yield Call("GET", "/search", query={"q": query, "k": k, "scope": scope})
    return [PastDrawing.of(one) for one in found["results"]]


def styles() -> Flow[Sequence[StyleOffer]]:
    return [StyleOffer.of(one) for one in (yield Call("GET", "/styles"))["styles"]]


def mine(limit: int) -> Flow[Sequence[RemoteDrawing]]:
    found = yield Call("GET", "/generations", query={"limit": limit})
    return [RemoteDrawing.of(one) for one in found["items"]]
