"""How styles call the layers of a U-Net: diffusers' names, PEFT's, kohya's with _ for dots, and the first release's.

In: a key of a file, a U-Net. Out: the layer and the part that the key names. kohya writes Stable Diffusion 1 and 2 in
diffusers' names and SDXL in those of the code that it was released with (input_blocks, middle_block, output_blocks);
ComfyUI has these below diffusion_model.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import torch

PREFIXES = (
    "base_model.model.", "lora_unet_", "lycoris_", "model.diffusion_model.", "diffusion_model.", "unet.",
)  # fmt: skip
PEFT_PREFIX = PREFIXES[0]
# What is made for text encoders, and embeddings that travel with a LoRA: other encoders than ours, so never read.
TEXT_PREFIXES = (
    "text_encoder.", "text_encoder_2.", "text_encoder_3.", "text_encoders.", "lora_te_", "lora_te1_", "lora_te2_",
    "lora_te3_", "lycoris_text_model_", "base_model.model.text_model.", "bundle_emb.",
)  # fmt: skip
PARTS = {
    "lora_A.weight": "down", "lora_A.default.weight": "down", "lora_down.weight": "down", "lora.down.weight": "down",
    "lora_B.weight": "up", "lora_B.default.weight": "up", "lora_up.weight": "up", "lora.up.weight": "up",
    "lora_mid.weight": "mid", "alpha": "alpha", "dora_scale": "magnitude",
    "lora_magnitude_vector": "magnitude_rows", "lora_magnitude_vector.weight": "magnitude_rows",
    "lora_magnitude_vector.default.weight": "magnitude_rows",
} | {
    part: part
    for part in (
        "hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "hada_t1", "hada_t2", "lokr_w1", "lokr_w1_a", "lokr_w1_b",
        "lokr_w2", "lokr_w2_a", "lokr_w2_b", "lokr_t2",
    )
}  # fmt: skip
# Endings of kinds that are not read: what each is called.
OTHER_KINDS = {
    r"oft_(blocks|diag|R|R\.weight|s)": "OFT", r"boft_\w+": "BOFT", r"[ab][12]\.weight": "GLoRA", r"ia3_l": "IA3",
    r"on_input": "IA3", r"diff(_b)?": "full fine-tuning (diff)", r"[wb]_norm": "trained norms",
    r"lora_[AB](\.default)?\.bias": "LoRA with biases", r"lora_E": "AdaLoRA", r"vera_lambda_\w+": "VeRA",
    r"lora_embedding_[AB]": "LoRA of an embedding", r"hra_u": "HRA", r"\w+_spectrum": "FourierFT",
}  # fmt: skip
_ENDINGS = sorted(PARTS, key=len, reverse=True)
_PROCESSOR = re.compile(r"\.(to_[qkv]|to_out)_lora\.(down|up)\.weight$")  # diffusers' old attention processors
# Parts of a block as Stable Diffusion was released → as diffusers calls them.
_RESNET = {
    "in_layers_0": "norm1", "in_layers_2": "conv1", "emb_layers_1": "time_emb_proj", "out_layers_0": "norm2",
    "out_layers_3": "conv2", "skip_connection": "conv_shortcut",
}  # fmt: skip
_OUTSIDE = {
    "time_embed_0": "time_embedding.linear_1", "time_embed_2": "time_embedding.linear_2",
    "label_emb_0_0": "add_embedding.linear_1", "label_emb_0_2": "add_embedding.linear_2",
    "input_blocks_0_0": "conv_in", "out_2": "conv_out",
}  # fmt: skip


def split_key(key: str, name: str) -> tuple[str, str]:
    """(layer, part) of a key; raises ValueError naming the kind for a key that belongs to none of ours."""
    key = _PROCESSOR.sub(lambda m: f".{m[1].replace('to_out', 'to_out.0')}.lora_{m[2]}.weight", key)
    key = key.replace(".processor.", ".")
    for ending in _ENDINGS:
        if key.endswith(f".{ending}"):
            return key.removesuffix(f".{ending}"), PARTS[ending]
    kind = next((kind for ending, kind in OTHER_KINDS.items() if re.search(rf"\.({ending})$", key)), None)
    what = f"is a style of {kind}" if kind else "is of an unknown kind"
    raise ValueError(f"style {name!r} has {key}: it {what}; LoRA, LoCon, LoHa, LoKr and DoRA are read")


def bare(layer: str) -> str:
    """A layer's name without what says that it belongs to a U-Net."""
    for prefix in PREFIXES:
        layer = layer.removeprefix(prefix)
    return layer


class LayerNames:
    """Finds a U-Net's layers by any of their names."""

    def __init__(self, unet: torch.nn.Module) -> None:
        self._known = {layer.replace(".", "_"): layer for layer, _ in unet.named_modules() if layer}
        for old, layer in _released(list(self._known.values())):
            self._known.setdefault(old, layer)

    def find(self, layer: str) -> str | None:
        """The U-Net's own name of a layer; None where it has no such layer."""
        return self._known.get(bare(layer).replace(".", "_"))


def _released(layers: list[str]) -> Iterator[tuple[str, str]]:
    """(name with _ for dots as released, diffusers' name) of every layer that had another name."""
    yield from _OUTSIDE.items()
    blocks = _blocks(layers)
    resnet = {theirs: old for old, theirs in _RESNET.items()}
    for layer in layers:
        for block, old in blocks.items():
            if layer.startswith(f"{block}."):
                rest = layer.removeprefix(f"{block}.")
                if ".resnets." in block:
                    rest = resnet.get(rest, rest)
                elif ".downsamplers." in block:
                    rest = "op" if rest == "conv" else rest
                yield f"{old}_{rest.replace('.', '_')}", layer


def _blocks(layers: list[str]) -> dict[str, str]:
    """diffusers' name of each block → the released one: numbered through, an attention beside its residual block."""
    there = set(layers)
    found = {"mid_block.resnets.0": "middle_block_0", "mid_block.attentions.0": "middle_block_1",
             "mid_block.resnets.1": "middle_block_2"}  # fmt: skip
    for side, old, n in (("down", "input_blocks", 1), ("up", "output_blocks", 0)):
        level = 0
        while f"{side}_blocks.{level}" in there:
            here, i = f"{side}_blocks.{level}", 0
            while f"{here}.resnets.{i}" in there:
                found[f"{here}.resnets.{i}"] = f"{old}_{n}_0"
                attends = f"{here}.attentions.{i}" in there
                if attends:
                    found[f"{here}.attentions.{i}"] = f"{old}_{n}_1"
                n, i = n + 1, i + 1
            if f"{here}.downsamplers.0" in there:
                found[f"{here}.downsamplers.0"] = f"{old}_{n}_0"
                n += 1
            if f"{here}.upsamplers.0" in there:
                found[f"{here}.upsamplers.0"] = f"{old}_{n - 1}_{2 if attends else 1}"
            level += 1
    return found


def kohya_name(unet: torch.nn.Module, layer: str) -> str:
    """What kohya's trainer calls a layer: of SDXL by the released names, of Stable Diffusion 1 and 2 by diffusers'."""
    flat = layer.replace(".", "_")
    if getattr(unet, "config", {}).get("addition_embed_type") == "text_time":
        released = {ours: old for old, ours in _released([name for name, _ in unet.named_modules() if name])}
        flat = released.get(layer, flat)
    return f"lora_unet_{flat}"
