"""What becomes of a prompt before it is drawn: read once by the checkpoint's domain, and said where it could not count.

A checkpoint's manifest may name a domain ("fashion"). Whoever composes the studio hands that domain's reader in
(`load_pipeline(..., reader=...)`); a checkpoint without a domain is given the prompt as typed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from diffusion.request import Shot
from jobspec.prompts import PromptReader, TokenCounter


@runtime_checkable
class CutCounter(TokenCounter, Protocol):
    """A counter that also gives the end of a text that does not fit, or "" where all of it is read."""

    def dropped(self, text: str) -> str: ...


@dataclass(frozen=True)
class DrawWarning:
    """What was asked and did not count. Codes and their values:

    prompt_cut, negative_prompt_cut: tokens, max_tokens (the encoder reads no further);
    negative_prompt_unused: guidance_scale (without guidance nothing is kept away);
    scheduler_replaced: named (the checkpoint's own), used (it cannot draw with its noise levels).
    """

    code: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return MESSAGES[self.code].format(**self.values)


MESSAGES = {
    "prompt_cut": "the prompt has {tokens} tokens, the text encoder reads {max_tokens}: its end is not drawn",
    "negative_prompt_cut": "the negative prompt has {tokens} tokens, the text encoder reads {max_tokens}",
    "negative_prompt_unused": "the negative prompt is not used at guidance {guidance_scale}: give 2 or more",
    "scheduler_replaced": "scheduler {named} of the checkpoint cannot draw with its noise levels: {used} drew",
}


def read_shots(shots: Sequence[Shot], reader: PromptReader) -> list[Shot]:
    """The shots with `drawn_prompt` and `drawn_negative` filled in; those that have them already are kept."""
    found: dict[tuple[Callable[[str], str], str], str] = {}

    def once(read: Callable[[str], str], text: str) -> str:
        if (read, text) not in found:
            found[read, text] = read(text) if text else ""
        return found[read, text]

    def fill(shot: Shot) -> Shot:
        prompt, negative = shot.drawn_prompt, shot.drawn_negative
        if negative is None:
            unwanted = (shot.negative_prompt, once(reader.unwanted, shot.prompt))
            negative = once(reader.read_negative, ", ".join(text for text in unwanted if text))
        if prompt is None:
            prompt = once(reader.read, shot.prompt)
            if shot.source is None:  # a source picture says what its prompt leaves open
                prompt = reader.complete(prompt, shot.seed, negative)
        return replace(shot, drawn_prompt=prompt, drawn_negative=negative)

    return [fill(shot) for shot in shots]


def text_warnings(shots: Sequence[Shot], counter: object, guidance: Mapping[str, float]) -> Iterator[DrawWarning]:
    """What of the texts of read shots does not count; `guidance`: each stage's scale where it guides any step."""
    for code, texts in (
        ("prompt_cut", [shot.drawn_prompt or "" for shot in shots]),
        ("negative_prompt_cut", [shot.drawn_negative or "" for shot in shots]),
    ):
        if code == "negative_prompt_cut" and not guidance and any(texts):
            yield DrawWarning("negative_prompt_unused", {"guidance_scale": 1.0})
        elif (longest := _longest_cut(texts, counter)) is not None:
            yield DrawWarning(code, longest)


def _longest_cut(texts: Sequence[str], counter: object) -> dict[str, object] | None:
    """tokens and max_tokens of the longest text that does not fit; None where all fit or nobody can tell."""
    if not isinstance(counter, CutCounter):
        return None
    cut = [counter.count_tokens(text) for text in dict.fromkeys(texts) if counter.dropped(text)]
    return {"tokens": max(cut), "max_tokens": counter.max_tokens} if cut else None
