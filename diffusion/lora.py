"""LoRA styles: merge one or several into a U-Net for a draw, take them out exactly.

In: a folder of styles, each `<name>.safetensors`, `<name>/pytorch_lora_weights.safetensors` (diffusers) or
`<name>/adapter_model.safetensors` with its adapter_config.json (PEFT). Out: a context in which the U-Net's weights are
W + Σ weight · Δ; on leaving it, by whatever way, the old bytes are put back. Merging costs nothing per step, unlike
adapter layers, and merged weights are kept, so that changing styles costs a copy. `diffusion/lora_files.py` reads the
files, `diffusion/lora_forms.py` knows each form's Δ.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import combinations
from pathlib import Path

import torch

from diffusion.lora_base import described, made_for, reads_text
from diffusion.lora_card import StyleCard, read_card
from diffusion.lora_files import PEFT_SETTINGS, StyleFile, check_header, find_styles, read_style, sha256_style
from diffusion.lora_forms import LayerChange, magnitude_axis, make_change
from diffusion.lora_layers import LayerNames
from diffusion.lora_merged import MergedWeights
from diffusion.quantized import StoredWeight, is_quantized, shape_of, stored_weight
from diffusion.weights import is_finite
from jobspec import StyleUse

logger = logging.getLogger(__name__)
Stamp = tuple[int, ...]


class LoraShelf:
    """The styles in one folder. Files are read when a style is first asked for and kept while they are unchanged.

    `kept_bytes`: of merged weights that are kept for the next draw with the same styles.
    """

    def __init__(self, folder: Path, kept_bytes: int = 1 << 29) -> None:
        self.folder = folder
        self._read: dict[str, tuple[Stamp, StyleFile]] = {}
        self._cards: dict[str, tuple[Stamp, StyleCard | None]] = {}  # by name; None: it cannot be drawn with
        self._merged = MergedWeights(kept_bytes)

    def names(self) -> list[str]:
        """Names of all styles that are offered: those that can be read, as far as their headers tell, sorted."""
        return [card.name for card in self.cards()]

    def cards(self) -> list[StyleCard]:
        """What is known of each style that is offered."""
        found = [self._card(name, path) for name, path in find_styles(self.folder).items()]
        return [card for card in found if card is not None and card.offered]

    def check(self, name: str) -> None:
        """Read a style; raises ValueError or FileNotFoundError saying why it cannot be drawn with."""
        self._file(name)

    def sha256(self, name: str) -> str:
        """SHA-256 of a style's bytes, for recipes. Raises ValueError where it is absent."""
        card = self._card(name, self._path(name))
        return sha256_style(self._path(name)) if card is None else card.sha256

    @contextmanager
    def applied(self, unet: torch.nn.Module, styles: Sequence[StyleUse]) -> Iterator[None]:
        """Draw inside with the styles merged; raises ValueError if one is absent or made for another U-Net."""
        weights = _by_name(styles)
        merged = self._weights(unet, weights)
        stored = self._added(unet, weights) if is_quantized(unet) else {}
        layers = dict(unet.named_parameters())
        kept: dict[str, torch.Tensor] = {}
        try:
            for layer, added in stored.items():
                layer.added = added
            for name, weight in merged.items():
                parameter = layers[f"{name}.weight"]
                kept[name] = parameter.detach().clone()
                parameter.data.copy_(weight)
            yield
        finally:
            for name, old in kept.items():
                layers[f"{name}.weight"].data.copy_(old)
            for layer in stored:
                layer.added = ()

    def each(self, unet: torch.nn.Module, styles: Sequence[StyleUse]) -> list[Mapping[str, torch.Tensor]]:
        """Of each style that weighs something, in the order asked, the layers that it changes with it alone in them;
        raises as `applied`, which is for all at once. Weights stored in few bits have no such form: give none of them.
        """
        summed = _by_name(styles)
        names = [name for name in dict.fromkeys(style.name for style in styles) if summed[name]]
        return [self._weights(unet, {name: summed[name]}) for name in names]

    def add_up(self, styles: Sequence[StyleUse]) -> bool:
        """Whether of every two that weigh something one was trained beside the other, so that their sum shows both."""
        names = [name for name, weight in _by_name(styles).items() if weight]
        cards = [self._card(name, self._path(name)) for name in names]
        return all(
            one is not None and other is not None and (one.sha256 in other.beside or other.sha256 in one.beside)
            for one, other in combinations(cards, 2)
        )

    def _weights(self, unet: torch.nn.Module, weights: Mapping[str, float]) -> Mapping[str, torch.Tensor]:
        """Layer → its weight with the styles in it, of the layers that they change."""
        stamps = [(name, weight, _stamp(self._path(name))) for name, weight in weights.items()]
        found = self._merged.get(unet, stamps)
        if found is None:
            found = self._merge(unet, weights)
            self._merged.keep(unet, stamps, found)
        return found

    def _merge(self, unet: torch.nn.Module, weights: Mapping[str, float]) -> dict[str, torch.Tensor]:
        changes = {name: match_layers(self._file(name), unet) for name in weights}
        found: dict[str, torch.Tensor] = {}
        parameters = dict(unet.named_parameters())
        for layer in dict.fromkeys(layer for each in changes.values() for layer in each):
            if stored_weight(unet.get_submodule(layer)) is not None:
                continue  # see `_added`
            old = parameters[f"{layer}.weight"].data
            those = {name: weights[name] for name, each in changes.items() if layer in each and weights[name]}
            added = [changes[name][layer].scaled(old, weight) for name, weight in those.items()]
            if not added:
                continue
            merged = old.float() + sum(added[1:], added[0])
            found[layer] = torch.empty_like(old).copy_(merged)  # in the memory format of the layer, as quick as it
            if not is_finite(found[layer]):
                message = " and ".join(f"style {name!r} at weight {weight}" for name, weight in those.items())
                raise ValueError(f"{message} makes {layer} infinite: give less weight")
        return found

    def _added(
        self, unet: torch.nn.Module, weights: Mapping[str, float]
    ) -> dict[StoredWeight, list[tuple[LayerChange, float]]]:
        """What styles add to each layer whose weight is stored in few bits."""
        found: dict[StoredWeight, list[tuple[LayerChange, float]]] = {}
        for name, weight in weights.items():
            for layer, change in match_layers(self._file(name), unet).items() if weight else ():
                stored = stored_weight(unet.get_submodule(layer))
                if stored is not None:
                    found.setdefault(stored, []).append((change.on(stored.scales.device), weight))
        return found

    def _path(self, name: str) -> Path:
        found = find_styles(self.folder)
        if name not in found:
            known = ", ".join(self.names()) or "none"
            raise ValueError(f"style {name!r} is not here: this checkpoint has {known} (in {self.folder.name}/)")
        return found[name]

    def _file(self, name: str) -> StyleFile:
        path = self._path(name)
        stamp = _stamp(path)
        if name not in self._read or self._read[name][0] != stamp:
            self._read[name] = (stamp, read_style(path, name))
        return self._read[name][1]

    def _card(self, name: str, path: Path) -> StyleCard | None:
        """What a file says of itself, None (logged once) for one that cannot be drawn with."""
        stamp = _stamp(path)
        if self._cards.get(name, ((), None))[0] != stamp:
            try:
                self._cards[name] = (stamp, read_card(name, check_header(path, name), sha256_style(path)))
            except (ValueError, OSError) as error:
                logger.warning("%s", error)
                self._cards[name] = (stamp, None)
        return self._cards[name][1]


def match_layers(style: StyleFile, unet: torch.nn.Module) -> dict[str, LayerChange]:
    """Layer → change; raises ValueError for layers that the U-Net lacks, missing factors or wrong shapes."""
    if style.text_keys:
        message = "style %s: %d text-encoder weights skipped (they target another encoder)"
        logger.warning(message, style.name, style.text_keys)
    names = LayerNames(unet)
    changes = {layer: _change(style, layer) for layer in style.layers}
    found: dict[str, LayerChange] = {}
    for layer, change in changes.items():
        ours = names.find(layer)
        weight = None if ours is None else shape_of(unet.get_submodule(ours))
        problem = _problem(change, layer if ours is None else ours, weight)
        if problem:
            width = next((each.product.shape[1] for name, each in changes.items() if reads_text(name)), None)
            made = made_for(style.layers, width, style.header)
            raise ValueError(
                f"style {style.name!r} was made for another U-Net, for {made}; {described(unet)}: {problem}"
            )
        assert ours is not None
        found[ours] = change
    return found


def _change(style: StyleFile, layer: str) -> LayerChange:
    try:
        return make_change(style.layers[layer], lambda rank: style.scale(layer, rank))
    except ValueError as error:
        raise ValueError(f"style {style.name!r}: {layer} {error}: the file is incomplete") from error


def _problem(change: LayerChange, layer: str, weight: torch.Tensor | None) -> str:
    """Why a change does not fit a weight; "" where it does."""
    if weight is None or weight.ndim < 2:
        return f"it has no layer {layer}"
    if change.product.shape != tuple(weight.flatten(1).shape):
        return f"the style has shapes {change.product.shape} for {layer}, which is {tuple(weight.shape)}"
    if change.magnitude is not None:
        try:
            magnitude_axis(change.magnitude, weight)
        except ValueError as error:
            return f"{layer} has {error}"
    return ""


def _by_name(styles: Sequence[StyleUse]) -> dict[str, float]:
    """Weights by name, in the order of names (sums of floats depend on theirs); of one named twice, together."""
    weights: dict[str, float] = {}
    for style in sorted(styles, key=lambda each: each.name):
        weights[style.name] = weights.get(style.name, 0.0) + style.weight
    return weights


def _stamp(path: Path) -> Stamp:
    """What changes where a style does: times and sizes of its file and of the settings beside it."""
    there = [each.stat() for each in (path, path.with_name(PEFT_SETTINGS)) if each.is_file()]
    return tuple(number for stat in there for number in (stat.st_mtime_ns, stat.st_size))
