"""A style changes the U-Net by as much as PEFT and diffusers change it, in every form in which its strength is kept."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import LoraLayer
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from diffusion.load import load_pipeline
from diffusion.lora import LoraShelf
from diffusion.lora_files import DIFFUSERS_NAME, HEADER, PEFT_NAME, PEFT_SETTINGS
from diffusion.pipeline import DrawSettings, Shot
from diffusion.weights import WeightsError
from jobspec import StyleUse
from testing.random_checkpoint import write_stable_diffusion

# parts of a layer's name that PEFT rightly does not match
pytestmark = pytest.mark.filterwarnings("ignore:The following alpha_pattern keys did not match:RuntimeWarning")
TARGETS = ["to_q", "to_k", "to_out.0", "conv1", "proj_in", "time_emb_proj"]
SETTINGS = [
    {"lora_alpha": 16},
    {"lora_alpha": 4, "alpha_pattern": {"attn1.to_q": 8, "to_q": 2}},
    {"lora_alpha": 4, "alpha_pattern": {"to_q": 2, "attn1.to_q": 8}},
    {"lora_alpha": 4, "alpha_pattern": {"q": 32, "proj": 16, r"down_blocks\..*\.to_k": 8}},
    {"lora_alpha": 4, "rank_pattern": {"conv1": 2, "attn2.to_k": 8}, "alpha_pattern": {"conv1": 6}},
    {"lora_alpha": 8, "use_rslora": True, "alpha_pattern": {"to_k": 3}},
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture
def unet(checkpoint: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(checkpoint / "unet").eval()


def with_adapter(checkpoint: Path, settings: dict) -> UNet2DConditionModel:
    """A U-Net with a PEFT adapter of random factors."""
    unet = UNet2DConditionModel.from_pretrained(checkpoint / "unet")
    unet.add_adapter(LoraConfig(r=4, target_modules=TARGETS, init_lora_weights="gaussian", **settings))
    generator = torch.Generator().manual_seed(0)
    for name, parameter in unet.named_parameters():
        if "lora_" in name:
            parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.1)
    return unet


def deltas(unet: UNet2DConditionModel) -> dict[str, torch.Tensor]:
    """What PEFT adds to each layer."""
    layers = {name: layer for name, layer in unet.named_modules() if isinstance(layer, LoraLayer)}
    return {name: layer.get_delta_weight(layer.active_adapters[0]) for name, layer in layers.items()}


def loaded_by_diffusers(checkpoint: Path, lora: Path | dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """What diffusers adds to each layer once it has read a file (in which an alpha_pattern stands in sorted order)."""
    stock = StableDiffusionPipeline.from_pretrained(checkpoint, safety_checker=None)
    stock.load_lora_weights(lora)
    return deltas(stock.unet)


def changes(shelf: LoraShelf, unet: UNet2DConditionModel, name: str) -> dict[str, torch.Tensor]:
    """What our shelf adds to each weight."""
    before = {key: value.detach().clone() for key, value in unet.named_parameters()}
    with shelf.applied(unet, [StyleUse(name=name)]):
        after = {key: value.detach().clone() for key, value in unet.named_parameters()}
    assert all(torch.equal(value, before[key]) for key, value in unet.named_parameters())
    found = {key.removesuffix(".weight"): after[key] - before[key] for key in before}
    return {key: value for key, value in found.items() if value.abs().max() > 0}


def assert_same(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert (ours[key] - value).abs().max() < 1e-5, key


@pytest.mark.parametrize("settings", SETTINGS)
def test_a_file_of_diffusers_is_as_strong_as_peft_makes_it(
    checkpoint: Path, unet: UNet2DConditionModel, settings: dict, tmp_path: Path
) -> None:
    theirs = with_adapter(checkpoint, settings)
    StableDiffusionPipeline.save_lora_weights(
        tmp_path / "ink", get_peft_model_state_dict(theirs),
        unet_lora_adapter_metadata=theirs.peft_config["default"].to_dict(),
    )  # fmt: skip
    assert_same(changes(LoraShelf(tmp_path), unet, "ink"), loaded_by_diffusers(checkpoint, tmp_path / "ink"))


@pytest.mark.parametrize("settings", SETTINGS)
@pytest.mark.parametrize("named", [PEFT_NAME, DIFFUSERS_NAME])
def test_a_folder_of_peft_is_as_strong_as_peft_makes_it(
    checkpoint: Path, unet: UNet2DConditionModel, settings: dict, named: str, tmp_path: Path
) -> None:
    config = LoraConfig(r=4, target_modules=TARGETS, init_lora_weights=False, **settings)
    torch.manual_seed(0)
    model = get_peft_model(UNet2DConditionModel.from_pretrained(checkpoint / "unet"), config)
    model.save_pretrained(tmp_path / "ink")
    plain = UNet2DConditionModel.from_pretrained(checkpoint / "unet")
    theirs = deltas(PeftModel.from_pretrained(plain, tmp_path / "ink").get_base_model())
    (tmp_path / "ink" / PEFT_NAME).rename(tmp_path / "ink" / named)
    assert LoraShelf(tmp_path).names() == ["ink"]
    assert_same(changes(LoraShelf(tmp_path), unet, "ink"), theirs)


def test_the_first_expression_that_matches_whole_parts_of_a_name_decides(
    unet: UNet2DConditionModel, tmp_path: Path
) -> None:
    """alpha 8 over rank 4 for attn1.to_q, 2 over 4 for the other to_q."""
    layers = [f"down_blocks.0.attentions.0.transformer_blocks.0.attn{i}.to_q" for i in (1, 2)]
    weights = dict(unet.named_parameters())
    state = {}
    for layer in layers:
        out, width = weights[f"{layer}.weight"].shape
        state[f"unet.{layer}.lora_A.weight"], state[f"unet.{layer}.lora_B.weight"] = (
            torch.ones(4, width),
            torch.ones(out, 4),
        )
    settings = {"unet.r": 4, "unet.lora_alpha": 4, "unet.alpha_pattern": {"attn1.to_q": 8, "to_q": 2}}
    save_file(state, tmp_path / "ink.safetensors", metadata={HEADER: json.dumps(settings)})
    found = changes(LoraShelf(tmp_path), unet, "ink")
    assert [round(float(found[layer].mean()) / 4, 4) for layer in layers] == [2.0, 0.5]


def _named(state: Mapping[str, torch.Tensor], old: bool) -> dict[str, torch.Tensor]:
    """PEFT's names as diffusers' old attention processors had them, or as LyCORIS has them."""
    found = {}
    for key, value in state.items():
        layer, _, factor = key.removeprefix("unet.").rpartition(".lora_")
        factor = "down" if factor.startswith("A") else "up"
        if old:
            attention, _, part = layer.removesuffix(".0").rpartition(".")
            found[f"unet.{attention}.processor.{part}_lora.{factor}.weight"] = value
        else:
            found[f"lycoris_{layer.replace('.', '_')}.lora_{factor}.weight"] = value
            found[f"lycoris_{layer.replace('.', '_')}.alpha"] = torch.tensor(2.0)
    return found


def test_the_old_attention_processors_mean_what_diffusers_reads(
    checkpoint: Path, unet: UNet2DConditionModel, tmp_path: Path
) -> None:
    adapter = with_adapter(checkpoint, {"lora_alpha": 4})
    attention = {f"unet.{k}": v for k, v in get_peft_model_state_dict(adapter).items() if ".attn" in k}
    old = _named(attention, old=True)
    assert any(".attn1.processor.to_q_lora.down.weight" in key for key in old)
    save_file(old, tmp_path / "ink.safetensors")
    assert_same(changes(LoraShelf(tmp_path), unet, "ink"), loaded_by_diffusers(checkpoint, old))


def test_names_of_lycoris_are_read(checkpoint: Path, unet: UNet2DConditionModel, tmp_path: Path) -> None:
    adapter = with_adapter(checkpoint, {"lora_alpha": 2})
    save_file(_named(get_peft_model_state_dict(adapter), old=False), tmp_path / "ink.safetensors")
    assert_same(changes(LoraShelf(tmp_path), unet, "ink"), deltas(adapter))


def test_peft_weights_without_their_settings_are_refused_or_warned_of(
    checkpoint: Path, unet: UNet2DConditionModel, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = get_peft_model(
        UNet2DConditionModel.from_pretrained(checkpoint / "unet"), LoraConfig(r=4, target_modules=TARGETS)
    )
    model.save_pretrained(tmp_path / "ink")
    (tmp_path / "ink" / PEFT_SETTINGS).unlink()
    shelf = LoraShelf(tmp_path)
    assert shelf.names() == []
    with pytest.raises(FileNotFoundError, match="style 'ink' has no adapter_config.json"):
        shelf.check("ink")
    save_file(load_file(tmp_path / "ink" / PEFT_NAME), tmp_path / "bare.safetensors")
    with caplog.at_level(logging.WARNING):
        shelf.check("bare")
    assert "bare comes without adapter_config.json" in caplog.text


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"peft_type": "OFT"}, "is of PEFT's kind OFT, which is not read"),
        ({"peft_type": "LORA", "use_dora": True, "r": 4}, "is a DoRA"),
        ({"peft_type": "LORA", "r": 4, "bias": "lora_only"}, "was trained with bias 'lora_only'"),
        ({"peft_type": "LORA", "r": 4, "modules_to_save": ["conv_out"]}, "was trained with modules_to_save"),
        ({"peft_type": "LORA", "r": 4, "init_lora_weights": "pissa"}, "changes its base as well"),
        ({"peft_type": "LORA", "r": 4, "lora_alpha": 4, "alpha_pattern": {"to_(q": 3}}, "cannot be read"),
        ({"peft_type": "LORA", "r": 4, "lora_alpha": [4]}, "cannot be read"),
    ],
)
def test_settings_of_another_kind_are_refused(checkpoint: Path, settings: dict, message: str, tmp_path: Path) -> None:
    adapter = with_adapter(checkpoint, {"lora_alpha": 4})
    (tmp_path / "ink").mkdir()
    save_file(
        {f"base_model.model.{k}": v for k, v in get_peft_model_state_dict(adapter).items()},
        tmp_path / "ink" / PEFT_NAME,
    )
    (tmp_path / "ink" / PEFT_SETTINGS).write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=message):
        LoraShelf(tmp_path).check("ink")


def test_files_that_cannot_be_read_are_not_offered(checkpoint: Path, tmp_path: Path) -> None:
    adapter = with_adapter(checkpoint, {"lora_alpha": 4})
    state = {f"unet.{k}": v for k, v in get_peft_model_state_dict(adapter).items()}
    save_file(state, tmp_path / "ink.safetensors")
    (tmp_path / "._ink.safetensors").write_bytes(b"\0\5\26\7")  # macOS' own beside it
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "ink.safetensors").read_bytes()[:-40])
    save_file({"unet.conv_in.boft_R": torch.zeros(2, 2)}, tmp_path / "boft.safetensors")
    save_file(state, tmp_path / "torn.safetensors", metadata={HEADER: "{"})
    shelf = LoraShelf(tmp_path)
    assert shelf.names() == ["ink"]
    for name, message in (
        ("cut", "truncated or damaged"),
        ("boft", "is a style of BOFT"),
        ("torn", "not JSON"),
        ("x", "has ink"),
    ):
        with pytest.raises(ValueError, match=f"style '{name}'.*{message}"):
            shelf.check(name)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_style_of_nan_is_refused_by_name(checkpoint: Path, value: float, tmp_path: Path) -> None:
    layer = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
    state = {f"{layer}.lora_A.weight": torch.full((1, 16), value), f"{layer}.lora_B.weight": torch.ones(16, 1)}
    save_file({key: tensor.half() for key, tensor in state.items()}, tmp_path / "broken.safetensors")
    pipeline = load_pipeline(checkpoint, dtype="float32", styles=tmp_path)
    with pytest.raises(WeightsError, match="style 'broken' holds NaN or infinite values in .*to_q"):
        pipeline.draw([Shot("a")], DrawSettings(steps=2, style="broken"))


def test_a_style_that_blows_up_is_named(checkpoint: Path, tmp_path: Path) -> None:
    for name, size in (("hot", 1e25), ("boiling", 1e38)):
        factors = {"A": torch.full((1, 16, 3, 3), size), "B": torch.full((4, 1, 1, 1), 1e10)}
        state = {f"unet.conv_out.lora_{factor}.weight": tensor for factor, tensor in factors.items()}
        save_file(state, tmp_path / f"{name}.safetensors")
    pipeline = load_pipeline(checkpoint, dtype="float32", styles=tmp_path)
    plain = pipeline.draw([Shot("a")], DrawSettings(steps=2)).images[0].tobytes()
    for name, message in (
        ("hot", "with style 'hot' at weight 1.0"),
        ("boiling", "style 'boiling' at weight 1.0 makes"),
    ):
        with pytest.raises(ValueError, match=message):
            pipeline.draw([Shot("a")], DrawSettings(steps=2, style=name))
    assert pipeline.draw([Shot("a")], DrawSettings(steps=2)).images[0].tobytes() == plain
