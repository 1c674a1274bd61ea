"""A model of a thousand weights that tests of `training` train, and a run of it that can be cut."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from training.schedule import TrainerSettings
from training.trainer import Trainer


def make_model() -> nn.Module:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(8, 16), nn.SiLU(), nn.LayerNorm(16), nn.Linear(16, 8))


def losses_of(model: nn.Module):
    def step_losses(step: int) -> dict[str, torch.Tensor]:
        x = torch.randn(16, 8, generator=torch.Generator().manual_seed(step))
        return {"loss": (model(x) - x.flip(-1)).square().mean()}

    return step_losses


def run(folder: Path, steps: int, stop_at: int | None = None) -> dict[str, torch.Tensor]:
    """Fit to `steps`; `stop_at` kills the leg there, as a signal would, after the loop's last save."""
    model = make_model()
    config = TrainerSettings(steps=steps, learning_rate=1e-2, warmup=5, save_minutes=0.0)
    step_losses = losses_of(model)

    def killed(step: int) -> dict[str, torch.Tensor]:
        if step == stop_at:
            raise KeyboardInterrupt
        return step_losses(step)

    try:
        Trainer(model, killed, config, folder).run()
    except KeyboardInterrupt:
        return {}
    return {name: value.clone() for name, value in model.state_dict().items()}
