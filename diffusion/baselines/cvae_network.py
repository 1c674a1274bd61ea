"""A conditional variational autoencoder: pictures from a normal code and a caption's vector.

In: pictures (n, 3, s, s) in -1..1 and text vectors (n, t). Out: reconstructions, and the mean and log-variance (n, z)
of the code. Both halves read the text, so that the code holds what the caption does not say.
Ref: Kingma & Welling 2014, arXiv:1312.6114; Sohn et al. 2015, "Learning structured output representation using deep
conditional generative models".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

CONFIG, WEIGHTS = "config.json", "model.safetensors"
_COARSEST = 4  # pixels of a side where convolutions end


@dataclass(frozen=True)
class CvaeShape:
    """`size`: side of the pictures; `code`: numbers of the code; `channels` from fine to coarse, one halving each."""

    text_width: int
    size: int = 128
    code: int = 128
    channels: tuple[int, ...] = (32, 64, 128, 192, 256)

    def __post_init__(self) -> None:
        if self.size != _COARSEST * 2 ** len(self.channels):
            raise ValueError(f"size is {self.size}: {len(self.channels)} levels of channels make {_COARSEST} pixels of "
                             f"{_COARSEST * 2 ** len(self.channels)}")  # fmt: skip


class ConditionalVae(nn.Module):
    """Raises ValueError for pictures or vectors of another shape than its own."""

    def __init__(self, shape: CvaeShape) -> None:
        super().__init__()
        self.shape = shape
        flat = shape.channels[-1] * _COARSEST**2
        self.text = nn.Sequential(nn.LayerNorm(shape.text_width), nn.Linear(shape.text_width, shape.code), nn.SiLU())
        self.down = nn.Sequential(*_down(shape.channels))
        self.code = nn.Linear(flat + shape.code, 2 * shape.code)
        self.begin = nn.Linear(2 * shape.code, flat)
        self.up = nn.Sequential(*_up(shape.channels))

    @property
    def device(self) -> torch.device:
        return self.begin.weight.device

    def encode(self, pictures: torch.Tensor, texts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log-variance (n, z) of the code."""
        side = self.shape.size
        if pictures.shape[1:] != (3, side, side):
            raise ValueError(f"pictures are {tuple(pictures.shape)}: (n, 3, {side}, {side}) are expected")
        told = torch.cat([self.down(pictures).flatten(1), self._read(texts)], dim=1)
        mean, log_variance = self.code(told).chunk(2, dim=1)
        return mean, log_variance.clamp(-12, 8)

    def decode(self, code: torch.Tensor, texts: torch.Tensor) -> torch.Tensor:
        """Pictures (n, 3, s, s) in -1..1."""
        begun = self.begin(torch.cat([code, self._read(texts)], dim=1))
        return torch.tanh(self.up(begun.view(len(code), -1, _COARSEST, _COARSEST)))

    def _read(self, texts: torch.Tensor) -> torch.Tensor:
        width = self.shape.text_width
        if texts.shape[1:] != (width,):
            raise ValueError(f"text vectors are {tuple(texts.shape)}: (n, {width}) are expected, of the encoder that "
                             "this network was trained with")  # fmt: skip
        return self.text(texts)

    def losses(
        self, pictures: torch.Tensor, texts: torch.Tensor, noise: torch.Tensor, kl_weight: float
    ) -> dict[str, torch.Tensor]:
        """Squared error a value ("reconstruction"), nats a picture ("kl"), weighted sum ("loss"); noise (n, z)."""
        mean, log_variance = self.encode(pictures, texts)
        drawn = self.decode(mean + noise * (0.5 * log_variance).exp(), texts)
        reconstruction = F.mse_loss(drawn.float(), pictures)
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).float().mean()
        return {"loss": reconstruction + kl_weight * kl, "reconstruction": reconstruction, "kl": kl}

    @torch.inference_mode()
    def sample(self, texts: torch.Tensor, seeds: Sequence[int]) -> torch.Tensor:
        """A picture of each text vector, its code from its own seed."""
        codes = [torch.randn(self.shape.code, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
        return self.decode(torch.stack(codes).to(texts.device), texts).float()

    def save(self, folder: Path) -> None:
        """Write config.json and model.safetensors."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps(asdict(self.shape), indent=1) + "\n", "utf-8")
        save_file({name: value.cpu().contiguous() for name, value in self.state_dict().items()}, folder / WEIGHTS)

    @classmethod
    def load(cls, folder: Path) -> ConditionalVae:
        """Open what `save` wrote. Raises FileNotFoundError, or ValueError for a damaged folder."""
        path = folder / CONFIG
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there: train one with python -m diffusion.baselines.cvae train")
        try:
            told = json.loads(path.read_text("utf-8"))
            model = cls(CvaeShape(**told | {"channels": tuple(told["channels"])}))
            model.load_state_dict(load_file(folder / WEIGHTS))
        except (ValueError, TypeError, KeyError, RuntimeError, OSError) as error:
            raise ValueError(f"{folder} is no conditional VAE, or a damaged one ({error}): train it anew") from error
        return model.eval().requires_grad_(False)


def _down(channels: Sequence[int]) -> list[nn.Module]:
    layers: list[nn.Module] = []
    for before, after in zip((3, *channels), channels, strict=False):
        layers += [nn.Conv2d(before, after, 4, stride=2, padding=1), nn.GroupNorm(8, after), nn.SiLU()]
    return layers


def _up(channels: Sequence[int]) -> list[nn.Module]:
    """Nearest pixels and a convolution: transposed convolutions leave a checkerboard (Odena et al. 2016)."""
    layers: list[nn.Module] = []
    coarse_to_fine = channels[::-1]
    for before, after in zip(coarse_to_fine, (*coarse_to_fine[1:], channels[0]), strict=True):
        layers += [
            nn.Upsample(scale_factor=2),
            nn.Conv2d(before, after, 3, padding=1),
            nn.GroupNorm(8, after),
            nn.SiLU(),
        ]
    return [*layers, nn.Conv2d(channels[0], 3, 3, padding=1)]
