"""Write a generation from the store: streamed, on one core, in this process or in a child of its own.

A child process keeps Annoy's work, and whatever might crash it, away from the readers. It runs as
`python -m index.build`, takes its orders as JSON on stdin (the database's address is in them, so that it
stands in no process list), and holds the lease that it inherits.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import logging
import os
import subprocess
import sys
import time
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from shutil import rmtree
from typing import BinaryIO

import numpy as np
import sqlalchemy as sa

from index.annoy_file import METRIC, AnnoyFile, build_annoy, choose_search_k
from index.folder import IndexFolder, flush
from index.generation import ARRAYS, FLAT, FORMAT, MANIFEST, IndexGeneration, key_hash
from index.options import IndexOptions, tuned
from index.records import Leader
from index.store import Store
from index.texts import SUMS, TEXT, write_sums

logger = logging.getLogger(__name__)


def build(folder: IndexFolder, store: Store, options: IndexOptions, lease: int) -> None:
    """Build, verify and publish a generation; the caller holds the lease. Raises OSError, RuntimeError."""
    if options.own_process and reachable(store.engine.url):
        _build_in_child(folder, store, options, lease)
    else:
        build_here(folder, store, options)


def build_here(folder: IndexFolder, store: Store, options: IndexOptions) -> None:
    """Build, verify and publish a generation in this process; leave nothing behind if that fails."""
    started = time.monotonic()
    options = tuned(options, folder.path)
    sizes = store.scope_sizes()
    folder.require_space(_bytes_needed(sizes, store.dim, options))
    target = folder.new_generation(store.sequence())
    try:
        sha256 = _write(target, store, options, sizes, started)
        rows = len(IndexGeneration(target, sha256, store))  # verified as every reader will
    except BaseException:
        rmtree(target, ignore_errors=True)
        raise
    folder.publish(target.name, sha256)
    folder.sweep(keep=target.name)
    logger.info("index: built %s with %d rows in %.1f s", target.name, rows, time.monotonic() - started)


def reachable(url: sa.URL) -> bool:
    """Say whether another process can open the database at `url`."""
    in_memory = url.database in (None, "", ":memory:") or "mode=memory" in str(url)
    return not (url.get_backend_name() == "sqlite" and in_memory)


def _build_in_child(folder: IndexFolder, store: Store, options: IndexOptions, lease: int) -> None:
    orders = {
        "url": store.engine.url.render_as_string(hide_password=False),
        "folder": str(folder.path),
        "dim": store.dim,
        "encoder_id": store.encoder_id,
        "options": asdict(options),
    }
    package_root = str(Path(__file__).resolve().parents[1])
    paths = [package_root, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    child = subprocess.run(
        [sys.executable, "-m", "index.build"],
        input=json.dumps(orders),
        text=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
        pass_fds=(lease,),
        check=False,
    )
    if child.returncode != 0:
        folder.sweep_unfinished()
        lines = child.stderr.strip().splitlines() or [f"signal {-child.returncode}; is the disk full?"]
        raise RuntimeError(f"the index was not rebuilt, the one before is still used: {lines[-1]}")
    logger.info("%s", (child.stderr.strip().splitlines() or ["index: built"])[-1])


def _write(target: Path, store: Store, options: IndexOptions, sizes: dict[str, int], started: float) -> str:
    """Write all files of a generation, flushed; return the SHA-256 of its manifest."""
    seq = int(target.name.split("-")[0])
    scopes: list[list[object]] = []
    with (target / FLAT).open("wb") as flat, (target / TEXT).open("wb") as text:
        rows = _Rows(text)
        for scope, leaders in itertools.groupby(store.every_leader(), key=lambda leader: leader.scope):
            start, annoy_name, search_k = len(rows.numbers), None, 0
            vectors = rows.note(leaders)
            if sizes.get(scope, 0) >= options.exact_below:
                annoy_name = f"{len(scopes)}.ann"
                build_annoy(target / annoy_name, vectors, store.dim, options.trees)
                search_k = _search_k(target / annoy_name, store.dim, len(rows.numbers) - start, options)
            else:
                flat.writelines(vector.astype("<f4").tobytes() for vector in vectors)
            scopes.append([scope, start, len(rows.numbers) - start, annoy_name, search_k])
    rows.write_arrays(target)
    write_sums(target)
    files = {path.name: _sealed(path) for path in sorted(target.iterdir())}
    text_bytes = files.pop(TEXT)["size"]
    del files[SUMS]
    manifest = {
        "format": FORMAT,
        "metric": METRIC,
        "dim": store.dim,
        "encoder_id": store.encoder_id,
        "store_id": store.store_id,
        "seq": seq,
        "n_trees": options.trees,
        "recall": options.target,
        "count": len(rows.numbers),
        "scopes": scopes,
        "files": files,
        "text_bytes": text_bytes,
        "seconds": round(time.monotonic() - started, 3),
    }
    content = json.dumps(manifest, ensure_ascii=False).encode()
    (target / MANIFEST).write_bytes(content)
    for path in (target / MANIFEST, target, target.parent):
        flush(path)
    return hashlib.sha256(content).hexdigest()


def _search_k(path: Path, dim: int, count: int, options: IndexOptions) -> int:
    point = choose_search_k(AnnoyFile(path, dim, count, 0), options.target)[-1]
    logger.info(
        "index: %s, %d rows, n_trees %d: search_k %d for recall@10 %.3f, surely %.3f",
        path.name,
        count,
        options.trees,
        point.search_k,
        point.recall,
        point.sure,
    )
    return point.search_k


class _Rows:
    """Everything about the rows but their vectors, written as they come by."""

    def __init__(self, text: BinaryIO) -> None:
        self.numbers, self._keys, self._ends = array("q"), array("Q"), array("q")
        self._text = text

    def note(self, leaders: Iterable[Leader]) -> Iterator[np.ndarray]:
        """Note each leader and pass its vector on."""
        for leader in leaders:
            self.numbers.append(leader.number)
            self._keys.append(key_hash(leader.scope, leader.group))
            for name in (leader.id, leader.group):
                self._text.write(name.encode())
                self._ends.append(self._text.tell())
            yield leader.vector

    def write_arrays(self, target: Path) -> None:
        numbers, keys, ends = np.array(self.numbers), np.array(self._keys), np.array(self._ends)
        order, by_key = np.argsort(numbers, kind="stable"), np.argsort(keys, kind="stable")
        arrays = (numbers, order, keys[by_key], by_key, ends)
        for (name, kind), values in zip(ARRAYS.items(), arrays, strict=True):
            values.astype(kind).tofile(target / name)


def _sealed(path: Path) -> dict[str, int | str]:
    """Flush a file, make it read-only (but for the texts, parts of which are erased), return its size and SHA-256."""
    flush(path)
    path.chmod(0o600 if path.name in (TEXT, SUMS) else 0o400)
    with path.open("rb") as file:
        return {"size": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _bytes_needed(sizes: dict[str, int], dim: int, options: IndexOptions) -> int:
    """Estimate a generation's largest size while it is written: Annoy grows its file by 1.3."""
    annoy_rows = sum(rows for rows in sizes.values() if rows >= options.exact_below)
    nodes = annoy_rows * (1 + 4 * options.trees / dim)  # leaves hold about dim items, half full
    flat_rows = sum(sizes.values()) - annoy_rows
    return int(1.3 * nodes * (12 + 4 * dim)) + flat_rows * 4 * dim + 256 * sum(sizes.values()) + (8 << 20)


def main() -> None:
    """Carry out the orders on stdin."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    os.nice(10)
    os.umask(0o077)
    orders = json.load(sys.stdin)
    engine = sa.create_engine(orders["url"])
    store = Store(engine, orders["dim"], orders["encoder_id"])
    try:
        build_here(IndexFolder(orders["folder"]), store, IndexOptions(**orders["options"]))
    except (OSError, ValueError) as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
