"""The studio as tools of the Model Context Protocol: an assistant draws, edits, searches and shows pictures.

In: calls of an MCP client, over stdio or streamable HTTP. Out: text and pictures (PNG). Every call goes to a running
studio by its JSON API, as the person of a token: one that was given at the start or, over HTTP, the caller's own
(`Authorization: Bearer`). A call that the client cancels cancels its job. Needs requirements-mcp.txt.
Ref: modelcontextprotocol.io, specification of 2025-11-25; the SDK `mcp` 2.3.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import anyio
import httpx
from mcp.server.mcpserver import Context, Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import ToolAnnotations
from pydantic import Field, ValidationError

from demo.client.answers import PastDrawing, RemoteDrawing, RemotePicture, StudioError
from demo.client.studio import AsyncStudio
from jobspec import Draw, Edit, Job
from jobspec.fields import Count, PictureId, Seed, Steps

INSTRUCTIONS = (
    "Draws pictures in the studio 그려줘 from Korean or English prompts; with the checkpoint that ships, clothes and "
    "hanbok. Pictures are private to the person whose token is used, and are marked as made by AI. Use search_similar "
    "where the person asks for what may have been drawn before, and edit to change single words of a picture."
)
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
ADDS = ToolAnnotations(read_only_hint=False, destructive_hint=False, open_world_hint=False)
Content = list[str | Image]


@dataclass(frozen=True)
class StudioAccess:
    """Where the studio is and who asks; `token` None: over HTTP, each caller by their own."""

    url: str
    token: str | None
    language: str = "ko"


def build(access: StudioAccess) -> MCPServer:
    """The server with its tools; nothing is connected yet."""
    server: MCPServer = MCPServer("geuryeojwo", title="그려줘", instructions=INSTRUCTIONS, log_level="WARNING")

    @server.tool(title="그림 그리기", annotations=ADDS, structured_output=False)
    async def draw(
        ctx: Context,
        prompt: Annotated[str, Field(description="What to draw, Korean or English: 빨간 체크무늬 원피스")],
        negative_prompt: Annotated[str, Field(description="What should not be there.")] = "",
        n: Annotated[Count, Field(description="How many pictures.")] = 1,
        seed: Annotated[Seed | None, Field(description="The same seed draws the same picture again.")] = None,
        steps: Annotated[Steps | None, Field(description="Steps; null: the checkpoint's.")] = None,
        style: Annotated[str | None, Field(description="A name of list_styles.")] = None,
    ) -> Content:
        """Draw pictures from words and wait for them."""
        asked = {"prompt": prompt, "negative_prompt": negative_prompt, "n": n, "seed": seed, "steps": steps}
        return await _made(access, ctx, Draw, asked | {"style": style})

    @server.tool(title="그림 고치기", annotations=ADDS, structured_output=False)
    async def edit(
        ctx: Context,
        picture_id: Annotated[PictureId, Field(description="Of a picture that was drawn or found.")],
        replace: Annotated[
            dict[str, str] | None, Field(description='Words of its prompt and what is to stand there: {"빨간": "파란"}')
        ] = None,
        prompt: Annotated[str, Field(description="In place of replace: what it is to show, as a sentence.")] = "",
        n: Annotated[Count, Field(description="How many pictures.")] = 1,
    ) -> Content:
        """Change words of a picture's prompt and keep the rest of the picture."""
        words = [{"from": old, "to": new} for old, new in (replace or {}).items()]
        asked = {"source_image": picture_id, "replace": words, "prompt": prompt, "n": n}
        return await _made(access, ctx, Edit, asked)

    @server.tool(title="비슷한 그림 찾기", annotations=READS, structured_output=False)
    async def search_similar(
        ctx: Context,
        query: Annotated[str, Field(min_length=1, description="A prompt; Korean finds English, and back.")],
        k: Annotated[int, Field(ge=1, le=20, description="How many.")] = 5,
    ) -> str:
        """Find past drawings near to a prompt: one's own and public ones, with the ids of their pictures."""
        async with _studio(access, ctx) as studio:
            return _lines([_past(one) for one in await studio.search(query, k)])

    @server.tool(title="그림체 보기", annotations=READS, structured_output=False)
    async def list_styles(ctx: Context) -> str:
        """List the styles that can be drawn in."""
        async with _studio(access, ctx) as studio:
            return _lines([
                {"name": style.name, "label": style.label.get(access.language, style.name), "example": style.example}
                for style in await studio.styles()
            ])  # fmt: skip

    @server.tool(title="그림 보기", annotations=READS, structured_output=False)
    async def get_picture(
        ctx: Context, picture_id: Annotated[PictureId, Field(description="Of a picture that was drawn or found.")]
    ) -> Content:
        """Show a picture, and what it was drawn from."""
        async with _studio(access, ctx) as studio:
            info = await studio.info(picture_id)
            recipe = info.get("recipe") or {}
            told = {name: recipe[name] for name in ("prompt", "negative_prompt", "settings") if name in recipe}
            return [_lines([_picture(RemotePicture.of(info)) | told]), Image(data=await studio.read(picture_id))]

    return server


def serve_stdio(access: StudioAccess) -> None:
    """Speak MCP over standard input and output until they are closed."""
    build(access).run("stdio")


def serve_http(access: StudioAccess, host: str, port: int) -> None:
    """Serve MCP at http://host:port/mcp. The SDK refuses other `Host` and `Origin` names on loopback."""
    build(access).run("streamable-http", host=host, port=port)


@asynccontextmanager
async def _studio(access: StudioAccess, ctx: Context) -> AsyncIterator[AsyncStudio]:
    """The studio as whoever calls; its refusals are the tool's. Raises ToolError."""
    token = _callers_token(ctx) or access.token
    try:
        async with AsyncStudio(access.url, token, language=access.language, progress=False) as studio:
            yield studio
    except StudioError as error:
        raise ToolError(str(error)) from error
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ToolError(f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    except httpx.TransportError as error:
        raise ToolError(f"no studio answers at {access.url}: start it with `make run`, or name another") from error


def _callers_token(ctx: Context) -> str | None:
    request = ctx.request_context.request
    header = request.headers.get("authorization", "") if request is not None else ""
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" and token.strip() else None


async def _made(access: StudioAccess, ctx: Context, kind: type[Job], asked: dict[str, Any]) -> Content:
    """Run a job, telling how far it is, and show its pictures."""
    async with _studio(access, ctx) as studio:
        drawing = await _followed(studio, kind.model_validate(asked), ctx)
        files = [await studio.read(picture) for picture in drawing.pictures]
    told: dict[str, Any] = {"generation_id": drawing.id, "prompt": drawing.prompt}
    if drawing.warnings:
        told["warnings"] = list(drawing.warnings)
    pictures = [_picture(picture) for picture in drawing.pictures]
    return [_lines([told, *pictures]), *(Image(data=file) for file in files)]


async def _followed(studio: AsyncStudio, job: Job, ctx: Context) -> RemoteDrawing:
    """The job once it has succeeded; its steps are told beside, always forward."""
    seen, news = anyio.create_memory_object_stream[RemoteDrawing](1000)
    failed: StudioError | None = None
    drawing: RemoteDrawing | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(_tell, news, ctx)
        with seen:
            try:
                drawing = await studio.run(job, watch=seen.send_nowait)
            except StudioError as error:  # raised outside, where it is no group of errors
                failed = error
    if drawing is None:
        raise failed or StudioError("cancelled", "the job was cancelled")
    return drawing


async def _tell(news: Any, ctx: Context) -> None:
    told = -1.0
    async with news:
        async for drawing in news:
            stage = {"base": 0.0, "refiner": 0.5}.get(drawing.stage, 0.0)
            share = 1.0 if drawing.status == "succeeded" else stage + drawing.done * (0.5 if drawing.stage else 0.0)
            if share > told:
                told = share
                await ctx.report_progress(share, 1.0, drawing.stage or drawing.status)


def _past(one: PastDrawing) -> dict[str, Any]:
    return {"prompt": one.prompt, "score": round(one.score, 3), "mine": one.mine,
            "picture_ids": [picture.id for picture in one.pictures]}  # fmt: skip


def _picture(picture: RemotePicture) -> dict[str, Any]:
    return {"picture_id": picture.id, "seed": picture.seed, "size": f"{picture.width}x{picture.height}"}


def _lines(found: Sequence[dict[str, Any]]) -> str:
    """One JSON object a line."""
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in found) or "(nothing)"
