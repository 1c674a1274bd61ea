"""Real clients of other people's run against a real server, each in an environment of its own (`make clients`).

Where an environment is absent its tests are skipped; with REQUIRE_CLIENTS, as CI has it, that is a failure.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from demo_server import UNLIMITED, Client, Server, free_port
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tests" / "clients"
SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("clients")
    server = Server(folder, LOG_LEVEL="WARNING", A1111="token", **UNLIMITED)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def token(server: Server) -> str:
    return Client(server.url).call("POST", "/me/tokens", {"name": "clients"})[1]["token"]


def run(command: Sequence[str | Path], **environment: str) -> None:
    """Run a client's script; what it printed is shown where it fails."""
    ran = subprocess.run(
        command, env=os.environ | environment, cwd=SCRIPTS, check=False, capture_output=True, text=True, timeout=SECONDS
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr


def run_for_openai(command: Sequence[str | Path], server: Server, token: str) -> None:
    hold = server.holds / "base"  # the script makes it, and removes it when it has seen a picture on the way
    try:
        run(command, OPENAI_BASE_URL=f"{server.url}/v1", OPENAI_API_KEY=token, HOLD=str(hold))
    finally:
        hold.unlink(missing_ok=True)


def python_of(name: str) -> Path:
    """The interpreter of an environment, or a skip that says how to make it."""
    return _there(ROOT / ".clients" / name / "bin" / "python", f"no environment {name}: make clients")


def node_with(package: str) -> str:
    _there(SCRIPTS / "node_modules" / package, f"no {package} for Node.js: make clients")
    return str(_there(Path(shutil.which("node") or "node"), "no Node.js"))


def _there(path: Path, reason: str) -> Path:
    if not path.exists():
        assert "REQUIRE_CLIENTS" not in os.environ, reason
        pytest.skip(reason)
    return path


@pytest.mark.parametrize("environment", ["openai2", "openai3"])
def test_scripts_for_openai_run_unchanged(server: Server, token: str, environment: str) -> None:
    run_for_openai([python_of(environment), "openai_images.py"], server, token)


def test_scripts_for_openai_in_node_run_unchanged(server: Server, token: str) -> None:
    run_for_openai([node_with("openai"), "openai_images.mjs"], server, token)


def test_scripts_for_a1111_run_unchanged(server: Server, token: str) -> None:
    run([python_of("a1111"), "a1111_api.py", server.url, token])


def test_many_asynchronous_drawings_wait_beside_each_other(server: Server, token: str) -> None:
    from demo.client import AsyncStudio

    async def scene() -> None:
        async with AsyncStudio(server.url, token) as studio:
            drawings = await asyncio.gather(*(studio.draw(f"코트 {place}", n=1) for place in range(5)))
            assert [drawing.status for drawing in drawings] == ["succeeded"] * 5
            assert Image.open(io.BytesIO(await studio.read(drawings[0].pictures[0]))).format == "PNG"

    asyncio.run(scene())


MCP = [sys.executable, "-m", "demo", "mcp"]


@contextlib.contextmanager
def mcp_over_http(server: Server) -> Iterator[str]:
    """`python -m demo mcp --http`, whose callers send tokens of their own."""
    port = free_port()
    command = [*MCP, "--studio", server.url, "--http", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"LOG_LEVEL": "WARNING"})
    try:
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.terminate()
        process.wait(60)


def pictures_of(result: object) -> list[Image.Image]:
    return [Image.open(io.BytesIO(base64.b64decode(one.data))) for one in result.content if one.type == "image"]


def facts_of(result: object) -> list[dict]:
    return [json.loads(line) for line in result.content[0].text.splitlines()]


def test_an_assistant_draws_edits_finds_and_shows_over_stdio(server: Server, token: str) -> None:
    mcp = pytest.importorskip("mcp", reason="no mcp: pip install -r requirements-mcp.txt")
    where = mcp.StdioServerParameters(
        command=MCP[0], args=[*MCP[1:], "--studio", server.url], cwd=str(ROOT),
        env={**os.environ, "STUDIO_TOKEN": token, "LOG_LEVEL": "WARNING"},
    )  # fmt: skip

    async def scene() -> None:
        steps: list[float] = []

        async def hear(progress: float, _total: float | None, _message: str | None) -> None:
            steps.append(progress)

        async with mcp.Client(mcp.stdio_client(where)) as client:
            tools = {tool.name: tool for tool in (await client.list_tools()).tools}
            assert set(tools) == {"draw", "edit", "search_similar", "list_styles", "get_picture"}
            assert all(tool.description and tool.title for tool in tools.values())
            assert "prompt" in tools["draw"].input_schema["required"]
            drawn = await client.call_tool("draw", {"prompt": "빨간 원피스", "n": 2, "seed": 7}, progress_callback=hear)
            assert not drawn.is_error and len(pictures_of(drawn)) == 2, drawn
            assert steps == sorted(steps) and steps[-1] == 1.0
            told, first, second = facts_of(drawn)
            assert (told["prompt"], first["seed"], second["seed"]) == ("빨간 원피스", 7, 8)
            edited = await client.call_tool("edit", {"picture_id": first["picture_id"], "replace": {"빨간": "파란"}})
            assert facts_of(edited)[0]["prompt"].startswith("파란 원피스") and len(pictures_of(edited)) == 1
            found = facts_of(await client.call_tool("search_similar", {"query": "빨간 원피스"}))
            assert found[0]["mine"] and found[0]["picture_ids"]
            shown = await client.call_tool("get_picture", {"picture_id": first["picture_id"]})
            assert facts_of(shown)[0]["prompt"] == "빨간 원피스" and len(pictures_of(shown)) == 1
            assert "minhwa" in (await client.call_tool("list_styles")).content[0].text
            refused = await client.call_tool("draw", {"prompt": "원피스", "style": "고흐"})
            assert refused.is_error and "unknown_style" in refused.content[0].text
            assert (await client.call_tool("draw", {"prompt": "원피스", "n": 99})).is_error

    asyncio.run(asyncio.wait_for(scene(), SECONDS))


def test_mcps_own_inspector_lists_the_tools_and_calls_them(server: Server, token: str) -> None:
    """Over stdio and over HTTP; the inspector fails where an answer is not of the protocol's form."""
    inspector = _there(SCRIPTS / "node_modules" / ".bin" / "mcp-inspector", "no inspector of MCP: make clients")
    stdio = ["-e", f"STUDIO_TOKEN={token}", "-e", "LOG_LEVEL=WARNING", *MCP, "--studio", server.url]

    def inspect(where: Sequence[str], method: str, *more: str) -> dict:
        command = [str(inspector), "--cli", *where, "--method", method, *more]
        ran = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=SECONDS)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        return json.loads(ran.stdout)

    with mcp_over_http(server) as url:
        asyncio.run(asyncio.wait_for(_answers(url), SECONDS))
        for where in (stdio, [url, "--transport", "http", "--header", f"Authorization: Bearer {token}"]):
            tools = {tool["name"]: tool for tool in inspect(where, "tools/list")["tools"]}
            assert set(tools) == {"draw", "edit", "search_similar", "list_styles", "get_picture"}
            assert all(tool["title"] and tool["inputSchema"]["type"] == "object" for tool in tools.values())
            said = ("--tool-name", "draw", "--tool-arg", "prompt=빨간 원피스", "--tool-arg", "n=2")
            kinds = [part["type"] for part in inspect(where, "tools/call", *said)["content"]]
            assert kinds == ["text", "image", "image"]
            assert inspect(where, "tools/call", "--tool-name", "draw", "--tool-arg", "n=2")["isError"]
            assert inspect(where, "resources/list")["resources"] == inspect(where, "prompts/list")["prompts"] == []


def test_over_http_every_caller_is_the_person_of_their_token(server: Server, token: str) -> None:
    mcp = pytest.importorskip("mcp", reason="no mcp: pip install -r requirements-mcp.txt")
    import httpx2
    from mcp.client.streamable_http import streamable_http_client

    async def scene(url: str) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        http = httpx2.AsyncClient(headers=headers, timeout=SECONDS)
        async with http, mcp.Client(streamable_http_client(url, http_client=http)) as client:
            drawn = await client.call_tool("draw", {"prompt": "초록 코트"})
            id = facts_of(drawn)[1]["picture_id"]
            assert len(pictures_of(await client.call_tool("get_picture", {"picture_id": id}))) == 1
        async with mcp.Client(url) as stranger:
            refused = await stranger.call_tool("get_picture", {"picture_id": id})
            assert refused.is_error and "not_found" in refused.content[0].text

    with mcp_over_http(server) as url:
        asyncio.run(asyncio.wait_for(_answers(url), SECONDS))
        asyncio.run(asyncio.wait_for(scene(url), SECONDS))


async def _answers(url: str) -> None:
    import httpx

    async with httpx.AsyncClient() as client:
        while True:
            with contextlib.suppress(httpx.TransportError):
                await client.get(url)
                return
            await asyncio.sleep(0.1)


def test_a_call_that_the_assistant_cancels_cancels_the_job(server: Server, token: str) -> None:
    mcp = pytest.importorskip("mcp", reason="no mcp: pip install -r requirements-mcp.txt")
    where = mcp.StdioServerParameters(
        command=MCP[0], args=[*MCP[1:], "--studio", server.url], cwd=str(ROOT),
        env={**os.environ, "STUDIO_TOKEN": token, "LOG_LEVEL": "WARNING"},
    )  # fmt: skip
    from demo.client import AsyncStudio

    async def scene() -> None:
        begun = asyncio.Event()

        async def hear(_progress: float, _total: float | None, _message: str | None) -> None:
            begun.set()

        async with AsyncStudio(server.url, token) as studio, mcp.Client(mcp.stdio_client(where)) as client:
            call = asyncio.create_task(
                client.call_tool("draw", {"prompt": "그만둘 그림", "steps": 77}, progress_callback=hear)
            )
            await begun.wait()
            call.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await call
            while (newest := (await studio.mine(1))[0]).status in ("queued", "running"):
                await asyncio.sleep(0.1)
            assert newest.prompt == "그만둘 그림" and newest.status == "cancelled"

    with server.held("base"):
        asyncio.run(asyncio.wait_for(scene(), SECONDS))
