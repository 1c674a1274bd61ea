"""One generation: a folder with what the store held, read through a private copy that is mapped, not loaded.

The copy is verified after it was made, and has no name any more once it is mapped: whatever happens to the folder
(cut short, overwritten, deleted), a process that has opened it goes on with what it verified.

Rows lie scope by scope in `flat.f32`. A scope of at least `exact_below` rows has a graph of its own (near.py); the
others are read exactly. So a search never reads a row that its viewer may not see, and what it finds
cannot depend on one. The manifest has every file's size and SHA-256 (the texts have their own hashes: texts.py);
`CURRENT` has the manifest's. Of a record that was removed since, the texts are overwritten in folder and copy.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
import weakref
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from index.graphs import METRIC, engine_named
from index.near import NearSearch, map_file
from index.store import Store
from index.texts import ENDS, NUMBERS, SUMS, TEXT, check_texts, locked

FORMAT = 3
MANIFEST = "manifest.json"
SPARE_BYTES = 8 << 20  # of disk that a private copy leaves free
ARRAYS = {  # file → type of its numbers
    NUMBERS: "<i8",  # (rows,) the store's numbers
    "order.i32": "<i4",  # (rows,) rows sorted by number
    "keys.u64": "<u8",  # (rows,) hashes of (scope, group), sorted
    "key_rows.i32": "<i4",  # (rows,) the row of each of them
    ENDS: "<i8",  # (2·rows,) where each id and each group ends in text.utf8
}
FLAT = "flat.f32"  # (rows, dim) of all scopes, one after another
AXES = ".axes.f32"  # ends the name of a scope's (dim, axes), beside its graph


class Damaged(ValueError):
    """A generation that must not be opened: its files are not what they should be, or not for this store."""


@dataclass(frozen=True)
class DiskSegment:
    """The rows of one scope: row `start + i` of the generation has vector `vectors[i]`."""

    start: int
    vectors: np.ndarray  # (rows, dim) float32, a view on the mapping
    near: NearSearch | None


class IndexGeneration:
    """A verified generation, locked against deletion for as long as somebody holds this object.

    `scratch`: the folder in which a private copy is made; None maps the files where they lie, for whoever has just
    written them. Raises Damaged, also where there is no room for the copy.
    """

    def __init__(self, folder: Path, manifest_sha256: str, store: Store, scratch: Path | None = None) -> None:
        try:
            manifest = self._lock(folder / MANIFEST, manifest_sha256)
            check_manifest(manifest, store)
            with _private_copy(folder, manifest, scratch) as copy:
                for name, expected in manifest["files"].items():
                    _check_file(copy / name, expected)
                check_texts(copy, manifest["text_bytes"])
                self._map(copy, manifest)
                self.name = folder.name
        except Damaged:
            raise
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise Damaged(f"{folder.name}: {error!r}") from error

    def __len__(self) -> int:
        return len(self.numbers)

    def find(self, scope: str, group: str) -> int | None:
        """Return the row that leads `group` in `scope`."""
        segment = self.segments.get(scope)
        if segment is None:
            return None
        key = np.uint64(key_hash(scope, group))
        position = int(self._keys.searchsorted(key))
        while position < len(self._keys) and self._keys[position] == key:  # more than one: hashes may collide
            row = int(self._key_rows[position])
            if 0 <= row - segment.start < len(segment.vectors) and self.group(row) == group:
                return row
            position += 1
        return None

    def rows_of(self, number: int) -> list[int]:
        """Return the rows of a record: none, one, or two if it changed scope while this was written."""
        number_of = self.numbers.__getitem__  # numpy's own search would copy the whole order
        first, end = (bisect(self._order, number, key=number_of) for bisect in (bisect_left, bisect_right))
        return [int(row) for row in self._order[first:end]]

    def number(self, row: int) -> int:
        """Return the store's number of a row."""
        number: int = self._number_at[row]
        return number

    def newest(self) -> int:
        """Return the highest number of its records, 0 if there are none."""
        return int(self.numbers[self._order[-1]]) if len(self) else 0

    def key(self, row: int) -> tuple[str, str]:
        """Return the (scope, group) that a row leads."""
        return self._scopes[bisect_right(self._starts, row) - 1], self.group(row)

    def id(self, row: int) -> str:
        """Return a row's id; NULs once it was erased."""
        return self._text[(self._end_at[2 * row - 1] if row else 0) : self._end_at[2 * row]].decode()

    def group(self, row: int) -> str:
        return self._text[self._end_at[2 * row] : self._end_at[2 * row + 1]].decode()

    def erased_in(self, scope: str) -> int:
        """Return how many rows of a scope have no texts any more: their records were removed."""
        return self._erased[scope]

    def erase(self, numbers: Iterable[int]) -> None:
        """Overwrite the texts of records in this private copy."""
        for row in (row for number in numbers for row in self.rows_of(number)):
            start, end = self._ends[2 * row - 1] if row else 0, self._ends[2 * row + 1]
            if self._text[start : start + 1] != b"\0":
                os.pwrite(self._writable, bytes(int(end - start)), int(start))
                self._erased[self._scopes[bisect_right(self._starts, row) - 1]] += 1

    def _lock(self, path: Path, sha256: str) -> dict[str, Any]:
        """Read the manifest and keep it locked: `IndexFolder.sweep` deletes no folder that is locked."""
        descriptor = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        with open(descriptor, "rb", closefd=False) as file:
            content = file.read()
        if hashlib.sha256(content).hexdigest() != sha256:
            raise Damaged(f"{path.parent.name}/{path.name} does not have the SHA-256 that CURRENT states")
        manifest: dict[str, Any] = json.loads(content)
        return manifest

    def _map(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.seq, self.n_trees, self.seconds = manifest["seq"], manifest["n_trees"], manifest["seconds"]
        self.engine: str = manifest["engine"]
        self.bytes_on_disk = sum(file["size"] for file in manifest["files"].values()) + manifest["text_bytes"]
        arrays = {name: np.frombuffer(map_file(folder / name), kind) for name, kind in ARRAYS.items()}
        self.numbers, self._order, self._keys, self._key_rows, self._ends = arrays.values()
        if len(self.numbers) != manifest["count"]:
            raise Damaged(f"{folder.name} has {len(self.numbers)} rows, its manifest says {manifest['count']}")
        self._number_at, self._end_at = self.numbers.data, self._ends.data  # one number: three times faster
        self._text = map_file(folder / TEXT)
        self._writable = os.open(folder / TEXT, os.O_RDWR)
        weakref.finalize(self, os.close, self._writable)
        dim, self.segments = manifest["dim"], {}
        flat = np.frombuffer(map_file(folder / FLAT), "<f4").reshape(-1, dim)
        for scope, start, rows, name, search_k in manifest["scopes"]:
            vectors = flat[start : start + rows]
            near = None if name is None else _open_graph(folder, self.engine, name, vectors, search_k)
            self.segments[scope] = DiskSegment(start, vectors, near)
        self._scopes = list(self.segments)
        self._starts = [segment.start for segment in self.segments.values()]
        self._erased = self._count_erased()

    def _count_erased(self) -> Counter[str]:
        begins = np.concatenate([[0], self._ends[1:-1:2]]) if len(self) else np.zeros(0, np.int64)  # of every row
        rows = np.flatnonzero(np.frombuffer(self._text, np.uint8)[begins] == 0)
        return Counter(self._scopes[bisect_right(self._starts, row) - 1] for row in rows.tolist())


def _open_graph(folder: Path, engine_name: str, name: str, vectors: np.ndarray, search_k: int) -> NearSearch:
    engine, (rows, dim) = engine_named(engine_name), vectors.shape
    axes = np.fromfile(folder / f"{name}{AXES}", "<f4").reshape(dim, -1)
    graph = engine.open(folder / f"{name}{engine.suffix}", rows, axes.shape[1])
    return NearSearch(engine, graph, vectors, axes, search_k)


def key_hash(scope: str, group: str) -> int:
    """Return 64 bits that stand for (scope, group)."""
    return int.from_bytes(hashlib.blake2b(f"{scope}\0{group}".encode(), digest_size=8).digest(), "little")


def check_manifest(manifest: dict[str, Any], store: Store) -> None:
    """Raise Damaged unless the manifest describes this store, as this encoder sees it, now or in the past."""
    wanted = {
        "format": FORMAT,
        "metric": METRIC,
        "dim": store.dim,
        "encoder_id": store.encoder_id,
        "store_id": store.store_id,
    }
    for name, value in wanted.items():
        if manifest[name] != value:
            raise Damaged(f"manifest has {name} {manifest[name]!r}, the store {value!r}")
    if manifest["seq"] > store.sequence():
        raise Damaged(f"manifest has seq {manifest['seq']}, the store only {store.sequence()}: it is older")


@contextmanager
def _private_copy(folder: Path, manifest: dict[str, Any], scratch: Path | None) -> Iterator[Path]:
    """Yield a folder with copies that nobody else writes to; their names are gone when this ends."""
    if scratch is None:
        yield folder
        return
    with _emptied(scratch) as copy:
        needed = sum(file["size"] for file in manifest["files"].values()) + manifest["text_bytes"]
        if (free := shutil.disk_usage(copy).free) < needed + SPARE_BYTES:
            raise OSError(f"a private copy takes {needed >> 20} MB, {free >> 20} MB are free")
        for name in manifest["files"]:
            _copy(folder / name, copy / name)
        with locked(folder, exclusive=False):
            for name in (TEXT, SUMS):
                _copy(folder / name, copy / name)
        yield copy


@contextmanager
def _emptied(scratch: Path) -> Iterator[Path]:
    """Yield a new folder in `scratch`, or among the system's temporary ones where that is read-only."""
    guard = None
    try:
        scratch.mkdir(mode=0o700, parents=True, exist_ok=True)
        guard = os.open(scratch, os.O_RDONLY)
        fcntl.flock(guard, fcntl.LOCK_SH)  # `IndexFolder.sweep` empties the folder while nobody has this
        made = Path(tempfile.mkdtemp(dir=scratch))
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise
        made = Path(tempfile.mkdtemp(prefix="index-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)
        if guard is not None:
            os.close(guard)


def _copy(source: Path, target: Path) -> None:
    """Copy a file inside the kernel where it can (a clone, on file systems that have those)."""
    with source.open("rb") as read, target.open("xb") as written:
        target.chmod(0o600)
        left = os.fstat(read.fileno()).st_size
        if hasattr(os, "copy_file_range"):
            try:
                while left > 0 and (done := os.copy_file_range(read.fileno(), written.fileno(), left)):
                    left -= done
            except OSError as error:
                if error.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EPERM):
                    raise
        if left > 0:
            shutil.copyfileobj(read, written)


def _check_file(path: Path, expected: dict[str, Any]) -> None:
    size = path.stat().st_size
    if size != expected["size"]:
        raise Damaged(f"{path.parent.name}/{path.name} has {size} bytes, not {expected['size']}")
    with path.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != expected["sha256"]:
            raise Damaged(f"{path.parent.name}/{path.name} does not have its manifest's SHA-256")
