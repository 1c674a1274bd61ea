"""What the sync and the async client have in common: options, retries, results, and the bar at a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import httpx
from tqdm import tqdm

from demo.client.answers import RemoteDrawing, RemotePicture, StudioError
from demo.client.flows import API, Call, Watch
from jobspec import Edit

LOCAL = "http://127.0.0.1:5000"
AGAIN = (429, 503)
UNANSWERED_SECONDS = 1.0


class Retries:
    """How long one call may still be tried again."""

    def __init__(self, patience: float) -> None:
        self._ends = time.monotonic() + patience

    def seconds(self, call: Call, outcome: httpx.Response | httpx.TransportError) -> float | None:
        """Seconds until the next try; None where the outcome stands."""
        if isinstance(outcome, httpx.TransportError):
            wait = UNANSWERED_SECONDS if call.again else None
        elif outcome.status_code in AGAIN and (after := outcome.headers.get("Retry-After", "")).isdecimal():
            wait = float(after)
        else:
            wait = None
        return wait if wait is not None and time.monotonic() + wait < self._ends else None


class Common:
    """What both clients build their requests from."""

    def __init__(self, url: str, token: str | None, language: str, patience: float, progress: bool | None) -> None:
        self._patience = patience
        self._shows_progress = sys.stderr.isatty() if progress is None else progress
        headers = {"Accept-Language": language} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._options: dict[str, Any] = {"base_url": url.rstrip("/"), "headers": headers, "timeout": 60.0}

    @staticmethod
    def _request(call: Call) -> dict[str, Any]:
        sent: dict[str, Any] = {"params": dict(call.query), "headers": dict(call.headers)}
        if call.file is not None:
            sent["files"] = {"file": ("picture", call.file, "application/octet-stream")}
        elif call.body is not None:
            sent["json"] = dict(call.body)
        return {"method": call.method, "url": API + call.path, **sent}

    @staticmethod
    def _result(call: Call, outcome: httpx.Response | httpx.TransportError) -> Any:
        if isinstance(outcome, httpx.TransportError):
            raise outcome
        if outcome.is_success:
            return outcome.content if call.raw else outcome.json()
        try:
            error = outcome.json()["error"]
            code, message, field = error["code"], error["message"], error.get("field") or ""
        except (ValueError, KeyError, TypeError):
            code, message, field = "bad_request", f"status {outcome.status_code}, which is no answer of a studio", ""
        raise StudioError(code, message, outcome.status_code, field)

    @contextlib.contextmanager
    def _watched(self, watch: Watch | None) -> Generator[Watch, None, None]:
        """The watcher that was given, or a bar at a terminal."""
        if watch is not None or not self._shows_progress:
            yield watch or (lambda _drawing: None)
            return
        with tqdm(total=100, unit="%", bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}", leave=False) as bar:

            def show(drawing: RemoteDrawing) -> None:
                waiting = f"waits, {drawing.place} before it" if drawing.place else drawing.status
                bar.set_description_str(drawing.stage or waiting, refresh=False)
                bar.n = round(100 * drawing.done)
                bar.refresh()

            yield show


def picture_id(picture: RemotePicture | str) -> str:
    return picture if isinstance(picture, str) else picture.id


def edit_of(picture: RemotePicture | str, replace: Mapping[str, str] | None, fields: Mapping[str, Any]) -> Edit:
    replacing = {"replace": [{"from": old, "to": new} for old, new in replace.items()]} if replace else {}
    return Edit.model_validate({"source_image": picture_id(picture), **replacing, **fields})


def file_data(file: bytes | str | Path) -> bytes:
    return file if isinstance(file, bytes) else Path(file).read_bytes()


def format_of(path: str | Path) -> str:
    """The API's name of a file's format. Raises ValueError."""
    suffix = Path(path).suffix.lower().removeprefix(".")
    known = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp"}
    if suffix not in known:
        raise ValueError(f"{path}: the name must end in .png, .jpg or .webp")
    return known[suffix]


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path
