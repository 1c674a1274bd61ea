"""LoRA files in every common form, read into one: parts by layer, what each is multiplied by, what the file says.

In: a safetensors file in diffusers', PEFT's, kohya's or LyCORIS' names, its settings in the header or in
adapter_config.json beside it. Out: a `StyleFile`. Strengths are alpha / rank; of PEFT's settings alpha / √rank for
rsLoRA, and of a pattern the first expression that matches whole parts of the layer's name. A layer without an alpha has
its rank for one. Ref: Hu et al. 2021, arXiv:2106.09685; Kalajdzievski 2023, arXiv:2312.03732 (rsLoRA).
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from diffusion.lora_forms import as_rows
from diffusion.lora_layers import PEFT_PREFIX, TEXT_PREFIXES, bare, split_key
from diffusion.weights import WeightsError, is_finite, read_json, sha256_file

logger = logging.getLogger(__name__)
HEADER = "lora_adapter_metadata"  # where diffusers keeps a LoRA's settings
DIFFUSERS_NAME = "pytorch_lora_weights.safetensors"
PEFT_NAME = "adapter_model.safetensors"
PEFT_SETTINGS = "adapter_config.json"
PEFT_ALPHA = PEFT_RANK = 8.0  # where its settings name none
KINDS = ("LORA", "LOHA", "LOKR")  # of PEFT, those that are read
# Settings under which the arithmetic is another: what is said of each.
_REWRITES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_OTHERWISE = (
    "use_qalora", "use_bdlora", "alora_invocation_tokens", "layer_replication", "kasa_config", "arrow_config",
    "target_parameters", "modules_to_save", "lora_bias", "monteclora_config",
)  # fmt: skip


@dataclass(frozen=True)
class StyleFile:
    """`layers`: the file's name of each layer → its parts, as stored; `header`: the file's metadata and settings."""

    name: str
    layers: Mapping[str, Mapping[str, torch.Tensor]]
    header: Mapping[str, object]
    settings: Mapping[str, object]
    text_keys: int

    def scale(self, layer: str, rank: int | None) -> float:
        """What the product of a layer of `rank` (None: no factors) is multiplied by."""
        if self.settings.keys() & {"r", "lora_alpha", "alpha", "alpha_pattern", "rank_pattern"}:
            return self._by_settings(bare(layer), rank)
        alpha = float(self.layers[layer]["alpha"]) if "alpha" in self.layers[layer] else 0.0
        return alpha / rank if alpha and rank else 1.0  # LyCORIS and kohya take no alpha, or 0, for the rank

    def _by_settings(self, layer: str, rank: int | None) -> float:
        try:
            rank_said = _of_pattern(self.settings.get("rank_pattern"), layer, self.settings.get("r", PEFT_RANK))
            usual = self.settings.get("lora_alpha", self.settings.get("alpha", PEFT_ALPHA))
            alpha = _of_pattern(self.settings.get("alpha_pattern"), layer, usual)
        except (TypeError, re.error) as error:
            raise ValueError(f"style {self.name!r} has settings that cannot be read: {error}") from error
        rank_used = rank or rank_said
        return alpha / (rank_used**0.5 if self.settings.get("use_rslora") else rank_used)


def find_styles(folder: Path) -> dict[str, Path]:
    """Name (NFC: macOS stores others) → file of every style in a folder; hidden files (._name beside name) are none."""
    found = {path.parent.name: path for name in (PEFT_NAME, DIFFUSERS_NAME) for path in folder.glob(f"*/{name}")}
    found |= {path.stem: path for path in folder.glob("*.safetensors")}
    composed = {unicodedata.normalize("NFC", name): path for name, path in found.items()}
    return {name: composed[name] for name in sorted(composed) if not name.startswith(".")}


def read_style(path: Path, name: str) -> StyleFile:
    """Everything of a style file.

    Raises ValueError naming the style for a kind that is not read, WeightsError for a damaged file and for values that
    are NaN or infinite.
    """
    state, header = read_tensors(path, name)
    layers, text_keys = _by_layer(state, name)
    settings = _settings(path, header, name)
    if not settings and any(key.startswith(PEFT_PREFIX) for key in state):
        logger.warning("style %s comes without %s: its alpha is taken for its rank", name, PEFT_SETTINGS)
    if settings.get("use_dora") and not any("magnitude" in parts for parts in layers.values()):
        raise ValueError(f"style {name!r} is a DoRA by its settings, but holds no magnitudes: the file is incomplete")
    style = StyleFile(name, layers, {**header, **settings}, settings, text_keys)
    for layer in layers:
        style.scale(layer, 1)  # settings that cannot be read are told now
    return style


def read_tensors(path: Path, name: str) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    """A style file's tensors and metadata. Raises WeightsError for a damaged file and for NaN or infinite values."""
    try:
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            header = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"style {name!r}: {path.name} is truncated or damaged ({error}): copy it again") from error
    if broken := [key for key, tensor in state.items() if not is_finite(tensor.float())]:
        raise WeightsError(f"style {name!r} holds NaN or infinite values in {broken[0]}: its training failed")
    return state, header


def check_header(path: Path, name: str) -> dict[str, str]:
    """A file's metadata; raises ValueError where it already tells that the style cannot be read."""
    try:
        with safe_open(path, "pt") as file:
            keys, header = list(file.keys()), file.metadata() or {}
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"style {name!r}: {path.name} cannot be opened ({error}): copy it again") from error
    _check_keys(keys, name)
    _settings(path, header, name)
    return header


def sha256_style(path: Path) -> str:
    """SHA-256 of a style: of its file's bytes, and of the settings beside it where it has any."""
    sums = [sha256_file(each) for each in (path, path.with_name(PEFT_SETTINGS)) if each.is_file()]
    if path.name not in (PEFT_NAME, DIFFUSERS_NAME) or len(sums) == 1:
        return sums[0]
    return hashlib.sha256("".join(sums).encode()).hexdigest()


def _by_layer(state: Mapping[str, torch.Tensor], name: str) -> tuple[dict[str, dict[str, torch.Tensor]], int]:
    _check_keys(state, name)
    layers: dict[str, dict[str, torch.Tensor]] = {}
    text_keys = 0
    for key, tensor in state.items():
        if key.startswith(TEXT_PREFIXES):
            text_keys += 1
            continue
        layer, part = split_key(key, name)
        if part == "magnitude_rows":
            part, tensor = "magnitude", as_rows(tensor)
        layers.setdefault(layer, {})[part] = tensor
    return layers, text_keys


def _check_keys(keys: Iterable[str], name: str) -> None:
    if not any(split_key(key, name) for key in keys if not key.startswith(TEXT_PREFIXES)):
        raise ValueError(f"style {name!r} changes nothing in the U-Net: it is not a LoRA for it")


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
    _check_settings(found, name)
    return found


def _check_settings(found: Mapping[str, object], name: str) -> None:
    kind = str(found.get("peft_type") or "LORA")
    if kind not in KINDS:
        raise ValueError(f"style {name!r} is of PEFT's kind {kind}, which is not read: LoRA, LoHa, LoKr and DoRA are")
    if str(found.get("init_lora_weights")).startswith(_REWRITES_BASE):
        raise ValueError(
            f"style {name!r} changes its base as well ({found['init_lora_weights']}): convert it to a LoRA"
        )
    other = [key for key in _OTHERWISE if found.get(key)]
    if found.get("bias", "none") != "none":
        other.append("bias")
    if other:
        raise ValueError(f"style {name!r} was trained with {other[0]} {found[other[0]]!r}, which is not read")


def _of_pattern(patterns: object, layer: str, usual: object) -> float:
    """The value of the first expression that matches the end of a layer's name from the start of one of its parts, as
    PEFT asks; `usual` where none does.
    """
    found = {str(key): value for key, value in dict(patterns or {}).items()}  # type: ignore[call-overload]
    match = next((key for key in found if re.match(rf"(.*\.)?({key})$", layer)), None)
    return float(usual if match is None else found[match])  # type: ignore[arg-type]
