"""The weights that ship: float16 tensors beside a JSON file that names the network's shape.

In: a folder. Out: a network in float32, ready to be asked; and back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from textile.missing import WeightsMissing

Network = TypeVar("Network", bound=nn.Module)


def open_weights(path: Path, train: str, build: Callable[[dict], Network]) -> Network:
    """The network of NAME.safetensors; `build` makes it of what NAME.json says.

    Raises WeightsMissing with the command `train`, ValueError for weights of another shape.
    """
    settings = path.with_suffix(".json")
    if not path.exists() or not settings.exists():
        raise WeightsMissing(path, train)
    network = build(json.loads(settings.read_text(encoding="utf-8")))
    try:
        network.load_state_dict({name: value.float() for name, value in load_file(path).items()})
    except RuntimeError as error:
        raise ValueError(f"{path} does not have the shape that {settings} names: train it again") from error
    network.eval().requires_grad_(False)
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hint knows no memory_format
    return network


def save_weights(network: nn.Module, path: Path, facts: Mapping[str, object]) -> None:
    """Write the weights as float16, and beside them their shape and what was measured."""
    path.parent.mkdir(parents=True, exist_ok=True)
    weights = {name: value.detach().half().contiguous() for name, value in network.state_dict().items()}
    save_file(weights, path)
    path.with_suffix(".json").write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
