"""Drafts on their way from the web process to a worker of the same machine and back: through sockets, never the disk.

A draft is a picture of an unfinished prompt. Nobody has asked for it to be kept, so there is no row and no file of it:
a worker listens at DATA_DIR/drafts/<its name>.sock, the web process sends one job and waits for one picture. Of one
person the newest draft counts; the one before is answered without a picture. A worker on another machine takes none.
"""

from __future__ import annotations

import json
import logging
import os
import random
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

logger = logging.getLogger(__name__)
MOST_WAITING = 16  # at one worker; more are answered without a picture
READ_SECONDS = 1.0  # for the web process to send what it has ready
MAX_MESSAGE = 4 * 2**20
_HEAD = struct.Struct("<II")  # bytes of the JSON, bytes of the picture
_MOST_PATH = 100  # of a socket's path: the kernel takes 107 bytes
DRAWN, NONE, FAILED, FLAGGED = "drawn", "none", "failed", "flagged"


@dataclass(frozen=True)
class Answer:
    """What became of a draft: drawn (`picture` is a file), none (overtaken, or gave way), failed, flagged."""

    status: str
    picture: bytes = b""
    detail: str = ""


class Draft:
    """One draft that waits at a worker; `spec` is a job's row form."""

    def __init__(self, person: str, spec: dict[str, object], until: float, connection: socket.socket) -> None:
        self.person, self.spec = person, spec
        self._until, self._connection = until, connection
        self._answered = threading.Lock()

    def wanted(self) -> bool:
        """Whether somebody still waits: it was not overtaken, its time is not over, the other end has not gone."""
        if self._answered.locked() or time.monotonic() > self._until:
            return False
        try:
            return self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def answer(self, answer: Answer) -> None:
        """Send the answer, the first time; whoever has gone does not matter."""
        if not self._answered.acquire(blocking=False):
            return
        with suppress(OSError), closing(self._connection):
            self._connection.settimeout(READ_SECONDS)
            _send(self._connection, {"status": answer.status, "detail": answer.detail}, answer.picture)


class DraftDesk:
    """Where a worker takes drafts; `arrived` is set with each one that comes."""

    def __init__(self, folder: Path, name: str, arrived: threading.Event) -> None:
        self._folder, self._path, self._arrived = folder, folder / f"{name}.sock", arrived
        self._lock = threading.Lock()
        self._waiting: dict[str, Draft] = {}  # by person, the longest waiting first
        self._listener: socket.socket | None = None

    def open(self) -> bool:
        """Begin to listen; False, and a line in the log, where this machine has no such sockets."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            with _short(self._path) as path:
                listener.bind(path)
            self._path.chmod(0o600)
            listener.listen(MOST_WAITING)
        except (OSError, AttributeError) as error:
            logger.warning("no drafts are drawn, %s cannot be listened at: %s", self._path, error)
            return False
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="drafts", daemon=True).start()
        return True

    def close(self) -> None:
        """Listen no more; who waits is answered without a picture."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)
        while (draft := self.take()) is not None:
            draft.answer(Answer(NONE))

    def take(self) -> Draft | None:
        """The draft that has waited longest and is still wanted."""
        while True:
            with self._lock:
                person = next(iter(self._waiting), None)
                draft = self._waiting.pop(person) if person is not None else None
            if draft is None or draft.wanted():
                return draft
            draft.answer(Answer(NONE))

    def newer(self, draft: Draft) -> bool:
        """Whether the person of a draft that was taken has sent another one since."""
        return draft.person in self._waiting

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:  # closed
                return
            try:
                connection.settimeout(READ_SECONDS)
                asked, _ = _receive(connection)
                person, spec, seconds = str(asked["person"]), asked["spec"], asked["seconds"]
                if not isinstance(spec, dict) or not isinstance(seconds, int | float):
                    raise ValueError("a draft is a person, the row form of a job, and seconds")
                connection.settimeout(None)  # `wanted` looks without waiting, which a timeout would wait for
                self._put(Draft(person, spec, time.monotonic() + seconds, connection))
            except (OSError, ValueError, KeyError) as error:
                logger.warning("a draft could not be read: %s", type(error).__name__)
                connection.close()

    def _put(self, draft: Draft) -> None:
        with self._lock:
            overtaken = self._waiting.pop(draft.person, None)
            full = len(self._waiting) >= MOST_WAITING
            if not full:
                self._waiting[draft.person] = draft
        if overtaken is not None:
            overtaken.answer(Answer(NONE))
        if full:
            draft.answer(Answer(NONE))
        self._arrived.set()


def ask(folder: Path, person: str, spec: dict[str, object], seconds: float) -> Answer | None:
    """Have a worker of this machine draw a draft, and wait for it; None where no worker listens."""
    for path in _sockets(folder):
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(seconds)
            try:
                with _short(path) as address:
                    connection.connect(address)
                _send(connection, {"person": person, "spec": spec, "seconds": seconds}, b"")
            except FileNotFoundError:
                continue
            except OSError as error:
                if isinstance(error, ConnectionRefusedError):  # its worker is dead
                    path.unlink(missing_ok=True)
                continue
            try:
                said, picture = _receive(connection)
                return Answer(str(said["status"]), picture, str(said["detail"]))
            except (OSError, ValueError, KeyError):  # too late, or the worker ended meanwhile
                return Answer(NONE)
    return None


def _sockets(folder: Path) -> list[Path]:
    found = list(folder.glob("*.sock"))
    random.shuffle(found)
    return found


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A path that the kernel takes: through the open folder where the whole one is too long for a socket."""
    if len(os.fsencode(path)) <= _MOST_PATH:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


def _send(connection: socket.socket, said: dict[str, object], picture: bytes) -> None:
    text = json.dumps(said).encode()
    connection.sendall(_HEAD.pack(len(text), len(picture)) + text + picture)


def _receive(connection: socket.socket) -> tuple[dict[str, object], bytes]:
    """Raises ValueError for what is no message, OSError."""
    text_size, picture_size = _HEAD.unpack(_exactly(connection, _HEAD.size))
    if text_size + picture_size > MAX_MESSAGE:
        raise ValueError(f"a message of {text_size + picture_size} bytes: at most {MAX_MESSAGE}")
    said = json.loads(_exactly(connection, text_size))
    if not isinstance(said, dict):
        raise ValueError("a message is a JSON object")
    return said, _exactly(connection, picture_size)


def _exactly(connection: socket.socket, size: int) -> bytes:
    got = bytearray()
    while len(got) < size:
        piece = connection.recv(size - len(got))
        if not piece:
            raise ConnectionError("the other end has gone")
        got += piece
    return bytes(got)
