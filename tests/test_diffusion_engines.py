"""OpenVINO draws what torch draws, where it can; torch draws everything else. Conversion happens once."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import numpy as np
import pytest

from diffusion import openvino_engine, openvino_graphs
from diffusion.load import load_pipeline
from diffusion.pipeline import DrawSettings, Shot, TwoStagePipeline
from testing.random_checkpoint import TINY, write_checkpoint

pytest.importorskip("openvino", reason="OpenVINO is not installed")
FAST = DrawSettings(steps=3, refine_steps=1)
SHOTS = [Shot(f"prompt {i}", seed=i) for i in range(8)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def compiled(small: Path, cache: Path) -> TwoStagePipeline:
    return load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)


@pytest.fixture(scope="module")
def by_torch(small: Path) -> TwoStagePipeline:
    return load_pipeline(small, dtype="float32")


def levels(a: object, b: object) -> int:
    return int(np.abs(np.asarray(a, dtype=int) - np.asarray(b, dtype=int)).max())


def test_openvino_and_torch_differ_by_one_level_at_most_alone_and_in_a_batch_of_eight(
    compiled: TwoStagePipeline, by_torch: TwoStagePipeline
) -> None:
    together, torch_drawn = compiled.draw(SHOTS, FAST), by_torch.draw(SHOTS, FAST)
    assert all(levels(a, b) <= 1 for a, b in zip(together.images, torch_drawn.images, strict=True))
    for i in (0, 5):
        alone = compiled.draw(SHOTS[i : i + 1], FAST)
        assert levels(alone.images[0], together.images[i]) <= 1
        assert levels(alone.base_images[0], torch_drawn.base_images[i]) <= 1


def test_the_same_seed_and_engine_give_the_same_bytes(compiled: TwoStagePipeline) -> None:
    first, again = compiled.draw(SHOTS[:2], FAST), compiled.draw(SHOTS[:2], FAST)
    assert [image.tobytes() for image in first.images] == [image.tobytes() for image in again.images]


def test_a_recipe_names_the_engine_that_drew(compiled: TwoStagePipeline, by_torch: TwoStagePipeline) -> None:
    def engine(pipeline: TwoStagePipeline, settings: DrawSettings) -> str:
        return str(pipeline.draw(SHOTS[:1], settings).recipes[0]["made_with"]["engine"])  # type: ignore[index]

    assert engine(compiled, FAST).startswith("openvino 20")
    assert engine(by_torch, FAST) == "torch"
    assert engine(compiled, DrawSettings(steps=2, refine=False, size=2 * TINY.base_size)) == "torch"


def test_graphs_are_converted_once_and_again_where_a_file_is_damaged(
    small: Path, cache: Path, compiled: TwoStagePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = openvino_graphs.graph_folder(cache, compiled.checkpoint_id)
    assert openvino_graphs.is_whole(folder)
    built: list[Path] = []
    convert = openvino_graphs.build_in_process

    def counted(checkpoint: str, where: Path) -> None:
        built.append(where)
        convert(checkpoint, where)

    monkeypatch.setattr(openvino_engine, "build_in_process", counted)
    load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)
    assert not built
    graph = folder / "base-unet.bin"
    graph.write_bytes(graph.read_bytes()[:-8])
    again = load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)
    assert built == [folder]
    assert again.draw(SHOTS[:1], FAST).images


def test_auto_draws_by_torch_at_once_and_keeps_what_it_measured(
    small: Path, cache: Path, compiled: TwoStagePipeline
) -> None:
    folder = openvino_graphs.graph_folder(cache, compiled.checkpoint_id)
    measured = folder / openvino_engine.MEASURED

    def opened(**seconds: float) -> TwoStagePipeline:
        if seconds:
            known = json.loads(measured.read_text())
            measured.write_text(json.dumps(dict.fromkeys(known, seconds)))
        pipeline = load_pipeline(small, dtype="float32", engine="auto", engine_cache=cache)
        assert pipeline.draw(SHOTS[:1], FAST).images
        return pipeline

    def settled(pipeline: TwoStagePipeline) -> bool:
        for thread in threading.enumerate():
            if thread.name == "openvino":
                thread.join(120)
        return pipeline.stages["base"].compiled is not None

    first = opened()
    settled(first)
    assert set(json.loads(measured.read_text()).popitem()[1]) == {"torch", "openvino"}
    assert not settled(opened(torch=0.1, openvino=0.2))
    assert settled(opened(torch=0.2, openvino=0.1))


def test_an_engine_that_cannot_be_had_is_refused_with_the_cure_and_auto_goes_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="engine is 'tensorrt': choose one of torch, openvino, auto"):
        load_pipeline(small, engine="tensorrt")
    monkeypatch.setattr(openvino_engine, "available", lambda: False)
    with pytest.raises(ValueError, match="pip install openvino"):
        load_pipeline(small, dtype="float32", engine="openvino", engine_cache=tmp_path)
    pipeline = load_pipeline(small, dtype="float32", engine="auto", engine_cache=tmp_path)
    assert pipeline.draw(SHOTS[:1], FAST).recipes[0]["made_with"]["engine"] == "torch"  # type: ignore[index]
