"""What the steering scorer reads wrong in pictures that are still latents, with the gradient to what made them.

In: latents and the scenes that they should show. Out: cross-entropies of kinds and attributes, and of drawing styles.
Decoder and scorer are frozen; the reporting scorer takes no part in any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny

from fashion.scene import Scene
from fashion.scorer import Scorer, as_input, read_both_ways
from fashion.scorer_training import place_targets, reading_losses
from fashion.setting import FIELDS, SettingReader
from training.run import Run


class LatentReader(Protocol):
    """What reads pictures that are still latents."""

    def losses(self, latents: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """Errors of scaled latents (n, c, h, w) that should show `scenes`; "loss" is what is lowered."""
        ...


class SteeringReader:
    """The steering scorer of `checkpoints` behind the decoder.

    `styles`: its losses have "style" too, the error of drawing styles. `scorer`: one to read with in place of the
    checkpoint's. Raises FileNotFoundError where it is not trained yet, and where a style is to be read before
    `fashion.setting --scorer steering` was fitted.
    """

    def __init__(
        self, checkpoints: Path, vae: AutoencoderTiny, run: Run, styles: bool = False,
        scorer: Scorer | None = None,
    ) -> None:  # fmt: skip
        scorer = scorer or Scorer.load(checkpoints / "scorers", "steering")
        self._network = scorer.network.to(run.device)
        self._setting = SettingReader.load(checkpoints / "scorers", scorer) if styles else None
        self._vae, self._run = vae, run

    def losses(self, latents: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """Errors of scaled latents (n, c, h, w) that should show `scenes`; "loss" is their weighted sum."""
        pictures = self.decoded(latents)
        errors = self.errors(pictures, scenes)
        return errors if self._setting is None else errors | {"style": self.style_error(pictures, scenes)}

    def decoded(self, latents: torch.Tensor) -> torch.Tensor:
        """Pictures (n, 3, h, w) of scaled latents."""
        with self._run.autocast():
            scaled = (latents / self._vae.config["scaling_factor"]).contiguous(memory_format=torch.channels_last)
            return self._vae.decoder(scaled)  # a third quicker so on a CPU

    def errors(self, pictures: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """What is read wrong in pictures (n, 3, h, w) that should show `scenes`, by the scorer as it is used."""
        kinds, fields = place_targets(scenes)
        fields = {field: wanted.to(pictures.device) for field, wanted in fields.items()}
        with self._run.autocast():
            seen = read_both_ways(self._network, as_input(pictures).clamp(-1, 1))
            return reading_losses(seen, kinds.to(pictures.device), fields)

    def style_error(self, pictures: torch.Tensor, scenes: Sequence[Scene]) -> torch.Tensor:
        """The mean cross-entropy of the drawing styles of pictures (n, 3, h, w) that should show `scenes`."""
        if self._setting is None:
            raise ValueError("this reader was opened without styles: SteeringReader(..., styles=True)")
        wanted = torch.tensor([FIELDS["style"].index(scene.style) for scene in scenes], device=pictures.device)
        with self._run.autocast():
            logits = self._setting.logits(as_input(pictures).clamp(-1, 1))["style"]
        return F.cross_entropy(logits.float(), wanted)

    def unlikeness(self, pictures: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        """How far the scorer's features of pictures are from those of the true ones, both (n, 3, h, w), place by place
        and for directions alone (Zhang et al. 2018, arXiv:1801.03924); a mean over pictures and layers, 0 if alike."""
        with self._run.autocast():
            with torch.no_grad():
                wanted = self._network.features(as_input(truth))
            seen = self._network.features(as_input(pictures).clamp(-1, 1))
        apart = [
            (F.normalize(mine.float(), dim=1) - F.normalize(theirs.float(), dim=1)).square().sum(dim=1).mean()
            for mine, theirs in zip(seen, wanted, strict=True)
        ]
        return torch.stack(apart).mean()
