"""Graphs over projected vectors: what a build chooses, either engine, and that only the proposals depend on it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from index_model import DIM, SMALL, clustered, open_index, records

from index import IndexOptions
from index.graphs import ENGINES, engine_named
from index.near import MOST_AXES, NearSearch, build_graph, choose_search_k, exact_neighbours, principal_axes
from index.records import unit_rows

VECTORS = clustered(200)


def near(folder: Path, vectors: np.ndarray, engine: str = "annoy", n_trees: int = 10) -> NearSearch:
    """Return a graph over the vectors as a build writes and opens it; search_k is not chosen yet."""
    library, axes, path = engine_named(engine), principal_axes(vectors), folder / "graph"
    build_graph(library, path, vectors, axes, n_trees)
    return NearSearch(library, library.open(path, len(vectors), axes.shape[1]), vectors, axes, 0)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_build_chooses_the_smallest_search_that_is_sure(tmp_path: Path, engine: str) -> None:
    vectors = clustered(3_000, clusters=200)
    rows = np.arange(20)
    scores = vectors[rows] @ vectors.T
    scores[rows, rows] = -1
    assert np.array_equal(np.sort(exact_neighbours(vectors, rows, 10)), np.sort(np.argsort(-scores)[:, :10]))
    *less, point = choose_search_k(near(tmp_path, vectors, engine), 0.998)
    assert point.sure >= 0.998 > max([trial.sure for trial in less], default=0)
    assert all(point.search_k > trial.search_k for trial in less)
    assert all(1 - trial.sure >= 1.49 * (1 - trial.recall) for trial in (*less, point)), "room for unseen queries"


def test_annoy_never_inspects_so_few_that_candidates_run_out(tmp_path: Path) -> None:
    vectors = clustered(3_000, clusters=200)
    (least,) = choose_search_k(near(tmp_path, vectors), 0.9)
    assert least.search_k == 200
    *less, point = choose_search_k(near(tmp_path, vectors), 0.998)
    assert point.search_k > max(trial.search_k for trial in less)


def test_isotropic_vectors_are_searched_exactly(tmp_path: Path) -> None:
    vectors = np.random.default_rng(0).standard_normal((3_000, 64)).astype(np.float32)
    file = near(tmp_path, vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    file.search_k = choose_search_k(file, 0.97)[-1].search_k
    assert file.search_k == 0
    assert file.nearest(vectors[0], 10) is None


@pytest.mark.parametrize("engine", ENGINES)
def test_a_projection_proposes_and_the_vectors_themselves_decide(tmp_path: Path, engine: str) -> None:
    vectors = clustered(2_000, dim=192, clusters=100, spread=0.6)
    file = near(tmp_path, vectors, engine)
    assert principal_axes(vectors).shape == (192, MOST_AXES)
    file.search_k = choose_search_k(file, 0.95)[-1].search_k
    rows, scores = file.nearest(vectors[5], 72)
    assert file.search_k > 0 and 5 in rows
    assert np.array_equal(scores, vectors[rows] @ vectors[5])


@pytest.mark.parametrize("engine", ENGINES)
def test_vectors_of_all_scopes_lie_one_after_another(tmp_path: Path, engine: str) -> None:
    index = open_index(tmp_path, replace(SMALL, engine=engine))
    index.add_many(records(VECTORS))
    index.add_many(records(VECTORS[:9], owner="b", public=False, prefix="b"))
    index.rebuild()
    generation = open_index(tmp_path)._current_layers().generation
    segments, order = generation.segments, [int(generation.id(row)[1:]) for row in range(len(VECTORS))]
    assert [(segment.start, len(segment.vectors)) for segment in segments.values()] == [
        (0, len(VECTORS)),
        (len(VECTORS), 9),
    ]
    assert np.array_equal(segments[""].vectors, unit_rows(VECTORS[order], DIM))
    assert all(segment.vectors.flags.c_contiguous for segment in segments.values())


def test_another_engine_in_the_settings_has_the_files_rebuilt(tmp_path: Path) -> None:
    index = open_index(tmp_path)
    index.add_many(records(VECTORS))
    index.rebuild()
    other = open_index(tmp_path, replace(SMALL, engine="hnswlib"))
    assert other.search(VECTORS[5], 1)[0].id == "r5", "until then by the engine that built them"
    other.tend()
    assert other.stats()["engine"] == "hnswlib" and list(tmp_path.rglob("*.hnsw"))
    assert other.search(VECTORS[5], 1)[0].id == "r5"


def test_an_engine_that_is_not_installed_is_named_with_its_cure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="index engine is 'faiss': it must be one of annoy, hnswlib"):
        IndexOptions(engine="faiss")
    index = open_index(tmp_path, replace(SMALL, engine="hnswlib"))
    index.add_many(records(VECTORS))
    index.rebuild()
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ValueError, match="hnswlib is not installed: pip install -r requirements-index.txt"):
        index.rebuild()
    again = open_index(tmp_path)
    assert again.search(VECTORS[5], 1)[0].id == "r5", "exactly, from the store"
    assert again.stats()["generation"] is None


@pytest.mark.parametrize("name", ["0.hnsw", "0.axes.f32", "flat.f32"])
def test_a_damaged_file_of_the_other_engine_is_never_opened(tmp_path: Path, name: str) -> None:
    options = replace(SMALL, engine="hnswlib")
    index = open_index(tmp_path, options)
    index.add_many(records(VECTORS))
    index.rebuild()
    (path,) = (tmp_path / "index").rglob(name)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = open_index(tmp_path, options)
    assert again.search(VECTORS[5], 1)[0].id == "r5" and again.stats()["generation"] is None
    again.tend()
    assert again.verify() == [] and again.stats()["graphs"] == 1


def test_a_removed_prompt_leaves_the_files_of_the_other_engine(tmp_path: Path) -> None:
    index = open_index(tmp_path, replace(SMALL, engine="hnswlib", erase_within=0))
    index.add_many(records(VECTORS))
    index.rebuild()
    index.remove("r5")
    assert all(hit.id != "r5" for hit in index.search(VECTORS[5], 10))
    index.removed("r5")
    index.tend()
    assert index.removed("r5")
    assert not any(VECTORS[5].tobytes() in path.read_bytes() for path in tmp_path.rglob("*.f32"))
