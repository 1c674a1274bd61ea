"""What base a style was made for, told from its header and its shapes, and what a U-Net is: a refusal names both.

In: a style's header and settings, its changes by layer. Out: words such as "SDXL (its header says sdxl_base_v1-0; it
reads 2048 numbers a token)".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

# Numbers a token that cross-attention reads → the family of checkpoints.
FAMILIES = {768: "Stable Diffusion 1", 1024: "Stable Diffusion 2", 1280: "the SDXL refiner", 2048: "SDXL"}
# Parts of layers' names that no U-Net of ours has → what does.
FOREIGN = {
    "double_blocks": "FLUX", "single_blocks": "FLUX", "single_transformer_blocks": "FLUX",
    "joint_blocks": "Stable Diffusion 3", "joint_transformer_blocks": "Stable Diffusion 3",
    "lora_transformer_": "a diffusion transformer", "transformer.": "a diffusion transformer",
    "lora_prior_unet_": "Stable Cascade", "motion_modules": "AnimateDiff",
}  # fmt: skip
BASE_KEYS = ("base", "ss_base_model_version", "modelspec.architecture", "ss_sd_model_name", "base_model_name_or_path")


def named_base(header: Mapping[str, object]) -> str:
    """What a header says that its style was made for; "" where it says nothing."""
    return next((str(header[key]) for key in BASE_KEYS if header.get(key)), "")


def made_for(layers: Iterable[str], text_width: int | None, header: Mapping[str, object]) -> str:
    """What a style was made for, in words; `text_width`: numbers a token that it reads."""
    layers = list(layers)
    family = next((kind for part, kind in FOREIGN.items() if any(part in layer for layer in layers)), "")
    family = family or FAMILIES.get(text_width or 0, "another U-Net")
    found = [f"its header says {named}"] if (named := named_base(header)) else []
    if text_width is not None:
        found.append(f"it reads {text_width} numbers a token")
    return f"{family} ({'; '.join(found)})" if found else family


def described(unet: torch.nn.Module) -> str:
    """What a U-Net is, in words."""
    width = dict(getattr(unet, "config", {})).get("cross_attention_dim")
    return f"this one reads {width} numbers a token" if width else "this one is of another kind"


def reads_text(layer: str) -> bool:
    """Whether a layer, by any of its names, takes what the text encoder says."""
    return layer.replace(".", "_").endswith(("attn2_to_k", "attn2_to_v"))
