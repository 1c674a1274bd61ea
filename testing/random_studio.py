"""A checkpoint and a Korean encoder with random weights, in the layouts that ship: real code from prompt to picture."""

from __future__ import annotations

from pathlib import Path

import torch

from fashion import lexicon
from ko_clip.model import KoClipConfig, KoClipModel
from ko_clip.teachers import fingerprint
from ko_clip.tokenizer import TokenizerRecipe, train_tokenizer
from testing.random_checkpoint import TINY, Sizes, write_checkpoint


def write_models(folder: Path, sizes: Sizes = TINY) -> dict[str, str]:
    """Write both; returns the settings that name them."""
    checkpoint = write_checkpoint(folder / "checkpoint", sizes)
    teacher = fingerprint(checkpoint / "clip")
    encoder = folder / "encoder"
    encoder.mkdir()
    words = [name for kind in lexicon.WORDS.values() for word in kind for name in (*word.ko, *word.en)]
    tokenizer = train_tokenizer(words, TokenizerRecipe(900, 300))
    tokenizer.save(encoder)
    torch.manual_seed(3)
    heads = {
        "base": {"dim": sizes.text_width, "teacher": teacher},
        "refiner": {"dim": sizes.text_width, "pooled": sizes.pooled, "teacher": teacher},
        "search": {"pooled": 32, "unit": True},
    }
    config = KoClipConfig(vocab_size=tokenizer.vocab_size, embedding_size=16, width=32, layers=1, attention_heads=2,
                          decoder_layers=1, heads=heads)  # fmt: skip
    KoClipModel(config).save_pretrained(encoder)
    return {"CHECKPOINT": str(checkpoint), "ENCODER": str(encoder)}
