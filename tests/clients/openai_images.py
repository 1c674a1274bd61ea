"""What scripts written with the `openai` package do, against OPENAI_BASE_URL; run by tests/test_clients.py in an
environment of its own, so that nothing of this repository is imported.
"""

from __future__ import annotations

import asyncio
import base64
import io
import os
import struct
import sys
import urllib.request
import zlib
from pathlib import Path

import openai

HOLD = Path(os.environ["HOLD"])  # while this file is there the server draws nothing to its end


def png(side: int, alpha_hole: bool = False) -> bytes:
    """A red square; with a transparent middle."""
    rows = b""
    for y in range(side):
        rows += b"\0"
        for x in range(side):
            hole = alpha_hole and side // 4 <= x < 3 * side // 4 and side // 4 <= y < 3 * side // 4
            rows += bytes((200, 0, 0, 0 if hole else 255))
    head = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def file(data: bytes, name: str = "picture.png") -> tuple[str, io.BytesIO, str]:
    return name, io.BytesIO(data), "image/png"


def generates(client: openai.OpenAI) -> None:
    made = client.images.generate(model="gpt-image-2", prompt="빨간 원피스", n=2, size="256x256", quality="high")
    pictures = [base64.b64decode(one.b64_json or "") for one in made.data or []]
    assert len(pictures) == 2 and all(one.startswith(b"\x89PNG") for one in pictures)
    assert made.size == "256x256" and made.created > 0
    raw = client.images.with_raw_response.generate(prompt="코트", user="me", extra_body={"seed": 7})
    assert raw.headers["x-ignored-fields"] == "user"
    assert raw.parse().data[0].seed == 7
    linked = client.images.generate(prompt="코트", response_format="url")
    assert urllib.request.urlopen(linked.data[0].url).read().startswith(b"\x89PNG")


def streams(client: openai.OpenAI) -> None:
    kinds = []
    HOLD.touch()
    for event in client.images.generate(prompt="코트", stream=True, partial_images=2, output_format="webp"):
        kinds.append(event.type)
        HOLD.unlink(missing_ok=True)
        assert base64.b64decode(event.b64_json)[8:12] == b"WEBP"
    assert kinds[-1] == "image_generation.completed", kinds
    assert kinds[:-1] == ["image_generation.partial_image"] * (len(kinds) - 1) and len(kinds) > 1, kinds
    events = client.images.edit(image=file(png(64)), prompt="파란 원피스, 공원", stream=True)
    assert [event.type for event in events][-1] == "image_edit.completed"
    try:
        list(client.images.generate(prompt="crash", stream=True))
    except openai.APIError as error:
        assert error.code == "draw_failed", error
    else:
        raise AssertionError("a drawing that failed was not raised")


def edits(client: openai.OpenAI) -> None:
    made = client.images.edit(image=file(png(64)), mask=file(png(64, True)), prompt="파란 코트", n=2)
    assert len(made.data) == 2
    several = client.images.edit(image=[file(png(64), "a.png"), file(png(48), "b.png")], prompt="파란 원피스, 공원")
    assert len(several.data) == 2
    varied = client.images.create_variation(image=file(png(64)), n=2, size="256x256")
    assert len(varied.data) == 2


def refuses(client: openai.OpenAI) -> None:
    try:
        client.images.generate(prompt="코트", background="transparent")
    except openai.UnprocessableEntityError as error:
        assert (error.code, error.param, error.type) == ("invalid_request", "background", "invalid_request_error")
        assert "background" in error.message
    else:
        raise AssertionError("a transparent background was not refused")
    try:
        client.with_options(api_key="sk-other").models.list()
    except openai.AuthenticationError as error:
        assert error.code == "bad_token"
    else:
        raise AssertionError("another key was let in")
    assert [model.id for model in client.models.list()] == ["geuryeojwo"]
    assert client.models.retrieve("geuryeojwo").owned_by == "그려줘"
    try:
        client.models.retrieve("dall-e-3")
    except openai.NotFoundError as error:
        assert error.code == "not_found"


async def waits_beside_others() -> None:
    """The asynchronous client, several at once."""
    async with openai.AsyncOpenAI() as client:
        made = await asyncio.gather(*(client.images.generate(prompt=f"코트 {place}") for place in range(4)))
        assert [len(one.data) for one in made] == [1] * 4
        stream = await client.images.generate(prompt="코트", stream=True)
        assert [event.type async for event in stream][-1] == "image_generation.completed"


if __name__ == "__main__":
    with openai.OpenAI(max_retries=1) as only:
        for step in (generates, streams, edits, refuses):
            step(only)
            print(step.__name__, "ok", flush=True)
    asyncio.run(waits_beside_others())
    print("openai", openai.__version__, "ok")
    sys.exit(0)
