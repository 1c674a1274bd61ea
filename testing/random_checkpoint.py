"""Write checkpoints with random weights in the layouts that the pipeline reads: tiny for tests, any size for
speed.

Out: folders that `diffusion.load.load_pipeline` and diffusers' own `from_pretrained` open. Speed and memory
do not depend on the values of weights, and tests need the layout, not the pictures.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import string
from dataclasses import dataclass
from math import log2
from pathlib import Path

import torch
from diffusers import AutoencoderKL, AutoencoderTiny, DDIMScheduler, DPMSolverMultistepScheduler, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPConfig, CLIPModel, CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from diffusion.training.base import SHAPE as BASE
from diffusion.training.refiner import SHAPE as REFINER
from diffusion.training.unet import UNetShape

FLOW = {"prediction_type": "flow_prediction", "use_flow_sigmas": True, "flow_shift": 1.0}


@dataclass(frozen=True)
class Sizes:
    """Widths of a checkpoint; the defaults are those of a tiny one."""

    base_channels: tuple[int, ...] = (16, 32)
    refiner_channels: tuple[int, ...] = (16, 32)
    base_size: int = 32
    latent_channels: int = 4
    factor: int = 8  # pixels of a side to a latent, of the tiny autoencoder; the KL one has 8
    vae_width: int = 8
    encoder_width: int | None = None  # of the tiny autoencoder's encoder; None: as its decoder
    encoder_blocks: int = 3  # a level; 0: the encoder is linear
    text_width: int = 32
    text_layers: int = 2
    text_heads: int = 4
    text_mlp: int = 2  # times the width
    pooled: int = 24
    head_width: int = 8
    groups: int = 8
    base_shape: UNetShape | None = None  # instead of the channels: heads and plain levels as well
    refiner_shape: UNetShape | None = None
    steps: int = 4  # the manifest's defaults
    strength: float = 0.4

    @property
    def base(self) -> UNetShape:
        return self.base_shape or self._attending(self.base_channels)

    @property
    def refiner(self) -> UNetShape:
        return self.refiner_shape or self._attending(self.refiner_channels)

    def _attending(self, channels: tuple[int, ...]) -> UNetShape:
        return UNetShape(channels, tuple(width // self.head_width for width in channels), 0)


TINY = Sizes()
SMALL = Sizes(  # what ships: 32×32×16 latents, then 64×64×16
    base_shape=BASE, refiner_shape=REFINER, base_size=128, latent_channels=16, factor=4, vae_width=32, encoder_width=16,
    encoder_blocks=0, text_width=192, text_layers=4, text_heads=6, text_mlp=4, pooled=192, groups=16, steps=8,
    strength=0.2,
)  # fmt: skip


def write_checkpoint(folder: Path, sizes: Sizes = TINY, seed: int = 0, refiner: bool = True) -> Path:
    """Write our own layout: parts stored once as float16, and a manifest with sizes and SHA-256."""
    torch.manual_seed(seed)
    _save(tiny_vae(sizes), folder / "vae")
    _save(base_unet(sizes), folder / "base")
    DPMSolverMultistepScheduler(**FLOW).save_pretrained(folder / "base" / "scheduler")
    if refiner:
        _save(refiner_unet(sizes), folder / "refiner")
    _save(clip(sizes), folder / "clip")
    write_tokenizer(folder / "clip")
    write_manifest(folder, sizes, refiner)
    return folder


def write_manifest(folder: Path, sizes: Sizes = TINY, refiner: bool = True, domain: str = "") -> None:
    """(Re)write manifest.json for the files that lie in the folder, of a domain if one is named."""
    shared = {"vae": "vae", "text_encoder": "clip", "tokenizer": "clip", "scheduler": "base/scheduler"}
    base = {"steps": sizes.steps, "guidance_scale": 3.0}
    stages = {"base": {"unet": "base", "size": sizes.base_size, "defaults": base, **shared}}
    if refiner:
        light = {"steps": 2, "guidance_scale": 1.0, "strength": sizes.strength}
        stages["refiner"] = {"unet": "refiner", "size": 2 * sizes.base_size, "defaults": light, **shared}
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != "manifest.json":
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            files[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    manifest = {"format": 1, **({"domain": domain} if domain else {}), "files": files, "stages": stages}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1), "utf-8")


def write_stable_diffusion(folder: Path, prediction: str = "epsilon", sizes: Sizes = TINY, seed: int = 0) -> Path:
    """Write the layout of Stable Diffusion 1.5 (epsilon) or 2 (v_prediction)."""
    torch.manual_seed(seed)
    _save(base_unet(sizes), folder / "unet", half=False)
    _save(kl_vae(sizes), folder / "vae", half=False)
    _save(CLIPTextModel(_text_config(sizes)), folder / "text_encoder", half=False)
    write_tokenizer(folder / "tokenizer")
    noise_scheduler(prediction).save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionPipeline",
        "feature_extractor": [None, None],
        "safety_checker": [None, None],
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
        "requires_safety_checker": False,
    }
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def write_sdxl_refiner(folder: Path, sizes: Sizes = TINY, seed: int = 1) -> Path:
    """Write the layout of the SDXL refiner: a second text encoder only, and its own autoencoder."""
    torch.manual_seed(seed)
    _save(refiner_unet(sizes), folder / "unet", half=False)
    _save(kl_vae(sizes), folder / "vae", half=False)
    _save(CLIPTextModelWithProjection(_text_config(sizes)), folder / "text_encoder_2", half=False)
    write_tokenizer(folder / "tokenizer_2")
    noise_scheduler("epsilon").save_pretrained(folder / "scheduler")
    index = {
        "_class_name": "StableDiffusionXLImg2ImgPipeline",
        "force_zeros_for_empty_prompt": False,
        "requires_aesthetics_score": True,
        "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": [None, None],
        "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": [None, None],
        "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    }
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def write_sdxl(folder: Path, sizes: Sizes = TINY, seed: int = 0) -> Path:
    """Write the layout of SDXL's base: two text encoders side by side, a U-Net told of sizes and a pooled embedding."""
    torch.manual_seed(seed)
    side, width = sizes.base_size // sizes.factor, 2 * sizes.text_width
    settings = {**_unet_settings(sizes, sizes.base, side), "cross_attention_dim": width, "layers_per_block": 2}
    added = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8,
             "projection_class_embeddings_input_dim": sizes.pooled + 6 * 8}  # fmt: skip
    _save(UNet2DConditionModel(**settings, **added), folder / "unet", half=False)
    _save(kl_vae(sizes), folder / "vae", half=False)
    _save(CLIPTextModel(_text_config(sizes)), folder / "text_encoder", half=False)
    _save(CLIPTextModelWithProjection(_text_config(sizes)), folder / "text_encoder_2", half=False)
    for name in ("tokenizer", "tokenizer_2"):
        write_tokenizer(folder / name)
    noise_scheduler("epsilon").save_pretrained(folder / "scheduler")
    parts = {"scheduler": "DDIMScheduler", "unet": "UNet2DConditionModel", "vae": "AutoencoderKL"}
    index = {"_class_name": "StableDiffusionXLPipeline"} | {name: ["diffusers", kind] for name, kind in parts.items()}
    towers = {"text_encoder": "CLIPTextModel", "text_encoder_2": "CLIPTextModelWithProjection",
              "tokenizer": "CLIPTokenizer", "tokenizer_2": "CLIPTokenizer"}  # fmt: skip
    index |= {name: ["transformers", kind] for name, kind in towers.items()}
    (folder / "model_index.json").write_text(json.dumps(index), "utf-8")
    return folder


def base_unet(sizes: Sizes) -> UNet2DConditionModel:
    """A text-to-image U-Net."""
    return UNet2DConditionModel(**_unet_settings(sizes, sizes.base, sizes.base_size // sizes.factor))


def refiner_unet(sizes: Sizes) -> UNet2DConditionModel:
    """A U-Net with the SDXL refiner's addition: five numbers (size, crop, aesthetic score) and a pooled
    embedding.
    """
    each = 32
    return UNet2DConditionModel(
        **_unet_settings(sizes, sizes.refiner, 2 * sizes.base_size // sizes.factor),
        addition_embed_type="text_time",
        addition_time_embed_dim=each,
        projection_class_embeddings_input_dim=5 * each + sizes.pooled,
    )


def tiny_vae(sizes: Sizes) -> AutoencoderTiny:
    """An AutoencoderTiny."""
    levels = int(log2(sizes.factor)) + 1
    blocks = (min(1, sizes.encoder_blocks), *(sizes.encoder_blocks,) * (levels - 1))
    return AutoencoderTiny(
        num_encoder_blocks=blocks,
        num_decoder_blocks=(*(3,) * (levels - 1), 1),
        encoder_block_out_channels=(sizes.encoder_width or sizes.vae_width,) * levels,
        decoder_block_out_channels=(sizes.vae_width,) * levels,
        latent_channels=sizes.latent_channels,
    )


def kl_vae(sizes: Sizes) -> AutoencoderKL:
    """An AutoencoderKL with factor 8."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(sizes.vae_width,) * 4,
        latent_channels=sizes.latent_channels,
        norm_num_groups=min(sizes.groups, sizes.vae_width),
    )


def clip(sizes: Sizes) -> CLIPModel:
    """A whole CLIP with a minimal image tower."""
    vision = {
        "hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2,
        "image_size": 32, "patch_size": 16, "projection_dim": sizes.pooled,
    }  # fmt: skip
    text = _text_config(sizes).to_dict()
    config = CLIPConfig(text_config=text, vision_config=vision, projection_dim=sizes.pooled)
    return CLIPModel(config)


def write_tokenizer(folder: Path) -> None:
    """Write a CLIP tokenizer that knows ASCII's letters, digits and stops, and no merges."""
    folder.mkdir(parents=True, exist_ok=True)
    letters = list(string.ascii_lowercase + string.digits + string.punctuation)
    words = [*letters, *(f"{letter}</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    vocabulary = {word: i for i, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n", "utf-8")
    special = {"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "unk_token": "<|endoftext|>"}
    settings = {**special, "pad_token": "<|endoftext|>", "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings), "utf-8")


def _unet_settings(sizes: Sizes, shape: UNetShape, side: int) -> dict[str, object]:
    attending = len(shape.channels) - shape.plain  # the widest levels of a larger one have no attention
    return {
        "sample_size": side,
        "in_channels": sizes.latent_channels,
        "out_channels": sizes.latent_channels,
        "block_out_channels": shape.channels,
        "layers_per_block": 1,
        "down_block_types": ("DownBlock2D",) * shape.plain + ("CrossAttnDownBlock2D",) * attending,
        "up_block_types": ("CrossAttnUpBlock2D",) * attending + ("UpBlock2D",) * shape.plain,
        "cross_attention_dim": sizes.text_width,
        "attention_head_dim": shape.heads,  # diffusers: how many heads
        "norm_num_groups": sizes.groups,
        "use_linear_projection": shape.plain > 0,
    }


def _text_config(sizes: Sizes) -> CLIPTextConfig:
    words = 2 * len(string.ascii_lowercase + string.digits + string.punctuation) + 2
    return CLIPTextConfig(
        vocab_size=words,
        hidden_size=sizes.text_width,
        intermediate_size=sizes.text_mlp * sizes.text_width,
        num_hidden_layers=sizes.text_layers,
        num_attention_heads=sizes.text_heads,
        projection_dim=sizes.pooled,
        bos_token_id=words - 2,
        eos_token_id=words - 1,
        pad_token_id=words - 1,
    )


def noise_scheduler(prediction: str) -> DDIMScheduler:
    """Stable Diffusion's noise levels."""
    return DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=prediction,
    )


def _save(model: torch.nn.Module, folder: Path, half: bool = True) -> None:
    model.save_pretrained(folder, safe_serialization=True)
    if half:
        (path,) = folder.glob("*.safetensors")
        state = {key: value.half().contiguous() for key, value in load_file(path).items()}
        save_file(state, path, metadata={"format": "pt"})


def copy_checkpoint(source: Path, target: Path) -> Path:
    """A writable copy, for a test that damages it."""
    return Path(shutil.copytree(source, target))
