"""The losses of the text stage, step by step: the student learns to give in the teacher's slots what its teacher gives.

In: what a run works with, and an accelerator. Out: losses of a step by name, a pure function of the step. One step: a
batch of one corpus (Korean or English in), the teachers' kept outputs of its English, the student's output at every
slot with content and at a sample of the padding, their distance.
Ref: Reimers & Gurevych 2020, arXiv:2004.09813 (multilingual by distillation); GlueGen, arXiv:2303.10056.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from ko_clip.batches import Batch, Sampler
from ko_clip.cross_attention import CrossAttentionOutputs, open_cross_attention
from ko_clip.losses import contrast_loss, cosine_loss, pooled_loss, sequence_loss, slot_plan
from ko_clip.model import HeadOutput, KoClipModel
from ko_clip.recipe import TextStage
from ko_clip.scene_reading import SceneReader, agreement_loss, saved_reader
from ko_clip.targets import Targets
from ko_clip.teachers import ClipTeacher, Target
from ko_clip.training_context import TrainingContext

_QUERY_PROMPTS = 32  # of each corpus, for the queries of a reader


class TextObjective:
    """`model` is what runs under the accelerator, `student` the module in it."""

    def __init__(self, context: TrainingContext, accelerator: Accelerator, stage: TextStage) -> None:
        self.context, self.accelerator, self.stage = context, accelerator, stage
        self.targets = self._open_targets()
        self.sampler = Sampler(
            context.corpora, [recipe.weight for recipe in context.corpus_recipes()], context.tokenizer, stage.batch,
            context.recipe.seed, stage.pool, accelerator.process_index, accelerator.num_processes,
        )  # fmt: skip
        self.model = accelerator.prepare(context.student.to(accelerator.device))
        self.student: KoClipModel = accelerator.unwrap_model(self.model)
        self.cross_attention, self.scene_readers = self._open_cross_attention(), self._open_scene_readers()
        self.variances = {name: value.to(accelerator.device) for name, value in context.variances.items()}

    def losses(self, step: int) -> Iterator[dict[str, Tensor]]:
        """Losses of the step's micro-batches, each scaled by its share of the rows; "loss" is their sum."""
        names = self.context.heads_of(self.sampler.corpus_of(step))
        clip = any(isinstance(self.context.teacher_of(name), ClipTeacher) for name in names)
        parts = self.sampler.parts_at(step, self.stage.parts if clip else 1)  # a contrast needs the whole batch
        rows = sum(len(part.indices) for part in parts)
        for part in parts:
            share = len(part.indices) / rows
            yield with_sum({name: value * share for name, value in self.forward(part, step).items()})

    def forward(self, batch: Batch, step: int) -> dict[str, Tensor]:
        """Losses of some rows by name."""
        names, plan = self.context.heads_of(batch.corpus), self._plan(batch, step)
        with self.accelerator.autocast():
            student_output = self.model(
                batch.ids.to(self.accelerator.device), heads=names, slots=plan[0].to(self.accelerator.device)
            )
        return self.compare(batch, student_output, plan, step)

    def compare(
        self, batch: Batch, student_output: Mapping[str, HeadOutput], plan: tuple[Tensor, Tensor], step: int
    ) -> dict[str, Tensor]:
        """Losses by name of the student's outputs at the slots of `plan` (slots and weights, both (rows, k))."""
        which, weights = plan
        parts: dict[str, Tensor] = {}
        rows = len(batch.indices)
        for targets in self.targets[batch.corpus]:
            for name, target in targets.fetch(batch.indices, batch.texts).items():
                output = student_output[name]
                if target.states is not None:
                    assert output.states is not None
                    slots = which.clamp_min(0).numpy()
                    wanted = self.tensor(target.states[np.arange(rows)[:, None], slots])
                    parts |= self._state_losses(name, output.states, wanted, slots, weights, step)
                if target.pooled is not None:
                    assert output.pooled is not None
                    parts |= self._pooled_losses(name, output.pooled, target, batch)
        if not parts:
            raise ValueError(f"nothing to learn from {rows} rows of {self.context.corpora[batch.corpus].name}")
        return parts

    def _state_losses(
        self, name: str, output: Tensor, wanted: Tensor, slots: np.ndarray, weights: Tensor, step: int
    ) -> dict[str, Tensor]:
        """Slot by slot, and through the head's readers; a term of no weight is not computed."""
        weight, parts = self.context.recipe.heads[name].weight, {}
        if self.stage.sequence_weight:
            variance = self.variances[f"{name}.slots"][slots]
            value = sequence_loss(output, wanted, variance, weights.to(wanted.device))
            parts[f"{name}.sequence"] = self.stage.sequence_weight * weight * value
        if name in self.cross_attention and self.stage.cross_attention_weight:
            value = self.cross_attention[name].loss(output, wanted, step)
            parts[f"{name}.cross_attention"] = self.stage.cross_attention_weight * weight * value
        if reader := self.scene_readers.get(name):
            with torch.no_grad():
                goal = reader(wanted.float())
            parts[f"{name}.scene"] = weight * agreement_loss(reader(output.float()), goal)
        return parts

    def _pooled_losses(self, name: str, output: Tensor, target: Target, batch: Batch) -> dict[str, Tensor]:
        recipe, wanted, parts = self.context.recipe.heads[name], self.tensor(target.pooled), {}
        weight = recipe.weight * self.stage.pooled_weight
        if self.student.head(name).spec.unit:
            parts[f"{name}.cosine"] = recipe.weight * cosine_loss(output, wanted)
        else:
            parts[f"{name}.pooled"] = weight * pooled_loss(output, wanted, self.variances[f"{name}.pooled"])
        if recipe.contrast:
            world = self.accelerator.num_processes
            texts = [text for rank in range(world) for text in batch.everyone[rank::world]]
            same = torch.tensor([[a == b for b in texts] for a in texts], device=wanted.device)
            value = contrast_loss(self._of_everyone(output), self._of_everyone(wanted), same)
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

    def _plan(self, batch: Batch, step: int) -> tuple[Tensor, Tensor]:
        """Slots and weights (rows, k): all of them where a reader attends to the states, else as `slot_plan` says."""
        rows, slots = len(batch.indices), self.student.config.slots
        trained = set(self.context.heads_of(batch.corpus))
        clips = [t for t in self.context.teachers.values() if isinstance(t, ClipTeacher) and set(t.heads) & trained]
        if not clips:
            return torch.zeros(rows, 0, dtype=torch.long), torch.zeros(rows, 0)
        if trained & (set(self.cross_attention) | set(self.scene_readers)):
            return torch.arange(slots).expand(rows, -1), torch.ones(rows, slots)
        generator = torch.Generator().manual_seed((self.context.recipe.seed << 32) + step)
        content = torch.stack([torch.as_tensor(teacher.lengths(batch.everyone)) for teacher in clips]).amax(dim=0)
        plan = slot_plan(content, slots, self.stage.pad_slots, generator)  # the same in every process
        mine = slice(self.accelerator.process_index, None, self.accelerator.num_processes)
        return plan[0][mine], plan[1][mine]

    def _open_targets(self) -> list[list[Targets]]:
        """Per corpus, the kept outputs of each teacher that it is used with."""
        root = Path(self.context.recipe.run).parent / "targets"
        found = []
        for corpus in self.context.corpora:
            mine = []
            for teacher in self.context.teachers.values():
                if not corpus.heads or set(corpus.heads) & set(teacher.heads):
                    asks = "-".join(f"{n}.{h.output}{'.pooled' * h.pooled}" for n, h in teacher.heads.items())
                    key = f"{corpus.identity}-{len(corpus)}-{teacher.file_hash[7:19]}-{asks}"
                    mine.append(Targets(root / key, teacher, len(corpus), self.stage.cache))
            found.append(mine)
        return found

    def _open_cross_attention(self) -> dict[str, CrossAttentionOutputs]:
        """Per head that has a reader, the cross-attention of that U-Net.

        Its queries come from prompts of all the head's corpora: those of drawing an outfit differ from a single
        garment's.
        """
        found = {}
        for name, recipe in self.context.recipe.heads.items():
            if not recipe.reader:
                continue
            corpora = [c for c in self.context.corpora if not c.heads or name in c.heads]
            texts = [c.pair(i, 0)[1] for c in corpora for i in range(min(_QUERY_PROMPTS, len(c)))]
            teacher = self.context.teacher_of(name)
            if not isinstance(teacher, ClipTeacher):
                raise ValueError(f"head {name!r} has a reader, but its teacher gives no hidden states")
            found[name] = open_cross_attention(recipe.reader, teacher, name, texts, str(self.accelerator.device))
        return found

    def _open_scene_readers(self) -> dict[str, SceneReader]:
        """Per head, the frozen reader that names who wears what from its states."""
        heads = {name: head.scene_reader for name, head in self.context.recipe.heads.items() if head.scene_reader}
        return {name: saved_reader(path).to(self.accelerator.device) for name, path in heads.items()}

    def tensor(self, values: object) -> Tensor:
        """`values` as float32 on the accelerator's device."""
        return torch.as_tensor(values, dtype=torch.float32, device=self.accelerator.device)


def with_sum(losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The losses and, as "loss", their sum, which is minimised."""
    return {"loss": torch.stack(list(losses.values())).sum(), **losses}
