"""How a prompt is read before it is drawn: the protocol of a checkpoint's domain, and the reader of none.

In: a prompt as it was typed. Out: the prompt that is drawn. Studio and pipeline share one reader, so that what people
are shown is what is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Never, Protocol, Self


class PromptReader(Protocol):
    """Reads a prompt as its domain means it. Weights such as (red:1.3) stay in the text.

    `read`: typos corrected, general words made definite, what is not wanted left out. `unwanted`: what that is (모자 of
    모자 없이), for the negative prompt, or "". `read_negative`: typos corrected, general words left general (no hats:
    none of any kind). `complete`: what a read prompt leaves open, chosen by the seed of its picture and none of it
    named by the negative prompt; the same arguments always give the same text. `styled`: the reader for drawings with
    LoRA styles, which bring a look of their own: it leaves background and drawing style open.
    """

    def read(self, prompt: str) -> str: ...

    def unwanted(self, prompt: str) -> str: ...

    def read_negative(self, prompt: str) -> str: ...

    def complete(self, prompt: str, seed: int, negative: str) -> str: ...

    def styled(self) -> Self: ...


class TokenCounter(Protocol):
    """What a text encoder says of a text's length; of a text over `max_tokens` the end is not read."""

    max_tokens: int

    def count_tokens(self, text: str) -> int: ...


class AsTyped:
    """The reader of a checkpoint without a domain: the prompt is drawn as it was typed, and nothing is known of it."""

    def read(self, prompt: str) -> str:
        return prompt

    def unwanted(self, prompt: str) -> str:
        return ""

    def read_negative(self, prompt: str) -> str:
        return prompt

    def complete(self, prompt: str, seed: int, negative: str) -> str:
        return prompt

    def styled(self) -> Self:
        return self

    def readings(self, prompt: str) -> Sequence[Never]:
        return ()

    def outside(self, prompt: str) -> bool:
        return False

    def unknown_words(self, prompt: str) -> Sequence[Never]:
        return ()
