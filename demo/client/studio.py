"""`Studio` and `AsyncStudio`: draw, vary, edit, search and fetch over HTTP, waiting for what is drawn.

A call that is refused for now (429, 503) is made again after its `Retry-After`, and one without an answer after a
moment, for `patience` seconds in all. Who stops waiting (Ctrl-C, a cancelled task) cancels the job.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import anyio
import httpx

from demo.client import flows
from demo.client.answers import PastDrawing, RemoteDrawing, RemotePicture, StudioError, StyleOffer
from demo.client.connecting import LOCAL, Common, Retries, edit_of, file_data, format_of, picture_id, written
from demo.client.flows import Call, Flow, Pause, Watch
from jobspec import Draw, Job, Vary

T = TypeVar("T")
GOODBYE_SECONDS = 5.0  # for cancelling a job that nobody waits for any more


class Studio(Common):
    """A studio somewhere, as one person: `token` of theirs, or a cookie for as long as this object lives.

    `language` of messages: ko or en. `progress`: a bar while it waits; where unsaid, at a terminal.
    """

    def __init__(
        self, url: str = LOCAL, token: str | None = None, *, language: str = "ko", patience: float = 120.0,
        progress: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(url, token, language, patience, progress)
        self._http = httpx.Client(**self._options)

    def draw(self, prompt: str, *, watch: Watch | None = None, **fields: Any) -> RemoteDrawing:
        """Draw a prompt and wait; `fields` of jobspec.Draw. Raises StudioError, pydantic.ValidationError."""
        return self.run(Draw.model_validate({"prompt": prompt, **fields}), watch=watch)

    def vary(
        self, picture: RemotePicture | str, prompt: str, *, watch: Watch | None = None, **fields: Any
    ) -> RemoteDrawing:
        """Draw a picture anew by words."""
        return self.run(
            Vary.model_validate({"source_image": picture_id(picture), "prompt": prompt, **fields}), watch=watch
        )

    def edit(
        self, picture: RemotePicture | str, replace: Mapping[str, str] | None = None, *, watch: Watch | None = None,
        **fields: Any,
    ) -> RemoteDrawing:  # fmt: skip
        """Change words of a picture ({"빨간": "파란"}), or by `prompt` and the other fields of jobspec.Edit."""
        return self.run(edit_of(picture, replace, fields), watch=watch)

    def run(self, job: Job, *, watch: Watch | None = None) -> RemoteDrawing:
        """Ask for a job of any kind and wait until it has succeeded."""
        return self.wait(self.ask(job), watch=watch)

    def ask(self, job: Job) -> RemoteDrawing:
        """Ask for a job, without waiting."""
        return self._drive(flows.ask(job))

    def wait(self, drawing: RemoteDrawing, *, watch: Watch | None = None) -> RemoteDrawing:
        """Wait for a job; it is cancelled where waiting is interrupted."""
        with self._watched(watch) as watching:
            try:
                return self._drive(flows.wait(drawing, watching))
            except KeyboardInterrupt:
                with contextlib.suppress(StudioError, httpx.TransportError):
                    self.cancel(drawing.id)
                raise

    def show(self, generation_id: str) -> RemoteDrawing:
        return self._drive(flows.show(generation_id))

    def cancel(self, generation_id: str) -> RemoteDrawing:
        return self._drive(flows.cancel(generation_id))

    def publish(self, generation_id: str, public: bool = True) -> RemoteDrawing:
        return self._drive(flows.publish(generation_id, public))

    def delete(self, generation_id: str) -> None:
        """Delete a job and its pictures for good."""
        self._drive(flows.delete(generation_id))

    def upload(self, file: bytes | str | Path) -> RemotePicture:
        """Bring a picture to start from."""
        return self._drive(flows.upload(file_data(file)))

    def read(self, picture: RemotePicture | str, format: str = "png", metadata: bool = True) -> bytes:
        """A picture's file."""
        return self._drive(flows.read(picture_id(picture), format, metadata))

    def save(self, picture: RemotePicture | str, path: str | Path, metadata: bool = True) -> Path:
        """Write a picture's file, in the format of its name (.png, .jpg, .webp)."""
        return written(Path(path), self.read(picture, format_of(path), metadata))

    def info(self, picture: RemotePicture | str) -> Mapping[str, Any]:
        """What a picture was drawn from: `recipe`, and its family."""
        return self._drive(flows.info(picture_id(picture)))

    def search(self, query: str, k: int = 10, scope: str = "all") -> Sequence[PastDrawing]:
        """Past drawings near to a prompt; `scope`: all, mine, public."""
        return self._drive(flows.search(query, k, scope))

    def styles(self) -> Sequence[StyleOffer]:
        return self._drive(flows.styles())

    def mine(self, limit: int = 24) -> Sequence[RemoteDrawing]:
        """Own jobs, newest first."""
        return self._drive(flows.mine(limit))

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _drive(self, flow: Flow[T]) -> T:
        answer = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, Pause):
                time.sleep(step.seconds)
            answer = None if isinstance(step, Pause) else self._call(step)

    def _call(self, call: Call) -> Any:
        retries = Retries(self._patience)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = self._http.request(**self._request(call))
            except httpx.TransportError as error:
                outcome = error
            if (seconds := retries.seconds(call, outcome)) is None:
                return self._result(call, outcome)
            time.sleep(seconds)


class AsyncStudio(Common):
    """The same to await; see `Studio`."""

    def __init__(
        self, url: str = LOCAL, token: str | None = None, *, language: str = "ko", patience: float = 120.0,
        progress: bool | None = None,
    ) -> None:  # fmt: skip
        super().__init__(url, token, language, patience, progress)
        self._http = httpx.AsyncClient(**self._options)

    async def draw(self, prompt: str, *, watch: Watch | None = None, **fields: Any) -> RemoteDrawing:
        return await self.run(Draw.model_validate({"prompt": prompt, **fields}), watch=watch)

    async def vary(
        self, picture: RemotePicture | str, prompt: str, *, watch: Watch | None = None, **fields: Any
    ) -> RemoteDrawing:
        job = Vary.model_validate({"source_image": picture_id(picture), "prompt": prompt, **fields})
        return await self.run(job, watch=watch)

    async def edit(
        self, picture: RemotePicture | str, replace: Mapping[str, str] | None = None, *, watch: Watch | None = None,
        **fields: Any,
    ) -> RemoteDrawing:  # fmt: skip
        return await self.run(edit_of(picture, replace, fields), watch=watch)

    async def run(self, job: Job, *, watch: Watch | None = None) -> RemoteDrawing:
        return await self.wait(await self.ask(job), watch=watch)

    async def ask(self, job: Job) -> RemoteDrawing:
        return await self._drive(flows.ask(job))

    async def wait(self, drawing: RemoteDrawing, *, watch: Watch | None = None) -> RemoteDrawing:
        with self._watched(watch) as watching:
            try:
                return await self._drive(flows.wait(drawing, watching))
            except asyncio.CancelledError:
                with anyio.move_on_after(GOODBYE_SECONDS, shield=True):
                    with contextlib.suppress(StudioError, httpx.TransportError):
                        await self.cancel(drawing.id)
                raise

    async def show(self, generation_id: str) -> RemoteDrawing:
        return await self._drive(flows.show(generation_id))

    async def cancel(self, generation_id: str) -> RemoteDrawing:
        return await self._drive(flows.cancel(generation_id))

    async def publish(self, generation_id: str, public: bool = True) -> RemoteDrawing:
        return await self._drive(flows.publish(generation_id, public))

    async def delete(self, generation_id: str) -> None:
        await self._drive(flows.delete(generation_id))

    async def upload(self, file: bytes | str | Path) -> RemotePicture:
        return await self._drive(flows.upload(file_data(file)))

    async def read(self, picture: RemotePicture | str, format: str = "png", metadata: bool = True) -> bytes:
        return await self._drive(flows.read(picture_id(picture), format, metadata))

    async def save(self, picture: RemotePicture | str, path: str | Path, metadata: bool = True) -> Path:
        return written(Path(path), await self.read(picture, format_of(path), metadata))

    async def info(self, picture: RemotePicture | str) -> Mapping[str, Any]:
        return await self._drive(flows.info(picture_id(picture)))

    async def search(self, query: str, k: int = 10, scope: str = "all") -> Sequence[PastDrawing]:
        return await self._drive(flows.search(query, k, scope))

    async def styles(self) -> Sequence[StyleOffer]:
        return await self._drive(flows.styles())

    async def mine(self, limit: int = 24) -> Sequence[RemoteDrawing]:
        return await self._drive(flows.mine(limit))

    async def close(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _drive(self, flow: Flow[T]) -> T:
        answer = None
        while True:
            try:
                step = flow.send(answer)
            except StopIteration as end:
                return end.value
            if isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            answer = None if isinstance(step, Pause) else await self._call(step)

    async def _call(self, call: Call) -> Any:
        retries = Retries(self._patience)
        while True:
            outcome: httpx.Response | httpx.TransportError
            try:
                outcome = await self._http.request(**self._request(call))
            except httpx.TransportError as error:
                outcome = error
            if (seconds := retries.seconds(call, outcome)) is None:
                return self._result(call, outcome)
            await asyncio.sleep(seconds)
