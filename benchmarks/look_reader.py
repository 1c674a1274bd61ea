"""A scorer that can read the looks of styles: `read_looks(scorer)`.

In: the reporting scorer, which has seen the domain's own drawing styles alone. Out: the same network, taught further
on true drawings of every look and of none, so that garments, colours and patterns can be read before a palace, in ink
or at night. It sees no picture of a network, takes part in no training of what draws, and is thrown away after the
benchmark. What it misses in true drawings that it was not shown says how far it can be trusted.
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

SEED = 89  # shares no scene with other sets
DRAWINGS = 320  # of each look, and of none
STEPS, BATCH, LEARNING_RATE = 600, 16, 1e-3


@dataclass(frozen=True)
class LookPictures:
    """Scenes in all looks and in none by turns, drawn with their label maps; kept in memory."""

    scenes: Sequence[Scene]
    shown: np.ndarray  # (n, 256, 256, 3) uint8
    mapped: np.ndarray  # (n, 128, 128) uint8

    def scene(self, index: int) -> Scene:
        return self.scenes[index]

    def pictures(self, indexes: np.ndarray) -> np.ndarray:
        return self.shown[indexes]

    def labels(self, indexes: np.ndarray) -> np.ndarray:
        return self.mapped[indexes]

    @classmethod
    def drawn(cls, each: int) -> LookPictures:
        """`each` scenes of every look and of none."""
        ways = [*LOOKS, None]
        scenes, shown, mapped = [], [], np.zeros((each * len(ways), LABEL_SIZE, LABEL_SIZE), np.uint8)
        for i in range(each * len(ways)):
            look = ways[i % len(ways)]
            scene = sample_scene(SEED * 10**7 + i)
            if look is not None:
                scene = LOOKS[look].dressed(replace(scene, style="flat", background="white"))
            scenes.append(scene)
            shown.append(draw(scene, INPUT) if look is None else LOOKS[look].draw(scene, INPUT))
            masks = (draw_masks if look is None else LOOKS[look].masks)(scene, LABEL_SIZE)
            for garment, mask in enumerate(masks, 1):
                mapped[i][mask] = garment
        return cls(scenes, np.stack(shown), mapped)


def read_looks(scorer: Scorer, each: int = DRAWINGS, steps: int = STEPS) -> Scorer:
    """The scorer, taught on `each` true drawings of every look; the given one stays as it is. The same every time."""
    pictures = LookPictures.drawn(each)
    network = copy.deepcopy(scorer.network).requires_grad_(True).train()
    optimizer = Muon(network, dict(network.named_parameters()), LEARNING_RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, LEARNING_RATE, steps, pct_start=0.05)
    for step in tqdm(range(steps), desc="look reader", disable=not sys.stderr.isatty()):
        losses = scorer_losses(network, scorer_batch(pictures, step, BATCH, len(pictures.scenes), SEED), step)
        optimizer.zero_grad()
        losses["loss"].backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return Scorer(network)
