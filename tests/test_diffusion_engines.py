"""OpenVINO draws what torch draws, where it can; torch draws everything else. Conversion happens once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from diffusion import convert, load, openvino_engine, openvino_graphs
from diffusion.editing.pipeline import EditingPipeline
from diffusion.editing.request import EditShot
from diffusion.load import load_pipeline
from diffusion.pipeline import Cancelled, DrawSettings, Shot, TwoStagePipeline
from jobspec import StyleUse
from testing.random_checkpoint import TINY, write_checkpoint, write_sdxl, write_sdxl_refiner

openvino_graphs.without_telemetry()
pytestmark = [
    pytest.mark.openvino,
    pytest.mark.skipif(not openvino_graphs.available(), reason="OpenVINO is not installed"),
    pytest.mark.timeout(3600),  # conversion takes 15 s of processor time, whatever that is on a busy machine
]
FAST = DrawSettings(steps=3, refine_steps=1)
SHOTS = [Shot(f"prompt {i}", seed=i) for i in range(8)]


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def compiled(small: Path, cache: Path) -> EditingPipeline:
    return load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)


@pytest.fixture(scope="module")
def by_torch(small: Path) -> EditingPipeline:
    return load_pipeline(small, dtype="float32")


@pytest.fixture
def convert_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """What "auto" leaves to another process is done in this one."""
    monkeypatch.setattr(load, "convert_in_process", lambda *names: convert.main([*map(str, names)]))


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


def test_openvino_reports_to_nobody(compiled: TwoStagePipeline) -> None:
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry") and sys.modules[name]]


def test_the_same_seed_and_engine_give_the_same_bytes(compiled: TwoStagePipeline) -> None:
    first, again = compiled.draw(SHOTS[:2], FAST), compiled.draw(SHOTS[:2], FAST)
    assert [image.tobytes() for image in first.images] == [image.tobytes() for image in again.images]


def engine_of(pipeline: TwoStagePipeline, settings: DrawSettings = FAST) -> str:
    return str(pipeline.draw(SHOTS[:1], settings).recipes[0]["made_with"]["engine"])  # type: ignore[index]


def test_a_recipe_names_the_engine_that_drew(compiled: TwoStagePipeline, by_torch: TwoStagePipeline) -> None:
    assert engine_of(compiled).startswith("openvino 20")
    assert engine_of(by_torch) == "torch"


def test_another_size_than_the_compiled_one_is_drawn_by_torch(compiled: TwoStagePipeline) -> None:
    assert engine_of(compiled, DrawSettings(steps=2, refine=False, size=2 * TINY.base_size)) == "torch"


def test_sdxl_and_its_refiner_draw_by_openvino_what_torch_draws(tmp_path: Path) -> None:
    base, refiner = write_sdxl(tmp_path / "sdxl"), write_sdxl_refiner(tmp_path / "refiner")
    drawn = [
        load_pipeline(f"{base}+{refiner}", device="cpu", dtype="float32", engine=name, engine_cache=tmp_path)
        .draw([Shot("a dress", "hat", seed=3), Shot("a coat", seed=4)], DrawSettings(steps=2, refine_steps=1))
        for name in ("openvino", "torch")
    ]  # fmt: skip
    assert str(drawn[0].recipes[0]["made_with"]["engine"]).startswith("openvino 20")  # type: ignore[index]
    for kind in ("base_images", "images"):
        for mine, other in zip(*(getattr(each, kind) for each in drawn), strict=True):
            assert levels(mine, other) <= 1


def test_a_style_is_merged_into_torch_and_the_refiner_stays_compiled(
    small: Path, cache: Path, by_torch: TwoStagePipeline, tmp_path: Path
) -> None:
    name, weight = next(
        (name, weight) for name, weight in by_torch.stages["base"].unet.named_parameters() if "attn2.to_k" in name
    )
    factors = {"lora_A": torch.ones(2, weight.shape[1]), "lora_B": torch.full((weight.shape[0], 2), 0.1)}
    layer = name.removesuffix(".weight")
    save_file({f"unet.{layer}.{key}.weight": each for key, each in factors.items()}, tmp_path / "red.safetensors")
    styled = DrawSettings(steps=2, refine_steps=1, styles=(StyleUse(name="red", weight=0.8),))
    drawn = [
        load_pipeline(small, dtype="float32", engine=name, engine_cache=cache, styles=tmp_path).draw(SHOTS[:1], styled)
        for name in ("openvino", "torch")
    ]
    assert levels(drawn[0].images[0], drawn[1].images[0]) <= 1
    engine = str(drawn[0].recipes[0]["made_with"]["engine"])  # type: ignore[index]
    assert engine.startswith("base: torch, refiner: openvino 20")


def test_an_edit_watches_attention_in_torch_and_draws_by_the_graphs(
    compiled: EditingPipeline, by_torch: EditingPipeline
) -> None:
    source = by_torch.draw(SHOTS[:1], FAST).images[0]
    edit = EditShot(source, "prompt 0", "prompt 9", seed=3)
    edited = [each.edit([edit], FAST) for each in (compiled, by_torch)]
    assert levels(edited[0].images[0], edited[1].images[0]) <= 1
    assert str(edited[0].recipes[0]["made_with"]["engine"]).startswith("openvino 20")  # type: ignore[index]


def test_previews_are_the_same_by_either_engine(compiled: TwoStagePipeline, by_torch: TwoStagePipeline) -> None:
    def previews(pipeline: TwoStagePipeline) -> list[Image.Image]:
        seen: list[Image.Image] = []
        pipeline.draw(SHOTS[:1], FAST, on_step=lambda progress: seen.extend(progress.previews()))
        return seen

    pairs = list(zip(previews(compiled), previews(by_torch), strict=True))
    assert len(pairs) == 4 and all(levels(*pair) <= 1 for pair in pairs)


def test_a_cancelled_draw_leaves_torch_chosen(compiled: TwoStagePipeline) -> None:
    with pytest.raises(Cancelled):
        compiled.draw(SHOTS[:1], FAST, cancelled=lambda: True)
    assert all(stage.engine is stage.torch for stage in compiled.stages.values())


def test_graphs_are_converted_once_and_again_where_a_file_is_damaged(
    small: Path, cache: Path, compiled: TwoStagePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = openvino_graphs.graph_folder(cache, compiled.checkpoint_id)
    assert openvino_graphs.is_whole(folder)
    built: list[Path] = []

    def counted(pipeline: TwoStagePipeline, where: Path) -> None:
        built.append(where)
        openvino_graphs.build(pipeline, where)

    monkeypatch.setattr(load, "build", counted)
    load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)
    assert not built
    graph = folder / "base-unet.bin"
    graph.write_bytes(graph.read_bytes()[:-8])
    again = load_pipeline(small, dtype="float32", engine="openvino", engine_cache=cache)
    assert built == [folder]
    assert engine_of(again).startswith("openvino")


def test_what_an_interrupted_conversion_left_is_removed_and_three_folders_of_graphs_are_kept(tmp_path: Path) -> None:
    for i, name in enumerate(("a", "b", "c", "d", "writing-x")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (i, i))

    def convert_nothing(folder: Path) -> None:
        raise openvino_graphs.GraphError("no room")

    with pytest.raises(openvino_graphs.GraphError, match="no room"):
        openvino_graphs.prepared(tmp_path / "e", convert_nothing)
    assert sorted(path.name for path in tmp_path.iterdir() if path.is_dir()) == ["b", "c", "d"]


def test_auto_draws_by_torch_at_once_and_keeps_what_it_measured(
    small: Path, cache: Path, compiled: TwoStagePipeline, convert_here: None
) -> None:
    measured = openvino_graphs.graph_folder(cache, compiled.checkpoint_id) / openvino_engine.MEASURED

    def opened() -> TwoStagePipeline:
        pipeline = load_pipeline(small, dtype="float32", engine="auto", engine_cache=cache)
        assert pipeline.draw(SHOTS[:1], FAST).images
        for thread in threading.enumerate():
            if thread.name == openvino_engine.THREAD:
                thread.join()
        return pipeline

    def remember(**seconds: float) -> None:
        measured.write_text(json.dumps(dict.fromkeys(json.loads(measured.read_text()), seconds)))

    opened()
    (machine, seconds), *_ = json.loads(measured.read_text()).items()
    assert machine.endswith("float32") and set(seconds) == {"torch", "openvino"}
    remember(torch=0.1, openvino=0.2)
    assert engine_of(opened()) == "torch"
    remember(torch=0.2, openvino=0.1)
    assert engine_of(opened()).startswith("openvino")


def test_auto_goes_on_by_torch_where_conversion_fails(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(checkpoint: str, folder: Path) -> None:
        raise openvino_graphs.GraphError("the base's unet does not convert")

    monkeypatch.setattr(load, "convert_in_process", fail)
    pipeline = load_pipeline(small, dtype="float32", engine="auto", engine_cache=tmp_path)
    for thread in threading.enumerate():
        if thread.name == openvino_engine.THREAD:
            thread.join()
    assert engine_of(pipeline) == "torch"
    assert "drawing by torch: the base's unet does not convert" in caplog.text


def test_auto_leaves_large_checkpoints_to_torch(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(openvino_engine, "AUTO_PARAMETERS", 1000)
    caplog.set_level("INFO")
    load_pipeline(small, dtype="float32", engine="auto", engine_cache=tmp_path)
    assert "choose the engine openvino for them" in caplog.text
    assert not list(tmp_path.iterdir())


def test_the_command_that_converts_runs_in_a_process_of_its_own(small: Path, tmp_path: Path) -> None:
    openvino_graphs.convert_in_process(str(small), tmp_path / "graphs")
    assert openvino_graphs.is_whole(tmp_path / "graphs")


def test_a_conversion_that_fails_says_why() -> None:
    command = [sys.executable, "-m", "diffusion.convert", "nowhere", "graphs"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent.parent)
    assert done.returncode == 1
    assert done.stderr.startswith("python -m diffusion.convert: ") and "nowhere" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_engine_that_cannot_be_had_is_refused_with_the_cure_and_auto_goes_on(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match="engine is 'tensorrt': choose one of torch, openvino, auto"):
        load_pipeline(small, engine="tensorrt")
    monkeypatch.setattr(openvino_engine, "available", lambda: False)
    with pytest.raises(ValueError, match="pip install openvino"):
        load_pipeline(small, dtype="float32", engine="openvino", engine_cache=tmp_path)
    assert engine_of(load_pipeline(small, dtype="float32", engine="auto", engine_cache=tmp_path)) == "torch"


def test_text_is_encoded_in_one_thread_and_the_threads_come_back(by_torch: TwoStagePipeline) -> None:
    seen: list[int] = []
    before, encode = torch.get_num_threads(), by_torch.text_encoder.base

    def counted(prompts: list[str]) -> torch.Tensor:
        seen.append(torch.get_num_threads())
        return encode(prompts)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(by_torch.text_encoder, "base", counted)
        torch.set_num_threads(2)
        by_torch.draw(SHOTS[:1], FAST)
        assert torch.get_num_threads() == 2
        torch.set_num_threads(before)
    assert seen == [1]


def test_the_linear_encoder_of_the_checkpoint_that_ships_is_converted_before_it_was_ever_run(tmp_path: Path) -> None:
    """It is read off at its first call, which tracing took for another graph each time: nothing was converted."""
    import openvino

    stage = load_pipeline(Path(__file__).resolve().parents[1] / "checkpoints", dtype="float32").stages["base"]
    openvino_graphs._write(stage, "encoder", tmp_path / "encoder.xml")
    (picture,) = openvino_graphs.examples(stage, "encoder", 1)
    asked = openvino.Core().compile_model(tmp_path / "encoder.xml", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.abs(asked(picture.numpy())[0] - stage.torch.encode(picture).numpy()).max() < 1e-4
