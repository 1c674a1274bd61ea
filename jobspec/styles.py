"""Styles as they are asked for: a name and a weight each, in a list or as tags in the prompt.

In: `<lora:수묵화:0.8>` where people paste it, as in A1111's and ComfyUI's prompts. Out: the prompt without its tags,
and a `StyleUse` each. A tag without a number has weight 1; of two numbers (text encoder, U-Net) the second counts,
because no text encoder is changed here.
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, WithJsonSchema

from jobspec.fields import StyleName, StyleWeight

MAX_STYLES = 4  # in one picture
_TAG = re.compile(r"<\s*(?:lora|lyco)\s*:\s*([^<>:]+?)\s*((?::[^<>:]*)*)>", re.IGNORECASE)
_TAGS = re.compile(rf"[\s,]*(?:{_TAG.pattern}[\s,]*)+", re.IGNORECASE)  # one beside the other, with their commas


class StyleUse(BaseModel):
    """A style and how strongly it is drawn with."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True, defer_build=True)

    name: StyleName
    weight: StyleWeight = Field(default=1.0)

    @classmethod
    def parse(cls, text: str) -> StyleUse:
        """Of a command line's NAME or NAME:WEIGHT. Raises ValueError."""
        name, _, weight = text.partition(":")
        return cls.model_validate({"name": name, "weight": _number(weight) if weight else 1.0})


# Spelled out in place: the schemas of kinds are joined field by field, where a reference would lead nowhere.
_SCHEMA: dict[str, object] = {
    "type": "array", "maxItems": MAX_STYLES,
    "items": {
        "type": "object", "additionalProperties": False, "required": ["name"],
        "properties": {
            "name": TypeAdapter(StyleName).json_schema(),
            "weight": TypeAdapter(StyleWeight).json_schema() | {"default": 1.0},
        },
    },
}  # fmt: skip
StyleUses = Annotated[list[StyleUse], Field(max_length=MAX_STYLES), WithJsonSchema(_SCHEMA)]


def take_tags(prompt: str) -> tuple[str, list[dict[str, object]]]:
    """A prompt without its tags, and the styles that they name, as given: ranges are checked where a job is made."""
    found: list[dict[str, object]] = []

    def take(tags: re.Match[str]) -> str:
        for tag in _TAG.finditer(tags[0]):
            numbers = [each.strip() for each in tag[2].split(":")[1:] if each.strip()]
            found.append({"name": tag[1], "weight": _number(numbers[-1]) if numbers else 1.0})
        return ", " if "," in _TAG.sub("", tags[0]) else " "

    text = _TAGS.sub(take, prompt)
    return (text.strip(" ,"), found) if found else (prompt, [])


def _number(text: str) -> float | str:
    """A number, or the text itself, which the field then refuses by name."""
    try:
        return float(text)
    except ValueError:
        return text
