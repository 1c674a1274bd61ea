"""The prompt reader of the drawn domain: what is drawn where a prompt was typed otherwise or leaves something open.

A checkpoint whose manifest names the domain `fashion` is drawn with it (`load_pipeline(..., reader=FashionReader())`).
"""

from __future__ import annotations

from fashion.meant import Reading, as_meant, readings
from fashion.vocabulary import unknown_words


class FashionReader:
    """Reads prompts in Korean and English; the same text is always read the same."""

    def read(self, prompt: str) -> str:
        """The prompt with slips corrected and general words made definite (모자 → 버킷햇)."""
        return as_meant(prompt)

    def read_negative(self, prompt: str) -> str:
        """A negative prompt with slips corrected; a general word stays: who wants no hats means every hat."""
        return as_meant(prompt, general=False)

    def complete(self, prompt: str, seed: int, negative: str) -> str:
        """The read prompt as it is: nothing is added to what it leaves open."""
        return prompt

    def readings(self, prompt: str) -> list[Reading]:
        """What is read otherwise than it was typed."""
        return readings(prompt)

    def unknown_words(self, prompt: str) -> list[tuple[str, int, int]]:
        """Words that the domain does not have: (word, start, end)."""
        return [(span.text, span.start, span.end) for span in unknown_words(prompt)]
