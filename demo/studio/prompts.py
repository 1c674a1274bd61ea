"""A prompt from outside: any Unicode form in; NFC without control characters out, or a refusal."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Protocol

from demo.store.errors import ServiceError, language
from demo.studio import moderation, words
from fashion.meant import Reading, readings
from hangul.normalize import clean as normalize
from hangul.normalize import search_key as _search_key

MAX_CHARACTERS = 2000
MAX_RAW = 12_000  # code points before normalising: 2,000 syllables in NFD and something over


class Meter(Protocol):
    """What counts tokens: `ko_clip`'s tokenizer, through the encoder."""

    max_tokens: int

    def count_tokens(self, text: str) -> int: ...


@dataclass(frozen=True)
class Analysis:
    """What is known about a prompt before anything is drawn."""

    normalized: str
    tokens: int | None
    max_tokens: int | None
    unknown: list[tuple[str, int, int]]
    readings: list[Reading]
    rejected: moderation.Rule | None


def accept(text: str) -> str:
    """The prompt as it is kept and drawn. Raises ServiceError prompt_empty, prompt_too_long, prompt_rejected."""
    prompt = clean(text, "prompt")
    if not any(unicodedata.category(c)[0] in "LNS" for c in prompt):
        raise ServiceError("prompt_empty", "prompt")
    if (rule := moderation.judge(prompt)) is not None:
        raise ServiceError("prompt_rejected", "prompt", reason=rule.reason[language()])
    return prompt


def clean(text: str, field: str = "prompt") -> str:
    """NFC, controls out, spaces single, at most 2,000 characters. Raises ServiceError."""
    if len(text) > MAX_RAW:
        raise ServiceError("prompt_too_long", field, limit=MAX_CHARACTERS, got=len(text))
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ServiceError("invalid_request", field, detail="NUL and lone surrogates are not text")
    prompt = normalize(text)
    if len(prompt) > MAX_CHARACTERS:
        raise ServiceError("prompt_too_long", field, limit=MAX_CHARACTERS, got=len(prompt))
    return prompt


def analyze(text: str, meter: Meter | None) -> Analysis:
    """Tokens, unknown words, what is read otherwise and the rules, for the page's meter."""
    prompt = clean(text)
    tokens = meter.count_tokens(words.as_read(prompt)) if meter and prompt else (0 if meter else None)
    limit = meter.max_tokens if meter else None
    return Analysis(prompt, tokens, limit, words.unknown_words(prompt), readings(prompt), moderation.judge(prompt))


def search_key(text: str) -> str:
    """Prompts with the same key are the same prompt; at most 400 characters, never empty."""
    return (_search_key(text) or normalize(text))[:400]
