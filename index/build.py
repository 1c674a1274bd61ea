"""Write a generation from the store: streamed, on one core, in this process or in a child of its own.

A child process keeps the engine's work, and whatever might crash it, away from the readers. It runs as
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

from index.folder import IndexFolder, flush
from index.generation import ARRAYS, AXES, FLAT, FORMAT, MANIFEST, IndexGeneration, key_hash
from index.graphs import METRIC, engine_named
from index.near import MOST_AXES, NearSearch, build_graph, choose_search_k, map_file, principal_axes
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
    with (target / FLAT).open("wb") as flat, (target / TEXT).open("wb") as text:
        rows, ends = _Rows(text), {}
        for scope, leaders in itertools.groupby(store.every_leader(), key=lambda leader: leader.scope):
            flat.writelines(vector.astype("<f4").tobytes() for vector in rows.note(leaders))
            ends[scope] = len(rows.numbers)
    scopes = _scopes(target, ends, store.dim, sizes, options)
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
        "engine": options.engine,
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


def _scopes(
    target: Path, ends: dict[str, int], dim: int, sizes: dict[str, int], options: IndexOptions
) -> list[list[object]]:
    """Return (scope, first row, rows, file, search_k) of each; a scope that is large enough gets a graph's file."""
    matrix = np.frombuffer(map_file(target / FLAT), "<f4").reshape(-1, dim)
    scopes: list[list[object]] = []
    start = 0
    for scope, end in ends.items():
        name, search_k = None, 0
        if sizes.get(scope, 0) >= options.exact_below:
            name = f"{len(scopes)}"
            search_k = _build_scope(target, name, matrix[start:end], options)
        scopes.append([scope, start, end - start, name, search_k])
        start = end
    return scopes


def _build_scope(target: Path, name: str, vectors: np.ndarray, options: IndexOptions) -> int:
    """Write the axes and the graph of one scope; return the search_k that is sure of the recall, 0 for exact search."""
    engine, axes = engine_named(options.engine), principal_axes(vectors)
    path = target / f"{name}{engine.suffix}"
    build_graph(engine, path, vectors, axes, options.trees)
    axes.tofile(target / f"{name}{AXES}")
    near = NearSearch(engine, engine.open(path, len(vectors), axes.shape[1]), vectors, axes, 0)
    point = choose_search_k(near, options.target)[-1]
    logger.info(
        "index: %s, %d rows, n_trees %d: search_k %d for recall@10 %.3f, surely %.3f",
        path.name,
        len(vectors),
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
    """Estimate a generation's largest size while it is written."""
    engine, axes = engine_named(options.engine), min(dim, MOST_AXES)
    large = [rows for rows in sizes.values() if rows >= options.exact_below]
    graphs = sum(engine.bytes_needed(rows, axes, options.trees) for rows in large)
    return graphs + sum(sizes.values()) * (4 * dim + 256) + (8 << 20)


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
