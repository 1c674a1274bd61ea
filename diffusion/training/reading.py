"""What the steering scorer reads wrong in pictures that are still latents, with the gradient to what made them.

In: latents and the scenes that they should show. Out: cross-entropies of kinds and attributes. Decoder and scorer are
frozen; the reporting scorer takes no part in any training.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderTiny

from fashion.scene import Scene
from fashion.scorer import INPUT, Scorer
from fashion.scorer_training import place_targets, reading_losses
from fitting.parts import Run


class Reading:
    """The steering scorer of `checkpoints` behind the decoder.

    Raises FileNotFoundError where it is not trained yet.
    """

    def __init__(self, checkpoints: Path, vae: AutoencoderTiny, run: Run) -> None:
        self._network = Scorer.load(checkpoints / "scorers", "steering").network.to(run.device)
        self._vae, self._run = vae, run

    def losses(self, latents: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """Errors of scaled latents (n, c, h, w); "loss" is their weighted sum."""
        kinds, fields = place_targets(scenes)
        fields = {field: wanted.to(latents.device) for field, wanted in fields.items()}
        with self._run.autocast():
            scaled = (latents / self._vae.config.scaling_factor).contiguous(memory_format=torch.channels_last)
            pictures = self._vae.decoder(scaled)  # a third quicker so on a CPU
            shown = F.interpolate(pictures, size=(INPUT, INPUT), mode="bilinear").clamp(-1, 1)
            return reading_losses(self._network(shown), kinds.to(latents.device), fields)
