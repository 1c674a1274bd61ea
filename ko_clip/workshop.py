"""What a training run works with: teachers, corpora, tokenizer and student, opened once from the recipe."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import DistributedDataParallelKwargs
from safetensors.torch import load_file, save_file
from torch import Tensor

from ko_clip.corpora import Corpus, open_corpora
from ko_clip.meanings import begin_with_meanings
from ko_clip.model import KoClipModel
from ko_clip.recipe import Recipe
from ko_clip.runs import write_facts
from ko_clip.student import build_student, learn_statistics, open_tokenizer, word_list
from ko_clip.teachers import ClipTeacher, Teacher, open_teachers
from ko_clip.tokenizer import PromptTokenizer, TokenizerRecipe, train_tokenizer

logger = logging.getLogger(__name__)
STATE = "state.safetensors"
_TOKENIZER_LINES = 400_000


@dataclass
class Workshop:
    """What a run works with, opened once."""

    recipe: Recipe
    folder: Path
    teachers: Mapping[str, Teacher]
    corpora: list[Corpus]
    tokenizer: PromptTokenizer
    student: KoClipModel
    variances: dict[str, Tensor]


def open_accelerator(wanted: str, threads: int) -> Accelerator:
    """One process or several, by how the command was started; the precision by name."""
    if threads:
        torch.set_num_threads(threads)
    AcceleratorState._reset_state()  # a second stage in one process may have another precision
    return Accelerator(
        mixed_precision=precision(wanted),
        cpu=not torch.cuda.is_available(),
        kwargs_handlers=[DistributedDataParallelKwargs(find_unused_parameters=True)],
    )


def precision(wanted: str) -> str:
    """accelerate's name of the precision: bfloat16 by itself only where the hardware has it."""
    if wanted == "float32":
        return "no"
    if wanted == "auto":
        if torch.cuda.is_available():
            return "bf16" if torch.cuda.is_bf16_supported() else "no"
        return "bf16" if torch.cpu._is_avx512_bf16_supported() else "no"
    return "bf16"


def open_workshop(recipe: Recipe) -> Workshop:
    """Open teachers and corpora, train or open the tokenizer, build the student. Begun runs keep what they have."""
    folder = Path(recipe.run)
    write_facts(folder, recipe)
    teachers = open_teachers(recipe.heads, "cuda" if torch.cuda.is_available() else "cpu")
    corpora = open_corpora(recipe.corpora, folder / "corpora", "all" if recipe.held_out else "training")
    tokenizer = _tokenizer(recipe, corpora, folder / "tokenizer")
    torch.manual_seed(recipe.seed)
    student = build_student(recipe, tokenizer, teachers)
    kept = folder / "statistics.safetensors"
    if kept.is_file() and (folder / STATE).is_file():
        return Workshop(recipe, folder, teachers, corpora, tokenizer, student, load_file(kept))
    variances = learn_statistics(student, teachers, corpora)
    clip = next((t for t in teachers.values() if isinstance(t, ClipTeacher)), None)
    if recipe.start == "nothing" and clip is not None:
        spoken = [c for c in corpora if not c.heads or set(c.heads) & set(clip.heads)]
        begin_with_meanings(student.backbone.tokens, spoken, tokenizer, clip)
    save_file({name: value.contiguous().float() for name, value in variances.items()}, kept)
    return Workshop(recipe, folder, teachers, corpora, tokenizer, student, variances)


def _tokenizer(recipe: Recipe, corpora: list[Corpus], folder: Path) -> PromptTokenizer:
    if (folder / "tokenizer.json").is_file():
        return PromptTokenizer.load(folder)
    tokenizer = open_tokenizer(recipe)
    if tokenizer is None:
        share = _TOKENIZER_LINES // len(corpora)
        spread = ((corpus, math.ceil(len(corpus) / share)) for corpus in corpora)
        lines = (side for corpus, every in spread for i in range(0, len(corpus), every) for side in corpus.pair(i, 0))
        words = word_list(recipe)
        settings = {**vars(recipe.tokenizer), "word_list": str(words) if words else None}
        limit = int(recipe.student.get("max_tokens", 128))
        tokenizer = train_tokenizer(lines, TokenizerRecipe(**settings), limit)  # type: ignore[arg-type]
        logger.info("tokenizer trained: %d pieces", tokenizer.vocab_size)
    tokenizer.save(folder)
    return tokenizer
