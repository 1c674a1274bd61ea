"""Backups: a folder with a consistent copy of the database, every picture that it names, and the secrets; and back.

    database.sqlite  files/ab/<id>.<stage>.<suffix>  secret_key  admin_token  manifest.json

A backup is made while the studio runs (SQLite's backup API) and is verified: SQLite's check, and every file against
the SHA-256 that its row promises. It holds what was deleted afterwards: see docs/how-to/serve.md, Damage and backups.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from demo.ops.supervisor import hold
from demo.store.database import BACKUPS, Database, open_database
from demo.store.installation import installation_id
from demo.store.settings import Settings
from demo.store.storage import DamagedFile, Storage

logger = logging.getLogger(__name__)
DATABASE, FILES, MANIFEST = "database.sqlite", "files", "manifest.json"
SECRETS = ("secret_key", "admin_token")
ROUNDS = 10  # snapshots at most, until none of its pictures was deleted while they were copied
COPY = re.compile(r"\d{8}T\d{6}-before-(\d{4}|restore)")


@dataclass
class Backup:
    """What a backup holds; `missing`: pictures that the studio itself could not read."""

    folder: Path
    pictures: int = 0
    bytes: int = 0
    missing: list[str] = field(default_factory=list)


def default_folder(settings: Settings) -> Path:
    """A new name in DATA_DIR/backups."""
    return settings.data_dir / BACKUPS / time.strftime("%Y%m%dT%H%M%S")


def back_up(settings: Settings, database: Database, storage: Storage, folder: Path) -> Backup:
    """Write a verified backup into a new folder. Raises ValueError, OSError, ServiceError database_damaged."""
    if folder.exists():
        raise FileExistsError(f"{folder} is there already: a backup takes a new folder")
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for made_folder in (part, part / FILES):
        made_folder.mkdir(mode=0o700, parents=True)
    installation = installation_id(database, storage)
    missing = _copy_pictures(database, storage, part)
    for name in SECRETS:
        if (settings.data_dir / name).exists():
            _write(part / name, (settings.data_dir / name).read_bytes())
    digest = _digest(part / DATABASE)
    manifest = {"installation": installation, "revision": database.revision(), "made_at": time.time(),
                "database_sha256": digest, "missing": missing}  # fmt: skip
    _write(part / MANIFEST, json.dumps(manifest, indent=1).encode())
    made = verify(part)
    part.rename(folder)
    logger.info("backup %s: %d pictures, %.1f MB", folder, made.pictures, made.bytes / 1e6)
    return Backup(folder, made.pictures, made.bytes, missing)


def verify(folder: Path) -> Backup:
    """Check a backup against itself. Raises ValueError naming the first thing that is wrong."""
    manifest = _manifest(folder)
    if _digest(folder / DATABASE) != manifest["database_sha256"]:
        raise ValueError(f"{folder / DATABASE} is not the file that {MANIFEST} names: use another backup")
    with contextlib.closing(_open(folder / DATABASE)) as database:
        if (found := database.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise ValueError(f"{folder / DATABASE} is damaged ({found}): use another backup")
    made = Backup(folder, missing=list(manifest["missing"]))
    for key, file in _named(folder / DATABASE).items():
        if key in made.missing:
            continue
        path = folder / FILES / key
        if not path.exists() or _digest(path) != file["sha256"]:
            raise ValueError(f"{path} is missing or damaged: use another backup")
        made.pictures += 1
        made.bytes += path.stat().st_size
    return made


def restore(settings: Settings, folder: Path) -> Backup:
    """Put a backup in the place of database and secrets, and its pictures where they are missing.

    What was there is moved to DATA_DIR/backups. Raises ValueError, and SettingsError while the studio runs.
    """
    made, manifest = verify(folder), _manifest(folder)
    if settings.database_url:
        raise ValueError("DATABASE_URL is set: a backup of SQLite goes into DATA_DIR; use the database's own tools")
    settings.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    storage = Storage(settings.files_url)
    with hold(settings, "serve"):
        if storage.installation() not in (None, manifest["installation"]):
            raise ValueError(f"the pictures at {storage.root} belong to another installation: set STORAGE_URL")
        _move_aside(settings)
        _write(settings.data_dir / "studio.sqlite", (folder / DATABASE).read_bytes())
        for name in SECRETS:
            if (folder / name).exists():
                _write(settings.data_dir / name, (folder / name).read_bytes())
        for key in _named(folder / DATABASE):
            if key not in made.missing and not storage.holds(key):
                storage.put(key, (folder / FILES / key).read_bytes())
        storage.mark(manifest["installation"])
        open_database(settings).close()  # of an older version: upgraded
    return made


def remove_old_copies(data_dir: Path, older_than: float) -> int:
    """Delete copies that were made by themselves (before a migration or restore) so many seconds ago or more."""
    gone = 0
    with contextlib.suppress(FileNotFoundError):
        for folder in (data_dir / BACKUPS).iterdir():
            if COPY.fullmatch(folder.name) and time.time() - folder.stat().st_mtime >= older_than:
                shutil.rmtree(folder, ignore_errors=True)
                gone += 1
    return gone


def _copy_pictures(database: Database, storage: Storage, part: Path) -> list[str]:
    """Copy a database and its pictures, until none was deleted in between; returns keys that cannot be read."""
    copied: set[str] = set()
    missing: list[str] = []
    for _ in range(ROUNDS):
        (part / DATABASE).unlink(missing_ok=True)
        database.copy(part / DATABASE)
        named, before, missing = _named(part / DATABASE), missing, []
        for key, file in named.items():
            if key not in copied:
                try:
                    _write(part / FILES / key, storage.read(file))
                    copied.add(key)
                except (FileNotFoundError, DamagedFile) as error:
                    logger.warning("backup: %s", error)
                    missing.append(key)
        for key in copied - named.keys():
            (part / FILES / key).unlink()
        copied &= named.keys()
        if not missing or missing == before:
            break
    return missing


def _move_aside(settings: Settings) -> None:
    aside = settings.data_dir / BACKUPS / f"{time.strftime('%Y%m%dT%H%M%S')}-before-restore"
    names = ("studio.sqlite", "studio.sqlite-wal", "studio.sqlite-shm", *SECRETS)
    for path in (settings.data_dir / name for name in names):
        if path.exists():
            aside.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.rename(aside / path.name)
    shutil.rmtree(settings.index_dir, ignore_errors=True)  # is built anew from the database


def _manifest(folder: Path) -> dict:
    try:
        found = json.loads((folder / MANIFEST).read_text())
        return {name: found[name] for name in ("installation", "database_sha256", "missing")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{folder} is not a backup ({error!r}): name a folder that `backup` wrote") from error


def _named(database: Path) -> dict[str, dict]:
    """Every file that the rows of a database name, by key."""
    with contextlib.closing(_open(database)) as opened:
        rows: Iterator[tuple[str]] = opened.execute("SELECT files FROM images")
        return {file["key"]: file for (files,) in rows for file in json.loads(files).values()}


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.touch(mode=0o600)
    part.write_bytes(data)
    part.replace(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
