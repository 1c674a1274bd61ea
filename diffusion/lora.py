"""LoRA styles: read diffusers', PEFT's and kohya's files, merge one into a U-Net for a draw, take it out
exactly.

In: a folder of styles, each `<name>.safetensors` or `<name>/pytorch_lora_weights.safetensors`. Out: a context
in which the U-Net's weights are W + weight · (alpha/rank) · B·A; on leaving it, by whatever way, the old
bytes are put back. Merging costs nothing per step, unlike adapter layers. Ref: Hu et al. 2021,
arXiv:2106.09685.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from diffusion.weights import WeightsError

logger = logging.getLogger(__name__)
HEADER = "lora_adapter_metadata"  # where diffusers keeps a LoRA's settings
DIFFUSERS_NAME = "pytorch_lora_weights.safetensors"
TEXT_PREFIXES = ("text_encoder.", "text_encoder_2.", "lora_te_", "lora_te1_", "lora_te2_")
# Ways of naming the two factors: diffusers/PEFT (A, B), kohya and diffusers' old form (down, up).
DOWN = ("lora_A.weight", "lora_A.default.weight", "lora_down.weight", "lora.down.weight")
UP = ("lora_B.weight", "lora_B.default.weight", "lora_up.weight", "lora.up.weight")


@dataclass(frozen=True)
class Delta:
    """One layer's change: `down` (rank, in, …), `up` (out, rank, …), scale alpha/rank."""

    down: torch.Tensor
    up: torch.Tensor
    scale: float

    def merged(self, weight: torch.Tensor, strength: float) -> torch.Tensor:
        """`weight` with this change added, computed in float32."""
        product = self.up.flatten(1).float() @ self.down.flatten(1).float()
        change = product.reshape(weight.shape) * (self.scale * strength)
        return (weight.float() + change.to(weight.device)).to(weight.dtype)


class LoraShelf:
    """The styles in one folder. Files are read when a style is first asked for and kept while they are
    unchanged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[str, tuple[tuple[int, int], dict[str, torch.Tensor]]] = {}

    def names(self) -> list[str]:
        """Names of all styles, sorted."""
        files = {path.stem for path in self.folder.glob("*.safetensors")}
        return sorted(files | {path.parent.name for path in self.folder.glob(f"*/{DIFFUSERS_NAME}")})

    @contextmanager
    def applied(self, unet: torch.nn.Module, name: str, weight: float) -> Iterator[None]:
        """Draw inside with the style merged; raises ValueError if it is absent or made for another U-Net."""
        deltas = match_layers(self._state(name), unet, name)
        layers = dict(unet.named_parameters())
        kept: dict[str, torch.Tensor] = {}
        try:
            for layer, delta in deltas.items():
                parameter = layers[f"{layer}.weight"]
                kept[layer] = parameter.detach().clone()
                parameter.data.copy_(delta.merged(parameter.data, weight))
            yield
        finally:
            for layer, old in kept.items():
                layers[f"{layer}.weight"].data.copy_(old)

    def _state(self, name: str) -> dict[str, torch.Tensor]:
        if name not in self.names():
            raise ValueError(f"style {name!r} is not in {self.folder}: there are {', '.join(self.names()) or 'none'}")
        path = self.folder / f"{name}.safetensors"
        path = path if path.is_file() else self.folder / name / DIFFUSERS_NAME
        stat = path.stat()
        stamp = (stat.st_mtime_ns, stat.st_size)
        if name not in self._read or self._read[name][0] != stamp:
            self._read[name] = (stamp, _load(path))
        return self._read[name][1]


def match_layers(state: dict[str, torch.Tensor], unet: torch.nn.Module, name: str) -> dict[str, Delta]:
    """Layer → change; raises ValueError for keys of another kind, unknown layers, missing factors or wrong
    shapes.
    """
    groups, text_keys = _group(state, unet, name)
    if text_keys:
        logger.warning("style %s: %d text-encoder weights skipped (they target another encoder)", name, text_keys)
    if not groups:
        raise ValueError(f"style {name!r} changes nothing in the U-Net: it is not a LoRA for it")
    weights = dict(unet.named_parameters())
    return {layer: _delta(layer, parts, weights.get(f"{layer}.weight"), name) for layer, parts in groups.items()}


def _group(
    state: dict[str, torch.Tensor], unet: torch.nn.Module, name: str
) -> tuple[dict[str, dict[str, torch.Tensor]], int]:
    flat = {layer.replace(".", "_"): layer for layer, _ in unet.named_modules()}
    groups: dict[str, dict[str, torch.Tensor]] = {}
    text_keys = 0
    for key, tensor in state.items():
        if key.startswith(TEXT_PREFIXES):
            text_keys += 1
            continue
        layer, part = _split(key, name)
        if key.startswith("lora_unet_"):
            layer = flat.get(layer.removeprefix("lora_unet_"), layer)
        else:
            layer = _modern(layer.removeprefix("unet.").removeprefix("base_model.model."))
        groups.setdefault(layer, {})[part] = tensor
    return groups, text_keys


def _split(key: str, name: str) -> tuple[str, str]:
    for part, endings in (("down", DOWN), ("up", UP), ("alpha", ("alpha",))):
        for ending in endings:
            if key.endswith(f".{ending}"):
                return key.removesuffix(f".{ending}"), part
    raise ValueError(f"style {name!r} has {key}, which is not a plain LoRA weight (LoHa, LoKr and DoRA are not read)")


def _modern(layer: str) -> str:
    """diffusers' old attention-processor names (…attn1.processor.to_q_lora) as today's layers."""
    layer = re.sub(r"\.processor\.(to_[qkv])_lora$", r".\1", layer)
    return re.sub(r"\.processor\.to_out_lora$", ".to_out.0", layer)


def _delta(layer: str, parts: dict[str, torch.Tensor], weight: torch.Tensor | None, name: str) -> Delta:
    if weight is None:
        raise ValueError(f"style {name!r} was made for another U-Net: this one has no layer {layer}")
    if "down" not in parts or "up" not in parts:
        raise ValueError(f"style {name!r} lacks one of the two factors of {layer}: the file is incomplete")
    down, up = parts["down"], parts["up"]
    rank = down.shape[0]
    fits = up.shape[1] == rank and up.shape[0] == weight.shape[0] and up.flatten(1).shape[1] == rank
    if not fits or down.flatten(1).shape[1] != weight.flatten(1).shape[1]:
        shapes = f"{tuple(up.shape)}·{tuple(down.shape)}"
        raise ValueError(f"style {name!r} has shapes {shapes} for {layer}, which is {tuple(weight.shape)}")
    return Delta(down, up, float(parts["alpha"]) / rank if "alpha" in parts else 1.0)


def _load(path: Path) -> dict[str, torch.Tensor]:
    """All tensors of a file; scales that diffusers wrote into its header become "<layer>.alpha" tensors."""
    try:
        with safe_open(path, "pt") as file:
            state = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 (not a dict)
            header = file.metadata() or {}
    except SafetensorError as error:
        raise WeightsError(f"{path} is truncated or damaged ({error}): copy it again") from error
    config = json.loads(header.get(HEADER, "{}"))
    return state | _alphas(state, {key.removeprefix("unet."): value for key, value in config.items()}, path)


def _alphas(state: dict[str, torch.Tensor], config: dict[str, object], path: Path) -> dict[str, torch.Tensor]:
    if config.get("use_dora"):
        raise ValueError(f"{path} is a DoRA, which is not read: only plain LoRA")
    if "lora_alpha" not in config:
        return {}
    alphas: dict[str, torch.Tensor] = {}
    for key, tensor in state.items():
        layer, part = _split(key, path.stem)
        if part == "down" and not key.startswith(TEXT_PREFIXES):
            alpha = float(config["lora_alpha"])  # type: ignore[arg-type]
            for pattern, value in dict(config.get("alpha_pattern") or {}).items():  # type: ignore[call-overload]
                alpha = float(value) if layer.endswith(pattern) else alpha
            root = tensor.shape[0] ** 0.5 if config.get("use_rslora") else 1.0
            alphas[f"{layer}.alpha"] = torch.tensor(alpha * root)
    return alphas
