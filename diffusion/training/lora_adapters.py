"""The trained tensors of a LoRA: put into a frozen U-Net, told apart from the rest, written as a style.

In: a U-Net, a rank. Out: `Adapters`, a module of the factors alone (the trainer's state holds nothing else), and a file
in diffusers' names with PEFT's settings in its header, or in kohya's.
Ref: Hu et al. 2021, arXiv:2106.09685; Cui et al. 2023, github.com/cloneofsimo/lora for U-Nets.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel, UNet2DConditionOutput
from peft import LoraConfig
from safetensors.torch import save
from torch import nn
from torch.func import functional_call

from diffusion.lora_card import KEY
from diffusion.lora_files import HEADER, read_tensors
from diffusion.lora_layers import kohya_name
from diffusion.weights import sha256_file

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")
CONVOLUTIONS = ("conv1", "conv2", "conv_shortcut", "time_emb_proj")
LAYERS = {"attention": ATTENTION, "all": (*ATTENTION, *CONVOLUTIONS)}
FORMATS = ("diffusers", "kohya")
ADAPTER = "style"
_DOT = "|"  # for the dots of names, which a ParameterDict does not take


class Adapters(nn.Module):
    """LoRA factors inside a U-Net, which is frozen; `parameters()` are the factors alone. alpha is the rank."""

    def __init__(self, unet: UNet2DConditionModel, rank: int, layers: str = "attention", seed: int = 0) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank is {rank}: give at least 1")
        if layers not in LAYERS:
            raise ValueError(f"layers is {layers!r}: choose {' or '.join(LAYERS)}")
        self.rank, self.targets = rank, LAYERS[layers]
        unet.requires_grad_(False)
        self.base_sha256 = sha256_of(dict(unet.named_parameters()))
        torch.manual_seed(seed)
        unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=list(self.targets)), ADAPTER)
        found = {name: p for name, p in unet.named_parameters() if p.requires_grad}
        self.factors = nn.ParameterDict({name.replace(".", _DOT): p for name, p in found.items()})
        self._unet = [unet]  # not a submodule: it is no part of the state

    @property
    def unet(self) -> UNet2DConditionModel:
        return self._unet[0]

    def forward(
        self, *inputs: object, weights: Mapping[str, torch.Tensor] | None = None, **options: object
    ) -> UNet2DConditionOutput:
        """Call the U-Net: what several processes share gradients through has the factors alone as its parameters.

        `weights`: by layer, what stands there in this call in place of the base's.
        """
        replaced = {self._parameter(layer): weight for layer, weight in (weights or {}).items()}
        said: UNet2DConditionOutput = functional_call(self.unet, replaced, inputs, options)
        return said

    def _parameter(self, layer: str) -> str:
        """The name of a layer's weight now that factors may stand around it."""
        adapted = hasattr(self.unet.get_submodule(layer), "base_layer")
        return f"{layer}.base_layer.weight" if adapted else f"{layer}.weight"

    def start_from(self, path: Path) -> str:
        """Take the factors of a style's file in diffusers' form; gives its SHA-256. Raises FileNotFoundError, and
        ValueError for a file of another rank, of other layers or of another base's shapes.
        """
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: name a style's .safetensors file")
        found, _ = read_tensors(path, path.stem)
        wanted = {_file_name(name): factor for name, factor in self.factors.items()}
        ranks = {min(value.shape[:2]) for name, value in found.items() if name.endswith("lora_A.weight")}
        if found.keys() != wanted.keys():
            raise ValueError(
                f"{path} holds {len(found)} tensors, {len(found.keys() & wanted.keys())} of them of the "
                f"{len(wanted)} that are trained: give a style in diffusers' form, trained on this base with the same "
                "--layers"
            )
        if other := [name for name, factor in wanted.items() if found[name].shape != factor.shape]:
            raise ValueError(
                f"{path} has rank {', '.join(map(str, sorted(ranks)))} and {other[0]} of "
                f"{tuple(found[other[0]].shape)}, {tuple(wanted[other[0]].shape)} is trained: give its rank with "
                "--rank, or a style of this base"
            )
        with torch.no_grad():
            for name, factor in wanted.items():
                factor.copy_(found[name])
        return sha256_file(path)

    def check_base(self) -> None:
        """Raise RuntimeError where anything but the factors has changed."""
        ours = {id(parameter) for parameter in self.parameters()}
        rest = {
            name.replace(".base_layer.", "."): parameter
            for name, parameter in self.unet.named_parameters()
            if id(parameter) not in ours
        }
        if sha256_of(rest) != self.base_sha256:
            raise RuntimeError("the base changed while a LoRA was trained: nothing is written")

    def tensors(self) -> dict[str, torch.Tensor]:
        """The factors as they stand, by diffusers' names, in float16."""
        renamed = {_file_name(name): value for name, value in self.factors.items()}
        return {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in sorted(renamed.items())}

    def settings(self) -> dict[str, object]:
        """What PEFT needs to know, as diffusers keeps it in a header."""
        known = {"peft_type": "LORA", "r": self.rank, "lora_alpha": self.rank, "target_modules": sorted(self.targets)}
        return {f"unet.{name}": value for name, value in known.items()}


def _file_name(factor: str) -> str:
    """diffusers' name of a factor."""
    return f"unet.{factor.replace(_DOT, '.').replace(f'.{ADAPTER}.', '.')}"


class Beside(nn.Module):
    """What is trained, called with another style in the base's weights: by layer, the weight with that style in it."""

    def __init__(self, trained: nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
        super().__init__()
        self._trained, self._weights = trained, weights

    def forward(self, *inputs: object, **options: object) -> UNet2DConditionOutput:
        said: UNet2DConditionOutput = self._trained(*inputs, weights=self._weights, **options)
        return said


def write_style(adapters: Adapters, path: Path, facts: Mapping[str, object], form: str = "diffusers") -> None:
    """Write a style whose header has `facts` (trigger, base, licence, data card, …)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    header = {"format": "pt", KEY: as_json(facts), "modelspec.sai_model_spec": "1.0.0",
              "modelspec.title": str(facts["name"]), "modelspec.trigger_phrase": str(facts["trigger"]),
              "modelspec.license": str(facts["license"])}  # fmt: skip
    tensors = adapters.tensors()
    if form == "kohya":
        header |= {"ss_network_module": "networks.lora", "ss_network_dim": str(adapters.rank),
                   "ss_network_alpha": str(float(adapters.rank)), "ss_sd_model_name": str(facts["base"])}  # fmt: skip
        tensors = as_kohya(adapters.unet, tensors, adapters.rank)
    else:
        header[HEADER] = as_json(adapters.settings())
    write_file(path, tensors, header)


def write_file(path: Path, tensors: Mapping[str, torch.Tensor], header: Mapping[str, str]) -> str:
    """Write a safetensors file whole or not at all, of the same content the same bytes; gives its SHA-256."""
    data = _in_order(save(dict(tensors), dict(header)))
    beside = path.with_suffix(".writing")
    beside.write_bytes(data)
    beside.replace(path)
    return hashlib.sha256(data).hexdigest()


def as_kohya(unet: nn.Module, tensors: Mapping[str, torch.Tensor], rank: int) -> dict[str, torch.Tensor]:
    """Factors under kohya's names, an alpha for each layer."""
    renamed: dict[str, torch.Tensor] = {}
    for key, value in tensors.items():
        layer, _, factor = key.removeprefix("unet.").rpartition(".lora_")
        flat = kohya_name(unet, layer)
        renamed[f"{flat}.lora_{'down' if factor.startswith('A') else 'up'}.weight"] = value
        renamed[f"{flat}.alpha"] = torch.tensor(float(rank))
    return renamed


def sha256_of(parameters: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over names and bytes of weights."""
    digest = hashlib.sha256()
    for name in sorted(parameters):
        value = parameters[name].detach().cpu().contiguous()
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}\n".encode())
        digest.update(value.flatten().view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _in_order(data: bytes) -> bytes:
    """A safetensors file with its metadata sorted: safetensors 0.8 writes them in another order each time, and a style
    that is trained again is to have the same bytes.
    """
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data[end:]


def as_json(facts: Mapping[str, object]) -> str:
    return json.dumps(facts, ensure_ascii=False, sort_keys=True)
