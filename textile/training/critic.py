"""The critic of forms: what the layers of one repeat show, told by form alone, from the cloth that the generator sees.

In: layer memberships (n, 4, 64, 64) on a torus. Out: logits of the categories (n, 13). It is no part of what ships: it
says which forms of the mixture can be recognised when new repeats are made of them.
"""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from textile.categories import CATEGORY_IDS
from textile.pattern_network import LAYERS, conv
from textile.training.cloth_batches import ClothBatches
from training.schedule import TrainerSettings
from training.trainer import Losses, Trainer

_WIDTHS = (1 + LAYERS, 24, 48, 64, 96)
_BATCH = 52
_FIRST_STEP = 2 * 10**6  # of batches that only the critic sees in this order


class FormCritic(nn.Module):
    """Layer memberships of repeats (n, 4, 64, 64) → logits (n, 13)."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for a, b in zip(_WIDTHS, _WIDTHS[1:], strict=False):
            layers += [conv(a, b), nn.GroupNorm(8, b), nn.SiLU(), nn.AvgPool2d(2)]
        self.body = nn.Sequential(*layers)
        self.name = nn.Linear(2 * _WIDTHS[-1], len(CATEGORY_IDS))

    def forward(self, shown: Tensor) -> Tensor:
        x = self.body(shown)
        return self.name(torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1))


def with_ground(maps: Tensor) -> Tensor:
    """Layers 1 to 3 (n, 3, h, w) as memberships of layers 0 to 3."""
    return torch.cat([(1 - maps.sum(dim=1, keepdim=True)).clamp(min=0), maps], dim=1)


def train_critic(batches: ClothBatches, folder: Path, steps: int) -> FormCritic:
    """Train, or go on with the state in the folder."""
    torch.manual_seed(2)
    critic = FormCritic().to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hint knows no memory_format

    def losses(step: int) -> Losses:
        batch = batches.at(_FIRST_STEP + step, _BATCH)
        rolled = batch.maps.roll((step * 7 % 64, step * 11 % 64), (2, 3))
        turned = rolled.rot90(step % 4, (2, 3)).flip(2) if step % 3 else rolled
        logits = critic(with_ground(turned).contiguous(memory_format=torch.channels_last))
        right = (logits.argmax(dim=1) == batch.category).float().mean()
        return {"loss": F.cross_entropy(logits, batch.category, label_smoothing=0.05), "right": right}

    settings = TrainerSettings(steps=steps, learning_rate=3e-3, warmup=30, ema=0.98, cooldown=0.5)
    critic.load_state_dict(Trainer(critic, losses, settings, folder).run().average)
    return critic.eval().requires_grad_(False)
