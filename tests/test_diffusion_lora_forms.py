"""Every form of style adds what the library that writes it adds: LyCORIS' and PEFT's own modules are the measure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from lycoris.modules.locon import LoConModule
from lycoris.modules.loha import LohaModule
from lycoris.modules.lokr import LokrModule
from peft import LoHaConfig, LoKrConfig, LoraConfig, PeftModel, get_peft_model
from peft.tuners.tuners_utils import BaseTunerLayer
from safetensors.torch import save_file

from diffusion.lora import LoraShelf
from jobspec import StyleUse
from testing.random_checkpoint import write_stable_diffusion

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
WIDE = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"  # (16, 32)
CONV = "down_blocks.0.resnets.0.conv1"  # (16, 16, 3, 3)
GROWING = "down_blocks.1.resnets.0.conv1"  # (32, 16, 3, 3)
NARROW = "conv_out"
POINT = "down_blocks.1.resnets.0.conv_shortcut"  # (32, 16, 1, 1)
LAYERS = (LINEAR, WIDE, CONV, GROWING, POINT)
RANK, ALPHA = 2, 5.0


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stable_diffusion(tmp_path_factory.mktemp("sd"))


@pytest.fixture
def unet(checkpoint: Path) -> UNet2DConditionModel:
    return UNet2DConditionModel.from_pretrained(checkpoint / "unet").eval()


def random_(module: torch.nn.Module, seed: int = 0) -> None:
    generator = torch.Generator().manual_seed(seed)
    for parameter in module.parameters():
        parameter.data.copy_(torch.randn(parameter.shape, generator=generator) * 0.3)


def changes(folder: Path, unet: UNet2DConditionModel, weight: float = 1.0) -> dict[str, torch.Tensor]:
    """What the style "x" of a folder adds to each layer; the base is back afterwards, bit for bit."""
    before = {key: value.detach().clone() for key, value in unet.named_parameters()}
    with LoraShelf(folder).applied(unet, [StyleUse(name="x", weight=weight)]):
        after = {key: value.detach().clone() for key, value in unet.named_parameters()}
    assert all(torch.equal(value, before[key]) for key, value in unet.named_parameters())
    return {
        key.removesuffix(".weight"): after[key] - before[key]
        for key in before
        if not torch.equal(after[key], before[key])
    }


def assert_same(ours: Mapping[str, torch.Tensor], theirs: Mapping[str, torch.Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for key, value in theirs.items():
        assert (ours[key] - value).abs().max() < 1e-5, key


def by_lycoris(unet: UNet2DConditionModel, kind: type, **settings: object) -> tuple[dict, dict[str, torch.Tensor]]:
    """LyCORIS modules of random weights over some layers: the file that they save, and what their forward pass adds to
    each weight (the one that training sees: merging has alpha / rank twice over, see findings/).
    """
    state, added = {}, {}
    modules = dict(unet.named_modules())
    for i, layer in enumerate(LAYERS):
        flat = f"lora_unet_{layer.replace('.', '_')}"
        module = kind(flat, modules[layer], **({"lora_dim": RANK, "alpha": ALPHA} | settings))
        magnitude = getattr(module, "dora_scale", None)
        norms = None if magnitude is None else magnitude.detach().clone()
        random_(module, seed=i)
        if norms is not None:
            module.dora_scale.data.copy_(norms * (1 + 0.2 * torch.rand(norms.shape)))
        with torch.no_grad():
            weight = modules[layer].weight
            if kind is LoConModule:
                delta = module.make_weight() * module.scale
            else:
                delta = module.get_weight(module.shape)
            delta = delta.reshape(weight.shape)
            added[layer] = module.apply_weight_decompose(weight + delta) - weight if norms is not None else delta
        saved = module.state_dict()
        state |= {f"{module.lora_name}.{key}": value.detach().contiguous().clone() for key, value in saved.items()}
    return state, added


LYCORIS = {
    "LoCon": (LoConModule, {}),
    "LoCon with a middle factor": (LoConModule, {"use_tucker": True}),
    "LoCon, rank-stabilised": (LoConModule, {"rs_lora": True}),
    "LoHa": (LohaModule, {}),
    "LoHa in Tucker's form": (LohaModule, {"use_tucker": True}),
    "LoKr": (LokrModule, {"factor": 4}),
    "LoKr, both factored": (LokrModule, {"factor": 4, "decompose_both": True, "lora_dim": 1}),
    "LoKr in Tucker's form": (LokrModule, {"factor": 2, "use_tucker": True}),
    "LoKr of whole matrices": (LokrModule, {"factor": 4, "full_matrix": True}),
    "LoKr, unbalanced": (LokrModule, {"factor": 2, "unbalanced_factorization": True}),
    "DoRA over rows": (LoConModule, {"weight_decompose": True}),
    "DoRA over columns": (LoConModule, {"weight_decompose": True, "wd_on_out": False}),
    "DoRA over a LoHa": (LohaModule, {"weight_decompose": True}),
    "DoRA over a LoKr, by columns": (LokrModule, {"weight_decompose": True, "wd_on_out": False, "factor": 4}),
}


@pytest.mark.parametrize("form", LYCORIS)
def test_a_form_of_lycoris_adds_what_lycoris_adds(form: str, unet: UNet2DConditionModel, tmp_path: Path) -> None:
    kind, settings = LYCORIS[form]
    state, added = by_lycoris(unet, kind, **settings)
    save_file(state, tmp_path / "x.safetensors")
    assert_same(changes(tmp_path, unet), added)


def test_the_forms_that_are_tested_hold_every_part(unet: UNet2DConditionModel) -> None:
    found = {key.split(".", 1)[1] for kind, kw in LYCORIS.values() for key in by_lycoris(unet, kind, **kw)[0]}
    assert found >= {
        "lora_mid.weight", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b", "lokr_w2", "lokr_w2_a",
        "lokr_w2_b", "lokr_t2", "dora_scale", "alpha",
    }  # fmt: skip


TARGETS = ["to_q", "to_k", "conv1", "conv_shortcut", "time_emb_proj"]
PEFT = {
    "LoHa": LoHaConfig(r=3, alpha=5, target_modules=TARGETS, init_weights=False),
    "LoHa, effective": LoHaConfig(r=3, alpha=5, target_modules=TARGETS, init_weights=False, use_effective_conv2d=True),
    "LoHa with patterns": LoHaConfig(
        r=3, alpha=5, target_modules=TARGETS, init_weights=False, rank_pattern={"conv1": 2}, alpha_pattern={"to_q": 9}
    ),
    "LoKr": LoKrConfig(r=3, alpha=5, target_modules=TARGETS, init_weights=False),
    "LoKr, both factored": LoKrConfig(
        r=1, alpha=5, target_modules=TARGETS, init_weights=False, decompose_both=True, decompose_factor=4
    ),
    "LoKr, effective": LoKrConfig(r=1, alpha=3, target_modules=TARGETS, init_weights=False, use_effective_conv2d=True),
    "LoKr of whole matrices": LoKrConfig(r=64, alpha=16, target_modules=TARGETS, init_weights=False),
    "DoRA": LoraConfig(r=3, lora_alpha=5, target_modules=TARGETS, init_lora_weights=False, use_dora=True),
    "DoRA, rank-stabilised": LoraConfig(
        r=4, lora_alpha=3, target_modules=TARGETS, init_lora_weights=False, use_dora=True, use_rslora=True
    ),
}


@pytest.mark.parametrize("form", PEFT)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_form_of_peft_adds_what_peft_merges(
    form: str, checkpoint: Path, unet: UNet2DConditionModel, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = get_peft_model(UNet2DConditionModel.from_pretrained(checkpoint / "unet"), PEFT[form])
    for key, parameter in model.named_parameters():
        if "magnitude" in key:
            parameter.data.mul_(1 + 0.2 * torch.rand(parameter.shape))
    model.save_pretrained(tmp_path / "x")
    plain = UNet2DConditionModel.from_pretrained(checkpoint / "unet")
    loaded = PeftModel.from_pretrained(plain, tmp_path / "x").get_base_model()
    tuned = {name: layer for name, layer in loaded.named_modules() if isinstance(layer, BaseTunerLayer)}
    before = {name: layer.get_base_layer().weight.detach().clone() for name, layer in tuned.items()}
    for layer in tuned.values():
        layer.merge()
    theirs = {name: layer.get_base_layer().weight.detach() - before[name] for name, layer in tuned.items()}
    assert_same(changes(tmp_path, unet), {name: value for name, value in theirs.items() if value.abs().max() > 0})


def plain(
    unet: UNet2DConditionModel, ranks: Mapping[str, int], alphas: Mapping[str, float]
) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """kohya's plain LoRA of mixed ranks, some layers without an alpha: the file, and what it means."""
    state, added = {}, {}
    generator = torch.Generator().manual_seed(0)
    weights = dict(unet.named_parameters())
    for layer, rank in ranks.items():
        weight = weights[f"{layer}.weight"]
        down = torch.randn(rank, *weight.shape[1:], generator=generator) * 0.3
        up = torch.randn(weight.shape[0], rank, *[1] * (weight.ndim - 2), generator=generator) * 0.3
        flat = f"lora_unet_{layer.replace('.', '_')}"
        state |= {f"{flat}.lora_down.weight": down, f"{flat}.lora_up.weight": up}
        if layer in alphas:
            state[f"{flat}.alpha"] = torch.tensor(alphas[layer])
        scale = alphas.get(layer, rank) / rank
        added[layer] = (up.flatten(1) @ down.flatten(1)).reshape(weight.shape) * scale
    return state, added


def test_mixed_ranks_and_missing_alphas_are_each_layers_own(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    state, added = plain(unet, {LINEAR: 1, WIDE: 4, CONV: 8, NARROW: 3}, {WIDE: 2.0, CONV: 1.0})
    save_file(state, tmp_path / "x.safetensors")
    assert_same(changes(tmp_path, unet), added)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"])
def test_small_floats_mean_the_numbers_that_they_hold(dtype: str, unet: UNet2DConditionModel, tmp_path: Path) -> None:
    state, _ = plain(unet, {LINEAR: 4, CONV: 4}, {LINEAR: 2.0})
    stored = {key: tensor.to(getattr(torch, dtype)) for key, tensor in state.items()}
    save_file(stored, tmp_path / "x.safetensors")
    (tmp_path / "wide").mkdir()
    save_file({key: tensor.float() for key, tensor in stored.items()}, tmp_path / "wide" / "x.safetensors")
    assert_same(changes(tmp_path, unet), changes(tmp_path / "wide", unet))


def test_a_dora_at_half_its_weight_is_half_way_and_at_none_the_base(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    state, added = by_lycoris(unet, LoConModule, weight_decompose=True)
    save_file(state, tmp_path / "x.safetensors")
    assert_same(changes(tmp_path, unet, 0.5), {layer: value / 2 for layer, value in added.items()})
    assert changes(tmp_path, unet, 0.0) == {}


SDXL = {
    "input_blocks_0_0": "conv_in", "input_blocks_1_0_in_layers_2": "down_blocks.0.resnets.0.conv1",
    "input_blocks_1_0_emb_layers_1": "down_blocks.0.resnets.0.time_emb_proj",
    "input_blocks_3_0_op": "down_blocks.0.downsamplers.0.conv",
    "input_blocks_4_0_skip_connection": "down_blocks.1.resnets.0.conv_shortcut",
    "input_blocks_4_1_proj_in": "down_blocks.1.attentions.0.proj_in",
    "input_blocks_5_1_transformer_blocks_0_attn2_to_k":
        "down_blocks.1.attentions.1.transformer_blocks.0.attn2.to_k",
    "middle_block_1_transformer_blocks_0_attn1_to_out_0":
        "mid_block.attentions.0.transformer_blocks.0.attn1.to_out.0",
    "middle_block_2_out_layers_3": "mid_block.resnets.1.conv2",
    "output_blocks_2_1_transformer_blocks_0_ff_net_0_proj":
        "up_blocks.0.attentions.2.transformer_blocks.0.ff.net.0.proj",
    "output_blocks_2_2_conv": "up_blocks.0.upsamplers.0.conv",
    "output_blocks_5_0_in_layers_2": "up_blocks.1.resnets.2.conv1",
    "time_embed_2": "time_embedding.linear_2", "label_emb_0_0": "add_embedding.linear_1", "out_2": "conv_out",
}  # fmt: skip


def sdxl_unet() -> UNet2DConditionModel:
    """A tiny U-Net with SDXL's blocks, two levels of its three."""
    torch.manual_seed(0)
    return UNet2DConditionModel(
        sample_size=8, block_out_channels=(16, 32), layers_per_block=2, down_block_types=("DownBlock2D",
        "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"), attention_head_dim=(2, 4),
        cross_attention_dim=32, addition_embed_type="text_time", addition_time_embed_dim=8, norm_num_groups=8,
        projection_class_embeddings_input_dim=72, use_linear_projection=True, transformer_layers_per_block=1,
    )  # fmt: skip


def test_kohyas_names_of_sdxl_are_the_layers_that_diffusers_takes_them_for(tmp_path: Path) -> None:
    unet = sdxl_unet()
    _, added = plain(unet, dict.fromkeys(SDXL.values(), 2), {})
    state, _ = plain(unet, dict.fromkeys(SDXL.values(), 2), {})
    names = {f"lora_unet_{layer.replace('.', '_')}": f"lora_unet_{old}" for old, layer in SDXL.items()}
    renamed = {names[key.split(".", 1)[0]] + "." + key.split(".", 1)[1]: value for key, value in state.items()}
    assert renamed.keys() != state.keys()
    save_file(renamed, tmp_path / "x.safetensors")
    assert_same(changes(tmp_path, unet), added)
    converted, _ = StableDiffusionXLPipeline.lora_state_dict(renamed, unet_config=Namespace(unet.config))
    theirs = {key.removeprefix("unet.").split(".lora", 1)[0].replace(".processor", "") for key in converted}
    theirs = {re.sub(r"\.(to_[qkv]|to_out)_lora\..*", r".\1", key) for key in theirs}
    assert {name.removesuffix(".0") for name in SDXL.values()} >= {name.removesuffix(".0") for name in theirs}
    assert len(theirs) == len(SDXL)


class Namespace:
    """A U-Net's settings by attribute, as diffusers reads them."""

    def __init__(self, settings: Mapping[str, object]) -> None:
        vars(self).update(settings)


def test_names_of_comfyui_are_read_as_well(tmp_path: Path) -> None:
    unet = sdxl_unet()
    layer = SDXL["input_blocks_4_1_proj_in"]
    state, added = plain(unet, {layer: 2}, {})
    dotted = "diffusion_model.input_blocks.4.1.proj_in"
    save_file({f"{dotted}.{key.split('.', 1)[1]}": value for key, value in state.items()}, tmp_path / "x.safetensors")
    assert_same(changes(tmp_path, unet), added)


@pytest.mark.parametrize(
    ("header", "key", "said"),
    [
        ({"ss_base_model_version": "sdxl_base_v1-0"}, "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k",
         r"for SDXL \(its header says sdxl_base_v1-0; it reads 2048 numbers a token\); this one reads 32"),
        ({}, f"lora_unet_{WIDE.replace('.', '_')}", r"for SDXL \(it reads 2048 numbers a token\).*has shapes"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, "lora_unet_double_blocks_0_img_attn_proj",
         r"for FLUX \(its header says flux-1-dev/lora\).*no layer lora_unet_double_blocks"),
        ({}, "transformer.single_transformer_blocks.0.attn.to_q", "for FLUX;"),
        ({}, "lora_unet_down_blocks_9_attentions_0_proj_in", "for another U-Net; this one reads 32 numbers"),
    ],
)  # fmt: skip
def test_a_style_for_another_base_says_what_it_was_made_for(
    header: dict[str, str], key: str, said: str, unet: UNet2DConditionModel, tmp_path: Path
) -> None:
    state = {f"{key}.lora_down.weight": torch.zeros(2, 2048), f"{key}.lora_up.weight": torch.zeros(640, 2)}
    save_file(state, tmp_path / "x.safetensors", metadata=header)
    with pytest.raises(ValueError, match=f"style 'x' was made for another U-Net, {said}"):
        changes(tmp_path, unet)


@pytest.mark.parametrize(
    ("ending", "kind"),
    [("oft_blocks", "OFT"), ("oft_R.weight", "OFT"), ("a1.weight", "GLoRA"), ("diff", "full fine-tuning"),
     ("w_norm", "trained norms"), ("on_input", "IA3"), ("lora_E", "AdaLoRA"), ("lora_B.bias", "LoRA with biases"),
     ("something", "an unknown kind")],
)  # fmt: skip
def test_other_kinds_are_refused_by_name(ending: str, kind: str, unet: UNet2DConditionModel, tmp_path: Path) -> None:
    save_file({f"unet.{LINEAR}.{ending}": torch.zeros(2, 2)}, tmp_path / "x.safetensors")
    with pytest.raises(ValueError, match=f"style 'x' has .*{ending}: it is .*{kind}.*LoHa, LoKr and DoRA are read"):
        changes(tmp_path, unet)


def test_two_styles_add_up_and_two_orders_are_the_same_bytes(unet: UNet2DConditionModel, tmp_path: Path) -> None:
    states = {}
    for name, layers in (("x", {LINEAR: 2, CONV: 3}), ("y", {LINEAR: 4, WIDE: 1})):
        state, states[name] = plain(unet, layers, {})
        save_file(state, tmp_path / f"{name}.safetensors")
    shelf, found = LoraShelf(tmp_path), []
    uses = [StyleUse(name="y", weight=0.5), StyleUse(name="x", weight=-1.0)]
    before = {key: value.detach().clone() for key, value in unet.named_parameters()}
    for order in (uses, uses[::-1]):
        with shelf.applied(unet, order):
            found.append({key: value.detach().clone() for key, value in unet.named_parameters()})
    assert all(torch.equal(found[0][key], found[1][key]) for key in before)
    for layer in (LINEAR, CONV, WIDE):
        wanted = -states["x"].get(layer, torch.zeros(())) + 0.5 * states["y"].get(layer, torch.zeros(()))
        assert (found[0][f"{layer}.weight"] - before[f"{layer}.weight"] - wanted).abs().max() < 1e-5
    assert all(torch.equal(value, before[key]) for key, value in unet.named_parameters())


def test_merged_weights_are_kept_until_they_are_too_many(
    unet: UNet2DConditionModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        save_file(plain(unet, {CONV: 2}, {})[0], tmp_path / f"{name}.safetensors")
    size = unet.get_parameter(f"{CONV}.weight").numel() * 4
    shelf, merged = LoraShelf(tmp_path, kept_bytes=2 * size), []
    real = shelf._merge
    monkeypatch.setattr(shelf, "_merge", lambda *given: merged.append(given[1]) or real(*given))

    def draw(name: str, weight: float = 1.0) -> None:
        with shelf.applied(unet, [StyleUse(name=name, weight=weight)]):
            pass

    for name in ("a", "b", "a", "b", "c", "b", "a"):  # c takes the place of a, which was drawn longest ago
        draw(name)
    assert [list(each) for each in merged] == [["a"], ["b"], ["c"], ["a"]]
    draw("a", 0.5)
    assert len(merged) == 5  # another weight is another merge
    save_file(plain(unet, {CONV: 3}, {})[0], tmp_path / "a.safetensors")
    draw("a", 0.5)
    assert len(merged) == 6  # a file that changed is read anew
    assert shelf._merged.bytes <= 2 * size
