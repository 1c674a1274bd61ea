"""Weights in 8 or 4 bits: how much memory they take, how near their pictures are, and what does not go with them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from demo.store.settings import Settings, SettingsError
from demo.worker.drawing import open_drawing
from diffusion import quantized
from diffusion.__main__ import parse
from diffusion.load import load_pipeline
from diffusion.lora import LoraShelf
from diffusion.memory import offload
from diffusion.openvino_engine import use_engine
from diffusion.openvino_graphs import GraphError
from diffusion.pipeline import DrawSettings, Shot, TwoStagePipeline
from diffusion.quantized import quantize, stored_weight, weight_bits, weight_bytes, weight_count
from jobspec import StyleUse
from testing.random_checkpoint import write_checkpoint, write_sdxl, write_stable_diffusion

if TYPE_CHECKING:
    from demo.worker.drawing import Encoder

CPU = torch.device("cpu")
FAST = DrawSettings(steps=2, refine_steps=1)
SHOTS = [Shot("a red dress", seed=1)]
# Of normal weights in blocks of 64: the dynamic map's error and NF4's, as a share of the weights' size.
ERRORS = {8: 0.02, 4: 0.12}
installed = pytest.mark.skipif(
    importlib.util.find_spec("bitsandbytes") is None,
    reason="bitsandbytes is not installed (requirements-quantized.txt)",
)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("own"))


def opened(checkpoint: Path, bits: int | None, **options: object) -> TwoStagePipeline:
    return load_pipeline(checkpoint, device="cpu", dtype="float32", weight_bits=bits, **options)  # type: ignore[arg-type]


def levels(a: object, b: object) -> float:
    """Mean distance of two pictures, of 255."""
    return float(np.abs(np.asarray(a, dtype=float) - np.asarray(b, dtype=float)).mean())


def normal(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@installed
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("shape", [(128, 96), (32, 16, 3, 3), (5, 7, 3, 3), (3, 5)])
def test_a_weight_comes_back_near_what_it_was_in_its_shape_and_format(bits: int, shape: tuple[int, ...]) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        layer = nn.Linear(shape[1], shape[0]) if len(shape) == 2 else nn.Conv2d(shape[1], shape[0], 3)
        layer.weight.data = normal(*shape).to(dtype)
        wanted = layer.weight.detach().float()
        quantize(nn.Sequential(layer), bits, CPU, CPU)
        assert layer.weight.shape == shape and layer.weight.dtype == dtype
        assert (layer.weight.float() - wanted).norm() / wanted.norm() < ERRORS[bits]


@installed
@pytest.mark.parametrize("bits", [8, 4])
def test_a_convolution_in_channels_last_stays_so(bits: int) -> None:
    layer = nn.Conv2d(64, 64, 3, bias=False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    wanted = layer.weight.detach().clone()
    quantize(nn.Sequential(layer), bits, CPU, CPU)
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert (layer.weight - wanted).norm() / wanted.norm() < ERRORS[bits]


@installed
@pytest.mark.parametrize("write", [write_checkpoint, write_stable_diffusion, write_sdxl])
@pytest.mark.parametrize("bits", [8, 4])
def test_weights_in_few_bits_draw_nearly_the_same_picture(write: object, bits: int, tmp_path: Path) -> None:
    folder = write(tmp_path)  # type: ignore[operator]
    settings = DrawSettings(steps=2, refine_steps=1, size=None if write is write_checkpoint else 64)
    plain, few = opened(folder, None), opened(folder, bits)
    pictures = [pipeline.draw(SHOTS, settings).images[0] for pipeline in (plain, few)]
    assert levels(*pictures) < 12  # random weights, whose errors nothing has learnt to bear
    recipe = few.draw(SHOTS, settings).recipes[0]
    assert recipe["made_with"]["weight_bits"] == bits  # type: ignore[index]
    assert "weight_bits" not in plain.draw(SHOTS, settings).recipes[0]["made_with"]  # type: ignore[operator]
    assert few.checkpoint_id == plain.checkpoint_id


@installed
def test_a_weight_takes_a_byte_or_half_of_one_and_a_sixteenth_for_its_scale(own: Path) -> None:
    plain = opened(own, None)
    wide = nn.Linear(1024, 1024, bias=False)
    for bits, share in ((8, 1 + 4 / 64), (4, 0.5 + 4 / 64)):
        few, layer = opened(own, bits), nn.Linear(1024, 1024, bias=False)
        quantize(nn.Sequential(layer), bits, CPU, CPU)
        assert weight_bytes(layer) == pytest.approx(share * wide.weight.numel(), rel=0.01)
        for role, stage in few.stages.items():
            assert stage.unet_parameters == plain.stages[role].unet_parameters
            assert weight_bits(stage.unet) == bits and weight_count(stage.unet) == stage.unet_parameters
            assert weight_bytes(stage.unet) < 0.6 * weight_bytes(plain.stages[role].unet)
            assert stage.unet.dtype == torch.float32 and stored_weight(stage.unet.conv_out) is None
        towers = {weight_bits(tower) for _, tower in few.text_encoder.towers.values()}  # type: ignore[attr-defined]
        assert towers == {bits} and weight_bits(few.stages["base"].vae) is None


@installed
def test_the_same_seed_gives_the_same_bytes_and_offloaded_weights_the_same_picture(own: Path) -> None:
    pipeline = opened(own, 4)
    first = pipeline.draw(SHOTS, FAST).images[0].tobytes()
    assert pipeline.draw(SHOTS, FAST).images[0].tobytes() == first
    for stage in pipeline.stages.values():
        offload(stage.unet, CPU)
    assert pipeline.draw(SHOTS, FAST).images[0].tobytes() == first
    low = opened(own, 4, low_memory=True).draw(SHOTS, FAST).images[0]
    assert levels(low, pipeline.draw(SHOTS, FAST).images[0]) <= 1


def style(unet: nn.Module, path: Path) -> Path:
    """A LoRA of one linear layer, one convolution and the first layer, which is not stored in few bits."""
    tensors, wanted = {}, ("attn2.to_k", "resnets.0.conv1", "conv_in")
    for layer, module in unet.named_modules():
        if layer.endswith(wanted) and isinstance(module, nn.Linear | nn.Conv2d):
            rows, *columns = module.weight.shape
            down = normal(2, *columns) * 0.7
            tensors[f"unet.{layer}.lora_A.weight"] = down
            up = normal(rows, 2) * 0.7
            tensors[f"unet.{layer}.lora_B.weight"] = up if len(columns) == 1 else up[..., None, None]
    save_file(tensors, path)
    return path


@installed
@pytest.mark.parametrize("bits", [8, 4])
def test_a_style_adds_to_stored_weights_what_it_adds_to_others_and_leaves_no_trace(
    own: Path, tmp_path: Path, bits: int
) -> None:
    plain = opened(own, None, styles=tmp_path).stages["base"].unet
    few = opened(own, bits, styles=tmp_path).stages["base"].unet
    style(plain, tmp_path / "red.safetensors")
    shelf, uses = LoraShelf(tmp_path), [StyleUse(name="red", weight=0.7)]
    layers = [name for name, module in few.named_modules() if stored_weight(module)] + ["conv_in"]

    def weights(unet: nn.Module) -> dict[str, torch.Tensor]:
        return {name: unet.get_submodule(name).weight.detach().clone() for name in layers}  # type: ignore[misc,union-attr]

    before = {unet: weights(unet) for unet in (plain, few)}
    changed = {}
    for unet in (plain, few):
        with shelf.applied(unet, uses):
            changed[unet] = {name: value - before[unet][name] for name, value in weights(unet).items()}
    moved = [name for name in layers if changed[plain][name].abs().max() > 0]
    assert "conv_in" in moved and len(moved) > 3
    for name in layers:
        assert torch.allclose(changed[few][name], changed[plain][name], atol=1e-5)
    assert all(torch.equal(value, before[few][name]) for name, value in weights(few).items())


@installed
def test_a_styled_draw_is_followed_by_the_same_picture_as_before(own: Path, tmp_path: Path) -> None:
    pipeline = opened(own, 4, styles=tmp_path)
    style(opened(own, None).stages["base"].unet, tmp_path / "red.safetensors")
    before, styled, after = (
        pipeline.draw(SHOTS, DrawSettings(steps=2, refine=False, styles=styles)).images[0].tobytes()
        for styles in ((), (StyleUse(name="red", weight=1.0),), ())
    )
    assert before == after != styled


@installed
def test_openvino_draws_by_torch_where_weights_are_in_few_bits(own: Path, tmp_path: Path) -> None:
    pipeline = opened(own, 8)
    with pytest.raises(GraphError, match="8 bits run by torch alone"):
        use_engine(pipeline, "openvino", tmp_path, lambda folder: None)
    use_engine(pipeline, "auto", tmp_path, lambda folder: pytest.fail("converts"))


def test_weights_in_few_bits_are_refused_with_openvino_before_anything_is_opened(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diffusion.load.check_bits", lambda bits, device: None)
    with pytest.raises(ValueError, match="8 bits run by torch alone.*choose the engine torch"):
        opened(own, 8, engine="openvino")


def test_without_bitsandbytes_the_refusal_names_the_requirements(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match="weights in 4 bits need bitsandbytes: pip install -r requirements-quantized"):
        opened(own, 4)


@installed
def test_a_bitsandbytes_that_does_not_run_is_refused_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no kernel image is available\nand more")

    monkeypatch.setattr(quantized, "_store", broken)
    with pytest.raises(ValueError, match=r"does not run on cpu here \(no kernel image is available\)"):
        quantized.check_bits(8, CPU)


@pytest.mark.parametrize("bits", [3, 16, 0])
def test_other_bits_are_refused(own: Path, bits: int) -> None:
    with pytest.raises(ValueError, match=f"weight_bits is {bits}: choose 8 or 4"):
        opened(own, bits)


def test_the_worker_opens_the_checkpoint_as_the_settings_say(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Opened(Exception):
        pass

    def opening(*_: object, **options: object) -> None:
        raise Opened(options["low_memory"], options["weight_bits"])

    monkeypatch.setattr("diffusion.load.load_pipeline", opening)
    for given, wanted in (({}, (False, None)), ({"low_memory": True, "weight_bits": 4}, (True, 4))):
        with pytest.raises(Opened) as opened_with:
            open_drawing(Settings(checkpoint=str(own), **given), lambda: cast("Encoder", None))
        assert opened_with.value.args == wanted


def test_the_command_and_the_service_take_the_bits(capsys: pytest.CaptureFixture[str]) -> None:
    assert parse(["a", "--weight-bits", "4"]).weight_bits == 4 and parse(["a"]).weight_bits is None
    with pytest.raises(SystemExit):
        parse(["a", "--weight-bits", "5"])
    assert "--weight-bits" in capsys.readouterr().err
    settings = Settings.from_env({"WEIGHT_BITS": "8", "LOW_MEMORY": "1"})
    assert (settings.weight_bits, settings.low_memory) == (8, True)
    with pytest.raises(SettingsError, match="WEIGHT_BITS=5: allowed are 8 and 4"):
        Settings(weight_bits=5)
    for name, value in (("weight_bits", 8), ("low_memory", True)):
        with pytest.raises(SettingsError, match=f"ENGINE=openvino draws without {name.upper()}"):
            Settings(engine="openvino", **{name: value})  # type: ignore[arg-type]
