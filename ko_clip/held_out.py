"""Pairs kept out of training, and how well a student does on them while it trains.

In: held-out corpora of the recipe. Out: per pooled head, how often a Korean sentence finds its own English among the
teacher's vectors (R@1); per sequence head, the error of the states in units of their variance; and one score.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from ko_clip.batches import pad
from ko_clip.corpora import Corpus, StoredCorpus, open_corpora
from ko_clip.cross_attention import CrossAttentionOutputs
from ko_clip.measures import recall, relative_error
from ko_clip.model import KoClipModel
from ko_clip.recipe import Recipe
from ko_clip.teachers import Target, Teacher
from ko_clip.tokenizer import PromptTokenizer

_ROWS = 400


class HeldOut:
    """Rows with the teachers' answers, computed once."""

    def __init__(self, sets: list[tuple[list[list[int]], list[str], dict[str, Target]]], pad_id: int) -> None:
        self.sets, self.pad_id = sets, pad_id

    @classmethod
    def open(
        cls, recipe: Recipe, teachers: Mapping[str, Teacher], folder: Path, tokenizer: PromptTokenizer
    ) -> HeldOut | None:
        """Read the held-out corpora, or the rows that were kept out of the tables; None where there are none."""
        sets, written = [], []
        for corpus in _corpora(recipe, folder):
            rows = range(0, len(corpus), max(1, len(corpus) // _ROWS))
            pairs = [corpus.pair(i, 0) for i in list(rows)[:_ROWS]]
            written += pairs
            korean, english = [p[0] for p in pairs], [p[1] for p in pairs]
            answers: dict[str, Target] = {}
            for teacher in teachers.values():
                parts = [teacher.encode(english[i : i + 64]) for i in range(0, len(english), 64)]
                for name in teacher.heads:
                    if not corpus.heads or name in corpus.heads:
                        answers[name] = _joined([part[name] for part in parts])
            sets.append(([list(each.ids) for each in tokenizer.encode_all(korean)], english, answers))
        if written:
            _write(written, folder / "held_out.tsv")
        return cls(sets, tokenizer.pad_id) if sets else None

    @torch.no_grad()
    def measure(
        self, student: KoClipModel, cross_attention: Mapping[str, CrossAttentionOutputs] | None = None
    ) -> dict[str, float]:
        """Figures by head and set, and `score`, which grows as the student gets better.

        A head with a reader is judged by its cross-attention outputs, since its slots have an order of their own.
        """
        was_training = student.training
        student.eval()
        figures: dict[str, float] = {}
        readers = cross_attention or {}
        for number, (ids, english, answers) in enumerate(self.sets):
            for name, target in answers.items():
                states, pooled = self._answers(student, ids, name)
                label = f"{name}{number or ''}"
                if target.states is not None and name in readers:
                    assert states is not None
                    error = readers[name].loss(torch.from_numpy(states), torch.from_numpy(target.states))
                    figures[f"{label}.cross_attention"] = float(error)
                elif target.states is not None:
                    assert states is not None
                    figures[f"{label}.error"] = relative_error(states, target.states)
                if target.pooled is not None:
                    assert pooled is not None
                    figures[f"{label}.r@1"] = recall(pooled, target.pooled, english)
        student.train(was_training)
        signs = {name: -1.0 if name.endswith((".error", ".cross_attention")) else 1.0 for name in figures}
        figures["score"] = sum(signs[name] * value for name, value in figures.items()) / max(1, len(figures))
        return figures

    def _answers(
        self, student: KoClipModel, ids: list[list[int]], name: str
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        states, pooled = [], []
        for start in range(0, len(ids), 64):
            found = student.encode(pad(ids[start : start + 64], self.pad_id).to(student.device), [name])[name]
            states += [found.states.float().cpu().numpy()] if found.states is not None else []
            pooled += [found.pooled.float().cpu().numpy()] if found.pooled is not None else []
        return (np.concatenate(states) if states else None, np.concatenate(pooled) if pooled else None)


def _write(pairs: list[tuple[str, str]], path: Path) -> None:
    """The pairs as a table that `python -m ko_clip.evaluate --pairs` reads."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([("ko", "en"), *pairs])


def _corpora(recipe: Recipe, folder: Path) -> list[Corpus]:
    if recipe.held_out:
        return open_corpora(recipe.held_out, folder / "held_out")
    tables = [(number, each) for number, each in enumerate(recipe.corpora) if each.kind == "file"]
    places = [Path(recipe.run) / "corpora" / f"{number:02d}-{Path(each.path).name}" for number, each in tables]
    kept = [
        StoredCorpus(place, replace(each, korean_share=1.0), "held_out")
        for place, (_, each) in zip(places, tables, strict=True)
        if place.is_dir()
    ]
    return [corpus for corpus in kept if len(corpus)]


def _joined(parts: list[Target]) -> Target:
    states = [p.states for p in parts if p.states is not None]
    pooled = [p.pooled for p in parts if p.pooled is not None]
    return Target(np.concatenate(states) if states else None, np.concatenate(pooled) if pooled else None)
