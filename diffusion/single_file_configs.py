"""The config.json of each part of a checkpoint in one file, from the shapes of its weights.

In: shapes by key in the released layout. Out: the settings that the same part has in its published folder: widths,
depths and channels are read; what no shape tells (activations, heads, noise levels) is the family's.
`tests/test_diffusion_single_file.py` compares them with the published ones.
"""

from __future__ import annotations

from collections.abc import Mapping

from diffusion.distilled import LCM
from diffusion.single_file import UNET, SingleFile, Tower
from diffusion.weights import Shapes, WeightsError

LAYERS = 2  # residual blocks a level, in every family
HEAD = 64  # channels of an attention head; Stable Diffusion 1 has 8 heads of any width instead
Config = dict[str, object]


def unet_config(file: SingleFile) -> Config:
    """Settings of a UNet2DConditionModel."""
    shapes, xl = file.shapes, file.family.is_xl
    inner = {key.removeprefix(UNET): shape for key, shape in shapes.items() if key.startswith(UNET)}
    levels = len({key.split(".")[1] for key in inner if key.startswith("input_blocks.")}) // (LAYERS + 1)
    widths = [_shape(inner, f"input_blocks.{1 + (LAYERS + 1) * level}.0.out_layers.3.weight")[0]
              for level in range(levels)]  # fmt: skip
    depths = [_depth(inner, f"input_blocks.{1 + (LAYERS + 1) * level}.1.") for level in range(levels)]
    middle = _depth(inner, "middle_block.1.")
    filled = [depth or 1 for depth in depths[:-1]] + [middle]
    alike = len({*filter(None, depths), middle}) == 1
    attends = next(shape[1] for key, shape in inner.items() if key.endswith("attn2.to_k.weight"))
    config: Config = {
        "_class_name": "UNet2DConditionModel",
        "sample_size": file.side // 8,
        "in_channels": _shape(inner, "input_blocks.0.0.weight")[1],
        "out_channels": _shape(inner, "out.2.weight")[0],
        "block_out_channels": widths,
        "layers_per_block": LAYERS,
        "down_block_types": ["CrossAttnDownBlock2D" if depth else "DownBlock2D" for depth in depths],
        "up_block_types": ["CrossAttnUpBlock2D" if depth else "UpBlock2D" for depth in reversed(depths)],
        "cross_attention_dim": attends,
        "attention_head_dim": 8 if file.family.name == "Stable Diffusion 1" else [width // HEAD for width in widths],
        "transformer_layers_per_block": middle if alike else filled,
        "use_linear_projection": len(_shape(inner, "middle_block.1.proj_in.weight")) == 2,
        "upcast_attention": file.family.name == "Stable Diffusion 2",  # its scores overflow in float16
    }
    if xl:
        told = _shape(inner, "label_emb.0.0.weight")[1]
        pooled = _shape(shapes, f"{file.family.towers[-1].prefix}text_projection")[1]
        numbers = 6 if file.family.role == "base" else 5
        config |= {"addition_embed_type": "text_time", "addition_time_embed_dim": (told - pooled) // numbers,
                   "projection_class_embeddings_input_dim": told}  # fmt: skip
    return config


def vae_config(file: SingleFile, shapes: Shapes) -> Config:
    """Settings of an AutoencoderKL, from its keys without a prefix."""
    levels = len({key.split(".")[2] for key in shapes if key.startswith("encoder.down.")})
    return {
        "_class_name": "AutoencoderKL",
        "sample_size": file.side,
        "latent_channels": _shape(shapes, "decoder.conv_in.weight")[1],
        "block_out_channels": [_shape(shapes, f"encoder.down.{level}.block.0.conv1.weight")[0]
                               for level in range(levels)],
        "layers_per_block": LAYERS,
        "down_block_types": ["DownEncoderBlock2D"] * levels,
        "up_block_types": ["UpDecoderBlock2D"] * levels,
        "norm_num_groups": 32,
        "scaling_factor": file.family.scaling_factor,
    }  # fmt: skip


def text_config(tower: Tower, shapes: Shapes) -> Config:
    """Settings of a CLIP text tower, from its keys in transformers' names."""
    words, width = _shape(shapes, "text_model.embeddings.token_embedding.weight")
    layers = 1 + max(int(key.split(".")[3]) for key in shapes if key.startswith("text_model.encoder.layers."))
    projection = shapes.get("text_projection.weight")
    return {
        "architectures": ["CLIPTextModelWithProjection" if projection else "CLIPTextModel"],
        "model_type": "clip_text_model",
        "vocab_size": words,
        "hidden_size": width,
        "intermediate_size": _shape(shapes, "text_model.encoder.layers.0.mlp.fc1.weight")[0],
        "num_hidden_layers": layers,
        "num_attention_heads": max(1, width // HEAD),
        "max_position_embeddings": _shape(shapes, "text_model.embeddings.position_embedding.weight")[0],
        "projection_dim": projection[0] if projection else width,
        "hidden_act": "gelu" if tower.open else "quick_gelu",
        "bos_token_id": 0,  # 2 for the end means: the highest id of a row, as CLIP was published
        "eos_token_id": 2,
        "pad_token_id": 1,
    }


def scheduler_config(file: SingleFile) -> Config:
    """Noise levels of the family, spaced as the checkpoint is to be drawn."""
    config: Config = {
        "_class_name": "EulerDiscreteScheduler",
        "num_train_timesteps": 1000,
        "beta_start": 0.00085,
        "beta_end": 0.012,
        "beta_schedule": "scaled_linear",
        "prediction_type": file.prediction,
        "steps_offset": 1,
        "set_alpha_to_one": False,
        "clip_sample": False,
        "timestep_spacing": "leading",
    }
    if file.zero_snr:
        config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    elif file.few is not None and file.few.kind == "lcm":
        config |= {"_class_name": LCM, "original_inference_steps": 50, "set_alpha_to_one": True}
    elif file.few is not None:
        config |= {"timestep_spacing": "trailing"}
    return config


def _depth(inner: Mapping[str, tuple[int, ...]], block: str) -> int:
    """How many transformer layers a block has."""
    found = {key.removeprefix(block).split(".")[1] for key in inner if key.startswith(f"{block}transformer_blocks.")}
    return len(found)


def _shape(shapes: Mapping[str, tuple[int, ...]], key: str) -> tuple[int, ...]:
    if key not in shapes:
        raise WeightsError(f"the file lacks {key}: it is incomplete, or of another shape than its family")
    return shapes[key]
