"""Checkpoints in one file, as they are released: the names that Stable Diffusion's own code gives to weights.

In: weights of parts by diffusers' and transformers' names, real ones or on the meta device. Out: the same by the
released names; `write_single_file` writes a folder's parts so. The way back is what diffusion/unpack.py does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

Tensors = dict[str, torch.Tensor]
UNET = {
    "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
    "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0", "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}  # fmt: skip
RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
OPEN_CLIP = {"layer_norm1": "ln_1", "layer_norm2": "ln_2", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj",
             "self_attn.out_proj": "attn.out_proj"}  # fmt: skip
LAYERS = 2


def released_unet(state: Mapping[str, torch.Tensor]) -> Tensors:
    """A U-Net's weights with two residual blocks a level."""
    return {f"model.diffusion_model.{_unet_name(key, state)}": value for key, value in state.items()}


def released_vae(state: Mapping[str, torch.Tensor], levels: int = 4, prefix: str = "first_stage_model.") -> Tensors:
    """An AutoencoderKL's weights; its attention's linear layers are 1 × 1 convolutions there."""
    found = {}
    for key, value in state.items():
        flat = ".attentions." in key and value.ndim == 2
        found[prefix + _vae_name(key, levels)] = value[:, :, None, None] if flat else value
    return found


def released_clip(state: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """CLIP-L's text tower."""
    inner = {key.removeprefix("text_model."): value for key, value in state.items()}
    return {f"{prefix}text_model.{key}": value for key, value in inner.items()}


def released_open_clip(state: Mapping[str, torch.Tensor], prefix: str) -> Tensors:
    """OpenCLIP's text tower: query, key and value are one matrix, the projection is transposed."""
    inner = {key.removeprefix("text_model."): value for key, value in state.items()}
    found = {
        "token_embedding.weight": inner.pop("embeddings.token_embedding.weight"),
        "positional_embedding": inner.pop("embeddings.position_embedding.weight"),
        "ln_final.weight": inner.pop("final_layer_norm.weight"),
        "ln_final.bias": inner.pop("final_layer_norm.bias"),
        "logit_scale": torch.zeros(()),
    }
    if "text_projection.weight" in inner:
        found["text_projection"] = inner.pop("text_projection.weight").T
    for key in inner:
        layer, name = re.fullmatch(r"encoder\.layers\.(\d+)\.(.*)", key).groups()  # type: ignore[union-attr]
        block = f"transformer.resblocks.{layer}"
        module, kind = name.rsplit(".", 1)
        if module in OPEN_CLIP:
            found[f"{block}.{OPEN_CLIP[module]}.{kind}"] = inner[key]
        elif module == "self_attn.q_proj":
            parts = [inner[key.replace("q_proj", each)] for each in ("q_proj", "k_proj", "v_proj")]
            found[f"{block}.attn.in_proj_{kind}"] = torch.cat(parts)
    return {prefix + key: value for key, value in found.items()}


def moving_average(unet: Mapping[str, torch.Tensor]) -> Tensors:
    """A U-Net's released weights as its EMA's are named, each one larger by 1."""
    return {"model_ema." + "".join(key.split(".")[1:]): value + 1 for key, value in unet.items()}


def parts_of(folder: Path) -> Tensors:
    """A checkpoint folder's weights by released names: Stable Diffusion 1 and 2, SDXL or its refiner, as it is."""
    unet = _weights(folder / "unet")
    found = released_unet(unet) | released_vae(_weights(folder / "vae"))
    first, second = folder / "text_encoder", folder / "text_encoder_2"
    if first.is_dir() and second.is_dir():
        found |= released_clip(_weights(first), "conditioner.embedders.0.transformer.")
        found |= released_open_clip(_weights(second), "conditioner.embedders.1.model.")
    elif second.is_dir():
        found |= released_open_clip(_weights(second), "conditioner.embedders.0.model.")
    elif unet["mid_block.attentions.0.proj_in.weight"].ndim == 2:  # Stable Diffusion 2: a layer more than is used
        found |= _with_another_layer(released_open_clip(_weights(first), "cond_stage_model.model."))
    else:
        found |= released_clip(_weights(first), "cond_stage_model.transformer.")
        found["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(77)[None]
    return found | {"alphas_cumprod": torch.ones(1000), "betas": torch.ones(1000)}


def write_single_file(path: Path, tensors: Mapping[str, torch.Tensor], metadata: Mapping[str, str] = {}) -> Path:
    """Write weights by their released names as one file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {key: value.clone().contiguous() for key, value in tensors.items()}
    save_file(whole, path, metadata={"format": "pt", **metadata})
    return path


def _unet_name(key: str, names: Iterable[str]) -> str:
    down = re.fullmatch(r"down_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", key)
    up = re.fullmatch(r"up_blocks\.(\d+)\.(resnets|attentions)\.(\d+)\.(.*)", key)
    sampler = re.fullmatch(r"(down|up)_blocks\.(\d+)\.\w+samplers\.0\.conv\.(.*)", key)
    if sampler:
        level, rest = int(sampler[2]), sampler[3]
        if sampler[1] == "down":
            return f"input_blocks.{(LAYERS + 1) * (level + 1)}.0.op.{rest}"
        attends = any(name.startswith(f"up_blocks.{level}.attentions.") for name in names)
        return f"output_blocks.{(LAYERS + 1) * level + LAYERS}.{2 if attends else 1}.conv.{rest}"
    if down or up:
        level, kind, place, rest = (down or up).groups()  # type: ignore[union-attr]
        number = (LAYERS + 1) * int(level) + int(place) + (1 if down else 0)
        block = f"{'input' if down else 'output'}_blocks.{number}.{0 if kind == 'resnets' else 1}"
        return f"{block}.{_resnet(rest) if kind == 'resnets' else rest}"
    for name, released in UNET.items():
        if key.startswith(f"{name}."):
            rest = key.removeprefix(f"{name}.")
            return f"{released}.{_resnet(rest) if '.resnets.' in key else rest}"
    raise KeyError(key)


def _resnet(rest: str) -> str:
    module, kind = rest.rsplit(".", 1)
    return f"{RESNET[module]}.{kind}"


def _vae_name(key: str, levels: int) -> str:
    key = re.sub(r"down_blocks\.(\d+)\.resnets\.(\d+)", r"down.\1.block.\2", key)
    key = re.sub(r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample", key)
    key = re.sub(r"up_blocks\.(\d+)\.resnets\.(\d+)", lambda m: f"up.{levels - 1 - int(m[1])}.block.{m[2]}", key)
    key = re.sub(r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", key)
    key = re.sub(r"mid_block\.resnets\.(\d+)", lambda m: f"mid.block_{int(m[1]) + 1}", key)
    for name, released in VAE_ATTENTION.items():
        key = key.replace(f"mid_block.attentions.0.{name}.", f"mid.attn_1.{released}.")
    return key.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")


def _with_another_layer(tower: Tensors) -> Tensors:
    """OpenCLIP with a last layer that Stable Diffusion 2 does not use, and the projection after it."""
    last = max(int(key.split(".")[4]) for key in tower if ".resblocks." in key)
    surplus = {key.replace(f"resblocks.{last}.", f"resblocks.{last + 1}."): value
               for key, value in tower.items() if f"resblocks.{last}." in key}  # fmt: skip
    width = tower["cond_stage_model.model.positional_embedding"].shape[1]
    return tower | surplus | {"cond_stage_model.model.text_projection": torch.zeros(width, width)}


def _weights(folder: Path) -> Tensors:
    (path,) = folder.glob("*.safetensors")
    return load_file(path)
