"""`python -m demo mcp`: what keeps it from serving is said, and nobody else's machine acts by one's token."""

from __future__ import annotations

import argparse
import sys

import pytest

from demo.ops import mcp_command
from demo.store.settings import Settings


def arguments(**given: object) -> argparse.Namespace:
    return argparse.Namespace(**{"studio": None, "http": 5001, "host": "127.0.0.1", "language": "ko"} | given)


def test_without_the_sdk_the_cure_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "demo.client.mcp_server", raising=False)
    for name in [name for name in sys.modules if name == "mcp" or name.startswith("mcp.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ValueError, match="requirements-mcp.txt"):
        mcp_command.serve(Settings(), arguments())


def test_a_token_is_not_lent_to_other_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    server = pytest.importorskip("demo.client.mcp_server", reason="no mcp: pip install -r requirements-mcp.txt")
    with pytest.raises(ValueError, match="STUDIO_TOKEN"):
        mcp_command.serve(Settings(studio_token="gr_x"), arguments(host="0.0.0.0"))
    served: list[tuple] = []
    monkeypatch.setattr(server, "serve_http", lambda *given: served.append(given))
    assert mcp_command.serve(Settings(port=5002), arguments(host="0.0.0.0")) == 0
    assert served == [(server.StudioAccess("http://127.0.0.1:5002", None, "ko"), "0.0.0.0", 5001)]
