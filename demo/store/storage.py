"""Files of pictures, through fsspec: a local folder by default, S3 or another store by setting.

A key is made here from a picture's id; no client ever names one. A file is written beside its place, flushed to the
disk and renamed, so that nobody reads half of one; the row that names it is written afterwards. The folder may hold
other people's files: nothing is touched but names that are made here, and `studio.json`, which says whose they are.
What no row names is moved to `.quarantine/` and deleted days later; until then a row that does name it has it back.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from demo.store.remote import asked, open_remote
from demo.store.tables import new_id

SUFFIXES = {"image/png": "png", "image/webp": "webp", "image/jpeg": "jpg"}
KEY = re.compile(r"[0-9a-f]{2}/[0-9a-f]{32}\.[a-z]+\.(?:png|webp|jpg)")
PART = re.compile(r"[0-9a-f]{2}/\.[0-9a-f]{32}\.[a-z]+\.(?:png|webp|jpg)\.[0-9a-f]{8}\.part")
PREFIX = re.compile(r"[0-9a-f]{16}")
FOLDER = re.compile(r"[0-9a-f]{2}")
MARK, QUARANTINE, PROBE = "studio.json", ".quarantine", ".check-"


class DamagedFile(OSError):
    """A file whose bytes are not those that its row promises."""


class Storage:
    """Write, read and remove pictures' files by key. `where`: a local folder, or an fsspec URL with `://` in it."""

    def __init__(self, where: str | Path) -> None:
        if isinstance(where, Path) or "://" not in where:  # taken as it is: `%`, `?` and `::` are letters of a path
            self.fs, self.root = LocalFileSystem(), str(Path(where).absolute())
        else:
            self.fs, self.root = open_remote(where)
        self.local = self.fs.protocol == "file" or "file" in self.fs.protocol
        if self.local:
            Path(self.root).mkdir(mode=0o700, parents=True, exist_ok=True)
        elif not str(where).startswith("s3"):  # a bucket is not made here: its name may be wrong
            self._ask(self.fs.makedirs, self.root, exist_ok=True)

    def write(self, image_id: str, stage: str, media_type: str, data: bytes) -> dict[str, str | int]:
        """Store one file of a picture; returns what its row keeps: key, bytes, sha256. Raises OSError."""
        key = f"{image_id[:2]}/{image_id}.{stage}.{SUFFIXES[media_type]}"
        self.put(key, data)
        return {"key": key, "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}

    def put(self, key: str, data: bytes) -> None:
        """Store bytes under a key that `write` once made. Raises OSError."""
        path = self._path(key)
        if self.local:
            Path(path).parent.mkdir(mode=0o700, exist_ok=True)
            _write_durably(Path(path), data)
        else:
            self._ask(self.fs.pipe_file, path, data)

    def read(self, file: dict[str, str | int]) -> bytes:
        """The bytes of a file, checked against its row. Raises FileNotFoundError, DamagedFile."""
        key = str(file["key"])
        try:
            data: bytes = self._ask(self.fs.cat_file, self._path(key))
        except FileNotFoundError:
            self._move(f"{QUARANTINE}/{key}", key)  # a row names it after all
            data = self._ask(self.fs.cat_file, self._path(key))
        if not self.local and hashlib.sha256(data).hexdigest() != file["sha256"]:
            data = self._ask(self.fs.cat_file, self._path(key))  # a connection may have broken half way
        if hashlib.sha256(data).hexdigest() != file["sha256"]:
            raise DamagedFile(f"{file['key']} is damaged: {len(data)} bytes, {file['bytes']} expected")
        return data

    def signed_url(self, file: dict[str, str | int], seconds: int) -> str | None:
        """A URL by which anybody may read a file for so long, from the store itself; None where there is no such thing.

        Nothing is asked of the store. Raises OSError.
        """
        if self.local or not hasattr(self.fs, "sign"):
            return None
        return str(self._ask(self.fs.sign, self._path(str(file["key"])), expiration=seconds))

    def holds(self, key: str) -> bool:
        """Whether there is a file under a key."""
        return bool(self._ask(self.fs.exists, self._path(key)))

    def remove(self, key: str) -> None:
        """Remove a file, from the quarantine too; one that is gone already is no error."""
        for path in (self._path(key), f"{self.root}/{QUARANTINE}/{key}"):
            with contextlib.suppress(FileNotFoundError):
                self._ask(self.fs.rm_file, path)

    def remove_all_of(self, prefix: str) -> None:
        """Remove every file of pictures whose ids begin so, half-written and quarantined ones too."""
        if not PREFIX.fullmatch(prefix):
            raise ValueError(f"not the beginning of a picture's id: {prefix!r}")
        self.fs.invalidate_cache()
        for folder in (f"{self.root}/{prefix[:2]}", f"{self.root}/{QUARANTINE}/{prefix[:2]}"):
            for info in self._list(folder):
                name = str(info["name"]).rsplit("/", 1)[-1]
                known = KEY.fullmatch(f"{prefix[:2]}/{name}") or PART.fullmatch(f"{prefix[:2]}/{name}")
                if known and name.removeprefix(".").startswith(prefix):
                    with contextlib.suppress(FileNotFoundError):
                        self._ask(self.fs.rm_file, f"{folder}/{name}")

    def found(self, older_than: float = 0.0) -> Iterator[str]:
        """Every file with a name that is made here, half-written ones included, older than so many seconds.

        The age is by the clock of the store. A file whose age the store does not tell is not found.
        """
        yield from self._named("", older_than)

    def quarantine(self, key: str) -> None:
        """Take a file found by `found` out of the way."""
        self._move(key, f"{QUARANTINE}/{key}")

    def empty_quarantine(self, older_than: float) -> int:
        """Delete what has lain in the quarantine for so many seconds; returns how many files."""
        keys = list(self._named(f"{QUARANTINE}/", older_than))
        for key in keys:
            with contextlib.suppress(FileNotFoundError):
                self._ask(self.fs.rm_file, f"{self.root}/{QUARANTINE}/{key}")
        return len(keys)

    def installation(self) -> str | None:
        """Which installation's database the files here belong to; None where none has said so."""
        try:
            return str(json.loads(self._ask(self.fs.cat_file, f"{self.root}/{MARK}"))["installation"])
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError):
            return f"an unreadable {MARK}"

    def mark(self, installation: str) -> None:
        """Say which installation's database the files here belong to."""
        data = json.dumps({"installation": installation}).encode()
        if self.local:
            _write_durably(Path(self.root) / MARK, data)
        else:
            self._ask(self.fs.pipe_file, f"{self.root}/{MARK}", data)

    def free_bytes(self) -> int | None:
        """Bytes that can still be written; None where the store does not say."""
        return shutil.disk_usage(self.root).free if self.local else None

    def check(self) -> None:
        """Write and remove one small file. Raises OSError when that cannot be done."""
        self._probe()

    def _named(self, prefix: str, older_than: float) -> Iterator[str]:
        """Keys under `prefix` that match KEY or PART and were last changed so many seconds ago."""
        self.fs.invalidate_cache()
        limit = self._probe() - older_than
        for folder in self._list(f"{self.root}/{prefix}".rstrip("/")):
            name = str(folder["name"]).rstrip("/").rsplit("/", 1)[-1]
            if folder["type"] != "directory" or not FOLDER.fullmatch(name):
                continue
            for info in self._list(str(folder["name"])):
                key, moment = f"{name}/{str(info['name']).rsplit('/', 1)[-1]}", _modified(info)
                known = KEY.fullmatch(key) or PART.fullmatch(key)
                if known and info["type"] == "file" and moment is not None and moment <= limit:
                    yield key

    def _list(self, path: str) -> list[dict[str, object]]:
        try:
            return list(self._ask(self.fs.ls, path, detail=True))
        except FileNotFoundError:
            return []

    def _probe(self) -> float:
        """Write and remove one small file; returns the moment that the store gave it."""
        path = f"{self.root}/{PROBE}{new_id()}"
        self._ask(self.fs.pipe_file, path, b"ok")
        try:
            self.fs.invalidate_cache()
            moment = _modified(self._ask(self.fs.info, path))
        finally:
            self._ask(self.fs.rm_file, path)
        return float("-inf") if moment is None else moment

    def _move(self, source: str, target: str) -> None:
        """Rename a file; what has moved is as old as this moment. Raises FileNotFoundError."""
        before, after = f"{self.root}/{source}", f"{self.root}/{target}"
        if self.local:
            Path(after).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.utime(before)
            Path(before).replace(after)
        else:
            self._ask(self.fs.copy, before, after)
            self._ask(self.fs.rm_file, before)

    def _ask(self, call: Callable[..., Any], *given: object, **named: object) -> Any:
        """A call to the file system. Raises FileNotFoundError, OSError."""
        return call(*given, **named) if self.local else asked(self.root, call, *given, **named)

    def _path(self, key: str) -> str:
        if not KEY.fullmatch(key):
            raise ValueError(f"not a storage key: {key!r}")
        return f"{self.root}/{key}"


def _modified(info: dict[str, object]) -> float | None:
    """Seconds since 1970 of a listing's entry, as local folders (mtime) and S3 (LastModified) have it."""
    for name in ("mtime", "LastModified", "last_modified", "updated"):
        moment = info.get(name)
        if isinstance(moment, datetime):
            return moment.timestamp()
        if isinstance(moment, int | float):
            return float(moment)
    return None


def _write_durably(path: Path, data: bytes) -> None:
    part = path.with_name(f".{path.name}.{new_id()[:8]}.part")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123
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
