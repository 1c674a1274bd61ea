"""What a training run works with: teachers, corpora, tokenizer and student, opened once from the recipe."""

from __future__ import annotations

import json
import logging
import math
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

import torch
import yaml
from safetensors.torch import load_file, save_file
from torch import Tensor

from ko_clip.corpora import Corpus, open_corpora
from ko_clip.layers import Backbone
from ko_clip.model import KoClipModel
from ko_clip.recipe import CorpusRecipe, Recipe
from ko_clip.student import build_student, learn_statistics, open_tokenizer, word_list
from ko_clip.teachers import ClipTeacher, Teacher, open_teachers
from ko_clip.token_initialisation import initialise_tokens
from ko_clip.tokenizer import PromptTokenizer, TokenizerRecipe, train_tokenizer
from training.state import STATE_FILE

logger = logging.getLogger(__name__)
_TOKENIZER_LINES = 400_000
_PACKAGES = ("torch", "transformers", "tokenizers", "sentence-transformers", "accelerate", "safetensors", "numpy")


@dataclass(frozen=True)
class TrainingContext:
    """What a run works with. `variances`: of each head's slots and pooled embedding over the corpora."""

    recipe: Recipe
    folder: Path
    teachers: Mapping[str, Teacher]
    corpora: list[Corpus]
    tokenizer: PromptTokenizer
    student: KoClipModel
    variances: dict[str, Tensor]

    def heads_of(self, corpus: int) -> list[str]:
        """The heads that a corpus trains."""
        wanted = self.corpora[corpus].heads
        return [name for name in self.recipe.heads if not wanted or name in wanted]

    def teacher_of(self, head: str) -> Teacher:
        return next(teacher for teacher in self.teachers.values() if head in teacher.heads)

    def corpus_recipes(self) -> list[CorpusRecipe]:
        """The recipes of the corpora that are there, in their order."""
        names = {corpus.name for corpus in self.corpora}
        return [recipe for recipe in self.recipe.corpora if recipe.name in names]


def open_context(recipe: Recipe) -> TrainingContext:
    """Open teachers and corpora, train or open the tokenizer, build the student. Begun runs keep what they have."""
    folder = Path(recipe.run)
    _write_facts(folder, recipe)
    teachers = open_teachers(recipe.heads, "cuda" if torch.cuda.is_available() else "cpu")
    corpora = open_corpora(recipe.corpora, folder / "corpora", "all" if recipe.held_out else "training")
    tokenizer = _tokenizer(recipe, corpora, folder / "tokenizer")
    torch.manual_seed(recipe.seed)
    student = build_student(recipe, tokenizer, teachers)
    kept = folder / "statistics.safetensors"
    if kept.is_file() and (folder / STATE_FILE).is_file():
        return TrainingContext(recipe, folder, teachers, corpora, tokenizer, student, load_file(kept))
    variances = learn_statistics(student, teachers, corpora)
    clip = next((t for t in teachers.values() if isinstance(t, ClipTeacher)), None)
    if recipe.start == "nothing" and clip is not None:
        spoken = [c for c in corpora if not c.heads or set(c.heads) & set(clip.heads)]
        assert isinstance(student.backbone, Backbone)
        initialise_tokens(student.backbone.tokens, spoken, tokenizer, clip)
    save_file({name: value.contiguous().float() for name, value in variances.items()}, kept)
    return TrainingContext(recipe, folder, teachers, corpora, tokenizer, student, variances)


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


def _write_facts(folder: Path, recipe: Recipe) -> None:
    """recipe.yaml and versions.json of a run."""
    folder.mkdir(parents=True, exist_ok=True)
    text = yaml.safe_dump(json.loads(json.dumps(asdict(recipe))), allow_unicode=True, sort_keys=False)
    (folder / "recipe.yaml").write_text(text, "utf-8")
    versions = {name: version(name) for name in _PACKAGES} | {"python": platform.python_version()}
    (folder / "versions.json").write_text(json.dumps(versions, indent=1) + "\n", "utf-8")
