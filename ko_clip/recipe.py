"""A training recipe: what is learned from whom, on which corpora, for how long. Read from YAML, checked once.

Short form, enough for a first encoder of one's own:

    teacher: checkpoints/clip      # a CLIP text encoder in the Hugging Face layout
    corpus: pairs.csv              # Korean-English pairs
    run: runs/mine                 # where everything is written
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TypeVar, cast

import yaml

from ko_clip.tokenizer import TokenizerRecipe

Kind = TypeVar("Kind")
OUTPUTS = ("last_hidden_state", "penultimate", "none")
KINDS = ("clip", "sentence")
STARTS = ("nothing", "teacher", "hub", "student")
PRECISIONS = ("auto", "float32", "bfloat16")
CACHES = ("auto", "full", "pooled", "none")
_KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "str": (str, "text"), "bool": (bool, "true or false"), "Mapping": (Mapping, "names with values"),
    "tuple[str": ((list, tuple), "a list of names"),
}  # fmt: skip


@dataclass(frozen=True)
class HeadRecipe:
    """One head and its teacher. `output`: which hidden states of a CLIP; `pooled`: its pooled embedding too.

    `reader`: folder of the U-Net that attends to the states; its cross-attention outputs are then matched too.
    `scene_reader`: file of the reader that taught the project's own teacher to bind (`ko_clip.scene_reading`).
    """

    teacher: str
    kind: str = "clip"
    output: str = "last_hidden_state"
    pooled: bool = False
    weight: float = 1.0
    contrast: float = 0.0
    reader: str = ""
    scene_reader: str = ""

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("output", self.output, OUTPUTS)
        if self.kind == "sentence" and self.output != "none":
            object.__setattr__(self, "output", "none")
        if self.output == "none" and not (self.pooled or self.kind == "sentence"):
            raise ValueError("a head without hidden states needs pooled: true")


@dataclass(frozen=True)
class CorpusRecipe:
    """One corpus. `kind` drawn: captions of drawn scenes; file: a table of pairs. `weight`: its share of steps.

    `garments`: how many a drawn scene has, 0 for one to three. `hold_out`: share of a table's rows kept out of
    training where the recipe names no held-out corpora. `word_weight`: how much each of its pairs counts where the
    words of a search head are fitted (`ko_clip.lexical`).
    """

    kind: str = "file"
    path: str = ""
    weight: float = 1.0
    word_weight: float = 1.0
    heads: tuple[str, ...] = ()
    korean_share: float = 0.75
    ko: str | None = None
    en: str | None = None
    encoding: str | None = None
    optional: bool = False
    hold_out: float = 0.02
    seed: int = 1
    count: int = 60000
    split: str = "train"
    garments: int = 0
    noise: float = 0.35
    short: float = 0.2
    everyday: float = 0.0  # of a drawn corpus, the share of prompts as people type them (fashion.captions_everyday)

    def __post_init__(self) -> None:
        _one_of("corpus kind", self.kind, ("file", "drawn"))
        if self.kind == "file" and not self.path:
            raise ValueError("a corpus of kind 'file' needs a path")
        if self.weight <= 0:
            raise ValueError(f"the weight of {self.name} is {self.weight}: give a positive number")
        if self.word_weight <= 0:
            raise ValueError(f"the word_weight of {self.name} is {self.word_weight}: give a positive number")
        if not 0 <= self.hold_out <= 0.5:
            raise ValueError(f"hold_out is {self.hold_out}: give a share from 0 to 0.5")
        if not 0 <= self.korean_share <= 1:
            raise ValueError(f"korean_share is {self.korean_share}: give a share from 0 to 1")
        object.__setattr__(self, "heads", tuple(self.heads))

    @property
    def name(self) -> str:
        return self.path or f"{self.kind}-{self.seed}-{self.split}"


@dataclass(frozen=True)
class TextStage:
    """Distillation on text alone: the teacher's hidden states and pooled embedding, slot by slot.

    `warmup`: steps over which the learning rate rises, but at most `warmup_share` of a plan (of the U-Net stage's too).
    """

    steps: int = 20000
    batch: int = 96
    learning_rate: float = 1e-3
    warmup: int = 300
    warmup_share: float = 0.1
    cooldown: float = 0.3
    weight_decay: float = 0.01
    ema: float = 0.998
    pad_slots: int = 8
    sequence_weight: float = 1.0
    pooled_weight: float = 0.3
    cross_attention_weight: float = 1.0
    precision: str = "auto"
    threads: int = 0
    cache: str = "auto"
    save_minutes: float = 1.0
    evaluate_every: int = 250
    pool: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("cache", self.cache, CACHES)
        for name in ("steps", "batch", "pad_slots", "evaluate_every", "pool", "parts"):
            if getattr(self, name) < 1:
                raise ValueError(f"text.{name} is {getattr(self, name)}: give at least 1")
        for name in ("cooldown", "warmup_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"text.{name} is {getattr(self, name)}: give a share of the steps from 0 to 1")


@dataclass(frozen=True)
class UNetStage:
    """Distillation through the frozen U-Net, without pictures. No steps: no such stage."""

    steps: int = 0
    unet: str = ""
    scheduler: str = ""
    head: str = "base"
    batch: int = 16
    size: int = 0
    learning_rate: float = 1e-4
    warmup: int = 50
    ema: float = 0.995
    inference_steps: int = 6
    guidance_scale: float = 3.0
    prediction_weight: float = 1.0
    block_weight: float = 0.1
    text_weight: float = 0.3
    save_minutes: float = 1.0
    threads: int = 0
    precision: str = "auto"


@dataclass(frozen=True)
class Recipe:
    """Everything that one training run needs. `start` says where the student's weights come from."""

    run: str
    heads: Mapping[str, HeadRecipe]
    corpora: tuple[CorpusRecipe, ...]
    held_out: tuple[CorpusRecipe, ...] = ()
    seed: int = 0
    start: str = "nothing"
    start_path: str = ""
    tokenizer: TokenizerRecipe = field(default_factory=TokenizerRecipe)
    tokenizer_path: str = ""
    student: Mapping[str, int | float] = field(default_factory=dict)
    text: TextStage = field(default_factory=TextStage)
    unet: UNetStage = field(default_factory=UNetStage)

    def __post_init__(self) -> None:
        _one_of("start", self.start, STARTS)
        if self.start in ("hub", "student") and not self.start_path:
            raise ValueError(f"start: {self.start} needs start_path, a folder in the Hugging Face layout")
        if not self.heads:
            raise ValueError("the recipe names no head: give `teacher:` or `heads:`")
        for name in ("base_1", "base_2"):  # what SDXL's base reads of its two text encoders
            if name in self.heads and self.heads[name].output != "penultimate":
                raise ValueError(f"head {name} has output {self.heads[name].output}: SDXL reads the penultimate states")
        if "base_2" in self.heads and not self.heads["base_2"].pooled:
            raise ValueError("head base_2 has no pooled embedding, which SDXL's base is told: give pooled: true")
        if not self.corpora:
            raise ValueError("the recipe names no corpus: give `corpus:` or `corpora:`")
        for corpus in (*self.corpora, *self.held_out):
            if wrong := [name for name in corpus.heads if name not in self.heads]:
                raise ValueError(f"{corpus.name} trains head {wrong[0]!r}; the recipe has {', '.join(self.heads)}")


def load_recipe(path: str | Path, **overrides: object) -> Recipe:
    """Read a YAML recipe. `overrides` replace top-level keys. Raises ValueError naming the key that is wrong."""
    file = Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"recipe {file} is missing: see ko_clip/config/ for those that ship")
    try:
        data = yaml.safe_load(file.read_text("utf-8-sig"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{file} is not YAML in UTF-8: {' '.join(str(error).split())}") from error
    if not isinstance(data, dict):
        raise ValueError(f"{file} is not a recipe: it needs keys such as teacher, corpus and run")
    return recipe_from({**data, **{k: v for k, v in overrides.items() if v is not None}})


def recipe_from(data: Mapping[str, object]) -> Recipe:
    """Build a recipe from plain data, long or short form."""
    values = dict(data)
    teacher, corpus = values.pop("teacher", None), values.pop("corpus", None)
    if teacher is not None:
        values.setdefault("heads", standard_heads(str(teacher)))
    if corpus is not None:
        values.setdefault("corpora", [corpus if isinstance(corpus, Mapping) else {"path": str(corpus)}])
    values.setdefault("run", "runs/ko_clip")
    heads = values.get("heads") or {}
    if not isinstance(heads, Mapping):
        raise ValueError(f"heads must be a mapping of names to teachers, not {heads!r}")
    values["heads"] = {name: _build(HeadRecipe, spec, f"heads.{name}") for name, spec in heads.items()}
    for key in ("corpora", "held_out"):
        given = values.get(key) or ()
        if isinstance(given, (str, Mapping)):
            raise ValueError(f"{key} must be a list of corpora, not {given!r}: put each behind a dash, with its path")
        rows = cast(Iterable[object], given)
        values[key] = tuple(_build(CorpusRecipe, each, key) for each in rows)
    for key, kind in (("tokenizer", TokenizerRecipe), ("text", TextStage), ("unet", UNetStage)):
        values[key] = _build(kind, values.get(key) or {}, key)
    return _build(Recipe, values, "recipe")


def standard_heads(teacher: str) -> dict[str, dict[str, object]]:
    """base and refiner from one CLIP text encoder with a projection, as the checkpoint that ships uses it."""
    return {
        "base": {"teacher": teacher, "output": "last_hidden_state"},
        "refiner": {"teacher": teacher, "output": "penultimate", "pooled": True},
    }


def with_text(recipe: Recipe, **changes: object) -> Recipe:
    """The recipe with some settings of its text stage replaced, those given as None kept."""
    given = {name: value for name, value in changes.items() if value is not None}
    text = replace(recipe.text, **given)  # type: ignore[arg-type]  # command lines give what TextStage checks
    return replace(recipe, text=text)


def _build(kind: type[Kind], values: object, where: str) -> Kind:
    if isinstance(values, kind):
        return values
    if not isinstance(values, Mapping):
        raise ValueError(f"{where} must be a mapping, not {values!r}")
    known = [f.name for f in fields(kind)]  # type: ignore[arg-type]
    if wrong := [str(key) for key in values if key not in known]:
        raise ValueError(f"{where} has no key {wrong[0]!r}: it knows {', '.join(known)}")
    kinds = {f.name: f.type for f in fields(kind)}  # type: ignore[arg-type]
    values = {k: _value(v, f"{where}.{k}", str(kinds[k])) for k, v in values.items()}
    try:
        return kind(**values)
    except TypeError as error:
        raise ValueError(f"{where}: {error}") from error


def _value(value: object, where: str, kind: str) -> object:
    """A value of the kind that a key asks for; raises ValueError naming the key."""
    if kind in ("float", "int"):
        return _number(value, where, kind)
    asked = next((each for each in _KINDS if kind.startswith(each)), "")
    if asked and not isinstance(value, _KINDS[asked][0]) and not (value is None and kind.endswith("| None")):
        raise ValueError(f"{where} is {value!r}: give {_KINDS[asked][1]}")
    return value


def _number(value: object, where: str, kind: str) -> object:
    """YAML 1.1 reads 3e-5 as text: what is a number all the same becomes one, a whole one where those are counted."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if not isinstance(value, (str, float)):
        raise ValueError(f"{where} is {value!r}: give a number")
    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"{where} is {value!r}: give a number") from error
    if kind == "float":
        return number
    if not number.is_integer():
        raise ValueError(f"{where} is {value!r}: give a whole number")
    return int(number)


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} {value!r}: use {', '.join(allowed)}")
