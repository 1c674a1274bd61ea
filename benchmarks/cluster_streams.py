"""What one more event stream costs: memory of the web process, and its processor time while nothing happens.

`python -m benchmarks.cluster_streams [--streams 400]` starts a studio over SQLite whose drawing sleeps for hours.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.cluster import PROGRAM, TICKS, UNLIMITED
from benchmarks.service_load import Browser
from testing.cluster_servers import free_port

SECONDS = 20.0


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks.cluster_streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=400)
    arguments = parser.parse_args(argv)
    folder, port = Path(tempfile.mkdtemp(prefix="streams-")), free_port()
    for name in ("encoder", "checkpoint"):
        (folder / name).mkdir()
    (folder / "checkpoint" / "manifest.json").write_text('{"stages": {"base": {}}, "domain": ""}')
    environment = os.environ | UNLIMITED | {
        "DATA_DIR": str(folder / "data"), "PORT": str(port), "STARTER": "", "SLEEP_SECONDS": "36000", "BATCH": "1",
        "ENCODER": str(folder / "encoder"), "CHECKPOINT": str(folder / "checkpoint"), "OMP_NUM_THREADS": "1",
        "LOG_LEVEL": "WARNING", "STREAMS": "5000", "CONNECTIONS": "6000", "CONNECTIONS_PER_ADDRESS": "0",
    }  # fmt: skip
    process = subprocess.Popen([sys.executable, str(PROGRAM), "serve"], env=environment, start_new_session=True)
    try:
        wait_until_ready(port)
        measure(process.pid, port, arguments.streams)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def measure(parent: int, port: int, count: int) -> None:
    person = Browser(port)
    ids = [person.call("POST", "/api/v1/generations", {"prompt": f"코트 {i}", "n": 1})[1]["id"] for i in range(20)]
    web = web_process(parent)
    memory, idle = resident(web), busy(web)
    streams = [follow(port, person.cookie, ids[i % len(ids)]) for i in range(count)]
    time.sleep(2.0)
    more, busier = resident(web), busy(web)
    each = (more - memory) / count
    print("| streams | web process MB | KB a stream | CPU % idle | CPU % with streams |\n|---|---|---|---|---|")
    print(f"| {count} | {more / 1e6:.0f} | {each / 1e3:.1f} | {idle:.1f} | {busier:.1f} |")
    for stream in streams:
        stream.close()


def follow(port: int, cookie: str, id: str) -> http.client.HTTPConnection:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    line.request("GET", f"/api/v1/generations/{id}/events", headers={"Cookie": cookie})
    reply = line.getresponse()
    assert reply.status == 200, reply.status
    reply.readline()
    line.kept = reply  # type: ignore[attr-defined]  # so that it stays open
    return line


def wait_until_ready(port: int) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            line.request("GET", "/readyz")
            if line.getresponse().status == 200:
                return
        time.sleep(0.2)
    raise SystemExit("the studio was not ready in time")


def web_process(parent: int) -> int:
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, IndexError, ValueError):
            words = (entry / "cmdline").read_bytes().decode().split("\0")
            above = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if above == parent and "web" in words:
                return int(entry.name)
    raise SystemExit("there is no web process")


def resident(pid: int) -> int:
    """Bytes."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def busy(pid: int) -> float:
    """Share of one core that a process takes, in per cent."""

    def spent() -> int:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    before = spent()
    time.sleep(SECONDS)
    return (spent() - before) / TICKS / SECONDS * 100


if __name__ == "__main__":
    sys.exit(main())
