"""Open the stock parts of a stage from their folders: U-Net, autoencoder, CLIP text tower, tokenizer,
scheduler.

In: a folder in the Hugging Face layout. Out: the stock class, in evaluation mode, with every weight accounted
for. The model is laid out on the meta device, its keys and shapes are compared with the file's header, and
only then are tensors read: a wrong file is refused in milliseconds and nothing is ever left at random values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import init_empty_weights
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from diffusion.schedulers import build_scheduler, default_scheduler
from diffusion.vocabulary import vocabulary_needed
from diffusion.weights import WeightsError, match_keys, read_json, read_state, stored_shapes

VAE_CLASSES: dict[str, type[AutoencoderTiny] | type[AutoencoderKL]] = {
    "AutoencoderTiny": AutoencoderTiny,
    "AutoencoderKL": AutoencoderKL,
}
Autoencoder = AutoencoderTiny | AutoencoderKL
Model = TypeVar("Model", bound=torch.nn.Module)

# Names that a CLIPModel folder or an old text encoder holds beside what a text tower needs.
BESIDE_TEXT = (
    "vision_model.",
    "visual_projection.",
    "text_projection.",
    "logit_scale",
    "text_model.embeddings.position_ids",
)
OLD_POSITIONS = ("text_model.embeddings.position_ids", "vision_model.embeddings.position_ids")
# diffusers before 0.18 called an autoencoder's attention layers so (Stable Diffusion 1.5 is stored that way).
OLD_ATTENTION = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}


def open_unet(folder: Path, dtype: torch.dtype, device: torch.device) -> UNet2DConditionModel:
    """Open a U-Net; raises FileNotFoundError or WeightsError."""
    return _fill(lay_out_unet(folder), folder, dtype, device)


def open_vae(folder: Path, dtype: torch.dtype, device: torch.device) -> Autoencoder:
    """Open an AutoencoderTiny or AutoencoderKL; raises FileNotFoundError or WeightsError."""
    return _fill(lay_out_vae(folder), folder, dtype, device, rename=vae_name)


def open_text_tower(
    folder: Path, projected: bool, dtype: torch.dtype, device: torch.device
) -> CLIPTextModel | CLIPTextModelWithProjection:
    """Open CLIP's text tower, from its own folder or a whole CLIPModel's; `projected`: with the pooled
    projection.
    """
    tower = lay_out_text_tower(folder, projected)
    return _fill(tower, folder, dtype, device, rename=text_namer(tower), ignored=BESIDE_TEXT)


def open_clip(folder: Path, dtype: torch.dtype, device: torch.device) -> CLIPModel:
    """Open a whole CLIP, both towers; raises FileNotFoundError or WeightsError."""
    settings = {k: v for k, v in read_json(folder / "config.json").items() if k != "model_type"}
    with _named(folder / "config.json"), init_empty_weights(include_buffers=False):
        model = CLIPModel(CLIPConfig(**settings))  # type: ignore[arg-type]  # `_named` tells what does not fit
    return _fill(model, folder, dtype, device, ignored=OLD_POSITIONS)


def open_tokenizer(folder: Path) -> CLIPTokenizer:
    """Open a CLIP tokenizer; raises FileNotFoundError where the folder has none, saying what to put where."""
    if missing := vocabulary_needed(folder):
        raise FileNotFoundError(missing)
    if not (folder / "tokenizer.json").is_file() and not (folder / "vocab.json").is_file():
        raise FileNotFoundError(f"{folder} has neither tokenizer.json nor vocab.json: copy the checkpoint again")
    try:
        return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # tokenizers raises bare ones
        raise WeightsError(f"{folder}: the tokenizer cannot be opened ({error}): copy it again") from error


def check_tokenizer(tokenizer: CLIPTokenizer, folder: Path, encoder: Path) -> None:
    """Raise WeightsError where the tokenizer has grown beyond the text encoder's embeddings."""
    config = read_json(encoder / "config.json")
    known = dict(config.get("text_config") or config).get("vocab_size", CLIPTextConfig().vocab_size)  # type: ignore[call-overload]
    if len(tokenizer) > known:
        raise WeightsError(
            f"{folder} has {len(tokenizer)} tokens, {encoder} has embeddings for {known}: "
            "the tokenizer has grown (textual inversion); use the one that the checkpoint came with"
        )


def scheduler_config(folder: Path) -> dict[str, object]:
    """A scheduler's settings, tried once; raises FileNotFoundError or WeightsError."""
    config = read_json(folder / "scheduler_config.json")
    with _named(folder / "scheduler_config.json"):
        build_scheduler(config, default_scheduler(config))
    return config


def lay_out_unet(folder: Path) -> UNet2DConditionModel:
    """A U-Net on the meta device, as config.json says."""
    config = read_json(folder / "config.json")
    _of_class(config, ("UNet2DConditionModel",), folder)
    with _named(folder / "config.json"), init_empty_weights(include_buffers=False):
        return UNet2DConditionModel.from_config(config)


def lay_out_vae(folder: Path) -> Autoencoder:
    """An autoencoder on the meta device, as config.json says."""
    config = read_json(folder / "config.json")
    name = _of_class(config, tuple(VAE_CLASSES), folder)
    if name == "AutoencoderTiny":
        config.pop("block_out_channels", None)  # written by diffusers, not read by it
    with _named(folder / "config.json"), init_empty_weights(include_buffers=False):
        # The hint counts in what return_unused_kwargs would give.
        return VAE_CLASSES[name].from_config(config)  # type: ignore[return-value]


def lay_out_text_tower(folder: Path, projected: bool) -> CLIPTextModel | CLIPTextModelWithProjection:
    """A text tower on the meta device; the projection's width is read from the weights (configs disagree on
    it).
    """
    config_json = read_json(folder / "config.json")
    with _named(folder / "config.json"):
        config = CLIPTextConfig(**config_json.get("text_config", config_json))  # type: ignore[arg-type]
    if projected:
        projection = stored_shapes(folder).get("text_projection.weight")
        if projection is None:
            raise WeightsError(f"{folder} lacks text_projection.weight, which the refiner's pooled embedding needs")
        config.projection_dim = projection[0]
    with _named(folder / "config.json"), init_empty_weights(include_buffers=False):
        return (CLIPTextModelWithProjection if projected else CLIPTextModel)(config)


def check_part(
    model: torch.nn.Module, folder: Path, rename: Callable[[str], str], ignored: Iterable[str]
) -> dict[str, str]:
    """Compare a laid-out model with a folder's headers; return stored key → key, or raise WeightsError."""
    return match_keys(_shapes(model), stored_shapes(folder), folder, rename, ignored)


def vae_name(key: str) -> str:
    """Today's name of an autoencoder's weight."""
    return re.sub(r"(attentions\.\d+)\.(query|key|value|proj_attn)\.", lambda m: f"{m[1]}.{OLD_ATTENTION[m[2]]}.", key)


def text_namer(tower: torch.nn.Module) -> Callable[[str], str]:
    """How stored names ("text_model.…") become those of this class (CLIPTextModel itself has no prefix)."""
    if any(key.startswith("text_model.") for key in tower.state_dict()):
        return lambda key: key
    return lambda key: key.removeprefix("text_model.")


def _fill(
    model: Model,
    folder: Path,
    dtype: torch.dtype,
    device: torch.device,
    rename: Callable[[str], str] = lambda key: key,
    ignored: Iterable[str] = (),
) -> Model:
    pairs = check_part(model, folder, rename, ignored)
    state = read_state(folder, pairs, dtype, _shapes(model))
    model.load_state_dict(state, strict=True, assign=True)
    for buffer in model.buffers():
        if buffer.is_meta:
            raise WeightsError(f"{folder}: a buffer of {type(model).__name__} is neither stored nor computed")
    # .to(device) alone: weights have their dtype already, and diffusers warns about casting whole models.
    model.requires_grad_(False).eval().to(device)
    return model


def in_format(model: Model, memory_format: torch.memory_format) -> Model:
    """The model itself, its weights laid out so."""
    return model.to(memory_format=memory_format)  # type: ignore[call-overload]  # torch's hints lack this alone


@contextmanager
def _named(config: Path) -> Iterator[None]:
    """Whatever a library makes of settings that it cannot use, as a WeightsError that names the file."""
    try:
        yield
    except Exception as error:
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"{config} cannot be used ({reason}): copy the checkpoint again") from error


def _shapes(model: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    return {key: tuple(value.shape) for key, value in model.state_dict().items()}


def _of_class(config: dict[str, object], allowed: tuple[str, ...], folder: Path) -> str:
    name = config.get("_class_name")
    if name not in allowed:
        raise WeightsError(f"{folder}/config.json is a {name}: understood are {', '.join(allowed)}")
    return str(name)
