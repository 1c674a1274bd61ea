"""Train the pattern generator: a mixture of codes in closed form, then the decoder that paints from what it says.

In: a folder of cloth (`textile.training.cloth_set`). Out: `generator.safetensors` in float16 with `generator.json`.
The decoder sees three kinds of codes: a drawing's own, what the components of whole repeats keep of them, and what the
mixture can say of it, as when it makes new ones; it is to paint the drawing from each. A critic then says which forms
can be recognised (`textile.training.forms`).
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from textile.pattern_network import BLOCK, PIXELS, PatternNetwork, PatternShape
from textile.patterns import PatternGenerator
from textile.training.cloth_batches import ClothBatch, ClothBatches
from textile.training.cloth_set import ClothSet, weave_bank
from textile.training.critic import train_critic
from textile.training.forms import best_forms, fit_mixture, layer_error
from training.schedule import TrainerSettings
from training.trainer import Losses, Trainer

logger = logging.getLogger(__name__)
_FITTED_FORMS = 112  # of a category; the best of them ship


@dataclass(frozen=True)
class PatternTraining:
    """`batch` repeats a step; `fitted` of a category the mixture is fitted to. `start`: a folder with a generator whose
    code of blocks and decoder to begin with. `critic_steps`: of the critic that chooses among forms."""

    runs: Path
    out: Path
    settings: TrainerSettings
    batch: int = 24
    fitted: int = 1400
    critic_steps: int = 500
    start: Path | None = None


def fit_weaves(network: PatternNetwork, cloth: ClothSet) -> None:
    """The repeating weaves, and the components of the light of photographed cloth, if there is any."""
    tiles = torch.from_numpy(weave_bank()[:, :BLOCK, :BLOCK])
    network.weave.tiles.copy_(tiles)
    if len(cloth.light) < 2:
        return
    light = (torch.from_numpy(cloth.light.astype(np.float32)) - 128) / 2  # units of L*
    light = light.flatten(1) - light.flatten(1).mean(dim=1, keepdim=True)
    light = light * (4.0 / light.std(dim=1, keepdim=True)).clamp(max=1)
    turned = torch.cat(
        [light.unflatten(1, (PIXELS, PIXELS)).roll((k * 5, k * 11), (1, 2)).flatten(1) for k in range(4)]
    )
    torch.manual_seed(0)
    count = min(network.shape.threads, len(turned) - 1)
    _, sizes, vectors = torch.svd_lowrank(turned, q=count, niter=4)
    spread = sizes / len(turned) ** 0.5
    network.weave.threads[:count].copy_((spread[:, None] * vectors.T).unflatten(1, (PIXELS, PIXELS)))


def pattern_losses(network: PatternNetwork, batch: ClothBatch, step: int) -> Losses:
    """The decoder's cross-entropy of layers, a third each from a drawing's codes, their components, and the mixture."""
    rng = torch.Generator().manual_seed(step)
    codes = network.code.encode(batch.maps)
    kept = network.mixture.codes_of(network.mixture.components(codes))
    said = network.mixture.nearest(codes, batch.category)
    third = torch.rand(len(codes), generator=rng)[:, None, None, None]
    seen = torch.where(third < 0.2, codes, torch.where(third < 0.5, kept, said))
    seen = seen + 0.05 * codes.std() * torch.randn(codes.shape, generator=rng)
    painted = network.decoder(seen, batch.category)
    return {"loss": layer_error(painted, batch.maps).mean()}


def train_generator(training: PatternTraining, cloth: ClothSet) -> PatternGenerator:
    """Fit, train the decoder or go on, choose the forms; returns the generator with averaged weights, which it has
    written. A leg that was stopped writes what it has, with every form that was fitted."""
    torch.manual_seed(0)
    since, shape = time.process_time(), PatternShape()
    batches, network = ClothBatches(cloth), PatternNetwork(replace(shape, forms=_FITTED_FORMS))
    before = 0  # steps of the decoder that training begins with
    if training.start:
        before = json.loads((training.start / "generator.json").read_text(encoding="utf-8")).get("step", 0)
        begun = PatternGenerator.load(training.start).network
        network.decoder.load_state_dict(begun.decoder.state_dict())
        network.code.load_state_dict(begun.code.state_dict())
    else:
        held = network.code.fit(
            torch.cat([batches.at(10**6 + step, 260).maps for step in range(-(-training.fitted // 240))])
        )
        logger.info("%d components hold %.1f %% of the variance of blocks", network.shape.code, 100 * held)
    fit_mixture(network, batches, training.fitted)
    fit_weaves(network, cloth)
    network.decoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's hint knows no memory_format

    def losses(step: int) -> Losses:
        return pattern_losses(network, batches.at(step, training.batch), step)

    def on_sample(step: int, average: Mapping[str, Tensor]) -> None:
        PatternGenerator(network).save(training.out, {"step": step})

    result = Trainer(network, losses, training.settings, training.runs, on_sample=on_sample).run()
    network.load_state_dict(result.average)
    if result.finished:
        critic = train_critic(batches, training.runs / "critic", training.critic_steps)
        network = best_forms(network.eval(), batches, critic, shape.forms, -(-training.fitted // 48))
    else:
        logger.info("stopped before the end of the schedule, no form was tried: the same command goes on")
    generator = PatternGenerator(network.eval())
    minutes = round((time.process_time() - since) / 60, 1)  # of processor time, in this leg
    step = before + result.step
    generator.save(training.out, {"step": step, "losses": result.losses, "leg_minutes": minutes})
    logger.info("wrote %s at step %d in %.1f min of a core: %s", training.out, step, minutes,
                json.dumps(result.losses))  # fmt: skip
    return generator
