"""The index: what it refuses, and what it does in a folder that cannot be written."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from index_model import DIM, SMALL, clustered, database, open_index, records

from index import IndexOptions, PromptIndex, Record, RefusedRecord, UnknownId

VECTORS = clustered(200)


@pytest.mark.parametrize(
    "vector",
    [np.zeros(DIM), np.full(DIM, np.nan), np.full(DIM, np.inf), np.ones(DIM + 1), np.ones((1, DIM)), np.ones(0)],
)
def test_a_vector_without_a_direction_here_is_refused(tmp_path: Path, vector: np.ndarray) -> None:
    index = open_index(tmp_path)
    before = index.store.sequence()
    for act in (lambda: index.add("x", "x", vector, "a", True), lambda: index.search(vector, 3)):
        with pytest.raises(ValueError, match="vector"):
            act()
    assert index.store.sequence() == before


@pytest.mark.parametrize("k", [0, -1, 1001, 2.5, True, "3", None])
def test_k_out_of_range_is_refused(tmp_path: Path, k: object) -> None:
    with pytest.raises(ValueError, match="k is"):
        open_index(tmp_path).search(VECTORS[0], k)


@pytest.mark.parametrize("name", ["", "a\0b", "\ud800", "x" * 513, None, 7])
def test_names_that_no_database_can_keep_are_refused(tmp_path: Path, name: object) -> None:
    index = open_index(tmp_path)
    for act in (
        lambda: index.add(name, "g", VECTORS[0], "a", True),
        lambda: index.add("i", name, VECTORS[0], "a", True),
        lambda: index.add("i", "g", VECTORS[0], name, True),
        lambda: index.remove(name),
    ):
        with pytest.raises(ValueError, match="it must be text|cannot be stored"):
            act()
    assert index.stats()["groups"] == 0


def test_unknown_ids_and_contradictions_change_nothing(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    for act in (lambda: index.remove("x"), lambda: index.removed("x"), lambda: index.set_visibility("x", True)):
        with pytest.raises(UnknownId, match="'x' is not in the index"):
            act()
    index.add("x", "x", VECTORS[0], "a", False)
    with pytest.raises(RefusedRecord):
        index.add_many([Record("y", "y", VECTORS[1], "a", True), Record("x", "x", VECTORS[1], "b", True)])
    with pytest.raises(RefusedRecord):
        index.add_many([Record("z", "z", VECTORS[1], "a", True)] * 2)
    with pytest.raises(ValueError, match="public"):
        index.add("p", "p", VECTORS[0], "a", "yes")
    assert [hit.id for hit in index.search(VECTORS[0], 9, "a")] == ["x"]


def test_a_read_only_folder_is_searched_and_not_built_in(tmp_path: Path) -> None:
    engine, folder = database(tmp_path), Path(tempfile.mkdtemp(prefix="index-")) / "index"
    index = PromptIndex(folder, engine, DIM, "encoder", SMALL)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    folder.parent.chmod(0o755)
    before = sorted(folder.rglob("*"))
    for path in (folder, *before):
        path.chmod(0o555 if path.is_dir() else 0o444)
    with as_somebody():
        reader = PromptIndex(folder, engine, DIM, "encoder", SMALL)
        assert reader.stats()["generation_rows"] == 60
        reader.add("new", "new", VECTORS[70], "a", True)
        assert [reader.search(VECTORS[i], 1)[0].id for i in (5, 70)] == ["r5", "new"]
        assert reader.verify() == []
        with pytest.raises(PermissionError, match=str(folder)):
            reader.rebuild()
    assert sorted(folder.rglob("*")) == before
    for path in (folder, *before):
        path.chmod(0o755)
    shutil.rmtree(folder.parent)


def test_a_full_disk_is_noticed_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    before = sorted((tmp_path / "index").rglob("*"))
    usage = shutil.disk_usage(tmp_path)._replace(free=1 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match="1 MB are free") as caught:
        index.rebuild()
    assert caught.value.errno == errno.ENOSPC
    assert sorted((tmp_path / "index").rglob("*")) == before
    assert index.search(VECTORS[5], 1)[0].id == "r5"


def test_a_build_that_fails_leaves_the_old_generation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    name = index.stats()["generation"]
    monkeypatch.setattr("index.build.build_graph", lambda *_: (_ for _ in ()).throw(OSError("No space left")))
    with pytest.raises(OSError, match="No space left"):
        index.rebuild()
    assert [path.name for path in (tmp_path / "index" / "generations").iterdir()] == [name]
    assert index.verify() == []


def test_a_disk_that_fills_up_while_building_leaves_the_old_generation(tmp_path: Path) -> None:
    index = open_index(tmp_path, IndexOptions(exact_below=50, background=False))
    index.add_many(records(VECTORS[:60]))
    index.rebuild()
    index.add_many(records(clustered(3_000), prefix="more"))
    name, limit = index.stats()["generation"], resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))  # no file grows beyond it, in the child as well
    try:
        with pytest.raises(RuntimeError, match="was not rebuilt, the one before is still used"):
            index.rebuild()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert [path.name for path in (tmp_path / "index" / "generations").iterdir()] == [name]
    assert index.verify() == []
    index.rebuild()
    assert index.stats()["generation_rows"] == 3_060


@contextmanager
def as_somebody() -> Iterator[None]:
    """Be a user whom permissions bind; root may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)
