"""A real studio in processes of its own, over the stand-in models or over what ships, and a client that speaks HTTP
to it."""

from __future__ import annotations

import contextlib
import http.client
import http.cookiejar
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path

from demo_fakes import model_folders
from demo_holds import FOLDER, held

HERE = Path(__file__).resolve().parent
NO_LIMIT = "1000000/minute"  # whoever looks twenty times a second on a slow machine looks more than 3,000 times
UNLIMITED = dict.fromkeys(("RATE_WRITES", "RATE_READS", "RATE_NEWCOMERS", "RATE_ADDRESS"), NO_LIMIT)
PATIENCE = 240.0  # seconds: a machine that trains beside the tests starts a process in a minute


class Server:
    """`serve` in a process group of its own; `children()` finds web and worker.

    `shipped`: with the checkpoint, the encoder and the starter gallery of the repository, as `make run` has it.
    """

    def __init__(self, folder: Path, shipped: bool = False, **environment: str) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, *(["-m", "demo"] if shipped else [str(HERE / "demo_fakes.py")]), "serve"]
        self.holds = folder / "holds"
        self.holds.mkdir(exist_ok=True)
        models = {name.upper(): path for name, path in model_folders(folder).items()} | {"STARTER": ""}
        self.environment = os.environ | ({} if shipped else models) | {
            "PORT": str(self.port), "DATA_DIR": str(folder / "data"), "PYTHONPATH": str(HERE.parent),
            "OMP_NUM_THREADS": "1", "LEASE_SECONDS": "10", "ENGINE": "torch",
            FOLDER: str(self.holds),
        } | environment  # fmt: skip
        self.process: subprocess.Popen | None = None

    def start(self, seconds: float = PATIENCE) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self.command, env=self.environment, stdout=log, stderr=log, start_new_session=True, cwd=HERE.parent
        )
        log.close()
        self.wait_until_ready(seconds)

    def wait_until_ready(self, seconds: float = PATIENCE) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if Client(self.url).call("GET", "//readyz")[0] == 200:
                    return
            alive = self.process.poll() is None
            assert alive and time.monotonic() < deadline, (self.folder / "log").read_text()[-3000:]
            time.sleep(0.05)

    def held(self, stage: str, prompt: str = "") -> AbstractContextManager[None]:
        """Have drawings stand still meanwhile at the end of `stage`: all, or those with `prompt` in theirs."""
        return held(self.holds, stage, prompt)

    def children(self) -> dict[str, int]:
        """Process ids of web (the server that answers) and worker."""
        found: dict[str, int] = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode().split("\0")
                parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
                if parent == self.process.pid and str(HERE / "demo_fakes.py") in words:
                    found[words[2]] = int(entry.name)
        return found

    def answering(self) -> int | None:
        """The process under the web parent that really answers."""
        web = self.children().get("web")
        if web is None:
            return None
        with contextlib.suppress(OSError):
            inner = Path(f"/proc/{web}/task/{web}/children").read_text().split()
            return int(inner[0]) if inner else web
        return None

    def stop(self, number: int = signal.SIGTERM) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(number)
        if self.process is not None:
            self.process.wait(PATIENCE)


class Client:
    """One browser over real HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._open = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """(status, JSON); paths as in demo_client. Raises OSError when nobody answers, or dies while answering."""
        url = self.url + (path[1:] if path.startswith("//") else "/api/v1" + path)
        data = None if body is None else json.dumps(body).encode()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(url, data, {"Content-Type": "application/json"} | named, method=method)
        try:
            with self._open.open(request, timeout=PATIENCE) as reply:
                return reply.status, json.loads(reply.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")
        except http.client.HTTPException as error:  # half an answer
            raise ConnectionError(str(error)) from error

    def patiently(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
        """The same, again and again while nobody answers or the server says 503."""
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError, ValueError):
                status, answer = self.call(method, path, body, **headers)
                if status != 503:
                    return status, answer
            assert time.monotonic() < deadline, f"{method} {path} was not answered"
            time.sleep(0.05)

    def until_end(self, id: str, seconds: float = PATIENCE, every: float = 0.05) -> dict:
        """The generation once it has ended; it is asked for `every` so many seconds."""
        deadline = time.monotonic() + seconds
        while True:
            status, answer = self.patiently("GET", f"/generations/{id}")
            assert status == 200, answer
            if answer["status"] in ("succeeded", "failed", "cancelled"):
                return answer
            assert time.monotonic() < deadline, answer
            time.sleep(every)

    def events(self, id: str) -> Iterator[str]:
        """The names of a generation's events as they come."""
        with self._open.open(f"{self.url}/api/v1/generations/{id}/events", timeout=PATIENCE) as reply:
            for line in reply:
                if line.startswith(b"event: "):
                    yield line[7:].decode().strip()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def quote(text: str) -> str:
    return urllib.parse.quote(text)
