"""FlowEdit: from one text to another by the difference of two velocities, without inversion.

In: clean latents of the source, its noise, what two texts predict. Out: latents of the edit, and nothing changed where
a mask is 0. Of a rectified flow dx/dsigma is the velocity, so at each step the edit moves by the step's width times
v(edit + noised source - source, target) - v(noised source, source).
Ref: Kulikov et al. 2024, arXiv:2412.08629, algorithm 1.
"""

from __future__ import annotations

import torch

from diffusion.conditioning import Conditioning
from diffusion.editing.levels import at, levels_of
from diffusion.schedulers import FLOW, Schedule
from diffusion.stage import Stage, Watch


def flow_edit(
    stage: Stage, schedule: Schedule, clean: torch.Tensor, noise: torch.Tensor, mask: torch.Tensor,
    source: Conditioning, target: Conditioning, guidance: float,
    watch: Watch = lambda *_: None,
) -> torch.Tensor:  # fmt: skip
    """Edit clean latents (n, c, h, w). Raises ValueError for a checkpoint that predicts no velocity of a flow."""
    if schedule.prediction != FLOW:
        raise ValueError(f"FlowEdit needs a flow checkpoint, this one predicts {schedule.prediction}: use cycle")
    levels, edit = levels_of(schedule), clean
    for i in range(len(schedule)):
        noised = at(clean, noise, levels[i])
        moved = edit + noised - clean
        output = stage.predict(moved, schedule, i, target, guidance)
        difference = output - stage.predict(noised, schedule, i, source, guidance)
        edit = edit + (levels[i + 1][1] - levels[i][1]) * mask * difference
        watch(i, moved, output)
    return edit
