"""Styles as they are asked for: a name and a weight each, in a list or as tags in the prompt.

In: `<lora:수묵화:0.8>` where people paste it, as in A1111's and ComfyUI's prompts. Out: the prompt without its tags, and a
`StyleUse` each. A tag without a number has weight 1; of two numbers (text encoder, U-Net) the second counts, because
no text encoder is changed here.
"""

from __future__ import annotations

import re

from pydantic import BaseModel, ConfigDict, Field

from jobspec.fields import StyleName, StyleWeight

MAX_STYLES = 4  # in one picture
_TAG = re.compile(r"\s*<\s*(?:lora|lyco)\s*:\s*([^<>:]+?)\s*((?::[^<>:]*)*)>\s*(,?)", re.IGNORECASE)


class StyleUse(BaseModel):
    """A style and how strongly it is drawn with."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    name: StyleName
    weight: StyleWeight = Field(default=1.0)

    @classmethod
    def parse(cls, text: str) -> StyleUse:
        """Of a command line's NAME or NAME:WEIGHT. Raises ValueError."""
        name, _, weight = text.partition(":")
        return cls(name=name, weight=_number(weight) if weight else 1.0)


def take_tags(prompt: str) -> tuple[str, list[dict[str, object]]]:
    """A prompt without its tags, and the styles that they name, as given: ranges are checked where a job is made."""
    found: list[dict[str, object]] = []

    def take(tag: re.Match[str]) -> str:
        numbers = [each.strip() for each in tag[2].split(":")[1:] if each.strip()]
        found.append({"name": tag[1], "weight": _number(numbers[-1]) if numbers else 1.0})
        return tag[3] or " "

    text = _TAG.sub(take, prompt)
    return (text.strip().strip(",").strip(), found) if found else (prompt, [])


def _number(text: str) -> float | str:
    """A number, or the text itself, which the field then refuses by name."""
    try:
        return float(text)
    except ValueError:
        return text
