"""One parent that starts and watches its children: web server and worker, one of each unless settings say otherwise.

The parent holds the listening socket, so that requests wait instead of failing while the web process is restarted. A
child that dies is started again, and so is one that hangs: each sends a byte every two seconds through a line that only
it and the parent hold. Both end when the parent does, however it ends: the line then breaks.

Of our own rather than gunicorn's arbiter: that one watches the processes it forked itself and no others, so the worker
would need a second parent; it forks after threads were started; and it passes no kill test that this does not.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import IO

from demo.ops.signals import on_end
from demo.store.settings import Settings, SettingsError

logger = logging.getLogger(__name__)
GRACE_SECONDS = 12.0
ORPHAN_SECONDS = 60.0  # how long the children of a killed parent may take to notice, while they load
SHORT_LIFE = 10.0  # a child that lived for less is started again ever more slowly
BACKLOG = 512
BEAT_SECONDS = 2.0
HUNG_SECONDS = 60.0  # a child that has spoken and is silent for so long is killed, and started again
STARTING_SECONDS = 300.0  # until the first byte: a busy machine takes a minute to start an interpreter
# OpenMP threads that spin while they wait take the cores from the web process, and from each other on a busy machine
QUIET_THREADS = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
FEW_HEAPS = {"MALLOC_ARENA_MAX": "4"}  # glibc keeps what threads freed in up to eight heaps a core
COMMAND = (sys.executable, "-m", "demo")


@dataclass
class Child:
    """A process that should be running."""

    name: str
    arguments: Sequence[str]
    fds: tuple[int, ...]
    process: subprocess.Popen | None = None
    line: socket.socket | None = None  # the child's beats come here
    started: float = 0.0
    heard: float | None = None  # when it last spoke
    pause: float = 0.2
    due: float = field(default=0.0)

    def start(self) -> None:
        self.started, self.heard = time.monotonic(), None
        environment = QUIET_THREADS | FEW_HEAPS | os.environ
        self.close()
        self.line, theirs = socket.socketpair()
        self.line.setblocking(False)
        with theirs:
            arguments = (*self.arguments, "--parent", str(theirs.fileno()))
            fds = (*self.fds, theirs.fileno())
            self.process = subprocess.Popen(arguments, pass_fds=fds, start_new_session=True, env=environment)
        logger.info("%s runs as process %d", self.name, self.process.pid)

    def close(self) -> None:
        if self.line is not None:
            self.line.close()

    def look(self) -> bool:
        """Start it when it is due, and say so; note when it has died, kill it when it hangs."""
        self._listen()
        now = time.monotonic()
        if self.process is None:
            if now >= self.due:
                self.start()
                return True
        elif (code := self.process.poll()) is not None:
            self.pause = 0.2 if now - self.started > SHORT_LIFE else min(5.0, self.pause * 2)
            logger.warning("%s ended with %d; starting it again in %.1f s", self.name, code, self.pause)
            self.process, self.due = None, now + self.pause
        elif now - (self.heard or self.started) > (HUNG_SECONDS if self.heard else STARTING_SECONDS):
            logger.warning("%s (process %d) has been silent for too long and is killed", self.name, self.process.pid)
            self.process.kill()
        return False

    def _listen(self) -> None:
        with contextlib.suppress(OSError):
            while self.line is not None and self.line.recv(4096):
                self.heard = time.monotonic()


def serve(settings: Settings, command: Sequence[str] = COMMAND) -> int:
    """Run until SIGINT or SIGTERM; returns the exit status. Raises SettingsError."""
    settings.check_listening()
    os.umask(0o077)
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with hold(settings, "serve") as lock, listen(settings, _groups(lock)) as listener:
        stop = threading.Event()
        on_end(stop.set)
        host, port = listener.getsockname()[:2]
        fd = listener.fileno()
        children = [Child("web", (*command, "web", "--fd", str(fd)), (fd,)) for _ in range(settings.web_processes)]
        children += [Child("worker", (*command, "worker"), ()) for _ in range(settings.workers)]
        logger.info("그려줘 listens on http://%s:%d/", host, port)
        while not stop.is_set():
            started = [child.look() for child in children]
            if any(started):
                _note_groups(lock, children)
            stop.wait(0.1)
        logger.info("stopping")
        end(children)
    return 0


def end(children: Sequence[Child]) -> None:
    """Ask children to end, and make them when they do not."""
    running = [child.process for child in children if child.process is not None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + GRACE_SECONDS
    for process in running:
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for child in children:
        child.close()


def listen(settings: Settings, before: Sequence[int] = ()) -> socket.socket:
    """The listening socket. Raises SettingsError when the address cannot be had.

    `before`: process groups of a parent that was killed. Those hold its socket until they notice, and are waited for.
    """
    deadline = time.monotonic() + ORPHAN_SECONDS
    while True:
        try:
            return _bound(settings.host, settings.port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or time.monotonic() >= deadline or not any(map(_lives, before)):
                where = f"{settings.host}:{settings.port}"
                raise SettingsError(f"cannot listen on {where} ({error}): set HOST or PORT") from error
        time.sleep(0.1)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


def _note_groups(lock: IO[str], children: Sequence[Child]) -> None:
    """Write the children's process groups where the next parent finds them; the lock's file holds nothing else."""
    lock.truncate(0)
    lock.write(" ".join(str(child.process.pid) for child in children if child.process is not None))
    lock.flush()


def _groups(lock: IO[str]) -> list[int]:
    lock.seek(0)
    return [int(word) for word in lock.read().split() if word.isdigit()]


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except OSError:
        return False
    return True


def hold(settings: Settings, name: str, wait: float = 0.0) -> IO[str]:
    """Hold the lock `name` of the data folder until closed or dead. Raises SettingsError when somebody else does."""
    file = (settings.data_dir / f"{name}.lock").open("a+")
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return file
        except OSError as error:
            if time.monotonic() >= deadline:
                file.close()
                raise SettingsError(
                    f"another {name} process works on {settings.data_dir}: stop it, or set DATA_DIR"
                ) from error
            time.sleep(0.05)


def follow_parent(line: int | None) -> None:
    """Beat to the parent through the line it gave, and end this process as soon as the parent has ended."""
    if line is None:
        return
    ours = socket.socket(fileno=line)
    ours.setblocking(False)

    def watch() -> None:
        try:
            while True:
                with contextlib.suppress(BlockingIOError):
                    ours.send(b".")
                if select.select([ours], [], [], BEAT_SECONDS)[0] and ours.recv(1) == b"":
                    os._exit(1)
        except OSError:
            os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()
