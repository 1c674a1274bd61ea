"""What a student is built from: its sizes, its heads and whom each of them reproduces.

In: `config.json` of an encoder's folder. Out: a `KoClipConfig`, whose `head_specs()` name the heads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from transformers import PretrainedConfig


@dataclass(frozen=True)
class HeadSpec:
    """What one head gives and whom it reproduces. `dim` 0: no sequence; `pooled` 0: no pooled embedding.

    `output`: which hidden states of the teacher. `teacher_half`: its fingerprint in float16. `words`: over how many
    dimensions the words of a text say the pooled embedding by themselves (`ko_clip.lexical`), 0 where they do not;
    `words_share`: how much of it, 0 to 1. `grams`: how many syllables, pairs of syllables and tokens the words are,
    0 where they are the vocabulary's tokens; `word_bits`: of each of their numbers, 8, or 4, two to a byte.
    """

    dim: int = 0
    pooled: int = 0
    unit: bool = False
    teacher: str = ""
    output: str = ""
    teacher_half: str = ""
    words: int = 0
    words_share: float = 0.98
    grams: int = 0
    word_bits: int = 8

    def __post_init__(self) -> None:
        if self.dim < 0 or self.pooled < 0 or not (self.dim or self.pooled):
            raise ValueError(f"a head needs a sequence (dim) or a pooled embedding, not dim {self.dim}, {self.pooled}")
        if not 0 <= self.words_share <= 1:
            raise ValueError(f"words_share is {self.words_share}: give 0 to 1")
        if self.words and not self.unit:
            raise ValueError("words say a pooled embedding of unit length alone: give the head unit: true, or words: 0")
        if self.grams < 0 or (self.grams and not self.words):
            raise ValueError(f"grams is {self.grams} of {self.words} words: give words their dimensions, or grams: 0")
        if self.word_bits not in (4, 8) or (self.word_bits == 4 and self.words % 2):
            given = f"{self.word_bits} of {self.words} dimensions"
            raise ValueError(f"word_bits is {given}: give 8, or 4 of an even number")


class KoClipConfig(PretrainedConfig):
    """Sizes, heads and token ids.

    `backbone`: the configuration of a Hugging Face encoder in place of ours.
    """

    model_type = "ko_clip"

    def __init__(
        self, vocab_size: int = 12000, embedding_size: int = 96, width: int = 192, layers: int = 5,
        attention_heads: int = 6, mlp_ratio: int = 4, decoder_layers: int = 2, decoder_mlp_ratio: int = 2,
        dropout: float = 0.0, max_tokens: int = 128, slots: int = 77, heads: Mapping[str, dict] | None = None,
        backbone: dict | None = None, view: str = "base", pad_token_id: int = 0, bos_token_id: int = 1,
        eos_token_id: int = 2, **kwargs,
    ) -> None:  # fmt: skip
        super().__init__(**kwargs)
        self.pad_token_id, self.bos_token_id, self.eos_token_id = pad_token_id, bos_token_id, eos_token_id
        self.vocab_size, self.embedding_size, self.width, self.layers = vocab_size, embedding_size, width, layers
        self.attention_heads, self.mlp_ratio, self.dropout = attention_heads, mlp_ratio, dropout
        self.decoder_layers, self.decoder_mlp_ratio = decoder_layers, decoder_mlp_ratio
        self.max_tokens, self.slots, self.backbone, self.view = max_tokens, slots, backbone, view
        self.heads = dict(heads) if heads else {"base": {"dim": 64}}

    @property
    def hidden_size(self) -> int:
        """Width of what the view gives, as a stock pipeline asks for it."""
        return self.head_specs()[self.view].dim

    def head_specs(self) -> dict[str, HeadSpec]:
        return {name: HeadSpec(**spec) for name, spec in self.heads.items()}
