"""The English CLIP that ships: its tokenizer and its shape. Every other part learns its words from this one.

Out: a `CLIPTokenizer` (byte-level BPE, 77 slots, padded with the end token as Stable Diffusion pads) and a `CLIPModel`
whose text tower has 192 numbers a slot and whose image tower reads 128-px pictures. 3.4 M parameters together.
Ref: Radford et al. 2021, arXiv:2103.00020.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

MAX_TOKENS = 77
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
WORD_END = "</w>"
WORD = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"


@dataclass(frozen=True)
class EnglishClipShape:
    """Sizes of both towers. `vocabulary` counts bytes, word-final bytes, merges and the two special tokens."""

    vocabulary: int = 2048
    text_width: int = 192
    text_layers: int = 4
    image_width: int = 128
    image_layers: int = 5
    image_size: int = 128
    patch: int = 16
    projection: int = 192

    def build(self, tokenizer: CLIPTokenizer) -> CLIPModel:
        text = {
            "vocab_size": len(tokenizer),
            "hidden_size": self.text_width,
            "intermediate_size": 4 * self.text_width,
            "num_hidden_layers": self.text_layers,
            "num_attention_heads": self.text_width // 32,
            "hidden_act": "gelu",
            "max_position_embeddings": MAX_TOKENS,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "pad_token_id": tokenizer.pad_token_id,
            "projection_dim": self.projection,
        }
        vision = {
            "hidden_size": self.image_width,
            "intermediate_size": 4 * self.image_width,
            "num_hidden_layers": self.image_layers,
            "num_attention_heads": self.image_width // 32,
            "hidden_act": "gelu",
            "image_size": self.image_size,
            "patch_size": self.patch,
            "projection_dim": self.projection,
        }
        return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=self.projection))


def train_tokenizer(texts: Iterable[str], vocabulary: int = EnglishClipShape.vocabulary) -> CLIPTokenizer:
    """Learn merges from texts and lay the vocabulary out as CLIP's: bytes, word-final bytes, merges, two specials."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    learner = Tokenizer(models.BPE(end_of_word_suffix=WORD_END, continuing_subword_prefix=""))
    learner.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    words = pre_tokenizers.Split(Regex(WORD), "removed", invert=True)
    learner.pre_tokenizer = pre_tokenizers.Sequence([words, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, end_of_word_suffix=WORD_END, initial_alphabet=alphabet, show_progress=False
    )
    learner.train_from_iterator(texts, trainer)
    merges = [tuple(pair) for pair in json.loads(learner.to_str())["model"]["merges"]]
    merges = merges[: vocabulary - 2 * len(alphabet) - 2]
    tokens = alphabet + [letter + WORD_END for letter in alphabet] + [a + b for a, b in merges] + [BEGIN, END]
    vocab = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    # The hint of `merges` says text: the tokenizer takes pairs.
    return CLIPTokenizer(vocab=vocab, merges=merges, model_max_length=MAX_TOKENS)  # type: ignore[arg-type]
