"""The public checkpoints' settings, as their published config.json files give them, and files of their full size.

`write_layout` writes a folder with every key, shape and byte length of a public part; the bytes are holes, so a 5 GB
file takes no room. What it proves is that a layout is accepted; the weights are zeros.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from accelerate import init_empty_weights
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from testing.random_checkpoint import noise_scheduler, write_tokenizer

SD_BLOCKS = {
    "down_block_types": ["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
    "up_block_types": ["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3,
    "block_out_channels": [320, 640, 1280, 1280],
    "layers_per_block": 2,
    "in_channels": 4,
    "out_channels": 4,
}
SD15_UNET = {**SD_BLOCKS, "sample_size": 64, "attention_head_dim": 8, "cross_attention_dim": 768}
SD2_UNET = {
    **SD_BLOCKS,
    "sample_size": 96,
    "attention_head_dim": [5, 10, 20, 20],
    "cross_attention_dim": 1024,
    "use_linear_projection": True,
    "upcast_attention": True,
}
REFINER_UNET = {
    **SD_BLOCKS,
    "sample_size": 128,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
    "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [384, 768, 1536, 1536],
    "attention_head_dim": [6, 12, 24, 24],
    "cross_attention_dim": 1280,
    "transformer_layers_per_block": 4,
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2560,
}
SDXL_UNET = {
    **SD_BLOCKS,
    "sample_size": 128,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "block_out_channels": [320, 640, 1280],
    "attention_head_dim": [5, 10, 20],
    "cross_attention_dim": 2048,
    "transformer_layers_per_block": [1, 2, 10],
    "use_linear_projection": True,
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 256,
    "projection_class_embeddings_input_dim": 2816,
}
KL_VAE = {
    "down_block_types": ["DownEncoderBlock2D"] * 4,
    "up_block_types": ["UpDecoderBlock2D"] * 4,
    "block_out_channels": [128, 256, 512, 512],
    "layers_per_block": 2,
    "latent_channels": 4,
    "norm_num_groups": 32,
}
SD_VAE = {**KL_VAE, "sample_size": 512, "scaling_factor": 0.18215}
SDXL_VAE = {**KL_VAE, "sample_size": 1024, "scaling_factor": 0.13025, "force_upcast": True}
CLIP_L = {
    "vocab_size": 49408, "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
    "num_attention_heads": 12, "projection_dim": 768, "hidden_act": "quick_gelu",
    "bos_token_id": 0, "eos_token_id": 2, "pad_token_id": 1,
}  # fmt: skip
OPENCLIP_H = {  # 23 of its 24 layers: what remains ends at the penultimate one
    **CLIP_L, "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23,
    "num_attention_heads": 16, "projection_dim": 512, "hidden_act": "gelu",
}  # fmt: skip
OPENCLIP_G = {
    **CLIP_L, "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32,
    "num_attention_heads": 20, "projection_dim": 1280, "hidden_act": "gelu",
}  # fmt: skip

# What is published of them, as a check that these settings are theirs: parameters, and gigabytes in float16.
PARAMETERS = {
    "sd15/unet": 859_520_964,
    "sd15/vae": 83_653_863,
    "sd15/text_encoder": 123_060_480,
    "sd2/unet": 865_910_724,
    "sd2/text_encoder": 340_387_840,
    "sdxl-refiner/text_encoder_2": 694_659_840,
    "sdxl/unet": 2_567_463_684,
}
GIGABYTES = {"sd15/unet": 1.72, "sdxl-refiner/unet": 4.52, "sdxl/unet": 5.13}


def layouts() -> dict[str, Callable[[], torch.nn.Module]]:
    """ "<checkpoint>/<part>" → a function that lays the part out (on the meta device when called inside one)."""
    return {
        "sd15/unet": lambda: UNet2DConditionModel(**SD15_UNET),
        "sd15/vae": lambda: AutoencoderKL(**SD_VAE),
        "sd15/text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        "sd2/unet": lambda: UNet2DConditionModel(**SD2_UNET),
        "sd2/vae": lambda: AutoencoderKL(**{**SD_VAE, "sample_size": 768}),
        "sd2/text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**OPENCLIP_H)),
        "sdxl/unet": lambda: UNet2DConditionModel(**SDXL_UNET),
        "sdxl/vae": lambda: AutoencoderKL(**SDXL_VAE),
        "sdxl/text_encoder": lambda: CLIPTextModel(CLIPTextConfig(**CLIP_L)),
        "sdxl/text_encoder_2": lambda: CLIPTextModelWithProjection(CLIPTextConfig(**OPENCLIP_G)),
        "sdxl-refiner/unet": lambda: UNet2DConditionModel(**REFINER_UNET),
        "sdxl-refiner/vae": lambda: AutoencoderKL(**SDXL_VAE),
        "sdxl-refiner/text_encoder_2": lambda: CLIPTextModelWithProjection(CLIPTextConfig(**OPENCLIP_G)),
    }


def write_public(folder: Path, name: str) -> Path:
    """Write a whole public checkpoint ("sd15", "sd2", "sdxl-refiner") at full size, hollow, ready to be opened."""
    second = "_2" if name == "sdxl-refiner" else ""
    for each in layouts():
        if each.startswith(f"{name}/"):
            write_layout(folder / each.removeprefix(f"{name}/"), each)
    write_tokenizer(folder / f"tokenizer{second}")
    prediction = "v_prediction" if name == "sd2" else "epsilon"
    noise_scheduler(prediction).save_pretrained(folder / "scheduler")
    index = {f"text_encoder{second}": ["transformers", "CLIPTextModel"]}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def write_layout(folder: Path, name: str) -> int:
    """Write one part's config.json and a hollow safetensors file of its full size; return its parameters."""
    with init_empty_weights():
        model = layouts()[name]()
    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder) if "text" in name else model.save_config(folder)
    shapes = {key: tuple(value.shape) for key, value in model.state_dict().items()}
    stem = "model" if "text" in name else "diffusion_pytorch_model"
    write_hollow(folder / f"{stem}.safetensors", as_published(name, shapes))
    return sum(each.numel() for each in model.parameters())


def as_published(name: str, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, tuple[int, ...]]:
    """Keys as the published files spell them: SD 1.5's are older than today's classes."""
    if "text" in name:
        named = {key if key.startswith("text_") else f"text_model.{key}": shape for key, shape in shapes.items()}
        return {**named, "text_model.embeddings.position_ids": (1, 77)} if name.startswith("sd15") else named
    if name == "sd15/vae":
        old = {"to_q.": "query.", "to_k.": "key.", "to_v.": "value.", "to_out.0.": "proj_attn."}
        for new, before in old.items():
            shapes = {key.replace(f"attentions.0.{new}", f"attentions.0.{before}"): s for key, s in shapes.items()}
    return dict(shapes)


def write_hollow(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """A safetensors file of float16 zeros that takes almost no room on disk."""
    header: dict[str, object] = {}
    offset = 0
    for key, shape in shapes.items():
        size = 2 * torch.Size(shape).numel()
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + offset)
