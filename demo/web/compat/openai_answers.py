"""What OpenAI's clients read: pictures as base64 or links, events of a stream, errors.

Ref: the response types of the `openai` packages for Python (2.54, 3.57) and Node.js (7.55).
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flask import Response

from demo.store.errors import ServiceError
from demo.store.tables import Event, Image
from demo.studio import pictures
from demo.studio.services import Services
from demo.studio.visibility import Viewer
from demo.web import present
from demo.web.compat.rendering import converted, drawn_share, ended, render, size_at
from jobspec import PictureSize

PARAMS = {"source_image": "image", "file": "image", "mask_image": "mask"}  # our fields by their names there
ERROR_TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


@dataclass(frozen=True)
class Delivery:
    """How pictures are given: `size` in pixels (None: as drawn); `link` makes an address in place of bytes."""

    format: str = "png"
    size: PictureSize | None = None
    link: Callable[[str], str] | None = None


def error_fields(error: ServiceError, status: int) -> dict[str, object]:
    """What OpenAI's errors have beside code and message."""
    kind = ERROR_TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"type": kind, "param": PARAMS.get(error.field or "", error.field)}


def answer(services: Services, viewer: Viewer, ids: Sequence[str], form: Delivery) -> Response:
    """The pictures of ended jobs, in order. Raises ServiceError where one of them has none."""
    shown = [ended(services, viewer, id) for id in ids]
    entries = [_entry(services, viewer, image, form) for one in shown for image in one.images]
    body = {
        "created": int(time.time()), "data": [entry for entry, _ in entries], "background": "opaque",
        "output_format": form.format, "size": entries[-1][1] if entries else None, "generation_ids": list(ids),
        "warnings": [present.warning(warned) for one in shown for warned in one.generation.warnings],
    }  # fmt: skip
    return Response(json.dumps(body, ensure_ascii=False), mimetype="application/json")


def last_events(services: Services, viewer: Viewer, generation_id: str, form: Delivery, kind: str) -> str:
    """What ends a stream: `completed` for each picture."""
    texts = []
    for image in ended(services, viewer, generation_id).images:
        made, size = _entry(services, viewer, image, form)
        texts.append(_event(f"{kind}.completed", made | _shared(form.format, size)))
    return "".join(texts)


def error_event(response: Response) -> str:
    """A refusal as the event that clients raise."""
    return (
        f"event: error\ndata: {json.dumps({'error': response.get_json(force=True)['error']}, ensure_ascii=False)}\n\n"
    )


class PartialImages:
    """The wording of a stream (`demo.web.streams.EventWording`): the pictures so far, `count` times at most."""

    first = ""

    def __init__(self, services: Services, kind: str, format: str, count: int, stages: int) -> None:
        self._services, self._kind, self._format, self._stages = services, kind, format, stages
        self._left = [index / (count + 1) for index in range(1, count + 1)]  # shares of the drawing at which one is due
        self._told = 0

    def event(self, viewer: Viewer, event: Event) -> str | None:
        if event.kind != "progress" or not event.data.get("previews"):
            return ""
        if not self._due(drawn_share(event.data, self._stages)):
            return ""
        pictures_now = [self._preview(viewer, event.generation_id, place) for place in range(event.data["previews"])]
        self._told += 1
        return "".join(pictures_now)

    def place(self, _place: int | None, _number: int) -> str:
        return ""

    def gone(self, _number: int) -> str:
        return ""

    def _due(self, done: float) -> bool:
        due = [each for each in self._left if each <= done]
        self._left = self._left[len(due) :]
        return bool(due) and done < 1

    def _preview(self, viewer: Viewer, generation_id: str, place: int) -> str:
        try:
            webp = self._services.generations.preview(viewer, generation_id, place)
        except ServiceError:  # the job has ended meanwhile
            return ""
        file, width, height = converted(webp, self._format)
        data = {"b64_json": base64.b64encode(file).decode(), "partial_image_index": self._told,
                "image_index": place}  # fmt: skip
        return _event(f"{self._kind}.partial_image", data | _shared(self._format, f"{width}x{height}"))


def _entry(services: Services, viewer: Viewer, image: Image, form: Delivery) -> tuple[dict[str, object], str]:
    """One picture as clients read it, and its size."""
    entry: dict[str, object] = {"image_id": image.id, "seed": image.seed}
    if form.link is not None:
        row, _ = services.generations.image(viewer, image.id)
        width, height = size_at(row, None)
        entry["url"] = form.link(image.id)
    else:
        seen = render(services, viewer, image.id, form.format, form.size)
        row, width, height = seen.row, seen.width, seen.height
        entry["b64_json"] = base64.b64encode(seen.data).decode()
    recipe = row.recipe or {}
    drawn = recipe.get("drawn_prompt")
    if drawn and drawn != pictures.prompt_of(recipe):
        entry["revised_prompt"] = drawn
    return entry, f"{width}x{height}"


def _shared(format: str, size: str) -> dict[str, object]:
    return {"background": "opaque", "created_at": int(time.time()), "output_format": format, "quality": "auto",
            "size": size}  # fmt: skip


def _event(kind: str, data: dict[str, object]) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind} | data, ensure_ascii=False)}\n\n"
