"""A whole CLIP as a folder in the Hugging Face layout: opened from safetensors, known by its bytes, put in place whole.

In: a folder with both towers and a tokenizer. Out: the model in float32; and back, in the numbers that it came in.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from transformers import AutoTokenizer, CLIPModel, PreTrainedTokenizerBase

from training.parts import FACTS_FILE

_SIDE_FILES = (
    "tokenizer*.json", "vocab.*", "merges.txt", "special_tokens_map.json", "added_tokens.json", "*.model",
    "preprocessor_config.json", "processor_config.json",
)  # fmt: skip


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
    clip, found = CLIPModel.from_pretrained(
        folder, dtype="auto", use_safetensors=True, local_files_only=True, variant=variant, output_loading_info=True
    )
    if missing := sorted(found["missing_keys"]):
        raise ValueError(f"{folder} lacks {len(missing)} weights of a whole CLIP, {missing[0]} among them")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    text = clip.config.text_config
    if len(tokenizer) > text.vocab_size or text.eos_token_id not in (2, tokenizer.eos_token_id):
        raise ValueError(
            f"{folder}: the tokenizer ({len(tokenizer)} tokens, end {tokenizer.eos_token_id}) is not the text tower's "
            f"({text.vocab_size} tokens, end {text.eos_token_id}): give the tokenizer that belongs to the weights"
        )
    dtype = clip.dtype
    return clip.float(), tokenizer, dtype


def clip_fingerprint(folder: Path) -> str:
    """ "sha256:…" of the weights' bytes."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.safetensors")):
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return f"sha256:{digest.hexdigest()}"


def finetuned_facts(folder: Path) -> dict[str, object] | None:
    """What a fine-tuned CLIP says of itself; None where `folder` holds none."""
    path = folder / FACTS_FILE
    facts = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    return facts if {"origin", "after"} <= facts.keys() else None


def write_clip(clip: CLIPModel, folder: Path, origin: Path, facts: Mapping[str, object]) -> None:
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
