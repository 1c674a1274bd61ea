"""The index folder: which generation is current, who may build the next, and what can be deleted.

CURRENT                        names a generation, with the SHA-256 of its manifest; swapped by rename
lease                          locked by whoever builds (the kernel frees it when that process ends)
generations/<seq>-<random>/    one generation each; the name says what it has seen of the store
private/                       copies that processes are just making for themselves (see generation.py)
erase                          since when a removed record's vector waits to leave the files
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import shutil
import time
import uuid
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from index import texts
from index.generation import MANIFEST, Damaged, IndexGeneration
from index.store import Store

logger = logging.getLogger(__name__)
CURRENT, LEASE, GENERATIONS, PRIVATE, ERASE = "CURRENT", "lease", "generations", "private", "erase"


class IndexFolder:
    """The files of one index on this machine; all of them can be deleted at any time."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.generations = self.path / GENERATIONS
        self.scratch = self.path / PRIVATE

    def current(self) -> tuple[str, str] | None:
        """Return (generation name, SHA-256 of its manifest), None if there is none. Raises Damaged."""
        try:
            pointer = json.loads((self.path / CURRENT).read_bytes())
            name, sha256 = pointer["generation"], pointer["manifest_sha256"]
            _seq_in(str(name))
            return name, sha256
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise Damaged(f"{CURRENT}: {error!r}") from error

    def open_current(self, store: Store) -> IndexGeneration | None:
        """Verify and open the current generation. None if there is none. Raises Damaged."""
        pointer = self.current()
        while pointer is not None:
            try:
                return IndexGeneration(self.generations / pointer[0], pointer[1], store, self.scratch)
            except Damaged:
                before, pointer = pointer, self.current()
                if pointer == before:  # not merely replaced and swept while it was being opened
                    raise
        return None

    def publish(self, name: str, manifest_sha256: str) -> None:
        """Make a complete, flushed generation the current one."""
        draft = self.path / f"{CURRENT}.{uuid.uuid4().hex[:8]}"
        draft.write_text(json.dumps({"generation": name, "manifest_sha256": manifest_sha256}))
        flush(draft)
        draft.replace(self.path / CURRENT)
        flush(self.path)

    def new_generation(self, seq: int) -> Path:
        """Make an empty folder for a generation that has seen the store up to `seq`."""
        folder = self.generations / f"{seq:016d}-{uuid.uuid4().hex[:8]}"
        folder.mkdir(parents=True)
        return folder

    @contextmanager
    def lease(self, wait: bool = False) -> Iterator[int | None]:
        """Yield the descriptor of the lock that builders hold, None while another one holds it.

        A child process that inherits the descriptor keeps the lease even when its parent dies.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path / LEASE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                yield None
            else:
                yield descriptor
        finally:
            os.close(descriptor)

    def sweep(self, keep: str | None) -> None:
        """Delete every generation but `keep` that no reader has open. Only for the lease's holder."""
        for folder in self._folders():
            if folder.name != keep and _unused(folder / MANIFEST):
                shutil.rmtree(folder, ignore_errors=True)
        for draft in self.path.glob(f"{CURRENT}.*"):
            draft.unlink(missing_ok=True)
        self._sweep_private()

    def sweep_unfinished(self) -> None:
        """Delete what a build left that was cut off: it may be what fills the disk. Only for the lease's holder."""
        for folder in self._folders():
            if not (folder / MANIFEST).exists():
                shutil.rmtree(folder, ignore_errors=True)

    def leftovers(self, keep: str | None) -> bool:
        """Say whether there is a generation other than `keep`."""
        return any(folder.name != keep for folder in self._folders())

    def all_have_seen(self, seq: int) -> bool:
        """Say whether every generation on disk was built after the store's change `seq`."""
        try:
            return all(_seq_in(folder.name) >= seq for folder in self._folders())
        except ValueError:  # a folder that is not ours to judge
            return False

    # Erasing: the texts at once, the vectors by a rebuild that is due some time after the first removal

    def erase_texts(self, numbers: Collection[int]) -> None:
        """Overwrite the texts of removed records in every generation on disk."""
        for folder in self._folders() if numbers else ():
            if texts.erase(folder, numbers):
                logger.info("index: texts of removed records are overwritten in %s", folder.name)

    def note_removal(self) -> None:
        """Note that a vector waits to leave the files, unless an earlier one does already."""
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with (self.path / ERASE).open("x") as file:
                file.write(f"{time.time()}\n")
        except FileExistsError:
            pass

    def removal_age(self, most: float) -> float:
        """Return for how many seconds the first removal has waited, `most` at most; 0.0 where none was noted.

        It is counted by the wall clock, since it goes on over restarts; where that makes no sense it is `most`.
        """
        try:
            age = time.time() - float((self.path / ERASE).read_text())
        except FileNotFoundError:
            return 0.0
        except (OSError, ValueError):
            return most
        return age if 0 <= age <= most else most

    def forget_removal(self) -> None:
        (self.path / ERASE).unlink(missing_ok=True)

    def require_space(self, needed: int) -> None:
        """Raise OSError before anything is written that would not fit: a full disk kills Annoy's process."""
        self.generations.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.generations).free
        if free < needed:
            text = f"a new generation takes about {needed >> 20} MB, {free >> 20} MB are free"
            raise OSError(errno.ENOSPC, text, str(self.path))

    def _sweep_private(self) -> None:
        """Delete copies that processes were making when they died, unless one is being made now."""
        try:
            guard = os.open(self.scratch, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            fcntl.flock(guard, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for copy in self.scratch.iterdir():
                shutil.rmtree(copy, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(guard)

    def _folders(self) -> list[Path]:
        try:
            return [entry for entry in self.generations.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []


def flush(path: Path) -> None:
    """Wait until a file, or a folder's list of names, is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _seq_in(name: str) -> int:
    seq, _, random = name.partition("-")
    if not (seq.isdecimal() and len(random) == 8 and random.isalnum()):
        raise ValueError(f"{name!r} is not a generation's name")
    return int(seq)


def _unused(manifest: Path) -> bool:
    try:
        with manifest.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:  # a build that never finished, or a damaged folder
        return True
    except BlockingIOError:
        return False
    return True
