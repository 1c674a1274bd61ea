"""LoRA files in every common form, read into one: layer → its two factors and its alpha.

In: a safetensors file in diffusers', PEFT's, kohya's or LyCORIS' names (plain LoRA), its settings in the header or in
adapter_config.json beside it. Out: tensors by key, and for each key the layer and the part that it names. Strengths are
PEFT's: alpha / rank, alpha / √rank for rsLoRA, and of an alpha_pattern the first expression that matches whole parts of
the layer's name. Ref: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732 (rsLoRA).
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from diffusion.weights import WeightsError, is_finite, read_json

logger = logging.getLogger(__name__)
HEADER = "lora_adapter_metadata"  # where diffusers keeps a LoRA's settings
DIFFUSERS_NAME = "pytorch_lora_weights.safetensors"
PEFT_NAME = "adapter_model.safetensors"
PEFT_SETTINGS = "adapter_config.json"
PEFT_PREFIX = "base_model.model."
PEFT_ALPHA = 8.0  # where its settings name none
FLAT_PREFIXES = ("lora_unet_", "lycoris_")  # kohya's and LyCORIS': the layer's name with _ for .
TEXT_PREFIXES = (
    "text_encoder.", "text_encoder_2.", "lora_te_", "lora_te1_", "lora_te2_", "lycoris_text_model_",
    "base_model.model.text_model.",
)  # fmt: skip
# Ways of naming the two factors: diffusers/PEFT (A, B), kohya and diffusers' old form (down, up).
DOWN = ("lora_A.weight", "lora_A.default.weight", "lora_down.weight", "lora.down.weight")
UP = ("lora_B.weight", "lora_B.default.weight", "lora_up.weight", "lora.up.weight")
_PROCESSOR = re.compile(r"\.(to_[qkv]|to_out)_lora\.(down|up)\.weight$")  # diffusers' old attention processors
# Settings with which a file is no plain LoRA: what its kind is called, so that the refusal says it.
_REWRITES_BASE = ("pissa", "olora", "corda")


def find_styles(folder: Path) -> dict[str, Path]:
    """Name → file of every style in a folder; hidden files (macOS leaves ._name beside name) are none."""
    found = {path.parent.name: path for name in (PEFT_NAME, DIFFUSERS_NAME) for path in folder.glob(f"*/{name}")}
    found |= {path.stem: path for path in folder.glob("*.safetensors")}
    return {name: found[name] for name in sorted(found) if not name.startswith(".")}


def read_style(path: Path, name: str) -> dict[str, torch.Tensor]:
    """All tensors of a file; alphas of its settings become "<layer>.alpha" tensors.

    Raises ValueError naming the style for another kind than plain LoRA, WeightsError for a damaged file and for values
    that are NaN or infinite.
    """
    try:
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            header = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"style {name!r}: {path.name} is truncated or damaged ({error}): copy it again") from error
    if broken := [key for key, tensor in state.items() if not is_finite(tensor.float())]:
        raise WeightsError(f"style {name!r} holds NaN or infinite values in {broken[0]}: its training failed")
    _check_keys(state, name)
    settings = _settings(path, header, name)
    if not settings and any(key.startswith(PEFT_PREFIX) for key in state):
        logger.warning("style %s comes without %s: its alpha is taken for its rank", name, PEFT_SETTINGS)
    return state | _alphas(state, settings, name)


def check_header(path: Path, name: str) -> None:
    """Raise ValueError where a file's header already tells that it is no plain LoRA."""
    try:
        with safe_open(path, "pt") as file:
            keys, header = list(file.keys()), file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"style {name!r}: {path.name} cannot be opened ({error}): copy it again") from error
    _check_keys(keys, name)
    _settings(path, header, name)


def _check_keys(keys: Iterable[str], name: str) -> None:
    if not any(split_key(key, name) for key in keys if not key.startswith(TEXT_PREFIXES)):
        raise ValueError(f"style {name!r} changes nothing in the U-Net: it is not a LoRA for it")


def split_key(key: str, name: str) -> tuple[str, str]:
    """(layer, "down", "up" or "alpha") of a key; raises ValueError for a key of another kind."""
    key = _PROCESSOR.sub(lambda m: f".{m[1].replace('to_out', 'to_out.0')}.lora_{m[2]}.weight", key)
    key = key.replace(".processor.", ".")
    for part, endings in (("down", DOWN), ("up", UP), ("alpha", ("alpha",))):
        for ending in endings:
            if key.endswith(f".{ending}"):
                return key.removesuffix(f".{ending}"), part
    raise ValueError(f"style {name!r} has {key}, which is not a plain LoRA weight (LoHa, LoKr and DoRA are not read)")


def layer_name(layer: str, flat: Mapping[str, str]) -> str:
    """A layer as the U-Net calls it; `flat`: its names with _ for . → with dots."""
    for prefix in FLAT_PREFIXES:
        if layer.startswith(prefix):
            return flat.get(layer.removeprefix(prefix), layer)
    return layer.removeprefix(PEFT_PREFIX).removeprefix("unet.")


def _settings(path: Path, header: Mapping[str, str], name: str) -> dict[str, object]:
    """What is said of the LoRA: in adapter_config.json beside a folder's file, else in its header; {} if nothing."""
    beside = path.with_name(PEFT_SETTINGS)
    if path.name in (PEFT_NAME, DIFFUSERS_NAME) and beside.is_file():
        found = read_json(beside)
    else:
        try:
            found = json.loads(header.get(HEADER, "{}"))
        except ValueError as error:
            raise WeightsError(f"style {name!r}: {path.name} has a header that is not JSON ({error})") from error
        found = {key.removeprefix("unet."): value for key, value in dict(found).items()}
    if not found and path.name == PEFT_NAME:
        raise FileNotFoundError(f"style {name!r} has no {PEFT_SETTINGS} beside {PEFT_NAME}, which holds its strength")
    kind = str(found.get("peft_type") or "LORA")
    if kind != "LORA" or found.get("use_dora"):
        raise ValueError(
            f"style {name!r} is a {'DoRA' if kind == 'LORA' else kind}, which is not read: only plain LoRA"
        )
    if str(found.get("init_lora_weights")).startswith(_REWRITES_BASE):
        raise ValueError(
            f"style {name!r} changes its base as well ({found['init_lora_weights']}): convert it to a LoRA"
        )
    return found


def _alphas(state: Mapping[str, torch.Tensor], settings: Mapping[str, object], name: str) -> dict[str, torch.Tensor]:
    if not settings.keys() & {"r", "lora_alpha", "alpha_pattern"}:
        return {}
    alphas: dict[str, torch.Tensor] = {}
    try:
        usual = float(settings.get("lora_alpha", PEFT_ALPHA))  # type: ignore[arg-type]
        patterns = {str(key): float(value) for key, value in dict(settings.get("alpha_pattern") or {}).items()}  # type: ignore[call-overload]
        for key, tensor in state.items():
            if key.startswith(TEXT_PREFIXES):
                continue
            layer, part = split_key(key, name)
            if part == "down":
                root = tensor.shape[0] ** 0.5 if settings.get("use_rslora") else 1.0
                alpha = patterns.get(_matching(patterns, layer_name(layer, {})), usual)
                alphas[f"{layer}.alpha"] = torch.tensor(alpha * root, dtype=torch.float64)
    except (TypeError, re.error) as error:
        raise ValueError(f"style {name!r} has settings that cannot be read: {error}") from error
    return alphas


def _matching(patterns: Iterable[str], layer: str) -> str:
    """The first expression that matches the end of a layer's name from the start of one of its parts, as PEFT asks."""
    return next((pattern for pattern in patterns if re.match(rf"(.*\.)?({pattern})$", layer)), "")
