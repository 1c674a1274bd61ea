"""LoRA styles: every common file form, the same pictures as diffusers' own loader, and base pixels restored exactly."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionPipeline
from peft import LoraConfig
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from diffusion.load import load_pipeline
from diffusion.lora_files import DIFFUSERS_NAME
from diffusion.pipeline import Cancelled, DrawSettings, Shot, TwoStagePipeline
from diffusion.schedulers import build_scheduler
from testing.random_checkpoint import Sizes, write_stable_diffusion

SHOT = Shot("a red dress", "dull", 3)
SETTINGS = DrawSettings(steps=3, guidance_scale=4.0, scheduler="dpm++", refine=False)
TARGETS = ["to_q", "to_k", "to_v", "to_out.0", "conv1", "proj_in"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture(scope="module")
def shelf(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Styles "ink" (diffusers, alpha in its header), "kohya" (the same changes under kohya's names), "other"."""
    styles = tmp_path_factory.mktemp("styles")
    _write_diffusers(folder, styles / "ink", seed=1)
    _write_diffusers(folder, styles / "other", seed=2)
    state = load_file(styles / "ink" / DIFFUSERS_NAME)
    save_file(_as_kohya(state, alpha=8.0), styles / "kohya.safetensors")
    return styles


@pytest.fixture
def pipeline(folder: Path, shelf: Path) -> TwoStagePipeline:
    return load_pipeline(folder, dtype="float32", styles=shelf)


def draw(pipeline: TwoStagePipeline, style: str | None, weight: float = 1.0) -> np.ndarray:
    settings = DrawSettings(**{**vars(SETTINGS), "style": style, "style_weight": weight})
    return np.asarray(pipeline.draw([SHOT], settings).images[0]).astype(int)


def test_styles_are_listed_by_name(pipeline: TwoStagePipeline) -> None:
    assert pipeline.styles() == ["ink", "kohya", "other"]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_draws_what_diffusers_draws_with_the_same_lora(pipeline: TwoStagePipeline, folder: Path, shelf: Path) -> None:
    stock = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None)
    stock.set_progress_bar_config(disable=True)
    stock.scheduler = build_scheduler(pipeline.stages["base"].scheduler, "dpm++")
    stock.load_lora_weights(shelf / "ink", weight_name=DIFFUSERS_NAME, adapter_name="ink")
    stock.set_adapters(["ink"], [0.7])
    generator = torch.Generator().manual_seed(3)
    theirs = stock(
        "a red dress", negative_prompt="dull", num_inference_steps=3, guidance_scale=4.0, generator=generator
    )
    ours = draw(pipeline, "ink", 0.7)
    assert np.abs(np.asarray(theirs.images[0]).astype(int) - ours).max() <= 1
    assert np.abs(ours - draw(pipeline, None)).max() > 5


def test_kohya_names_and_alpha_mean_the_same(pipeline: TwoStagePipeline) -> None:
    assert np.abs(draw(pipeline, "ink") - draw(pipeline, "kohya")).max() <= 1


def test_one_style_after_another_and_none_restores_the_base_exactly(pipeline: TwoStagePipeline) -> None:
    before = draw(pipeline, None)
    first = draw(pipeline, "ink")
    second = draw(pipeline, "other")
    assert (first != second).any()
    assert (draw(pipeline, None) == before).all()
    assert (draw(pipeline, "ink", 0.0) == before).all()


def test_a_cancel_under_a_style_restores_the_base_exactly(pipeline: TwoStagePipeline) -> None:
    before = draw(pipeline, None)
    settings = DrawSettings(**{**vars(SETTINGS), "style": "ink"})
    with pytest.raises(Cancelled):
        pipeline.draw([SHOT], settings, cancelled=lambda: True)
    assert (draw(pipeline, None) == before).all()


def test_the_recipe_names_the_style(pipeline: TwoStagePipeline) -> None:
    settings = DrawSettings(**{**vars(SETTINGS), "style": "ink", "style_weight": 0.5})
    stored = pipeline.draw([SHOT], settings).recipes[0]["settings"]
    assert (stored["style"], stored["style_weight"]) == ("ink", 0.5)


def test_text_encoder_deltas_are_skipped_with_a_warning(
    pipeline: TwoStagePipeline, shelf: Path, caplog: pytest.LogCaptureFixture
) -> None:
    state = load_file(shelf / "kohya.safetensors")
    state["lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight"] = torch.zeros(2, 32)
    save_file(state, shelf / "texted.safetensors")
    with caplog.at_level(logging.WARNING):
        assert (draw(pipeline, "texted") == draw(pipeline, "kohya")).all()
    assert "1 text-encoder weights skipped" in caplog.text
    (shelf / "texted.safetensors").unlink()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: {k.replace("conv1", "conv9"): v for k, v in state.items()}, "no layer .*conv9"),
        (lambda state: {k: v for k, v in state.items() if "lora_B" not in k}, r"lacks one of the factors \(up\)"),
        (lambda state: {k: v[:, :3].clone() if "lora_A" in k else v for k, v in state.items()}, "has shapes"),
        (lambda state: {"unet.conv_in.hada_w1_a": torch.zeros(2, 2)}, r"lacks one of the factors \(hada_w1_b\)"),
        (lambda state: {"unet.conv_in.oft_blocks": torch.zeros(2, 2)}, "is a style of OFT; LoRA, LoCon, LoHa"),
        (lambda state: {"text_encoder.x.lora_A.weight": torch.zeros(2, 2)}, "changes nothing"),
    ],
)
def test_a_mismatched_style_is_an_error(
    pipeline: TwoStagePipeline, shelf: Path, spoil: Callable[[dict], dict], message: str
) -> None:
    before = draw(pipeline, None)
    path = shelf / "spoilt.safetensors"
    save_file(spoil(load_file(shelf / "ink" / DIFFUSERS_NAME)), path)
    with pytest.raises(ValueError, match=message):
        draw(pipeline, "spoilt")
    path.unlink()
    assert (draw(pipeline, None) == before).all()


def test_a_style_for_another_width_is_an_error(pipeline: TwoStagePipeline, shelf: Path, tmp_path: Path) -> None:
    wide = write_stable_diffusion(tmp_path / "wide", sizes=Sizes(base_channels=(24, 48)))
    _write_diffusers(wide, shelf / "wide", seed=1)
    with pytest.raises(ValueError, match="has shapes"):
        draw(pipeline, "wide")
    (shelf / "wide" / DIFFUSERS_NAME).unlink()


def _write_diffusers(checkpoint: Path, folder: Path, seed: int) -> None:
    """A LoRA as diffusers saves it: rank 4, alpha 8 in the header."""
    unet = StableDiffusionPipeline.from_pretrained(checkpoint, safety_checker=None).unet
    config = LoraConfig(r=4, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian")
    unet.add_adapter(config)
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    layers = get_peft_model_state_dict(unet)
    metadata = unet.peft_config["default"].to_dict()
    StableDiffusionPipeline.save_lora_weights(folder, layers, unet_lora_adapter_metadata=metadata)


def _as_kohya(state: dict[str, torch.Tensor], alpha: float) -> dict[str, torch.Tensor]:
    renamed = {}
    for key, value in state.items():
        layer, _, factor = key.removeprefix("unet.").rpartition(".lora_")
        flat = "lora_unet_" + layer.replace(".", "_")
        renamed[f"{flat}.{'lora_down' if factor.startswith('A') else 'lora_up'}.weight"] = value
        renamed[f"{flat}.alpha"] = torch.tensor(alpha)
    return renamed
