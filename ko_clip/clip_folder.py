"""A whole CLIP as a folder in the Hugging Face layout: opened from safetensors, known by its bytes, put in place whole.

In: a folder with both towers and a tokenizer. Out: the model in float32; and back, in the numbers that it came in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import TypedDict, cast

import torch
from transformers import AutoTokenizer, CLIPModel, CLIPTextConfig, PreTrainedTokenizerBase

from training.parts import FACTS_FILE

_SIDE_FILES = (
    "tokenizer*.json", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model",
    "preprocessor_config.json", "processor_config.json",
)  # fmt: skip


class FinetunedFacts(TypedDict):
    """What a fine-tuned CLIP says of itself; `before` and `after` are figures by name."""

    step: int
    train: str
    before: dict[str, float]
    after: dict[str, float]
    origin: dict[str, object]
    held_out: int
    trained_on: int
    left_out: int
    model: str


def open_clip(folder: Path) -> tuple[CLIPModel, PreTrainedTokenizerBase, torch.dtype]:
    """A whole CLIP in float32, its tokenizer, and the number type of its file. Local safetensors only."""
    if not (folder / "config.json").is_file():
        raise FileNotFoundError(
            f"{folder} has no config.json: give a local CLIP folder in the Hugging Face layout (hf download NAME "
            "--local-dir FOLDER)"
        )
    kind = json.loads((folder / "config.json").read_text("utf-8")).get("model_type")
    if kind != "clip":
        raise ValueError(f"{folder} is a model of type {kind}: a whole CLIP is needed, with both towers (type clip)")
    names = sorted(path.name for path in folder.glob("*.safetensors"))
    if not names:
        pickled = ", ".join(sorted(p.name for p in folder.iterdir() if p.suffix in (".bin", ".pt", ".ckpt")))
        raise FileNotFoundError(
            f"{folder} has no safetensors{f', only {pickled}' if pickled else ''}: pickled weights are not opened, "
            "convert them first"
        )
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json", "tokenizer_config.json")):
        raise FileNotFoundError(f"{folder} has no tokenizer: put the tokenizer's files beside the weights")
    variant = "fp16" if names == ["model.fp16.safetensors"] else None
    opened = CLIPModel.from_pretrained(
        folder, dtype="auto", use_safetensors=True, local_files_only=True, variant=variant, output_loading_info=True
    )
    clip, found = cast(tuple[CLIPModel, dict[str, set[str]]], opened)  # with its loading info, unlike the hint
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{folder} lacks {len(missing)} weights of a whole CLIP, {missing[0]} among them")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    text = text_settings(clip)
    if len(tokenizer) > text.vocab_size or text.eos_token_id not in (2, tokenizer.eos_token_id):
        raise ValueError(
            f"{folder}: the tokenizer ({len(tokenizer)} tokens, end {tokenizer.eos_token_id}) is not the text tower's "
            f"({text.vocab_size} tokens, end {text.eos_token_id}): give the tokenizer that belongs to the weights"
        )
    dtype = clip.dtype
    return clip.float(), tokenizer, dtype


def text_settings(clip: CLIPModel) -> CLIPTextConfig:
    """The settings of the text tower."""
    settings = clip.config.text_config
    assert isinstance(settings, CLIPTextConfig)
    return settings


def image_side(clip: CLIPModel) -> int:
    """Pixels of a side that the image tower reads."""
    settings = clip.config.vision_config
    assert settings is not None and not isinstance(settings, dict) and isinstance(settings.image_size, int)
    return settings.image_size


def clip_fingerprint(folder: Path) -> str:
    """ "sha256:…" of the weights' bytes."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def finetuned_facts(folder: Path) -> FinetunedFacts | None:
    """What a fine-tuned CLIP says of itself; None where `folder` holds none."""
    path = folder / FACTS_FILE
    facts = json.loads(path.read_text("utf-8")) if path.is_file() else None
    return facts if facts and {"origin", "after"} <= facts.keys() else None


def write_clip(clip: CLIPModel, folder: Path, origin: Path, facts: FinetunedFacts) -> None:
    """Write weights, what lies beside `origin`'s, card and figures beside, then put them in the folder's place."""
    work, old = folder.with_name(f".{folder.name}.writing"), folder.with_name(f".{folder.name}.old")
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    clip.save_pretrained(work)
    for pattern in _SIDE_FILES:
        for path in origin.glob(pattern):
            shutil.copy(path, work)
    (work / FACTS_FILE).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", "utf-8")
    rows = "\n".join(f"| {name} | {value} | {facts['after'][name]} |" for name, value in facts["before"].items())
    (work / "README.md").write_text(_CARD.format(rows=rows, **facts), "utf-8")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    work.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


_CARD = """---
library_name: transformers
tags: [clip]
---
# CLIP, fine-tuned

From `{model}` by `python -m ko_clip.finetune`, trained: {train}, on {trained_on} pairs, best state at step {step}.
Its licence is that of the model it comes from and of the pictures.

| {held_out} held-out pairs | before | after |
|---|---:|---:|
{rows}
"""
