"""LoRA styles: merge one into a U-Net for a draw, take it out exactly.

In: a folder of styles, each `<name>.safetensors`, `<name>/pytorch_lora_weights.safetensors` (diffusers) or
`<name>/adapter_model.safetensors` with its adapter_config.json (PEFT). Out: a context in which the U-Net's weights are
W + weight · (alpha/rank) · B·A; on leaving it, by whatever way, the old bytes are put back. Merging costs nothing per
step, unlike adapter layers. `diffusion/lora_files.py` reads the files.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from diffusion.lora_files import (
    PEFT_SETTINGS,
    TEXT_PREFIXES,
    check_header,
    find_styles,
    layer_name,
    read_style,
    split_key,
)
from diffusion.weights import is_finite

logger = logging.getLogger(__name__)


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
        self._read: dict[str, tuple[tuple[int, ...], dict[str, torch.Tensor]]] = {}
        self._checked: dict[str, tuple[tuple[int, ...], str]] = {}  # by name: stamp, what is wrong with it

    def names(self) -> list[str]:
        """Names of all styles that can be read, as far as their headers tell, sorted."""
        return [name for name, path in find_styles(self.folder).items() if not self._problem(name, path)]

    def check(self, name: str) -> None:
        """Read a style; raises ValueError or FileNotFoundError saying why it cannot be drawn with."""
        self._state(name)

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
                merged = delta.merged(parameter.data, weight)
                if not is_finite(merged):
                    raise ValueError(f"style {name!r} at weight {weight} makes {layer} infinite: give less weight")
                parameter.data.copy_(merged)
            yield
        finally:
            for layer, old in kept.items():
                layers[f"{layer}.weight"].data.copy_(old)

    def _state(self, name: str) -> dict[str, torch.Tensor]:
        found = find_styles(self.folder)
        if name not in found:
            known = ", ".join(self.names()) or "none"
            raise ValueError(f"style {name!r} is not here: this checkpoint has {known} (in {self.folder.name}/)")
        path, stamp = found[name], _stamp(found[name])
        if name not in self._read or self._read[name][0] != stamp:
            self._read[name] = (stamp, read_style(path, name))
        return self._read[name][1]

    def _problem(self, name: str, path: Path) -> str:
        """What a file's header says against it, "" for nothing; logged once."""
        stamp = _stamp(path)
        if self._checked.get(name, ((), ""))[0] != stamp:
            try:
                check_header(path, name)
                self._checked[name] = (stamp, "")
            except (ValueError, OSError) as error:
                logger.warning("%s", error)
                self._checked[name] = (stamp, str(error))
        return self._checked[name][1]


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
        layer, part = split_key(key, name)
        groups.setdefault(layer_name(layer, flat), {})[part] = tensor
    return groups, text_keys


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


def _stamp(path: Path) -> tuple[int, ...]:
    """What changes where a style does: times and sizes of its file and of the settings beside it."""
    there = [each.stat() for each in (path, path.with_name(PEFT_SETTINGS)) if each.is_file()]
    return tuple(number for stat in there for number in (stat.st_mtime_ns, stat.st_size))
