"""Real clients of other people's run against a real server, each in an environment of its own (`make clients`).

Where an environment is absent its tests are skipped; with REQUIRE_CLIENTS, as CI has it, that is a failure.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from demo_server import UNLIMITED, Client, Server

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "tests" / "clients"
SECONDS = 240


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("clients"), LOG_LEVEL="WARNING", **UNLIMITED)
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
    run([python_of(environment), "openai_images.py"], OPENAI_BASE_URL=f"{server.url}/v1", OPENAI_API_KEY=token)


def test_scripts_for_openai_in_node_run_unchanged(server: Server, token: str) -> None:
    run([node_with("openai"), "openai_images.mjs"], OPENAI_BASE_URL=f"{server.url}/v1", OPENAI_API_KEY=token)
