"""`python -m demo mcp`: the studio as tools for an assistant, over stdio or HTTP."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from demo.store.settings import Settings

CURE = "the MCP server needs the package mcp: pip install -r requirements-mcp.txt"


def add_mcp_command(command: Callable[..., argparse.ArgumentParser]) -> None:
    serving = command(serve, "mcp", "Offer a running studio to assistants by the Model Context Protocol (stdio).")
    serving.add_argument("--studio", metavar="URL", help="the studio (default http://HOST:PORT of the settings)")
    serving.add_argument("--http", metavar="PORT", type=int, help="serve streamable HTTP at this port, not stdio")
    serving.add_argument("--host", default="127.0.0.1", help="address to listen on with --http (default 127.0.0.1)")
    serving.add_argument("--language", choices=("ko", "en"), default="ko", help="of messages (default ko)")


def serve(settings: Settings, arguments: argparse.Namespace) -> int:
    """Serve until the client leaves. Raises ValueError."""
    try:
        from demo.client import mcp_server
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in ("mcp", "mcp_types"):
            raise
        raise ValueError(CURE) from error
    url = arguments.studio or f"http://{settings.host}:{settings.port}"
    access = mcp_server.StudioAccess(url, settings.studio_token or None, arguments.language)
    if arguments.http is None:
        mcp_server.serve_stdio(access)
        return 0
    if access.token and not settings.model_copy(update={"host": arguments.host}).loopback:
        raise ValueError(
            f"--host {arguments.host} can be reached from other machines, and whoever reaches it would act by "
            "STUDIO_TOKEN: leave that out, then every client sends a token of its own"
        )
    mcp_server.serve_http(access, arguments.host, arguments.http)
    return 0
