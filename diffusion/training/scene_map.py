"""Let the base U-Net say, while it learns to draw, which garment each part of its picture shows.

In: features half way up the U-Net. Out: a loss that asks them for garment, colour and pattern cell by cell, which the
drawn domain knows exactly. What words mean for the layout is learnt from this in hundreds of steps instead of
thousands, since a noisy picture alone tells it faintly. The maps are thrown away after training.
Ref: representation alignment, Yu et al. 2024, arXiv:2410.06940, with the truth in the place of another network.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from torch import nn

from fashion.lexicon import COLORS, GARMENTS, PATTERNS
from fashion.scene import Scene

IGNORED = -100
FIELDS = {"kind": GARMENTS, "color": COLORS, "pattern": PATTERNS}
_WORD = {field: {word.id: i for i, word in enumerate(words)} for field, words in FIELDS.items()}


class SceneMap(nn.Module):
    """A U-Net and the maps read off it. `forward` gives the U-Net's prediction and the logits of the maps."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        super().__init__()
        self.unet = unet
        ways_up = unet.config["block_out_channels"][::-1]
        self._block = max(0, len(ways_up) - 3)
        sizes = {"kind": len(GARMENTS) + 1, "color": len(COLORS), "pattern": len(PATTERNS)}
        self.maps = nn.ModuleDict({field: nn.Conv2d(ways_up[self._block], n, 1) for field, n in sizes.items()})

    def forward(
        self, noisy: torch.Tensor, times: torch.Tensor, hidden: torch.Tensor
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        """Prediction (n, c, h, w) and per field logits (n, words, h/2, w/2); kind 0 is no garment."""
        seen: list[torch.Tensor] = []
        hook = self.unet.up_blocks[self._block].register_forward_hook(lambda block, given, made: seen.append(made))
        prediction = self.unet(noisy, times, hidden).sample
        hook.remove()
        return prediction, {field: head(seen[0]) for field, head in self.maps.items()}


def map_targets(labels: np.ndarray, batch: Sequence[Scene], cells: int) -> dict[str, torch.Tensor]:
    """Per field what each cell shows (n, cells, cells), from label maps (n, 128, 128) where g + 1 is garment g."""
    step = labels.shape[1] // cells
    middle = labels[:, step // 2 :: step, step // 2 :: step]
    targets = {field: np.full(middle.shape, IGNORED, np.int64) for field in FIELDS}
    targets["kind"][:] = 0
    for row, scene in enumerate(batch):
        for number, garment in enumerate(scene.garments, 1):
            here = middle[row] == number
            targets["kind"][row][here] = 1 + _WORD["kind"][garment.kind]
            targets["color"][row][here] = _WORD["color"][garment.color]
            targets["pattern"][row][here] = _WORD["pattern"][garment.pattern]
    return {field: torch.from_numpy(map_) for field, map_ in targets.items()}


def map_loss(
    logits: Mapping[str, torch.Tensor], targets: Mapping[str, torch.Tensor],
    mean_count: Callable[[torch.Tensor], torch.Tensor] = torch.Tensor.float,
) -> torch.Tensor:  # fmt: skip
    """Mean cross-entropy per cell, of attributes over the garments' cells only, summed over the fields.

    `mean_count`: the mean over all processes of a number of cells, so that the mean of their losses is that per cell.
    """
    return torch.stack([
        F.cross_entropy(logits[field].float(), targets[field], ignore_index=IGNORED, reduction="sum")
        / mean_count((targets[field] != IGNORED).sum())
        for field in FIELDS
    ]).sum()  # fmt: skip
