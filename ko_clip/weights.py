"""Weights that a person writes into a prompt, as the ecosystem writes them.

In: "(빨간:1.3) 원피스, [모자]". Out: the text in NFC without marks, and a weight for every character of it.
(x) weighs 1.1, ((x)) 1.21, (x:1.3) 1.3, [x] 1/1.1; a backslash keeps a bracket as it is. Brackets inside one
another multiply, however many. A bracket that is never closed is text.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

_STEP = 1.1
_MOST = 2.0  # beyond this a word breaks the picture
_NUMBER = re.compile(r":\s*([+]?(?:\d+\.?\d*|\.\d+))\s*\Z")
_LONGEST_NUMBER = 40  # characters, colon and blanks included
_PAIRS = {"(": ")", "[": "]"}
_ESCAPED = frozenset("()[]\\")


@dataclass(frozen=True)
class WeightedText:
    """Text and one weight per character; `plain` where every weight is 1."""

    text: str
    weights: tuple[float, ...]

    @property
    def plain(self) -> bool:
        return all(weight == 1.0 for weight in self.weights)


def parse_weights(prompt: str) -> WeightedText:
    """Read the marks of a prompt. Weights are kept between 0 and 2."""
    prompt = unicodedata.normalize("NFC", prompt)
    characters = _read(prompt)
    text = "".join(character for character, _ in characters)
    weights = tuple(min(_MOST, max(0.0, weight)) for _, weight in characters)
    composed = unicodedata.normalize("NFC", text)
    if len(composed) != len(text):  # a combining mark met its letter where a bracket went
        text, weights = composed, weights[: len(composed)]
    return WeightedText(text, weights)


def _read(prompt: str) -> list[tuple[str, float]]:
    """The characters of a prompt with their weights. Open brackets lie on a stack, so any depth is read."""
    closes, found = _closings(prompt), []
    at, end, weight = 0, len(prompt), 1.0
    outer: list[tuple[int, int, float]] = []  # where to go on after the bracket, to where, and with which weight
    while outer or at < end:
        if at >= end:
            at, end, weight = outer.pop()
        elif prompt[at] == "\\" and at + 1 < end and prompt[at + 1] in _ESCAPED:
            found.append((prompt[at + 1], weight))
            at += 2
        elif at in closes and closes[at] < end:
            outer.append((closes[at] + 1, end, weight))
            inner_end, factor = _factor(prompt, at + 1, closes[at], prompt[at])
            at, end, weight = at + 1, inner_end, weight * factor
        else:
            found.append((prompt[at], weight))
            at += 1
    return found


def _closings(prompt: str) -> dict[int, int]:
    """Where each bracket that is closed closes; round and square ones are paired each among themselves."""
    opened: dict[str, list[int]] = {closer: [] for closer in _PAIRS.values()}
    closes, at = {}, 0
    while at < len(prompt):
        character = prompt[at]
        if character == "\\":
            at += 1
        elif character in _PAIRS:
            opened[_PAIRS[character]].append(at)
        elif opened.get(character):
            closes[opened[character].pop()] = at
        at += 1
    return closes


def _factor(prompt: str, start: int, end: int, opener: str) -> tuple[int, float]:
    """Where the text inside a bracket ends, and what its bracket multiplies by."""
    if opener == "[":
        return end, 1 / _STEP
    if match := _NUMBER.search(prompt, max(start, end - _LONGEST_NUMBER), end):
        return match.start(), float(match.group(1))
    return end, _STEP
