"""The text stage: distil a teacher into a Korean-English student on pairs of texts. No pictures, no U-Net.

In: a recipe. Out: a run folder with the encoder. `ko_clip.text_objective` has the losses, `training.trainer` the loop.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ko_clip.card import model_card
from ko_clip.held_out import HeldOut
from ko_clip.recipe import Recipe, TextStage
from ko_clip.student import save_encoder
from ko_clip.text_objective import TextObjective
from ko_clip.training_context import TrainingContext, open_context
from training.processes import open_accelerator
from training.schedule import TrainerSettings
from training.trainer import StepLosses, Trainer

logger = logging.getLogger(__name__)
_LOG_STEPS = 50


def distil(recipe: Recipe, minutes: float | None = None, finish: bool = False) -> Path:
    """Run or resume the text stage; returns the folder of the encoder. `finish`: end the whole stage in `minutes`."""
    accelerator = open_accelerator(recipe.text.precision, recipe.text.threads)
    with accelerator.main_process_first():
        context = open_context(recipe)
    objective = TextObjective(context, accelerator, recipe.text)
    settings = trainer_settings(recipe.text, recipe.seed, minutes, finish)
    return train_student(context, objective, objective.losses, settings)


def trainer_settings(stage: TextStage, seed: int, minutes: float | None, finish: bool) -> TrainerSettings:
    """The trainer's settings for a stage of a recipe."""
    return TrainerSettings(
        steps=stage.steps, minutes=minutes, finish=finish, learning_rate=stage.learning_rate, warmup=stage.warmup,
        warmup_share=stage.warmup_share,
        cooldown=stage.cooldown, weight_decay=stage.weight_decay, ema=stage.ema, seed=seed,
        save_minutes=stage.save_minutes, log_every=_LOG_STEPS, sample_every=stage.evaluate_every, sample_at_end=True,
    )  # fmt: skip


def train_student(
    context: TrainingContext, objective: TextObjective, losses: StepLosses, settings: TrainerSettings
) -> Path:
    """Train the objective's student by `losses` in the context's folder; returns `model/`, the encoder of the last
    average. The encoder of the best held-out score is kept in `best/`.
    """
    accelerator, folder = objective.accelerator, context.folder
    held_out = HeldOut.open(context.recipe, context.teachers, folder, context.tokenizer)
    measured: dict[str, float] = {}

    def write(name: str) -> Path:
        card = model_card(context.recipe, trainer.step, measured)
        save_encoder(objective.student, context.tokenizer, folder / name, card)
        return folder / name

    def measure(step: int, average: Mapping[str, Tensor]) -> dict[str, float]:
        if held_out is None:
            return {}
        measured.clear()
        measured.update(held_out.measure(objective.student, objective.cross_attention))
        if measured["score"] > trainer.facts.get("best", -math.inf):
            trainer.facts["best"] = measured["score"]
            write("best")
        return dict(measured)

    trainer = Trainer(objective.model, losses, settings, folder, accelerator=accelerator, on_sample=measure)
    result = trainer.run()
    if accelerator.is_main_process:
        with trainer.average.applied():
            if not measured:  # the stage was over before this leg
                measure(result.step, result.average)
            logger.info("step %d of %d: encoder in %s", result.step, trainer.steps, write("model"))
    accelerator.wait_for_everyone()
    return folder / "model"
