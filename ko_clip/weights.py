"""Weights that a person writes into a prompt, as the ecosystem writes them.

In: "(빨간:1.3) 원피스, [모자]". Out: the text without marks, and a weight for every character of it.
(x) weighs 1.1, ((x)) 1.21, (x:1.3) 1.3, [x] 1/1.1; a backslash keeps a bracket as it is. Brackets inside one
another multiply. A bracket that is never closed is text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_STEP = 1.1
_MOST = 2.0  # beyond this a word breaks the picture
_NUMBER = re.compile(r":\s*([+]?(?:\d+\.?\d*|\.\d+))\s*$")
_PAIRS = {"(": ")", "[": "]"}


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
    characters: list[tuple[str, float]] = []
    _read(prompt, 1.0, characters)
    return WeightedText(
        "".join(c for c, _ in characters), tuple(min(_MOST, max(0.0, weight)) for _, weight in characters)
    )


def _read(prompt: str, weight: float, out: list[tuple[str, float]]) -> None:
    """Append the characters of a prompt with their weights, brackets inside brackets included."""
    at = 0
    while at < len(prompt):
        character = prompt[at]
        if character == "\\" and at + 1 < len(prompt) and prompt[at + 1] in "()[]\\":
            out.append((prompt[at + 1], weight))
            at += 2
        elif character in _PAIRS and (end := _closing(prompt, at)) is not None:
            inner, factor = _factor(prompt[at + 1 : end], character)
            _read(inner, weight * factor, out)
            at = end + 1
        else:
            out.append((character, weight))
            at += 1


def _closing(prompt: str, start: int) -> int | None:
    """Where the bracket at `start` closes, or None."""
    opener, closer, depth, at = prompt[start], _PAIRS[prompt[start]], 0, start
    while at < len(prompt):
        if prompt[at] == "\\":
            at += 1
        elif prompt[at] == opener:
            depth += 1
        elif prompt[at] == closer:
            depth -= 1
            if depth == 0:
                return at
        at += 1
    return None


def _factor(inner: str, opener: str) -> tuple[str, float]:
    """The text inside a bracket, and what its bracket multiplies by."""
    if opener == "[":
        return inner, 1 / _STEP
    if match := _NUMBER.search(inner):
        return inner[: match.start()], float(match.group(1))
    return inner, _STEP
