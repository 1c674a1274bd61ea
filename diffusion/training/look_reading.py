"""What the steering scorer reads wrong in pictures of a style, once it has been taught the looks of `fashion.looks`.

In: the checkpoint's steering scorer, true drawings of every look and of none. Out: a copy that reads garments in all
looks, and a linear reading of which look a picture shows; both are kept in a run's folder and ship with nothing. The
drawings have another seed than those of `benchmarks.look_reader` and `benchmarks.style_judge`, and the reporting scorer
takes no part.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.autoencoders.autoencoder_tiny import AutoencoderTiny
from safetensors.numpy import load_file, save_file

from diffusion.training.reading import SteeringReader
from fashion.look_scorer import WAYS, LookPictures, taught_looks
from fashion.looks import LOOKS
from fashion.pool import halved
from fashion.scene import Scene
from fashion.scorer import Scorer, as_input
from fashion.setting import features, fit, picture_features
from training.run import Run

logger = logging.getLogger(__name__)
SEED = 83  # shares no scene with other sets
DRAWINGS, STEPS = 240, 700
STEERING, LOOK_FILE = "steering", "look.safetensors"
_PART = 64


class LookReader:
    """The taught scorer behind a decoder: errors of kinds and attributes; "look", that of which look is seen; "unlike",
    how far its features are from those of the true drawing of the same scene in the look.
    """

    def __init__(self, look: str, folder: Path, vae: AutoencoderTiny, run: Run) -> None:
        """`folder`: what `teach_looks` made. Raises ValueError for a look that there is not."""
        if look not in LOOKS:
            raise ValueError(f"look is {look!r}: choose {', '.join(LOOKS)}")
        scorer = Scorer.load(folder, STEERING)
        self._reading = SteeringReader(folder, vae.requires_grad_(False), run, scorer=scorer)
        self._network, self._run = scorer.network, run
        self._weights = torch.from_numpy(load_file(folder / LOOK_FILE)["look"]).to(run.device)
        self._look, self._draw = WAYS.index(look), LOOKS[look].draw
        self._drawn: tuple[Sequence[Scene], torch.Tensor] | None = None

    def losses(self, latents: torch.Tensor, scenes: Sequence[Scene]) -> dict[str, torch.Tensor]:
        """Errors of scaled latents (n, c, h, w) of `scenes`; "look" and "unlike" are no part of "loss"."""
        pictures = self._reading.decoded(latents)
        unlike = self._reading.unlikeness(pictures, self._truth(scenes, pictures))
        return self._reading.errors(pictures, scenes) | {"look": self.look_error(pictures), "unlike": unlike}

    def _truth(self, scenes: Sequence[Scene], pictures: torch.Tensor) -> torch.Tensor:
        """True drawings of the scenes, like `pictures`; those of the last call are kept, as several moments of one
        drawing are read.
        """
        if self._drawn is None or self._drawn[0] != scenes:
            drawn = np.stack([self._draw(scene, pictures.shape[-1]) for scene in scenes])
            self._drawn = scenes, torch.from_numpy(drawn).permute(0, 3, 1, 2).float().div(127.5).sub(1)
        return self._drawn[1].to(pictures)

    def look_error(self, pictures: torch.Tensor) -> torch.Tensor:
        """The mean cross-entropy of the look of pictures (n, 3, h, w)."""
        with self._run.autocast():
            rows = picture_features(self._network, as_input(pictures).clamp(-1, 1)).float()
        logits = rows @ self._weights[:-1] + self._weights[-1]
        return F.cross_entropy(logits, torch.full((len(rows),), self._look, device=rows.device))


def teach_looks(folder: Path, scorers: Path, each: int = DRAWINGS, steps: int = STEPS) -> Path:
    """Teach the steering scorer of `scorers` the looks and keep it in `folder`, whole or not at all; gives the folder.

    What is there already is kept: it would come out the same.
    """
    if (folder / LOOK_FILE).is_file():
        return folder
    logger.info("teaching the steering scorer %d true drawings of each look, %d steps", each, steps)
    pictures = LookPictures.drawn(each, SEED)
    scorer = taught_looks(Scorer.load(scorers, STEERING), pictures, steps)
    beside = folder.with_name(f"{folder.name}.writing")
    shutil.rmtree(beside, ignore_errors=True)
    scorer.save(beside, {"steps": steps, "drawings": each * len(WAYS)})
    kept = Scorer.load(beside, STEERING)  # as it is read later: rounded to float16
    rows = np.concatenate([_features(kept, pictures.shown), _features(kept, halved(pictures.shown))])
    save_file(fit(rows, {"look": np.tile(pictures.ways(), 2)}), beside / LOOK_FILE)
    shutil.rmtree(folder, ignore_errors=True)
    beside.rename(folder)
    return folder


def _features(scorer: Scorer, pictures: np.ndarray) -> np.ndarray:
    return np.concatenate([features(scorer, pictures[i : i + _PART]) for i in range(0, len(pictures), _PART)])
