"""Build a student for a recipe: from nothing, from a teacher's weights, from a Hub encoder, or from another student.

In: a recipe, its tokenizer and its teachers. Out: a `KoClipModel` whose heads have the teachers' widths, and their
mean, deviation and empty prompt; and the folder layout in which an encoder is kept:
`config.json`, `model.safetensors`, `tokenizer.json`, `tokenizer_config.json`.
"""

from __future__ import annotations

import copy
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import AutoConfig, AutoModel

from ko_clip.corpora import Corpus
from ko_clip.layers import HubBackbone
from ko_clip.model import HeadSpec, KoClipConfig, KoClipModel
from ko_clip.opening import naming, open_student, quietly
from ko_clip.recipe import Recipe
from ko_clip.teachers import ClipTeacher, Teacher, resolve
from ko_clip.tokenizer import PromptTokenizer

logger = logging.getLogger(__name__)
_SIZES = (
    "embedding_size", "width", "layers", "attention_heads", "mlp_ratio", "decoder_layers", "decoder_mlp_ratio",
    "dropout", "max_tokens",
)  # fmt: skip


def build_student(recipe: Recipe, tokenizer: PromptTokenizer, teachers: Mapping[str, Teacher]) -> KoClipModel:
    """A student as the recipe starts it; heads that a former student already had are kept."""
    if wrong := [key for key in recipe.student if key not in _SIZES]:
        raise ValueError(f"student has no size {wrong[0]!r}: use {', '.join(_SIZES)}")
    for key, value in recipe.student.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
            raise ValueError(f"student.{key} is {value!r}: give a number")
    specs = head_specs(teachers)
    sizes = {"max_tokens": tokenizer.max_tokens, **recipe.student}
    common = {
        "vocab_size": tokenizer.vocab_size, "heads": {n: vars(s) for n, s in specs.items()},
        "view": "base" if "base" in specs else next(iter(specs)), "pad_token_id": tokenizer.pad_id,
        "bos_token_id": tokenizer.bos_id, "eos_token_id": tokenizer.eos_id,
    }  # fmt: skip
    if recipe.start == "student":
        return _continue(Path(recipe.start_path), specs)
    if recipe.start == "hub":
        return _from_hub(Path(recipe.start_path), common, sizes)
    if recipe.start == "teacher":
        return _from_teacher(common, sizes, tokenizer, teachers)
    return KoClipModel(_config({**common, **sizes}))


def _config(values: Mapping[str, object]) -> KoClipConfig:
    return KoClipConfig(**values)  # type: ignore[arg-type]  # sizes from a checked recipe, the rest from here


def head_specs(teachers: Mapping[str, Teacher]) -> dict[str, HeadSpec]:
    """What each head must give, from its teacher's widths."""
    specs = {}
    for teacher in teachers.values():
        for name in teacher.heads:
            dim, pooled = teacher.widths(name)
            clip = isinstance(teacher, ClipTeacher)
            output = teacher.heads[name].output if clip and dim else ""
            specs[name] = HeadSpec(dim, pooled, not clip, teacher.fingerprint, output, teacher.half_fingerprint)
    return specs


def _plain(config: object) -> dict:
    """A Hub configuration as plain values that fit in ours."""
    values = config.to_dict()  # type: ignore[attr-defined]
    drop = ("architectures", "dtype", "torch_dtype", "transformers_version", "_name_or_path", "auto_map")
    return {key: value for key, value in values.items() if key not in drop}


def _continue(folder: Path, specs: Mapping[str, HeadSpec]) -> KoClipModel:
    """Load another student; each head must have the width that its teacher now has."""
    student = open_student(folder)
    known = student.config.head_specs()
    for name, spec in specs.items():
        had = known.get(name)
        if had is None or (had.dim, had.pooled) != (spec.dim, spec.pooled):
            raise ValueError(
                f"head {name!r} of {folder} gives (states, pooled) {had and (had.dim, had.pooled)}, "
                f"its teacher {(spec.dim, spec.pooled)}: "
                "start from nothing, or name the teacher that it was trained with"
            )
    words = ("words", "words_share", "grams", "word_bits")
    now = {
        name: replace(specs.get(name, spec), **{each: getattr(spec, each) for each in words})
        for name, spec in known.items()
    }
    student.config.heads = {name: vars(spec) for name, spec in now.items()}
    return student


def _from_hub(folder: Path, common: Mapping[str, object], sizes: Mapping[str, object]) -> KoClipModel:
    """A Korean or multilingual encoder in the Hugging Face layout, its weights from safetensors."""
    if not any(folder.glob("*.safetensors")):
        raise FileNotFoundError(
            f"{folder} has no safetensors: open it once with transformers' AutoModel and save_pretrained it there"
        )
    with naming(folder):
        hub = AutoConfig.from_pretrained(folder, local_files_only=True)
    room = getattr(hub, "max_position_embeddings", 10**6) - 2  # RoBERTa counts positions from 2
    if int(sizes["max_tokens"]) > room:  # type: ignore[call-overload]
        raise ValueError(f"student.max_tokens is {sizes['max_tokens']}, {folder} has room for {room}: give no more")
    student = KoClipModel(_config({**common, **sizes, "backbone": _plain(hub)}))
    assert isinstance(student.backbone, HubBackbone)
    with quietly(), naming(folder):
        student.backbone.encoder = AutoModel.from_pretrained(
            folder, dtype=torch.float32, local_files_only=True, use_safetensors=True
        )
    return student


def _from_teacher(
    common: Mapping[str, object],
    sizes: Mapping[str, object],
    tokenizer: PromptTokenizer,
    teachers: Mapping[str, Teacher],
) -> KoClipModel:
    """The first CLIP teacher's layers, read in both directions, over our vocabulary."""
    clips = [teacher for teacher in teachers.values() if isinstance(teacher, ClipTeacher)]
    if not clips:
        raise ValueError("start: teacher needs a CLIP teacher among the heads")
    tower = clips[0].model
    settings = copy.deepcopy(tower.config)
    settings.vocab_size = tokenizer.vocab_size
    settings.pad_token_id, settings.bos_token_id = tokenizer.pad_id, tokenizer.bos_id
    settings.eos_token_id = tokenizer.eos_id
    tokenizer.max_tokens = min(tokenizer.max_tokens, settings.max_position_embeddings)
    sizes = {**sizes, "max_tokens": tokenizer.max_tokens, "width": sizes.get("width", settings.hidden_size)}
    backbone = {**_plain(settings), "model_type": "clip_text_model"}
    student = KoClipModel(_config({**common, **sizes, "backbone": backbone}))
    assert isinstance(student.backbone, HubBackbone)
    weights = {k: v for k, v in tower.state_dict().items() if "text_projection" not in k}
    weights = {k.removeprefix("text_model."): v for k, v in weights.items()}
    ours = student.backbone.encoder.state_dict()
    prefix = "text_model." if any(k.startswith("text_model.") for k in ours) else ""
    old = weights["embeddings.token_embedding.weight"]
    weights["embeddings.token_embedding.weight"] = _embeddings(old, clips[0], tokenizer)
    student.backbone.encoder.load_state_dict({prefix + k: v for k, v in weights.items()}, strict=False)
    return student


def _embeddings(old: torch.Tensor, teacher: ClipTeacher, tokenizer: PromptTokenizer) -> torch.Tensor:
    """Our piece of Latin script gets the mean of the teacher's pieces for it; the others begin at random."""
    made = torch.randn(tokenizer.vocab_size, old.shape[1], generator=torch.Generator().manual_seed(0)) * old.std()
    for piece, index in tokenizer.tokenizer.get_vocab().items():
        text = piece.replace("▁", " ").strip()
        if text.isascii() and text and not text.startswith("<"):
            ids = teacher.tokenizer(text, add_special_tokens=False).input_ids
            if ids:
                made[index] = old[ids].mean(0)
    return made


@torch.no_grad()
def learn_statistics(
    student: KoClipModel, teachers: Mapping[str, Teacher], corpora: Sequence[Corpus], rows: int = 512
) -> dict[str, torch.Tensor]:
    """Put the teachers' mean, deviation and empty prompt into the heads; return each head's variances.

    "NAME.slots": (77,) variance of each slot over the corpora, at least a tenth of the mean one (the first slot
    never varies); "NAME.pooled": () mean variance of the pooled embedding.
    """
    found: dict[str, torch.Tensor] = {}
    for teacher in teachers.values():
        for name in teacher.heads:
            texts = _sample([c for c in corpora if not c.heads or name in c.heads], rows)
            outputs = [teacher.encode(texts[i : i + 64])[name] for i in range(0, len(texts), 64)]
            empty, head = teacher.encode([""])[name], student.head(name)
            if head.spec.dim:
                assert empty.states is not None
                states = torch.from_numpy(np.concatenate([t.states for t in outputs]))  # (rows, 77, dim)
                centred = states - states.mean(0)
                head.mean.copy_(states.mean(0))
                head.deviation.copy_(centred.square().mean((0, 1)).sqrt().clamp_min(1e-4))
                head.empty.copy_(torch.from_numpy(empty.states[0]))
                head.knows_empty.fill_(1)
                slots = centred.square().mean((0, 2))
                found[f"{name}.slots"] = slots.clamp_min(float(slots.mean()) / 10)
            if head.spec.pooled:
                assert empty.pooled is not None
                pooled = torch.from_numpy(np.concatenate([t.pooled for t in outputs]))
                centred = pooled - pooled.mean(0)
                head.pooled_mean.copy_(pooled.mean(0))
                head.pooled_deviation.copy_(centred.square().mean(0).sqrt().clamp_min(1e-5))
                head.pooled_empty.copy_(torch.from_numpy(empty.pooled[0]))
                head.knows_pooled_empty.fill_(1)
                found[f"{name}.pooled"] = centred.square().mean()
    return found


def _sample(corpora: Sequence[Corpus], rows: int) -> list[str]:
    if not corpora:
        raise ValueError("a head has no corpus to learn from: list it under `heads` of one, or leave `heads` out")
    share = max(1, rows // len(corpora))
    return [c.pair(int(i), 0)[1] for c in corpora for i in np.linspace(0, len(c) - 1, min(share, len(c)))]


def save_encoder(student: KoClipModel, tokenizer: PromptTokenizer, folder: Path, card: str = "") -> None:
    """Write the encoder in float16, whole or not at all: into a new folder, then renamed."""
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    half = copy.deepcopy(student).half()
    half.save_pretrained(fresh)
    tokenizer.save(fresh)
    if card:
        (fresh / "README.md").write_text(card, "utf-8")
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    fresh.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def open_tokenizer(recipe: Recipe) -> PromptTokenizer | None:
    """The tokenizer that the recipe names or that its start brings along; None where one must be trained."""
    if recipe.tokenizer_path:
        return PromptTokenizer.load(recipe.tokenizer_path)
    if recipe.start not in ("student", "hub"):
        return None
    folder = Path(recipe.start_path)
    for name in ("config.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"start_path {folder} has no {name}: give a folder in the Hugging Face layout "
                "(transformers' AutoTokenizer writes tokenizer.json where only older files are)"
            )
    tokenizer = PromptTokenizer.load(folder)
    if recipe.start == "hub":
        tokenizer.max_tokens = int(recipe.student.get("max_tokens", tokenizer.max_tokens))
    return tokenizer


def word_list(recipe: Recipe) -> Path | None:
    """The word list of the recipe's tokenizer, `package:` names resolved."""
    name = recipe.tokenizer.word_list
    if not name:
        return None
    if name.startswith("package:"):
        folder, _, file = name.rpartition("/")
        return resolve(folder) / file
    return Path(name)
