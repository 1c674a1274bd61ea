"""Files of pictures, through fsspec: a local folder by default, S3 or another store by setting.

A key is made here from a picture's id; no client ever names one. A file is written beside its place, flushed to the
disk and renamed, so that nobody reads half of one; the row that names it is written afterwards.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import fsspec

from demo.store.tables import new_id

SUFFIXES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.[a-z]+\.[a-z]+")


class DamagedFile(OSError):
    """A file whose bytes are not those that its row promises."""


class Storage:
    """Write, read and remove pictures' files by key."""

    def __init__(self, url: str) -> None:
        self.fs, self.root = fsspec.core.url_to_fs(url)
        self.local = self.fs.protocol == "file" or "file" in self.fs.protocol
        self.fs.makedirs(self.root, exist_ok=True)

    def write(self, image_id: str, stage: str, media_type: str, data: bytes) -> dict[str, str | int]:
        """Store one file of a picture; returns what its row keeps: key, bytes, sha256."""
        key = f"{image_id[:2]}/{image_id}.{stage}.{SUFFIXES[media_type]}"
        path = self._path(key)
        self.fs.makedirs(path.rsplit("/", 1)[0], exist_ok=True)
        if self.local:
            _write_durably(Path(path), data)
        else:
            self.fs.pipe_file(path, data)
        return {"key": key, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def read(self, file: dict[str, str | int]) -> bytes:
        """The bytes of a file, checked against its row. Raises FileNotFoundError, DamagedFile."""
        data: bytes = self.fs.cat_file(self._path(str(file["key"])))
        if hashlib.sha256(data).hexdigest() != file["sha256"]:
            raise DamagedFile(f"{file['key']} is damaged: {len(data)} bytes, {file['bytes']} expected")
        return data

    def remove(self, key: str) -> None:
        """Remove a file; one that is gone already is no error."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(self._path(key))

    def found(self, older_than: float = 0.0) -> Iterator[str]:
        """Every file there is, half-written ones included, older than so many seconds."""
        limit = time.time() - older_than
        for path, info in self.fs.find(self.root, detail=True).items():
            if info.get("mtime", 0) <= limit:
                yield path[len(self.root) :].lstrip("/")

    def remove_stray(self, key: str) -> None:
        """Remove a file found by `found`, whatever its name."""
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(f"{self.root}/{key}")

    def has_room(self, bytes: int) -> bool:
        """Whether so many bytes can still be written (a remote store is taken to have room)."""
        return not self.local or shutil.disk_usage(self.root).free > bytes

    def check(self) -> None:
        """Write and remove one small file. Raises OSError when that cannot be done."""
        path = f"{self.root}/.check-{new_id()}"
        self.fs.pipe_file(path, b"ok")
        self.fs.rm_file(path)

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self.root}/{key}"


def _write_durably(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{new_id()[:8]}.part")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
