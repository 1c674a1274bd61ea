"""Networks whose features and class probabilities a set of pictures is measured by, opened from local folders.

In: "scorer" (the project's own, of `checkpoints/scorers`), or a folder with config.json and model.safetensors: an image
classifier of transformers ("model_type"), timm ("architecture"), or torchvision ("architecture" and
"library_name": "torchvision"). Out: a `FeatureNetwork`: features (n, d) and probabilities (n, K) of pictures, and its
name, which every printed value carries. Only Inception v3's own values may be called Inception Score and FID.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from diffusion.metrics import garment_probabilities
from diffusion.weights import read_json, weight_files

OWN = "scorer"
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_INCEPTION = "inception_v3"


class FeatureNetwork(Protocol):
    """What gives features."""

    name: str
    is_inception: bool

    def read(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        """Features (n, d) and class probabilities (n, K) of pictures of one size."""
        ...


def open_features(where: str, scorers: Path, device: torch.device) -> FeatureNetwork:
    """Open the network. Raises FileNotFoundError, or ValueError for a folder that is no classifier's."""
    if where == OWN:
        return OwnFeatures(scorers)
    folder = Path(where)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder} is not a folder: give {OWN}, or a folder with config.json and model.safetensors"
        )
    config = read_json(folder / "config.json")
    if "model_type" in config:
        return _of_transformers(folder, str(config["model_type"]), device)
    if isinstance(config.get("architecture"), str):
        return _by_name(folder, str(config["architecture"]), config, device)
    raise ValueError(
        f"{folder}/config.json names neither model_type (transformers) nor architecture (timm, torchvision)"
    )


class OwnFeatures:
    """The reporting scorer of the drawn domain; its classes are the garments and none."""

    name, is_inception = "the project's reporting scorer", False

    def __init__(self, folder: Path) -> None:
        from fashion.lexicon import GARMENTS
        from fashion.scorer import Scorer

        self._scorer = Scorer.load(folder)
        self._kinds = [garment.id for garment in GARMENTS]

    def read(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        probabilities = garment_probabilities(self._scorer.detect(pictures), self._kinds)
        return self._scorer.vectors(pictures), probabilities


@dataclass
class Classifier:
    """An image classifier. `features`: pictures (n, 3, s, s) to (n, d); `head`: features to class logits (n, K)."""

    name: str
    is_inception: bool
    features: Callable[[torch.Tensor], torch.Tensor]
    head: Callable[[torch.Tensor], torch.Tensor]
    side: int
    mean: Sequence[float]
    deviation: Sequence[float]
    device: torch.device

    @torch.inference_mode()
    def read(self, pictures: Sequence[Image.Image]) -> tuple[np.ndarray, np.ndarray]:
        found = self.features(standardised(pictures, self.side, self.mean, self.deviation).to(self.device))
        return found.float().cpu().numpy(), F.softmax(self.head(found).float(), dim=-1).cpu().numpy()


def standardised(
    pictures: Sequence[Image.Image], side: int, mean: Sequence[float], deviation: Sequence[float]
) -> torch.Tensor:
    """Pictures as (n, 3, side, side), of each channel its mean taken away and divided by its deviation."""
    resized = [each.convert("RGB").resize((side, side), Image.Resampling.BICUBIC) for each in pictures]
    pixels = torch.from_numpy(np.stack([np.asarray(each) for each in resized])).permute(0, 3, 1, 2).float() / 255
    means, deviations = (torch.tensor(each, dtype=torch.float32).view(3, 1, 1) for each in (mean, deviation))
    return (pixels - means) / deviations


def channel_numbers(values: object, usual: Sequence[float]) -> Sequence[float]:
    """Three numbers of a settings file, or the usual ones where it has none."""
    return [float(each) for each in values] if isinstance(values, list | tuple) and len(values) == 3 else usual


def _of_transformers(folder: Path, kind: str, device: torch.device) -> Classifier:
    from transformers import AutoModelForImageClassification

    weight_files(folder)
    model = AutoModelForImageClassification.from_pretrained(folder, local_files_only=True, use_safetensors=True)
    model = model.eval().to(device)
    path = folder / "preprocessor_config.json"
    settings = read_json(path) if path.is_file() else {}
    classify, seen = _last_linear(model), list[torch.Tensor]()
    classify.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))

    def features(pixels: torch.Tensor) -> torch.Tensor:
        seen.clear()
        model(pixel_values=pixels)
        return seen[-1]

    mean, deviation = (channel_numbers(settings.get(name), usual) for name, usual in
                       zip(("image_mean", "image_std"), IMAGENET, strict=True))  # fmt: skip
    side = _side_of(settings.get("crop_size") or settings.get("size")) or 224
    return Classifier(
        f"{kind} (transformers) of {folder.name}", False, features, classify, side, mean, deviation, device
    )


def _by_name(folder: Path, architecture: str, config: dict[str, object], device: torch.device) -> Classifier:
    """A network of timm or torchvision with the folder's weights."""
    from safetensors.torch import load_file

    library = "torchvision" if config.get("library_name") == "torchvision" else "timm"
    classes = config.get("num_classes")
    known = {"num_classes": classes} if isinstance(classes, int) else {}
    model = _built(library, architecture, known)
    state = {name: value for path in weight_files(folder) for name, value in load_file(path).items()}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f"{folder} holds weights of another network than {library}'s {architecture}") from error
    model = model.eval().to(device)
    told = config.get("pretrained_cfg")
    settings = told if isinstance(told, dict) else config
    side = _side_of(settings.get("input_size")) or (299 if _INCEPTION in architecture else 224)
    mean, deviation = (channel_numbers(settings.get(name), usual) for name, usual in
                       zip(("mean", "std"), IMAGENET, strict=True))  # fmt: skip
    classify, seen = _last_linear(model), list[torch.Tensor]()
    classify.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].flatten(1)))

    def features(pixels: torch.Tensor) -> torch.Tensor:
        seen.clear()
        model(pixels)
        return seen[-1]

    name = f"{architecture} ({library}) of {folder.name}"
    return Classifier(name, _INCEPTION in architecture, features, classify, side, mean, deviation, device)


def _built(library: str, architecture: str, known: Mapping[str, object]) -> nn.Module:
    """A network without weights; raises ValueError where its library cannot be imported or does not know it."""
    build: Callable[..., nn.Module]
    try:
        if library == "timm":
            import timm

            build = timm.create_model
        else:
            from torchvision.models import get_model

            build = get_model
    except ModuleNotFoundError as error:
        missing = error.name or library
        raise ValueError(f"{architecture} needs {missing}, which is not installed: pip install {missing}") from error
    except (ImportError, RuntimeError) as error:  # of another torch: "operator torchvision::nms does not exist"
        raise ValueError(f"{library} cannot be imported beside torch {torch.__version__} ({error}): install the "
                         "torchvision that was released for this torch, from the same index") from error  # fmt: skip
    try:
        return build(architecture, **({"pretrained": False} if library == "timm" else {"weights": None}), **known)
    except (RuntimeError, ValueError) as error:
        raise ValueError(f"{library} knows no {architecture!r}: {error}") from error


def _last_linear(model: nn.Module) -> nn.Linear:
    """What turns features into classes: a classifier's last linear layer, the auxiliary one of Inception aside."""
    layers = [each for name, each in model.named_modules() if isinstance(each, nn.Linear) and "Aux" not in name]
    if not layers:
        raise ValueError(f"{type(model).__name__} has no linear layer: it is no classifier")
    return layers[-1]


def _side_of(size: object) -> int | None:
    """A side in pixels of what settings call a size: a number, edges by name, or (channels, height, width)."""
    if isinstance(size, dict):
        return next((int(size[key]) for key in ("height", "shortest_edge") if size.get(key)), None)
    if isinstance(size, list | tuple) and size:
        return int(size[-1])
    return size if isinstance(size, int) else None
