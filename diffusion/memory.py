"""Draw with little memory: weights fetched group by group, large pictures decoded in tiles, one picture at a
time.

With a GPU the weights stay in the CPU's memory and each layer travels when it is its turn (diffusers' group
offload). On a CPU the weights are in memory anyway; there, tiles and single pictures bound what is needed on
top.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING

import torch

from diffusion.reasons import reason_of

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from diffusion.stage import Stage

ATTENTIONS = ("sdpa", "xformers")


def save_memory(stage: Stage, device: torch.device) -> None:
    """Turn on offloading (GPU), tiles and single pictures for one stage whose weights are on the CPU."""
    stage.pictures_at_once = 1
    for part in (stage.unet, stage.vae):
        if hasattr(part, "enable_tiling") and hasattr(part, "use_tiling") and _has_right_tiles(part, stage):
            part.enable_tiling()
        if device.type == "cuda":
            offload(part, device)


def _has_right_tiles(part: torch.nn.Module, stage: Stage) -> bool:
    """Whether its tiles fit: diffusers' AutoencoderTiny cuts them for factor 8 and four channels, whatever it has."""
    tiny = hasattr(part, "spatial_scale_factor")
    return not tiny or (stage.factor, stage.vae.config["latent_channels"]) == (8, 4)


def use_attention(unet: UNet2DConditionModel, attention: str, device: torch.device) -> None:
    """Choose the attention kernel; raises ValueError where xformers is asked for and cannot work."""
    if attention not in ATTENTIONS:
        raise ValueError(f"attention is {attention!r}: choose one of {', '.join(ATTENTIONS)}")
    if attention == "xformers":
        if device.type != "cuda" or importlib.util.find_spec("xformers") is None:
            raise ValueError("attention xformers needs a GPU and the xformers package: use sdpa, which is everywhere")
        _check_xformers(device)
        unet.enable_xformers_memory_efficient_attention()


def _check_xformers(device: torch.device) -> None:
    """Run its operator once: the package may be there for another CUDA than torch's. Raises ValueError."""
    try:
        from xformers.ops import memory_efficient_attention

        some = torch.zeros(1, 16, 2, 64, dtype=torch.float16, device=device)  # (batch, tokens, heads, numbers)
        memory_efficient_attention(some, some, some)
    except Exception as error:
        raise ValueError(
            f"attention xformers does not run here ({reason_of(error)}): install the build of torch that "
            "requirements-gpu.txt names, or use sdpa"
        ) from error


def offload(part: torch.nn.Module, device: torch.device) -> None:
    """Keep a part's weights on the CPU and send each layer to `device` for its turn, the next one meanwhile."""
    from diffusers.hooks import apply_group_offloading

    # Two parts may be shared by both stages: hooks are set once.
    if getattr(part, "_offloaded", False):
        return
    apply_group_offloading(
        part,
        onload_device=device,
        offload_device=torch.device("cpu"),
        offload_type="leaf_level",
        use_stream=device.type == "cuda",
        low_cpu_mem_usage=device.type == "cuda",
    )
    part._offloaded = True  # type: ignore[assignment]  # torch's hint: a module holds tensors and modules alone
