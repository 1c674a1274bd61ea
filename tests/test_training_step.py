"""What a step of a training is: micro-batches, optimisers by name, a generator beside its critic."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from training_model import losses_of, make_model

from training.optimizers import OptimizerSettings
from training.schedule import TrainerSettings
from training.state import STATE_FILE, read_progress, read_state
from training.trainer import Trainer


def test_micro_batches_of_a_step_add_up_to_the_whole_batch(tmp_path: Path) -> None:
    def halves(step: int) -> Iterator[dict[str, torch.Tensor]]:
        x = torch.randn(16, 8, generator=torch.Generator().manual_seed(step))
        for part in x.split(8):
            loss = (models[1](part) - part.flip(-1)).square().mean() / 2
            yield {"loss": loss, "half": loss}

    models = [make_model(), make_model()]
    settings = TrainerSettings(steps=3, learning_rate=1e-2, warmup=1)
    whole, parts = (
        Trainer(model, losses, settings, tmp_path / str(number)).train_step()
        for number, (model, losses) in enumerate(((models[0], losses_of(models[0])), (models[1], halves)))
    )
    assert torch.allclose(whole["loss"], parts["loss"]) and torch.equal(parts["loss"], parts["half"])
    for one, other in zip(models[0].parameters(), models[1].parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def generator_and_critic() -> nn.ModuleDict:
    torch.manual_seed(1)
    return nn.ModuleDict({"generator": nn.Linear(4, 4), "critic": nn.Linear(4, 1)})


def adversarial(model: nn.ModuleDict):
    def losses(step: int) -> dict[str, torch.Tensor]:
        x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step))
        made = model["generator"](x)
        mistaken = (model["critic"](made.detach()) - model["critic"](x)).mean()
        return {"loss": mistaken + (made - x).square().mean(), "mistaken": mistaken}

    return losses


OPTIMIZERS = {
    "generator": OptimizerSettings(1e-2, parts=("generator",)),
    "critic": OptimizerSettings(1e-3, kind="adamw", weight_decay=0.0, parts=("critic",)),
}


def test_a_generator_and_its_critic_have_optimizers_of_their_own_and_resume_exactly(tmp_path: Path) -> None:
    settings = TrainerSettings(steps=12, warmup=1, cooldown=0.0)

    def train(folder: Path, model: nn.ModuleDict, stop_at: int | None = None) -> Trainer:
        losses = adversarial(model)

        def killed(step: int) -> dict[str, torch.Tensor]:
            if step == stop_at:
                os.kill(os.getpid(), signal.SIGTERM)
            return losses(step)

        trainer = Trainer(model, killed, settings, folder, optimizers=OPTIMIZERS)
        trainer.run()
        return trainer

    whole, resumed = generator_and_critic(), generator_and_critic()
    trainer = train(tmp_path / "whole", whole)
    rates = {name: each.param_groups[0]["lr"] for name, each in trainer.optimizers.by_name.items()}
    assert rates == {"generator": 1e-2, "critic": 1e-3}
    moments = read_state(tmp_path / "whole" / STATE_FILE).moments["critic.weight"]
    assert moments.keys() == {"step", "exp_avg", "exp_avg_sq"}
    train(tmp_path / "cut", resumed, stop_at=4)
    assert read_progress(tmp_path / "cut").step == 5  # the step that the signal met is done
    fresh = generator_and_critic()
    train(tmp_path / "cut", fresh)
    assert all(torch.equal(whole.state_dict()[name], value) for name, value in fresh.state_dict().items())


@pytest.mark.parametrize(("optimizers", "message"), [
    ({"generator": OPTIMIZERS["generator"]}, "critic.weight is stepped by no optimizer"),
    ({**OPTIMIZERS, "all": OptimizerSettings(1.0)}, "generator.weight is stepped by generator, all"),
    ({**OPTIMIZERS, "judge": OptimizerSettings(1.0, parts=("judge",))}, "optimizer judge has no trained parameter"),
])  # fmt: skip
def test_every_trained_parameter_has_exactly_one_optimizer(
    tmp_path: Path, optimizers: dict[str, OptimizerSettings], message: str
) -> None:
    model = generator_and_critic()
    with pytest.raises(ValueError, match=message):
        Trainer(model, adversarial(model), TrainerSettings(steps=1), tmp_path, optimizers=optimizers)


@pytest.mark.parametrize("wrong", [{"kind": "sgd"}, {"learning_rate": 0.0}])
def test_optimizer_settings_that_cannot_be_meant_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="use muon|give more"):
        OptimizerSettings(**{"learning_rate": 1.0, **wrong})


def test_several_processes_need_a_prepared_module(tmp_path: Path) -> None:
    model, two = make_model(), SimpleNamespace(num_processes=2, unwrap_model=lambda model: model)
    with pytest.raises(ValueError, match="start one process"):
        Trainer(model, losses_of(model), TrainerSettings(steps=1), tmp_path, accelerator=two)
