"""The four families of single files, small: what the tests of diffusion/single_file.py start from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from testing import public_layouts as public
from testing.random_checkpoint import noise_scheduler, write_tokenizer

WIDE = 64
TEXT = {"vocab_size": 138, "hidden_size": WIDE, "intermediate_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 1, "projection_dim": WIDE}  # fmt: skip
VAE = {"block_out_channels": [32] * 4}
XL = {"addition_time_embed_dim": 8, "attention_head_dim": 1}
KINDS = {  # folder → its U-Net's, autoencoder's and text encoders' settings: the published ones, narrower
    "sd15": (public.SD15_UNET | {"block_out_channels": [64] * 4, "cross_attention_dim": WIDE}, public.SD_VAE | VAE,
             {"text_encoder": public.CLIP_L | TEXT}),
    "sd2": (public.SD2_UNET | {"block_out_channels": [64] * 4, "cross_attention_dim": WIDE, "attention_head_dim": 1},
            public.SD_VAE | VAE, {"text_encoder": public.OPENCLIP_H | TEXT}),
    "sdxl": (public.SDXL_UNET | XL | {"block_out_channels": [64] * 3, "cross_attention_dim": 2 * WIDE,
                                      "projection_class_embeddings_input_dim": WIDE + 6 * 8,
                                      "transformer_layers_per_block": [1, 2, 3]}, public.SDXL_VAE | VAE,
             {"text_encoder": public.CLIP_L | TEXT, "text_encoder_2": public.OPENCLIP_G | TEXT}),
    "sdxl-refiner": (public.REFINER_UNET | XL | {"block_out_channels": [64] * 4, "cross_attention_dim": WIDE,
                                                 "projection_class_embeddings_input_dim": WIDE + 5 * 8,
                                                 "transformer_layers_per_block": 2}, public.SDXL_VAE | VAE,
                     {"text_encoder_2": public.OPENCLIP_G | TEXT}),
}  # fmt: skip


def write_kind(folder: Path, kind: str) -> Path:
    """A narrow checkpoint in diffusers' layout."""
    torch.manual_seed(0)
    unet, vae, towers = KINDS[kind]
    UNet2DConditionModel(**unet).save_pretrained(folder / "unet")
    AutoencoderKL(**vae).save_pretrained(folder / "vae")
    for part, settings in towers.items():
        tower = CLIPTextModelWithProjection if part.endswith("_2") else CLIPTextModel
        tower(CLIPTextConfig(**settings)).save_pretrained(folder / part)
        write_tokenizer(folder / part.replace("text_encoder", "tokenizer"))
    noise_scheduler("v_prediction" if kind == "sd2" else "epsilon").save_pretrained(folder / "scheduler")
    index = {part: ["transformers", "CLIPTextModel"] for part in towers}
    (folder / "model_index.json").write_text(json.dumps(index | {"unet": ["diffusers", "UNet2DConditionModel"]}))
    return folder


def empty_caches(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No cache of this machine's user, nor of a hub; returns where files are unpacked."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr("diffusion.vocabulary.KNOWN_VOCABULARIES", (("nobody/nothing", ""),))
    return folder / "cache/geuryeojwo/checkpoints"
