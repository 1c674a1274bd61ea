"""Weights kept in 8 or 4 bits: a quarter or an eighth of float32's memory. They are multiplied in the number format.

In: a U-Net or a text tower. Out: the same module; the weights of its linear layers and convolutions are stored by
bitsandbytes, in blocks of 64 with one scale each: 8 bits by its dynamic map, 4 bits as NF4. A layer's weight is
dequantized when the layer runs and freed after it. What is small, and what every other layer reads, stays as it is.
A style cannot be merged into stored weights: its difference is added to each as it is dequantized, and the stored bytes
stay untouched.
Refs: Dettmers et al. 2021, arXiv:2110.02861 (blocks, the dynamic map); Dettmers et al. 2023, arXiv:2305.14314 (NF4).
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import torch
from torch import nn
from torch.nn.utils import parametrize

from diffusion.reasons import reason_of

BITS = (8, 4)
BLOCK = 64  # weights to a scale
PACKAGE = "bitsandbytes"
REQUIREMENTS = "requirements-quantized.txt"
# First and last layers, and embeddings of time and size: under 1 % of the weights.
KEPT = ("conv_in", "conv_out", "time_embedding", "add_embedding", "text_projection")
BITS_BY_TORCH = (
    "weights in {} bits run by torch alone, OpenVINO's graphs hold them in float32: choose the engine torch, or leave "
    "weight_bits out"
)
Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True)
class Packing:
    """How the weights of what is opened are kept: in `bits` (None: as they are read), quantized on `device`, at last on
    `where`.
    """

    bits: int | None
    device: torch.device
    where: torch.device

    @property
    def reading(self) -> torch.device:
        """Where weights are read to: those to be stored go to the device layer by layer."""
        return self.where if self.bits is None else torch.device("cpu")

    def packed(self, model: Model) -> Model:
        """The model itself, its weights stored."""
        if self.bits is not None:
            quantize(model, self.bits, self.device, self.where)
        return model


class WeightChange(Protocol):
    """What a style adds to a layer (diffusion.lora_forms.LayerChange)."""

    def scaled(self, weight: torch.Tensor, strength: float) -> torch.Tensor: ...


class StoredWeight(nn.Module):
    """Turns a layer's stored bytes into its weight, with what styles add to it (torch's parametrization)."""

    def __init__(self, weight: torch.Tensor, bits: int) -> None:
        super().__init__()
        from bitsandbytes import functional

        self.bits, self.dtype, self.shape = bits, weight.dtype, weight.shape
        # a GPU's convolutions take channels_last, so that order is what is stored
        self.last = weight.ndim == 4 and not weight.is_contiguous()
        flat = (weight.permute(0, 2, 3, 1) if self.last else weight).flatten()
        if bits == 4:
            stored, state = functional.quantize_4bit(flat, blocksize=BLOCK, quant_type="nf4")
        else:
            stored, state = functional.quantize_blockwise(flat, blocksize=BLOCK)
        self.bytes = stored  # taken by `quantize`, which makes it the layer's parameter
        # parameters, since group offload moves these back and forth
        self.scales = nn.Parameter(state.absmax, requires_grad=False)
        self.code = nn.Parameter(state.code.to(state.absmax.device), requires_grad=False)
        self.added: Sequence[tuple[WeightChange, float]] = ()

    def forward(self, stored: torch.Tensor) -> torch.Tensor:
        weight = self.plain(stored)
        if self.added:
            changes = [change.scaled(weight, strength) for change, strength in self.added]
            weight = (weight.float() + sum(changes[1:], changes[0])).to(self.dtype)
        return weight

    def plain(self, stored: torch.Tensor) -> torch.Tensor:
        """The checkpoint's weight, as well as it is stored."""
        from bitsandbytes import functional

        count = torch.Size([self.shape.numel()])
        state = functional.QuantState(
            self.scales, shape=count, code=self.code, blocksize=BLOCK, quant_type="nf4", dtype=self.dtype
        )
        dequantize = functional.dequantize_4bit if self.bits == 4 else functional.dequantize_blockwise
        flat = dequantize(stored, state)
        if not self.last:
            return flat.reshape(self.shape)
        rows, channels, height, width = self.shape
        return flat.reshape(rows, height, width, channels).permute(0, 3, 1, 2)


def check_bits(bits: int, device: torch.device) -> None:
    """Raise ValueError for bits that there are not, and where bitsandbytes is absent or does not run on `device`."""
    if bits not in BITS:
        raise ValueError(f"weight_bits is {bits!r}: choose 8 or 4, or leave it out for weights in the number format")
    if importlib.util.find_spec(PACKAGE) is None:
        raise ValueError(
            f"weights in {bits} bits need {PACKAGE}: pip install -r {REQUIREMENTS}, or leave weight_bits out"
        )
    try:
        some = nn.Linear(BLOCK, 2).to(device)
        _store(some, bits, device)
        with torch.no_grad():
            some(torch.zeros(1, BLOCK, device=device))
    except Exception as error:
        raise ValueError(
            f"{PACKAGE} does not run on {device} here ({reason_of(error)}): install the build that fits your torch, or "
            "leave weight_bits out"
        ) from error


@torch.no_grad()
def quantize(model: nn.Module, bits: int, device: torch.device, where: torch.device) -> None:
    """Store a model's linear layers and convolutions in `bits`, one after the other on `device`, and keep all of it
    `where`.
    """
    for name, module in list(model.named_modules()):
        is_stored = stored_weight(module) is not None
        if isinstance(module, nn.Linear | nn.Conv2d) and not is_stored and not {*KEPT} & {*name.split(".")}:
            _store(module, bits, device)
            module.to(where)
    model.to(where)


def stored_weight(module: nn.Module) -> StoredWeight | None:
    """What stores a layer's weight; None where the layer has an ordinary one."""
    if not parametrize.is_parametrized(module, "weight"):
        return None
    first = module.parametrizations.weight[0]  # type: ignore[union-attr,index]  # torch's hint: any module's attribute
    return first if isinstance(first, StoredWeight) else None


def shape_of(module: nn.Module) -> torch.Tensor | None:
    """A tensor with the shape of a layer's weight, for what asks no more; None for a layer that has none."""
    stored = stored_weight(module)
    weight = getattr(module, "weight", None) if stored is None else torch.empty(stored.shape, device="meta")
    return weight if isinstance(weight, torch.Tensor) else None


def is_quantized(model: nn.Module) -> bool:
    return any(isinstance(module, StoredWeight) for module in model.modules())


def weight_bits(model: nn.Module) -> int | None:
    """Bits in which a model's weights are stored; None for ordinary ones."""
    return next((module.bits for module in model.modules() if isinstance(module, StoredWeight)), None)


def weight_count(model: nn.Module) -> int:
    """Numbers that a model's weights are, however they are stored."""
    ordinary = sum(each.numel() for name, each in model.named_parameters() if ".parametrizations." not in name)
    return ordinary + sum(each.shape.numel() for each in model.modules() if isinstance(each, StoredWeight))


def weight_bytes(model: nn.Module) -> int:
    """Memory of a model's weights, scales included."""
    return sum(each.numel() * each.element_size() for each in model.parameters())


def _store(module: nn.Linear | nn.Conv2d, bits: int, device: torch.device) -> None:
    stored = StoredWeight(module.weight.detach().to(device), bits)
    module.weight = nn.Parameter(stored.bytes, requires_grad=False)
    del stored.bytes
    parametrize.register_parametrization(module, "weight", stored, unsafe=True)  # unsafe: shape and dtype differ
