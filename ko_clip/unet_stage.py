"""The U-Net stage: the student learns what the frozen U-Net makes of it. No pictures.

In: an encoder of the text stage and the U-Net that its base head is for. Both conditionings meet the same noise: the
teacher's English and the student's Korean. Matched are the U-Net's prediction and the features of its blocks, each in
units of how much the prompt changes them (the distance to the prediction without a prompt), and still the text stage's
own losses. The noise is then stepped on with the teacher's guided prediction, so every noise level that drawing visits
is visited. The U-Net never changes.
Ref: PEA-Diffusion, arXiv:2311.17086 (features of the frozen U-Net); stepping with the teacher as DistillT5 does.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors import safe_open
from torch import Tensor, nn

from ko_clip.batches import Sampler, pad
from ko_clip.distill import TextTrainer
from ko_clip.frozen_unet import Denoised, FrozenUNet
from ko_clip.recipe import Recipe
from ko_clip.workshop import STATE, Workshop, open_accelerator, open_workshop

logger = logging.getLogger(__name__)


def distil_through_unet(recipe: Recipe, minutes: float | None = None, finish: bool = False) -> Path:
    """Run or resume the U-Net stage on the run's text stage; returns the encoder's folder."""
    if not recipe.unet.steps:
        raise ValueError("the recipe has no U-Net stage: give unet.steps and unet.unet")
    accelerator = open_accelerator(recipe.unet.precision, recipe.unet.threads)
    with accelerator.main_process_first():
        shop = open_workshop(recipe)
    began = shop.folder / STATE
    if not began.is_file() and recipe.start != "student":
        raise FileNotFoundError(f"{began} is missing: run the text stage first, or start from a student")
    if began.is_file():
        load_average(began, shop.student)
    return UNetTrainer(shop, accelerator).run(minutes, finish)


class UNetTrainer(TextTrainer):
    """Steps of two kinds in turn, by the corpus drawn: through the U-Net where it trains the head, else text alone."""

    def __init__(self, shop: Workshop, accelerator: Accelerator) -> None:
        stage = shop.recipe.unet
        text = replace(
            shop.recipe.text, steps=stage.steps, batch=stage.batch, learning_rate=stage.learning_rate,
            warmup=stage.warmup, ema=stage.ema, save_minutes=stage.save_minutes, cooldown=0.5,
        )  # fmt: skip
        folder = shop.folder / "unet"
        folder.mkdir(exist_ok=True)
        self.stages = stage
        self.unet = FrozenUNet(stage.unet, stage.scheduler, stage.size, str(accelerator.device))
        self.unet.check(shop.student.config.head_specs()[stage.head].dim, stage.head)
        super().__init__(replace(shop, recipe=replace(shop.recipe, text=text), folder=folder), accelerator)
        reads = [i for i, corpus in enumerate(self.shop.corpora) if not corpus.heads or stage.head in corpus.heads]
        if not reads:
            raise ValueError(f"no corpus trains the head {stage.head!r} that the U-Net reads")
        self.reads, weights = reads, [self._used()[i].weight for i in reads]
        self.drawing = Sampler(
            [self.shop.corpora[i] for i in reads], weights, shop.tokenizer, stage.batch, shop.recipe.seed + 1,
            2, accelerator.process_index, accelerator.num_processes,
        )  # fmt: skip
        self._group, self._latents = -1, torch.zeros(0)

    def _learn(self) -> tuple[dict[str, Tensor], int]:
        which = self.sampler.corpus_of(self.step)
        if which in self.reads:
            turn = sum(self.sampler.corpus_of(step) in self.reads for step in range(self.step))
            losses, pairs = self._through_unet(*divmod(turn, self.stages.inference_steps))
        else:
            batch = self.sampler.at(self.step)
            pairs = len(batch.everyone)
            losses = {name: self.stages.text_weight * value for name, value in self._forward(batch).items()}
        self.accelerator.backward(torch.stack(list(losses.values())).sum())
        return {name: value.detach() for name, value in losses.items()}, pairs

    def _through_unet(self, group: int, place: int) -> tuple[dict[str, Tensor], int]:
        """One noise level of one group of prompts; the Korean is worded anew at every level."""
        batch, stage, device = self.drawing.at(group), self.stages, self.accelerator.device
        corpus = self.drawing.corpora[batch.corpus]
        batch = replace(batch, corpus=self.reads[batch.corpus])
        if place:
            texts = [corpus.pair(i, 10_000 + group * stage.inference_steps + place)[0] for i in batch.indices]
            rows = [each.ids for each in self.shop.tokenizer.encode_all(texts)]
            batch = replace(batch, ids=pad(rows, self.shop.tokenizer.pad_id))
        names, shape = self._trained_by(batch.corpus), (len(batch.indices), self.student.config.slots)
        plan = (torch.arange(shape[1]).expand(shape), torch.ones(shape))
        with self.accelerator.autocast():
            said = self.model(batch.ids.to(device), heads=names)
        parts = {name: stage.text_weight * v for name, v in self._losses(batch, said, plan).items()}
        target = next(t for t in self.targets[batch.corpus] if stage.head in t.teacher.heads)
        wanted = self._tensor(target.fetch(batch.indices, batch.texts)[stage.head].states)
        empty = self._tensor(target.teacher.encode([""])[stage.head].states).expand_as(wanted)
        self._go_to(group, place, wanted, empty)
        time = self.unet.times(stage.inference_steps)[place]
        with torch.no_grad():
            teacher, without = (self.unet(self._latents, time, states) for states in (wanted, empty))
        student = self.unet(self._latents, time, said[stage.head].states.float())
        parts["prediction"] = stage.prediction_weight * shift(
            student.prediction, teacher.prediction, without.prediction
        )
        blocks = zip(student.blocks, teacher.blocks, without.blocks, strict=True)
        parts["blocks"] = stage.block_weight * torch.stack([shift(*each) for each in blocks]).mean()
        self._latents = self.unet.step(self._latents, time, guided(teacher, without, stage.guidance_scale))
        return parts, len(batch.everyone)

    def _go_to(self, group: int, place: int, wanted: Tensor, empty: Tensor) -> None:
        """Begin a group's noise; after a resume in its middle, step with the teacher to where it was."""
        if group == self._group:
            return
        self._group = group
        generator = torch.Generator().manual_seed((self.shop.recipe.seed << 32) + group)
        shape = (len(wanted) * self.accelerator.num_processes, *self.unet.shape)
        mine = torch.randn(shape, generator=generator)[self.accelerator.process_index :: self.accelerator.num_processes]
        self.unet.begin(self.stages.inference_steps)
        self._latents = self.unet.noise(mine.to(self.accelerator.device))
        for time in self.unet.times(self.stages.inference_steps)[:place]:
            with torch.no_grad():
                teacher, without = (self.unet(self._latents, time, states) for states in (wanted, empty))
            self._latents = self.unet.step(self._latents, time, guided(teacher, without, self.stages.guidance_scale))


def guided(teacher: Denoised, without: Denoised, scale: float) -> Tensor:
    """Classifier-free guidance, arXiv:2207.12598."""
    return without.prediction + scale * (teacher.prediction - without.prediction)


def shift(student: Tensor, teacher: Tensor, without: Tensor) -> Tensor:
    """Squared error in units of what the prompt changes: 0 is the teacher, 1 about as far off as no prompt."""
    changed = (teacher - without).square().mean().clamp_min(1e-8)
    return (student - teacher).square().mean() / changed


def load_average(state: Path, student: nn.Module) -> None:
    """Put the averaged weights of a stage's state into a student, buffers too."""
    weights = {}
    with safe_open(state, framework="pt") as file:
        for name in sorted(file.keys(), reverse=True):  # "model." first, "average." over it
            kind, _, rest = name.partition(".")
            if kind in ("model", "average"):
                weights[rest] = file.get_tensor(name)
    student.load_state_dict(weights)
