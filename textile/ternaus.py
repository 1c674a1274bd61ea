"""The ancestor's own segmentation network, for who has its weights: Unet with timm-efficientnet-b3.

In: weights of ternaus/cloths_segmentation as safetensors. It needs segmentation-models-pytorch, which wants a
torchvision that fits the installed torch: an optional requirement (requirements-ternaus.txt). Pictures are padded to a
multiple of 32 and normalised as ImageNet's; it does not tell the kind.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

from textile.segmentation import LEAST_SIDE, GarmentMask, over_grey

ENCODER = "timm-efficientnet-b3"
_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MULTIPLE, _LONGEST = 32, 768


class TernausSegmenter:
    """The network of cloths_segmentation under the interface of `GarmentSegmenter`; `kind` is empty."""

    def __init__(self, network: nn.Module) -> None:
        self.network = network.eval()

    @classmethod
    def load(cls, path: Path | str) -> TernausSegmenter:
        """Open a safetensors file. Raises FileNotFoundError, ImportError that names the requirement, ValueError for
        weights of another network."""
        path = Path(path)
        if not path.exists():
            raise FileNotFoundError(f"{path} is not there: convert the weights of cloths_segmentation to safetensors")
        if path.suffix != ".safetensors":
            raise ValueError(f"{path.name}: only safetensors are read, never a pickle: convert it first")
        try:
            import segmentation_models_pytorch as smp
        except (ImportError, RuntimeError) as error:
            raise ImportError(
                "cloths_segmentation needs segmentation-models-pytorch and a torchvision that fits this torch: "
                "pip install -r requirements-ternaus.txt"
            ) from error
        network = smp.Unet(encoder_name=ENCODER, encoder_weights=None, classes=1)
        network.load_state_dict(unprefixed(load_file(path), network.state_dict()))
        return cls(network)

    @torch.inference_mode()
    def mask(self, image: Image.Image | np.ndarray) -> GarmentMask:
        """The garment of a picture. Raises ValueError for one under 16 px a side."""
        picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
        if min(picture.size) < LEAST_SIDE:
            raise ValueError(f"the picture is {picture.width} × {picture.height} px: give at least {LEAST_SIDE} a side")
        rgb, opaque = over_grey(picture)
        scale = min(1.0, _LONGEST / max(rgb.size))
        small = rgb.resize((max(round(rgb.width * scale), 1), max(round(rgb.height * scale), 1)), Image.Resampling.BOX)
        found = self.network(normalised(np.asarray(small))).sigmoid()[0, 0]
        found = found[: small.height, : small.width]
        mask = np.asarray(Image.fromarray(found.numpy()).resize(rgb.size, Image.Resampling.BILINEAR)).copy()
        mask = mask if opaque is None else mask * opaque
        return GarmentMask(mask, "", 0.0, float((mask > 0.5).mean()))


def normalised(picture: np.ndarray) -> Tensor:
    """(1, 3, h, w) of a picture (h, w, 3) uint8, padded below and to the right to a multiple of 32."""
    down, right = (-side % _MULTIPLE for side in picture.shape[:2])
    padded = np.pad(picture, ((0, down), (0, right), (0, 0)), mode="edge").astype(np.float32) / 255
    return torch.from_numpy((padded - np.array(_MEAN, np.float32)) / np.array(_STD, np.float32)).permute(2, 0, 1)[None]


def unprefixed(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The weights without the training's prefix "model.". Raises ValueError that names the first that does not fit."""
    named = {name.removeprefix("model."): value for name, value in weights.items()}
    for name, value in expected.items():
        if name not in named:
            raise ValueError(f"the weights have no {name!r}: they are not of Unet with {ENCODER}")
        if named[name].shape != value.shape:
            raise ValueError(f"{name!r} is {tuple(named[name].shape)}, not {tuple(value.shape)}: another network")
    return {name: named[name] for name in expected}
