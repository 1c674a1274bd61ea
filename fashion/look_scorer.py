"""Teach a copy of a scorer to read looks that it has not seen: `taught_looks(scorer, pictures, steps)`.

In: a scorer that knows the domain's own drawing styles alone, true drawings of looks and of none. Out: the same
network, taught further, so that garments, colours and patterns can be read before a palace, in ink or at night. It sees
no picture of a network. The reporting scorer's copy measures (`benchmarks.look_reader`), the steering scorer's rewards
(`diffusion.training.look_reading`); they share no drawing, by their seeds.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from tqdm import tqdm

from fashion.drawing import draw, draw_masks
from fashion.looks import LOOKS
from fashion.pool import LABEL_SIZE
from fashion.scene import Scene, sample_scene
from fashion.scorer import INPUT, Scorer
from fashion.scorer_training import scorer_batch, scorer_losses
from training.muon import Muon

WAYS = (*LOOKS, None)  # None: no look, the domain's own styles
BATCH, LEARNING_RATE = 16, 1e-3


@dataclass(frozen=True)
class LookPictures:
    """Scenes in all looks and in none by turns, drawn with their label maps; kept in memory."""

    seed: int
    scenes: Sequence[Scene]
    shown: np.ndarray  # (n, 256, 256, 3) uint8
    mapped: np.ndarray  # (n, 128, 128) uint8

    def scene(self, index: int) -> Scene:
        return self.scenes[index]

    def pictures(self, indexes: np.ndarray) -> np.ndarray:
        return self.shown[indexes]

    def labels(self, indexes: np.ndarray) -> np.ndarray:
        return self.mapped[indexes]

    def ways(self) -> np.ndarray:
        """The place in `WAYS` of each picture's look, (n,)."""
        return np.arange(len(self.scenes)) % len(WAYS)

    @classmethod
    def drawn(cls, each: int, seed: int) -> LookPictures:
        """`each` scenes of every look and of none; other seeds share no scene."""
        scenes, shown, mapped = [], [], np.zeros((each * len(WAYS), LABEL_SIZE, LABEL_SIZE), np.uint8)
        for i in range(each * len(WAYS)):
            look = WAYS[i % len(WAYS)]
            scene = sample_scene(seed * 10**7 + i) if look is None else look_scene(look, seed * 10**7 + i)
            scenes.append(scene)
            shown.append(draw(scene, INPUT) if look is None else LOOKS[look].draw(scene, INPUT))
            masks = (draw_masks if look is None else LOOKS[look].masks)(scene, LABEL_SIZE)
            for garment, mask in enumerate(masks, 1):
                mapped[i][mask] = garment
        return cls(seed, scenes, np.stack(shown), mapped)


def look_scene(look: str, seed: int) -> Scene:
    """The scene of a seed as a picture in a look shows it: flat on white, since the look is all."""
    return LOOKS[look].dressed(replace(sample_scene(seed), style="flat", background="white"))


def taught_looks(scorer: Scorer, pictures: LookPictures, steps: int) -> Scorer:
    """The scorer, taught on true drawings of every look; the given one stays as it is. The same every time."""
    network = copy.deepcopy(scorer.network).requires_grad_(True).train()
    optimizer = Muon(network, dict(network.named_parameters()), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.05)
    for step in tqdm(range(steps), desc="looks", disable=not sys.stderr.isatty()):
        batch = scorer_batch(pictures, step, BATCH, len(pictures.scenes), pictures.seed)
        losses = scorer_losses(network, batch, step)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return Scorer(network)
