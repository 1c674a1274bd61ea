"""Korean-English text encoders that stand in for a CLIP text encoder, distilled without pictures.

    from ko_clip import PromptEncoder
    PromptEncoder.load("checkpoints/korean").base(["빨간 원피스"])  # (1, 77, d)

Names are opened when first used: `import ko_clip` loads no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ko_clip.encoder import PromptEncoder, encoder_id
    from ko_clip.tokenizer import PromptTokenizer, count_tokens
    from ko_clip.weights import WeightedText, parse_weights

__all__ = ["PromptEncoder", "PromptTokenizer", "WeightedText", "count_tokens", "encoder_id", "parse_weights"]
_HOMES = {
    "encoder": ("PromptEncoder", "encoder_id"),
    "tokenizer": ("PromptTokenizer", "count_tokens"),
    "weights": ("WeightedText", "parse_weights"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'ko_clip' has no attribute {name!r}: it has {', '.join(__all__)}")
    return getattr(import_module(f"ko_clip.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
