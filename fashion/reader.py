"""The prompt reader of the drawn domain: what is drawn where a prompt was typed otherwise or leaves something open.

A checkpoint whose manifest names the domain `fashion` is drawn with it (`load_pipeline(..., reader=FashionReader())`).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Self

from fashion.completion import PARTS, completed
from fashion.negation import negative_words, unwanted, wanted
from fashion.prompt_reading import Reading, read_prompt, readings
from fashion.replacing import Alternative, EditableWord, WordChange, additions, changed_fields, editable_words, replaced
from fashion.request_words import PARTICLES
from fashion.vocabulary import known_words, unknown_words
from hangul.jamo import loose_runs, typos


class FashionReader:
    """Reads prompts in Korean and English; the same text is always read the same, and completed the same by one seed.

    `completes=False`: what a prompt leaves open stays open, and every seed draws the mean of what it may be; `parts`:
    what of it is completed; `rewords`: free descriptions are drawn in the domain's own words (`fashion.own_words`).
    """

    def __init__(self, completes: bool = True, parts: Sequence[str] = PARTS, rewords: bool = True) -> None:
        self._completes, self._parts, self._rewords = completes, parts, rewords

    def styled(self) -> Self:
        """The reader for drawings with LoRA styles: a palace is not moved to a park, nor neon drawn as pixel art."""
        parts = [part for part in self._parts if part not in ("background", "style")]
        return type(self)(self._completes, parts, rewords=False)  # a trigger is no word of the domain

    def read(self, prompt: str) -> str:
        """The prompt with typos corrected, general words made definite (모자 → 버킷햇), loose letters put together
        (ㅃㅏㄹㄱㅏㄴ → 빨간), and without what it does not want."""
        whole = _put_together(prompt)
        left = wanted(whole)
        return read_prompt(left, general=left != whole or not unwanted(whole))

    def unwanted(self, prompt: str) -> str:
        """What a prompt says should not be there (모자 없이), for the negative prompt; "" where it says nothing."""
        return negative_words(_put_together(prompt))

    def read_negative(self, prompt: str) -> str:
        """A negative prompt with typos corrected; a general word stays: who wants no hats means every hat."""
        return read_prompt(prompt, general=False)

    def complete(self, prompt: str, seed: int, negative: str) -> str:
        """The read prompt with what it leaves open, by the seed: background, style, sleeves and the like, and clothes
        for a person whose body it leaves bare. A prompt without a garment is drawn on one."""
        return self.varied(prompt, seed, negative, seed)

    def varied(self, prompt: str, seed: int, negative: str, setting: int) -> str:
        """The same for a variation of the picture that was drawn with the seed `setting`: it stays that picture."""
        if not self._completes:
            return prompt
        return completed(prompt, seed, negative, self._parts, setting, self._rewords).text

    def readings(self, prompt: str) -> list[Reading]:
        """What is read otherwise than it was typed, from left to right."""
        prompt = unicodedata.normalize("NFC", prompt)
        loose = [Reading(start, end, prompt[start:end], read_prompt(made)) for start, end, made in _loose(prompt)]
        kept = [
            one for one in readings(_without(prompt)) if not any(u.start <= one.start < u.end for u in unwanted(prompt))
        ]
        return sorted([*loose, *kept], key=lambda one: one.start)

    def outside(self, prompt: str) -> bool:
        """Whether a prompt that is not empty names no garment, or none that it wants (치마 없이)."""
        text = self.read(prompt)
        left_out = unwanted(text)
        found = (span.start for span in known_words(text) if span.field == "garment")
        return bool(prompt.strip()) and all(any(no.start <= start < no.end for no in left_out) for start in found)

    def editable_words(self, prompt: str) -> list[EditableWord]:
        """The words that can be changed, with what can stand in their place."""
        return editable_words(prompt)

    def additions(self, field: str, prompt: str) -> list[Alternative]:
        """The words of a field that can be said behind a prompt, in its language."""
        return additions(field, prompt)

    def replaced(self, prompt: str, changes: Sequence[WordChange]) -> str:
        """The prompt with words replaced. Raises WordNotFound, ValueError."""
        return replaced(prompt, changes)

    def changed_fields(self, source: str, target: str) -> frozenset[str]:
        """The fields of the words in which two prompts differ."""
        return changed_fields(source, target)

    def unknown_words(self, prompt: str) -> list[tuple[str, int, int]]:
        """Words that the domain does not have: (word, start, end)."""
        prompt = unicodedata.normalize("NFC", prompt)
        runs = [(start, end) for start, end, made in _loose(prompt) if unknown_words(read_prompt(made))]
        loose = [(prompt[start:end], start, end) for start, end in runs]
        left_out = unwanted(_without(prompt))  # it is said of them that they are left out
        behind = {end for _, end, _ in _loose(prompt)}
        words = [
            (span.text, span.start, span.end)
            for span in unknown_words(_without(prompt))
            if not any(one.start <= span.start < one.end for one in left_out)
            and not (span.start in behind and span.text in PARTICLES)
        ]
        return sorted([*loose, *words], key=_place)


def _put_together(prompt: str) -> str:
    """The prompt in NFC with loose letters that make syllables put together."""
    prompt = unicodedata.normalize("NFC", prompt)
    for start, end, made in reversed(_loose(prompt)):
        prompt = prompt[:start] + made + prompt[end:]
    return prompt


def _loose(prompt: str) -> list[tuple[int, int, str]]:
    """Runs of loose letters as (start, end, word): that of the lexicon which is one key away, if they make none."""
    return [(start, end, _known_near(made)) for start, end, made in loose_runs(prompt)]


def _known_near(made: str) -> str:
    """ㅂㅏㄹㄱㅏㄴ makes 발간, and 빨간 was meant: who types letters loosely means no rare word."""
    if not unknown_words(read_prompt(made)):
        return made
    slips = (made[:i] + near + made[i + 1 :] for i, letter in enumerate(made) for near in typos(letter))
    return next((near for near in slips if not unknown_words(near)), made)


def _without(prompt: str) -> str:
    """The prompt with blanks in place of such letters, so that places stay the same."""
    for start, end, _ in loose_runs(prompt):
        prompt = prompt[:start] + " " * (end - start) + prompt[end:]
    return prompt


def _place(found: tuple[str, int, int]) -> int:
    return found[1]
