"""A prompt from outside: any Unicode form in; NFC without control characters out, or a refusal; what is known of it."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from demo.store.errors import ServiceError, language
from demo.studio import moderation
from demo.studio.naming import nouns_of
from fashion import lexicon
from fashion.prompt_reading import Reading
from fashion.reader import FashionReader
from fashion.replacing import Alternative, EditableWord, WordChange, WordNotFound
from hangul.normalize import clean as normalize
from hangul.normalize import search_key as _search_key
from hangul.particles import fitting
from jobspec import Draw, Warned
from jobspec.fields import MAX_TEXT
from jobspec.prompts import AsTyped, PromptReader, TokenCounter

MAX_CHARACTERS = 2000
NAMED = 8  # so many words are named in a warning
_HANGUL = re.compile("[가-힣ㄱ-ㅣ]")


class DomainReader(PromptReader, Protocol):
    """How a checkpoint's domain reads prompts: what is drawn, and what people should know of it."""

    def readings(self, prompt: str) -> Sequence[Reading]:
        """What is read otherwise than it was typed."""
        ...

    def varied(self, prompt: str, seed: int, negative: str, setting: int) -> str:
        """What a read prompt leaves open where a picture drawn with the seed `setting` is varied."""
        ...

    def outside(self, prompt: str) -> bool:
        """Whether nothing in a prompt can be drawn."""
        ...

    def unknown_words(self, prompt: str) -> Sequence[tuple[str, int, int]]:
        """Words that the domain does not have: (word, start, end)."""
        ...

    def editable_words(self, prompt: str) -> list[EditableWord]:
        """The words that can be changed, with what can stand in their place."""
        ...

    def additions(self, field: str, prompt: str) -> Sequence[Alternative]:
        """The words of a field that can be said behind a prompt, in its language."""
        ...

    def replaced(self, prompt: str, changes: Sequence[WordChange]) -> str:
        """The prompt with words replaced. Raises WordNotFound, ValueError."""
        ...

    def changed_fields(self, source: str, target: str) -> frozenset[str]:
        """The fields of the words in which two prompts differ."""
        ...


class NoDomain(AsTyped):
    """The reader of a checkpoint without a domain, with words replaced by their letters."""

    def varied(self, prompt: str, seed: int, negative: str, setting: int) -> str:
        return prompt

    def editable_words(self, prompt: str) -> list[EditableWord]:
        return []

    def additions(self, field: str, prompt: str) -> list[Alternative]:
        return []

    def replaced(self, prompt: str, changes: Sequence[WordChange]) -> str:
        for change in changes:
            prompt = _replaced_anywhere(prompt, change)
        return prompt

    def changed_fields(self, source: str, target: str) -> frozenset[str]:
        return frozenset()


def _replaced_anywhere(prompt: str, change: WordChange) -> str:
    """A prompt of no domain with one word replaced wherever it stands."""
    if _HANGUL.search(change.old):
        from hangul.replacing import replace_word  # late: the analyser takes seconds and half a gigabyte

        found = replace_word(prompt, change.old, change.new)
    else:
        found = re.sub(rf"\b{re.escape(change.old)}\b", lambda _: change.new, prompt, flags=re.IGNORECASE)
    if found == prompt:
        raise WordNotFound(change.old, prompt.replace(",", " ").split())
    return found


READERS: dict[str, DomainReader] = {"fashion": FashionReader()}


def reader_for(domain: str) -> DomainReader:
    """The reader of a domain that a checkpoint's manifest names; of any other, the one that changes nothing."""
    return READERS.get(domain, NoDomain())


@dataclass(frozen=True)
class Analysis:
    """What is known about a prompt before anything is drawn; `unknown`: words with their start and end."""

    normalized: str
    tokens: int | None
    max_tokens: int | None
    unknown: Sequence[tuple[str, int, int]]
    readings: Sequence[Reading]
    unwanted: str
    warnings: list[Warned]
    rejected: moderation.Rule | None


def accept(text: str, field: str = "prompt") -> str:
    """The prompt as it is kept and drawn. Raises ServiceError prompt_empty, prompt_too_long, prompt_rejected."""
    prompt = clean(text, field)
    if not any(unicodedata.category(c)[0] in "LNS" for c in prompt):
        raise ServiceError("prompt_empty", field)
    if (rule := moderation.judge(prompt)) is not None:
        raise ServiceError("prompt_rejected", field, reason=rule.reason[language()])
    return prompt


def check_publishing(prompt: str, beside: Iterable[str]) -> None:
    """Refuse to show strangers a prompt, or a text beside it, that has no place there.

    Raises ServiceError publishing_rejected.
    """
    found = [moderation.judge(prompt, publishing=True), *map(moderation.judge_beside, beside)]
    if (broken := next((rule for rule in found if rule), None)) is not None:
        raise ServiceError("publishing_rejected", "visibility", reason=broken.reason[language()])


def check_said(texts: Mapping[str, str]) -> None:
    """Refuse to show strangers what somebody says of a picture; texts by field. Raises ServiceError
    publishing_rejected.
    """
    for field, text in texts.items():
        if text and (broken := moderation.judge(text, publishing=True)) is not None:
            raise ServiceError("publishing_rejected", field, reason=broken.reason[language()])


def clean(text: str, field: str = "prompt") -> str:
    """NFC, controls out, spaces single, at most 2,000 characters. Raises ServiceError."""
    if len(text) > MAX_TEXT:
        raise ServiceError("prompt_too_long", field, limit=MAX_CHARACTERS, got=len(text))
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise ServiceError("invalid_request", field, reason="not_text")
    prompt = normalize(text)
    if len(prompt) > MAX_CHARACTERS:
        raise ServiceError("prompt_too_long", field, limit=MAX_CHARACTERS, got=len(prompt))
    return prompt


def analyze(text: str, counter: TokenCounter | None, reader: DomainReader) -> Analysis:
    """Tokens, unknown words, what is read otherwise and the rules, for the page's meter."""
    prompt, rule = clean(text), None
    tokens = counter.count_tokens(reader.read(prompt)) if counter and prompt else (0 if counter else None)
    found = warnings(prompt, prompt, counter, reader) if prompt else []
    if (rule := moderation.judge(prompt)) is not None:
        found.append(Warned("prompt_rejected", {"reason": rule.reason[language()]}))
    limit = counter.max_tokens if counter else None
    unknown, unwanted = nouns_of(prompt, reader.unknown_words(prompt)), reader.unwanted(prompt)
    readings = reader.readings(prompt)
    return Analysis(prompt, tokens, limit, unknown, readings, unwanted, found, rule)


def warnings(prompt: str, asked: str, counter: TokenCounter | None, reader: DomainReader) -> list[Warned]:
    """What of a prompt will not count or is read otherwise; `asked`: the prompt with a style's words."""
    found = cut("prompt_cut", asked, counter, reader)
    if unknown := [word for word, _, _ in nouns_of(prompt, reader.unknown_words(prompt))]:
        found.append(Warned("unknown_words", {"words": ", ".join(list(dict.fromkeys(unknown))[:NAMED])}))
    if otherwise := reader.readings(prompt):
        found.append(Warned("read_as", {"words": reading_list(otherwise), "said": said(otherwise)}))
    return found


def negative_warnings(
    job: Draw, defaults: Mapping[str, object], counter: TokenCounter | None, reader: DomainReader
) -> list[Warned]:
    """What of a negative prompt will not count; `defaults`: the checkpoint's, as far as they are known."""
    if not job.negative_prompt:
        return []
    scales = [job.guidance_scale or defaults.get("guidance_scale")]
    scales += [defaults.get("refine_guidance")] if job.refine else []
    if all(scale is not None and float(str(scale)) <= 1 for scale in scales):
        return [Warned("negative_prompt_unused", {"guidance_scale": 1})]
    return cut("negative_prompt_cut", job.negative_prompt, counter, reader)


def cut(code: str, text: str, counter: TokenCounter | None, reader: DomainReader) -> list[Warned]:
    """The warning that the encoder does not read a text to its end."""
    read = reader.read_negative if code.startswith("negative") else reader.read
    if counter is None or (tokens := counter.count_tokens(read(text))) <= counter.max_tokens:
        return []
    return [Warned(code, {"tokens": tokens, "max_tokens": counter.max_tokens})]


def with_new(known: Iterable[Mapping[str, object]], more: Iterable[Warned]) -> list[dict[str, object]]:
    """Stored warnings, and those of others that say something new."""
    found = {str(one["code"]): dict(one) for one in known}
    for one in more:
        found.setdefault(one.code, {"code": one.code, "values": dict(one.values)})
    return list(found.values())


def search_key(text: str) -> str:
    """Prompts with the same key are the same prompt; at most 400 characters, never empty."""
    return (_search_key(text) or normalize(text))[:400]


def prompt_styles() -> dict[str, lexicon.Word]:
    """Drawing styles that are asked for by words in the prompt, by name."""
    return {style.id: style for style in lexicon.STYLES}


def style_named(name: str | None, installed: Collection[str] = ()) -> str | None:
    """The style that a person's word names (수채화 → watercolor); any other name as it is, and before all that of an
    installed LoRA (먹그림).
    """
    if name is None or name in prompt_styles() or name in installed:
        return name
    wanted = normalize(name).casefold()
    known = ((id, lexicon.forms(style, language)) for id, style in prompt_styles().items() for language in ("ko", "en"))
    return next((id for id, forms in known if wanted in forms), name)


def with_style(prompt: str, style: str | None) -> str:
    """The prompt with a style's words, in its own language; as it is where the style is none of words."""
    if style is None or (word := prompt_styles().get(style)) is None:
        return prompt
    return f"{prompt}, {word.ko[0] if _HANGUL.search(prompt) else word.en[0]}"


def reading_list(found: Sequence[Reading]) -> str:
    """What is read otherwise than it was typed, for people to read: ‘채크’→‘체크’, each once and eight at most."""
    return ", ".join(list(dict.fromkeys(f"‘{one.text}’→‘{one.replacement}’" for one in found))[:NAMED])


def said(found: Sequence[Reading]) -> str:
    """The same as a Korean sentence begins: ‘모자’는 ‘버킷햇’으로."""
    parts = (
        f"‘{one.text}’{fitting(one.text, '은')} ‘{one.replacement}’{fitting(one.replacement, '으로')}" for one in found
    )
    return ", ".join(list(dict.fromkeys(parts))[:NAMED])
