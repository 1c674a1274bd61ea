"""The text stage: a student learns to say in the teacher's slots what its teacher says of the English.

In: a recipe. Out: a run folder with the encoder. No pictures, no U-Net. One step: a batch of one corpus (Korean or
English in), the teachers' kept outputs of its English, the student's answer at every slot with content and at a
sample of the padding, their distance.
Ref: Reimers & Gurevych 2020, arXiv:2004.09813 (multilingual by distillation); GlueGen, arXiv:2303.10056.
"""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from ko_clip.batches import Batch, Sampler
from ko_clip.card import model_card
from ko_clip.held_out import HeldOut
from ko_clip.losses import contrast_loss, cosine_loss, pooled_loss, sequence_loss, slot_plan
from ko_clip.model import HeadOutput, KoClipModel
from ko_clip.reads import AttentionReads, open_reads
from ko_clip.recipe import CorpusRecipe, Recipe, TextStage
from ko_clip.runs import Average, Clock, add_metrics, load_state, save_state
from ko_clip.scene_reading import SceneReader, agreement_loss, saved_reader
from ko_clip.student import save_encoder
from ko_clip.targets import Targets
from ko_clip.teachers import ClipTeacher, Target, Teacher
from ko_clip.workshop import STATE, Workshop, open_accelerator, open_workshop
from training.muon import Muon

logger = logging.getLogger(__name__)
_SAY_SECONDS = 30
_ASKING_PROMPTS = 32  # of each corpus, for the queries of a reader


def distil(recipe: Recipe, minutes: float | None = None, finish: bool = False) -> Path:
    """Run or resume the text stage; returns the folder of the encoder. `finish`: end the whole stage in `minutes`."""
    accelerator = open_accelerator(recipe.text.precision, recipe.text.threads)
    with accelerator.main_process_first():
        shop = open_workshop(recipe)
    return TextTrainer(shop, accelerator).run(minutes, finish)


class TextTrainer:
    """The loop. Every random choice is a function of the seed and the step, so a resumed run goes the same way."""

    def __init__(self, shop: Workshop, accelerator: Accelerator) -> None:
        self.shop, self.accelerator, self.stage = shop, accelerator, shop.recipe.text
        self.step, self.steps, self.best, self.pairs = 0, self.stage.steps, -math.inf, 0
        self.figures: Mapping[str, float] = {}  # what was last measured on the pairs held out
        self.planned, self.said = 0.0, -math.inf  # minutes that the steps were planned for
        self.targets = self._open_targets()
        self.sampler = Sampler(
            shop.corpora, [r.weight for r in self._used()], shop.tokenizer, self.stage.batch, shop.recipe.seed,
            self.stage.pool, accelerator.process_index, accelerator.num_processes,
        )  # fmt: skip
        student = shop.student.to(accelerator.device)
        learned = {name: p for name, p in student.named_parameters() if p.requires_grad}
        optimizer = Muon(student, learned, self.stage.learning_rate, self.stage.weight_decay)
        self.model, self.optimizer = accelerator.prepare(student, optimizer)
        self.student: KoClipModel = accelerator.unwrap_model(self.model)
        self.average = Average(self.student, self.stage.ema)
        self.reads, self.scene_readers = self._open_reads(), self._open_scene_readers()
        self.variances = {name: v.to(accelerator.device) for name, v in shop.variances.items()}
        self.held_out = HeldOut.open(shop.recipe, shop.teachers, shop.folder, shop.tokenizer)

    def run(self, minutes: float | None, finish: bool) -> Path:
        self._resume(minutes)
        writer = SummaryWriter(str(self.shop.folder / "tensorboard")) if self.accelerator.is_main_process else None
        bar = tqdm(total=self.steps, initial=self.step, unit="step", disable=not self._shows_progress())
        with Clock(minutes) as clock, bar:
            first, began, saved = self.step, self.pairs, 0.0
            seconds, over = self._now(clock)
            while self.step < self.steps and not over:
                losses = self._train_step()
                bar.update()
                seconds, over = self._now(clock)
                if finish and minutes and not self.planned and seconds > 60 * min(1.0, minutes / 10):
                    self.steps, self.planned = self._plan_end(seconds, first, minutes), minutes
                    logger.info("at this pace the stage ends after %d steps", self.steps)
                if self.step % 50 == 0:
                    pace = (self.pairs - began) / max(clock.seconds, 1e-6)
                    self._report(writer, bar, losses, pace, clock)
                if self.step % self.stage.evaluate_every == 0:
                    self._evaluate(writer)
                if seconds - saved > 60 * self.stage.save_minutes:
                    self._save()
                    saved = seconds
        return self._end(writer)

    def _now(self, clock: Clock) -> tuple[float, bool]:
        """Seconds by the main process's clock, and whether any process is to stop: what hangs on time, all do alike."""
        if self.accelerator.num_processes == 1:
            return clock.seconds, clock.is_over()
        mine = clock.seconds * self.accelerator.is_main_process
        told = torch.tensor([mine, float(clock.is_over())], device=self.accelerator.device)
        seconds, asked = self.accelerator.reduce(told, "sum").tolist()
        return seconds, asked > 0

    def _plan_end(self, seconds: float, first: int, minutes: float) -> int:
        """Steps after which the stage is over if it is to end in these minutes."""
        pace = (self.step - first) / seconds
        return self.step + max(1, int(pace * (60 * minutes - seconds) * 0.97))

    def _train_step(self) -> dict[str, Tensor]:
        torch.manual_seed((self.shop.recipe.seed << 32) + (self.step << 8) + self.accelerator.process_index)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.stage, self.step, self.steps)
        self.model.train()
        losses, pairs = self._learn()
        self.accelerator.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.average.update(self.student, self.step)
        self.step += 1
        self.pairs += pairs
        return {"loss": torch.stack(list(losses.values())).sum(), **losses}

    def _learn(self) -> tuple[dict[str, Tensor], int]:
        """Gradients of this step; losses by name, and how many pairs all processes looked at."""
        spoken = any(isinstance(self._teacher_of(name), ClipTeacher) for name in self._trained_by(self._corpus()))
        parts = self.sampler.parts_at(self.step, self.stage.parts if spoken else 1)  # a contrast needs the whole batch
        found: dict[str, Tensor] = {}
        rows = sum(len(part.indices) for part in parts)
        for part in parts:
            losses = {name: value * (len(part.indices) / rows) for name, value in self._forward(part).items()}
            self.accelerator.backward(torch.stack(list(losses.values())).sum())
            found = {name: found.get(name, 0) + value.detach() for name, value in losses.items()}
        return found, sum(len(part.everyone) for part in parts)

    def _forward(self, batch: Batch) -> dict[str, Tensor]:
        """Losses of some rows by name."""
        device, names, plan = self.accelerator.device, self._trained_by(batch.corpus), self._plan(batch)
        with self.accelerator.autocast():
            said = self.model(batch.ids.to(device), heads=names, slots=plan[0].to(device))
        return self._losses(batch, said, plan)

    def _corpus(self) -> int:
        return self.sampler.corpus_of(self.step)

    def _teacher_of(self, head: str) -> Teacher:
        return next(teacher for teacher in self.shop.teachers.values() if head in teacher.heads)

    def _losses(self, batch: Batch, said: Mapping[str, HeadOutput], plan: tuple[Tensor, Tensor]) -> dict[str, Tensor]:
        which, weights = plan
        parts, rows = {}, len(batch.indices)
        for targets in self.targets[batch.corpus]:
            for name, target in targets.fetch(batch.indices, batch.texts).items():
                answer = said[name]
                if target.states is not None:
                    slots = which.clamp_min(0).numpy()
                    wanted = self._tensor(target.states[np.arange(rows)[:, None], slots])
                    parts |= self._state_losses(name, answer.states, wanted, slots, weights)
                if target.pooled is not None:
                    parts |= self._pooled_losses(name, answer.pooled, target, batch)
        if not parts:
            raise ValueError(f"nothing to learn from {rows} rows of {self.shop.corpora[batch.corpus].name}")
        return parts

    def _state_losses(
        self, name: str, answer: Tensor, wanted: Tensor, slots: np.ndarray, weights: Tensor
    ) -> dict[str, Tensor]:
        """Slot by slot, and as the head's reader hears them; a term of no weight is not computed."""
        weight, parts = self.shop.recipe.heads[name].weight, {}
        if self.stage.sequence_weight:
            variance = self.variances[f"{name}.slots"][slots]
            value = sequence_loss(answer, wanted, variance, weights.to(wanted.device))
            parts[f"{name}.sequence"] = self.stage.sequence_weight * weight * value
        if name in self.reads and self.stage.reads_weight:
            parts[f"{name}.reads"] = self.stage.reads_weight * weight * self.reads[name].loss(answer, wanted, self.step)
        if reader := self.scene_readers.get(name):
            with torch.no_grad():
                goal = reader(wanted.float())
            parts[f"{name}.scene"] = weight * agreement_loss(reader(answer.float()), goal)
        return parts

    def _pooled_losses(self, name: str, answer: Tensor, target: Target, batch: Batch) -> dict[str, Tensor]:
        recipe, wanted, parts = self.shop.recipe.heads[name], self._tensor(target.pooled), {}
        weight = recipe.weight * self.stage.pooled_weight
        if self.student.heads[name].spec.unit:
            parts[f"{name}.cosine"] = recipe.weight * cosine_loss(answer, wanted)
        else:
            parts[f"{name}.pooled"] = weight * pooled_loss(answer, wanted, self.variances[f"{name}.pooled"])
        if recipe.contrast:
            world = self.accelerator.num_processes
            texts = [text for rank in range(world) for text in batch.everyone[rank::world]]
            same = torch.tensor([[a == b for b in texts] for a in texts], device=wanted.device)
            value = contrast_loss(self._of_everyone(answer), self._of_everyone(wanted), same)
            # A process moves its own rows alone, and gradients are averaged: each must pull as many times as hard.
            value = value + (world - 1) * (value - value.detach())
            parts[f"{name}.contrast"] = recipe.contrast * value
        return parts

    def _of_everyone(self, rows: Tensor) -> Tensor:
        """The rows (n, p) of all processes, in the order of their ranks; only this one's have gradients."""
        if self.accelerator.num_processes == 1:
            return rows
        parts = list(self.accelerator.gather(rows.detach().float()).chunk(self.accelerator.num_processes))
        parts[self.accelerator.process_index] = rows.float()
        return torch.cat(parts)

    def _trained_by(self, corpus: int) -> list[str]:
        wanted = self.shop.corpora[corpus].heads
        return [name for name in self.shop.recipe.heads if not wanted or name in wanted]

    def _plan(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Slots and weights (rows, k): all of them where a reader hears the states, else as `slot_plan` says."""
        rows, slots = len(batch.indices), self.student.config.slots
        trained = set(self._trained_by(batch.corpus))
        served = [t for t in self.shop.teachers.values() if isinstance(t, ClipTeacher) and set(t.heads) & trained]
        if not served:
            return torch.zeros(rows, 0, dtype=torch.long), torch.zeros(rows, 0)
        if trained & (set(self.reads) | set(self.scene_readers)):
            return torch.arange(slots).expand(rows, -1), torch.ones(rows, slots)
        generator = torch.Generator().manual_seed((self.shop.recipe.seed << 32) + self.step)
        content = torch.stack([torch.as_tensor(teacher.lengths(batch.everyone)) for teacher in served]).amax(dim=0)
        plan = slot_plan(content, slots, self.stage.pad_slots, generator)  # the same in every process
        mine = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        return plan[0][mine], plan[1][mine]

    def _open_targets(self) -> list[list[Targets]]:
        """Per corpus, the kept outputs of each teacher that it is used with."""
        root = Path(self.shop.recipe.run).parent / "targets"
        found = []
        for corpus in self.shop.corpora:
            mine = []
            for teacher in self.shop.teachers.values():
                if not corpus.heads or set(corpus.heads) & set(teacher.heads):
                    asks = "-".join(f"{n}.{h.output}{'.pooled' * h.pooled}" for n, h in teacher.heads.items())
                    key = f"{corpus.identity}-{len(corpus)}-{teacher.file_hash[7:19]}-{asks}"
                    mine.append(Targets(root / key, teacher, len(corpus), self.stage.cache))
            found.append(mine)
        return found

    def _open_reads(self) -> dict[str, AttentionReads]:
        """Per head that has a reader, what that U-Net reads; its queries come from prompts of all the head's corpora,
        since one that draws outfits asks who wears what, and one that draws single garments does not.
        """
        found = {}
        for name, recipe in self.shop.recipe.heads.items():
            if not recipe.reader:
                continue
            corpora = [c for c in self.shop.corpora if not c.heads or name in c.heads]
            texts = [c.pair(i, 0)[1] for c in corpora for i in range(min(_ASKING_PROMPTS, len(c)))]
            teacher = self._teacher_of(name)
            if not isinstance(teacher, ClipTeacher):
                raise ValueError(f"head {name!r} has a reader, but its teacher gives no hidden states")
            found[name] = open_reads(recipe.reader, teacher, name, texts, str(self.accelerator.device))
        return found

    def _open_scene_readers(self) -> dict[str, SceneReader]:
        """Per head, the frozen reader that names who wears what from its states."""
        heads = {name: head.scene_reader for name, head in self.shop.recipe.heads.items() if head.scene_reader}
        return {name: saved_reader(path).to(self.accelerator.device) for name, path in heads.items()}

    def _used(self) -> list[CorpusRecipe]:
        names = {corpus.name for corpus in self.shop.corpora}
        return [recipe for recipe in self.shop.recipe.corpora if recipe.name in names]

    def _evaluate(self, writer: SummaryWriter | None) -> None:
        if not self.accelerator.is_main_process or self.held_out is None:
            return
        self.average.swap(self.student)
        self.figures = found = self.held_out.measure(self.student, self.reads)
        self.average.swap(self.student)
        logger.info("step %d held out: %s", self.step, ", ".join(f"{k} {v:.4f}" for k, v in found.items()))
        add_metrics(self.shop.folder, {"step": self.step, **found})
        for name, value in found.items():
            writer.add_scalar(f"held_out/{name}", value, self.step)
        if found["score"] > self.best:
            self.best = found["score"]
            self._write_encoder(self.shop.folder / "best", found)

    def _write_encoder(self, folder: Path, figures: Mapping[str, float]) -> None:
        self.average.swap(self.student)
        save_encoder(self.student, self.shop.tokenizer, folder, model_card(self.shop.recipe, self.step, figures))
        self.average.swap(self.student)

    def _report(self, writer: SummaryWriter | None, bar: tqdm, losses: dict, pace: float, clock: Clock) -> None:
        values = {name: float(self.accelerator.reduce(value, "mean")) for name, value in losses.items()}
        left = (self.steps - self.step) * self.stage.batch * self.accelerator.num_processes / max(pace, 1e-6)
        bar.set_postfix_str(f"loss {values['loss']:.4f} {pace:.0f} pairs/s")
        if writer is None:
            return
        for name, value in values.items():
            writer.add_scalar(f"train/{name}", value, self.step)
        add_metrics(self.shop.folder, {"step": self.step, "pairs_per_second": round(pace, 1), **values})
        if clock.seconds - self.said >= _SAY_SECONDS:
            self.said = clock.seconds
            shown = " ".join(f"{k} {v:.4f}" for k, v in values.items())
            logger.info("step %d/%d %s, %.0f pairs/s, %.1f min left", self.step, self.steps, shown, pace, left / 60)

    def _resume(self, minutes: float | None) -> None:
        """Go on from the state; steps planned for these minutes stay, so that a killed run ends where it would have."""
        state = self.shop.folder / STATE
        if state.is_file():
            facts = load_state(state, self.student, self.average, self.optimizer)
            self.step, self.best, self.pairs = int(facts["step"]), facts["best"], int(facts["pairs"])
            if facts["planned"] and facts["asked"] == self.stage.steps:
                self.steps = int(facts["steps"])
                over = self.step >= self.steps
                self.planned = facts["planned"] if over or facts["planned"] == minutes else 0.0
            logger.info("resumed at step %d", self.step)

    def _save(self) -> None:
        if self.accelerator.is_main_process:
            facts = {"step": self.step, "steps": self.steps, "asked": self.stage.steps, "planned": self.planned}
            facts |= {"best": self.best, "pairs": self.pairs}
            save_state(self.shop.folder / STATE, self.student, self.average, self.optimizer, facts)
        self.accelerator.wait_for_everyone()

    def _end(self, writer: SummaryWriter | None) -> Path:
        self._save()
        folder = self.shop.folder / "model"
        if self.accelerator.is_main_process:
            if self.step % self.stage.evaluate_every:  # else it was just measured
                self._evaluate(writer)
            self._write_encoder(folder, self.figures)
            writer.close()
            logger.info("step %d of %d: encoder in %s", self.step, self.steps, folder)
        self.accelerator.wait_for_everyone()
        return folder

    def _shows_progress(self) -> bool:
        return self.accelerator.is_main_process and os.isatty(2)

    def _tensor(self, values: object) -> Tensor:
        return torch.as_tensor(values, dtype=torch.float32, device=self.accelerator.device)


def learning_rate(stage: TextStage, step: int, steps: int) -> float:
    """Warm up, stay, cool down linearly over the last share of the steps."""
    left = (steps - step) / max(1.0, steps * stage.cooldown)
    return stage.learning_rate * min(1.0, (step + 1) / max(1, stage.warmup), left)
