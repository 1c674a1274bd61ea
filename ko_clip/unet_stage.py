"""The U-Net stage: the student learns from the predictions of a frozen U-Net conditioned on it. No pictures.

In: an encoder of the text stage and the U-Net that its base head is for. Both conditionings meet the same noise: the
teacher's English and the student's Korean. Matched are the U-Net's prediction and the features of its blocks, each in
units of how much the prompt changes them (the distance to the prediction without a prompt), and still the text stage's
own losses. SDXL's base attends to two heads side by side ("base_1+base_2") and is told the second's pooled embedding
too. The noise is then stepped on with the teacher's guided prediction, so every noise level that drawing visits is
visited. The U-Net never changes.
Ref: PEA-Diffusion, arXiv:2311.17086 (features of the frozen U-Net); stepping with the teacher as DistillT5 does.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from accelerate import Accelerator
from torch import Tensor

from ko_clip.batches import Batch, Sampler, pad
from ko_clip.distill import train_student, trainer_settings
from ko_clip.frozen_unet import Denoised, FrozenUNet
from ko_clip.recipe import Recipe
from ko_clip.teachers import Target
from ko_clip.text_objective import TextObjective, with_sum
from ko_clip.training_context import TrainingContext, open_context
from training.processes import open_accelerator
from training.state import STATE_FILE, load_average


def distil_through_unet(recipe: Recipe, minutes: float | None = None, finish: bool = False) -> Path:
    """Run or resume the U-Net stage on the run's text stage; returns the encoder's folder."""
    if not recipe.unet.steps:
        raise ValueError("the recipe has no U-Net stage: give unet.steps and unet.unet")
    accelerator = open_accelerator(recipe.unet.precision, recipe.unet.threads)
    with accelerator.main_process_first():
        context = open_context(recipe)
    if (context.folder / STATE_FILE).is_file():
        context.student.load_state_dict(load_average(context.folder)[0])
    elif recipe.start != "student":
        raise FileNotFoundError(
            f"{context.folder / STATE_FILE} is missing: run the text stage first, or start from a student"
        )
    folder = context.folder / "unet"
    folder.mkdir(exist_ok=True)
    stage = recipe.unet
    text = replace(
        recipe.text, steps=stage.steps, batch=stage.batch, learning_rate=stage.learning_rate, warmup=stage.warmup,
        ema=stage.ema, save_minutes=stage.save_minutes, cooldown=0.5,
    )  # fmt: skip
    context = replace(context, recipe=replace(recipe, text=text), folder=folder)
    objective = UNetObjective(context, accelerator)
    return train_student(
        context, objective.text, objective.losses, trainer_settings(text, recipe.seed, minutes, finish)
    )


class Conditions(NamedTuple):
    """What a U-Net is told of n texts: states (n, slots, dim) and, of SDXL, pooled embeddings (n, p)."""

    states: Tensor
    pooled: Tensor | None = None


class UNetObjective:
    """Steps of two kinds in turn, by the corpus drawn: through the U-Net where it trains the head, else text alone."""

    def __init__(self, context: TrainingContext, accelerator: Accelerator) -> None:
        self.context, self.stage, self.accelerator = context, context.recipe.unet, accelerator
        stage = self.stage
        self.unet = FrozenUNet(stage.unet, stage.scheduler, stage.size, str(accelerator.device))
        self.heads = stage.head.split("+")
        specs = context.student.config.head_specs()
        if unknown := [head for head in self.heads if head not in specs]:
            raise ValueError(f"unet.head names {unknown[0]!r}: the recipe's heads are {', '.join(specs)}")
        self.unet.check(sum(specs[head].dim for head in self.heads), stage.head, pooled=len(self.heads) > 1)
        self.text = TextObjective(context, accelerator, context.recipe.text)
        every = range(len(context.corpora))
        self.drawn = [number for number in every if set(self.heads) <= set(context.heads_of(number))]
        if not self.drawn:
            raise ValueError(f"no corpus trains the head {stage.head!r} that the U-Net attends to")
        recipes = context.corpus_recipes()
        self.drawing = Sampler(
            [context.corpora[number] for number in self.drawn], [recipes[number].weight for number in self.drawn],
            context.tokenizer, stage.batch, context.recipe.seed + 1, 2, accelerator.process_index,
            accelerator.num_processes,
        )  # fmt: skip
        self._group, self._latents = -1, torch.zeros(0)

    def losses(self, step: int) -> dict[str, Tensor]:
        """Losses of a step by name; "loss" is their sum."""
        if self.text.sampler.corpus_of(step) in self.drawn:
            turn = self.text.sampler.steps_before(step, self.drawn)
            return with_sum(self._through_unet(*divmod(turn, self.stage.inference_steps), step))
        losses = self.text.forward(self.text.sampler.at(step), step)
        return with_sum({name: self.stage.text_weight * value for name, value in losses.items()})

    def _through_unet(self, group: int, place: int, step: int) -> dict[str, Tensor]:
        """One noise level of one group of prompts; the Korean is worded anew at every level."""
        batch, stage = self._batch(group, place), self.stage
        shape = (len(batch.indices), self.text.student.config.slots)
        plan = (torch.arange(shape[1]).expand(shape), torch.ones(shape))
        with self.accelerator.autocast():
            student_output = self.text.model(
                batch.ids.to(self.accelerator.device), heads=self.context.heads_of(batch.corpus)
            )
        losses = self.text.compare(batch, student_output, plan, step)
        parts = {name: stage.text_weight * value for name, value in losses.items()}
        wanted, empty = self._wanted(batch)
        states = [student_output[head].states.float() for head in self.heads]
        pooled = student_output[self.heads[-1]].pooled if len(self.heads) > 1 else None
        student = Conditions(torch.cat(states, dim=-1), None if pooled is None else pooled.float())
        return parts | self._unet_losses(group, place, student, wanted, empty)

    def _wanted(self, batch: Batch) -> tuple[Conditions, Conditions]:
        """What the teachers say of a batch's texts, and what the U-Net is told of no text (SDXL's: zeros)."""
        found: dict[str, Target] = {}
        empty: list[Tensor] = []
        for targets in self.text.targets[batch.corpus]:
            if set(self.heads) & set(targets.teacher.heads):
                found |= targets.fetch(batch.indices, batch.texts)
                empty += [self.text.tensor(each.states) for name, each in targets.teacher.encode([""]).items()
                          if name in self.heads]  # fmt: skip
        states = torch.cat([self.text.tensor(found[head].states) for head in self.heads], dim=-1)
        if len(self.heads) == 1:
            return Conditions(states), Conditions(empty[0].expand_as(states))
        pooled = self.text.tensor(found[self.heads[-1]].pooled)
        return Conditions(states, pooled), Conditions(torch.zeros_like(states), torch.zeros_like(pooled))

    def _batch(self, group: int, place: int) -> Batch:
        """The prompts of a group, its Korean worded for this noise level."""
        batch, tokenizer = self.drawing.at(group), self.context.tokenizer
        corpus = self.drawing.corpora[batch.corpus]
        batch = replace(batch, corpus=self.drawn[batch.corpus])
        if not place:
            return batch
        texts = [corpus.pair(i, 10_000 + group * self.stage.inference_steps + place)[0] for i in batch.indices]
        return replace(batch, ids=pad([each.ids for each in tokenizer.encode_all(texts)], tokenizer.pad_id))

    def _unet_losses(
        self, group: int, place: int, given: Conditions, wanted: Conditions, empty: Conditions
    ) -> dict[str, Tensor]:
        """Distances of the U-Net's predictions and features with what the student gives from those with the teacher's
        `wanted`. Steps the noise on.
        """
        stage = self.stage
        self._go_to(group, place, wanted, empty)
        time = self.unet.times(stage.inference_steps)[place]
        with torch.no_grad():
            teacher, without = (self.unet(self._latents, time, *each) for each in (wanted, empty))
        student = self.unet(self._latents, time, *given)
        prediction = shift(student.prediction, teacher.prediction, without.prediction)
        features = zip(student.blocks, teacher.blocks, without.blocks, strict=True)
        blocks = torch.stack([shift(*each) for each in features]).mean()
        self._latents = self.unet.step(self._latents, time, guided(teacher, without, stage.guidance_scale))
        return {"prediction": stage.prediction_weight * prediction, "blocks": stage.block_weight * blocks}

    def _go_to(self, group: int, place: int, wanted: Conditions, empty: Conditions) -> None:
        """Begin a group's noise; after a resume in its middle, step with the teacher to where it was."""
        if group == self._group:
            return
        self._group = group
        generator = torch.Generator().manual_seed((self.context.recipe.seed << 32) + group)
        shape = (len(wanted.states) * self.accelerator.num_processes, *self.unet.shape)
        mine = torch.randn(shape, generator=generator)[self.accelerator.process_index :: self.accelerator.num_processes]
        self.unet.begin(self.stage.inference_steps)
        self._latents = self.unet.noise(mine.to(self.accelerator.device))
        for time in self.unet.times(self.stage.inference_steps)[:place]:
            with torch.no_grad():
                teacher, without = (self.unet(self._latents, time, *each) for each in (wanted, empty))
            self._latents = self.unet.step(self._latents, time, guided(teacher, without, self.stage.guidance_scale))


def guided(teacher: Denoised, without: Denoised, scale: float) -> Tensor:
    """Classifier-free guidance, arXiv:2207.12598."""
    return without.prediction + scale * (teacher.prediction - without.prediction)


def shift(student: Tensor, teacher: Tensor, without: Tensor) -> Tensor:
    """Squared error in units of what the prompt changes: 0 is the teacher, 1 about as far off as no prompt."""
    changed = (teacher - without).square().mean().clamp_min(1e-8)
    return (student - teacher).square().mean() / changed
