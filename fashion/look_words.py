"""What the looks of `fashion.looks` are called: a style that was trained on one and ships bears its Korean name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class LookWords:
    """`trigger`: the word that calls the style; the prompt reader leaves it as it is."""

    ko: str
    en: str
    trigger: str


LOOK_WORDS: Mapping[str, LookWords] = {
    "neon": LookWords("네온", "neon", "네온"),
    "woodblock": LookWords("목판화", "woodblock print", "목판화"),
    "ink_brush": LookWords("먹그림", "ink brush painting", "먹그림"),
    "palace": LookWords("궁궐", "palace", "궁궐"),
    "women_hanbok": LookWords("여성 한복", "women's court hanbok", "왕비차림"),
    "men_hanbok": LookWords("남성 한복", "men's court hanbok", "관복차림"),
}
ENGLISH: Mapping[str, str] = {words.ko: words.en for words in LOOK_WORDS.values()}
