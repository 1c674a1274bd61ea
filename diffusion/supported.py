"""Which U-Nets this pipeline can draw with, told from their settings before any weight is read.

In: a stage's folders. Out: nothing, or a WeightsError naming the file, what it asks for
and what can be opened instead: an inpainting U-Net or one with an image adapter would otherwise open and fail, or draw
wrongly, at the first step.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from diffusion.distilled import LCM, is_lcm
from diffusion.specs import StageSpec
from diffusion.weights import WeightsError, read_json

LATENT_CHANNELS = 4  # what diffusers assumes where config.json says nothing
# More channels than latents have: what the rest is for, as the published ones of this kind have it.
EXTRA_CHANNELS = {1: "a depth map", 4: "a picture to be edited by instruction, or to be enlarged", 5: "inpainting"}


def check_unet(stage: StageSpec) -> None:
    """Raise WeightsError for a U-Net that asks for more than latents, time, text and, in SDXL, sizes and score."""
    where = stage.folder("unet") / "config.json"
    config, latent = read_json(where), read_json(stage.folder("vae") / "config.json")
    _check_channels(where, config, latent.get("latent_channels", LATENT_CHANNELS))
    if stage.size is None and not isinstance(config.get("sample_size"), int):
        raise WeightsError(
            f"{where} has sample_size {config.get('sample_size')!r}: a whole number of latents is needed"
        )
    if config.get("time_cond_proj_dim") is not None:
        _check_lcm(where, read_json(stage.folder("scheduler") / "scheduler_config.json"))
    for name in ("class_embed_type", "num_class_embeds", "encoder_hid_dim_type", "encoder_hid_dim"):
        if config.get(name) is not None:
            raise WeightsError(f"{where} has {name} {config[name]!r}: a U-Net told more than its text is not supported")
    added = "text_time" if stage.role == "refiner" or stage.text_encoder_2 else None
    if config.get("addition_embed_type") != added:
        raise WeightsError(
            f"{where} has addition_embed_type {config.get('addition_embed_type')!r}, a {stage.role} has {added!r} "
            "with the text encoders beside it: base stages are SD 1.x, SD 2.x and SDXL's, refiners SDXL's"
        )


def _check_lcm(where: Path, scheduler: Mapping[str, object]) -> None:
    if not is_lcm(scheduler):
        raise WeightsError(
            f"{where} has time_cond_proj_dim: an LCM is told its guidance and drawn by its own steps, but the "
            f"scheduler is {scheduler.get('_class_name')}: set _class_name to {LCM} in scheduler_config.json"
        )


def _check_channels(where: Path, config: Mapping[str, object], latent: object) -> None:
    asked, given = config.get("in_channels", LATENT_CHANNELS), config.get("out_channels", LATENT_CHANNELS)
    if asked == given == latent:
        return
    extra = EXTRA_CHANNELS.get(asked - latent) if isinstance(asked, int) and isinstance(latent, int) else None
    what = f": it was made for {extra}, which is not supported" if extra else ""
    raise WeightsError(
        f"{where} takes {asked} channels and gives {given}, the autoencoder has {latent}{what}; "
        "use the text-to-image checkpoint of its family"
    )
